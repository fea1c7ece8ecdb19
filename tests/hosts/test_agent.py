"""The host's agent without a host: health, lifecycle and metrics over a PgBouncer of the test's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from hosts import health, lifecycle, pooler, telemetry
from hosts.health import Health

VERSION = [{"version": "PgBouncer 1.24.1"}]


class Pooler:
    """What PgBouncer and the database behind it answer."""

    def __init__(self) -> None:
        self.answers: dict[str, list[dict[str, str]]] = {"SHOW VERSION": VERSION}
        self.console_works = True
        self.query_works = True
        self.clients: list[int] = []
        self.stopped_after: list[float] = []

    def console(self, command: str) -> list[dict[str, str]]:
        if not self.console_works:
            raise pooler.PoolerError("no answer in 8 s to SHOW VERSION")
        return self.answers[command]

    def prove_query(self) -> None:
        if not self.query_works:
            raise pooler.PoolerError("server login failed: the database is away")

    def count(self) -> int:
        return self.clients.pop(0) if len(self.clients) > 1 else self.clients[0]

    def stop(self, longest_seconds: float) -> bool:
        self.stopped_after.append(longest_seconds)
        return True


@pytest.fixture
def bouncer(monkeypatch: pytest.MonkeyPatch) -> Pooler:
    fake = Pooler()
    monkeypatch.setattr(pooler, "console", fake.console)
    monkeypatch.setattr(pooler, "prove_query", fake.prove_query)
    monkeypatch.setattr(pooler, "clients", fake.count)
    monkeypatch.setattr(pooler, "stop_between_transactions", fake.stop)
    return fake


@pytest.fixture
def served(bouncer: Pooler) -> Iterator[tuple[Health, str]]:
    del bouncer
    subject = Health(10, health.time.monotonic())
    server = health.serve(subject, "127.0.0.1", 0)
    yield subject, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def ask(address: str, path: str = "/health") -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(address + path, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_endpoint_passes_only_after_a_proven_query(
    served: tuple[Health, str], bouncer: Pooler
) -> None:
    subject, address = served
    assert ask(address) == (503, {"query": False, "pooler": True, "draining": False})
    assert subject.check()
    assert ask(address) == (200, {"query": True, "pooler": True, "draining": False})
    bouncer.query_works = False
    assert not subject.check()
    assert ask(address) == (503, {"query": False, "pooler": True, "draining": False})
    assert ask(address, "/metrics") == (404, {})


def test_a_draining_host_gets_no_new_clients(served: tuple[Health, str], bouncer: Pooler) -> None:
    del bouncer
    subject, address = served
    subject.check()
    subject.draining = True
    assert ask(address) == (503, {"query": True, "pooler": True, "draining": True})


def test_a_result_does_not_count_for_ever(bouncer: Pooler) -> None:
    del bouncer
    subject = Health(10, 0)
    subject.check()
    proven = subject.query_proven_at
    assert proven is not None
    assert subject.passes(proven + 36)
    assert not subject.passes(proven + 37)


def test_a_database_that_is_away_is_no_reason_for_the_watchdog(
    bouncer: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: now[0])
    subject = Health(10, 0)
    bouncer.query_works = False
    subject.check()
    assert subject.silent_seconds(100) == 0
    bouncer.console_works = False
    now[0] = 700
    subject.check()
    assert subject.silent_seconds(700) == 600


def test_draining_waits_for_clients_and_then_for_transactions(
    bouncer: Pooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(lifecycle.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(lifecycle.time, "sleep", sleep)
    subject = Health(10, 0)
    bouncer.clients = [3]
    lifecycle.drain(subject, 60, 120)
    assert (subject.draining, now[0], bouncer.stopped_after) == (True, 60, [120])
    # With nobody left it takes as long as the load balancer needs.
    now[0], bouncer.clients = 0.0, [0]
    lifecycle.drain(subject, 60, 120)
    assert now[0] == 15


@pytest.mark.parametrize(
    ("code", "settled"), [(None, True), ("ValidationError", True), ("Throttling", False)]
)
def test_a_lifecycle_action_is_settled_when_done_or_when_nothing_waits(
    code: str | None, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUP_NAME", "pgkeep-prod-pooler")
    client = boto3.client(
        "autoscaling", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        expected = {
            "AutoScalingGroupName": "pgkeep-prod-pooler",
            "LifecycleHookName": "a-hook",
            "InstanceId": "i-1",
            "LifecycleActionResult": "CONTINUE",
        }
        if code is None:
            stubber.add_response("complete_lifecycle_action", {}, expected)
        else:
            stubber.add_client_error("complete_lifecycle_action", code, expected_params=expected)
        assert lifecycle.complete(client, "a-hook", "i-1") is settled


@pytest.mark.parametrize(
    ("zone", "time", "due"),
    [
        ("a", "02:59", False),
        ("a", "03:00", True),
        ("a", "03:14", True),
        ("a", "03:15", False),
        ("b", "03:14", False),
        ("b", "03:30", True),
        ("b", "03:45", False),
        ("b", "04:00", False),
    ],
)
def test_each_zone_reboots_in_its_own_part_of_the_window(
    zone: str, time: str, due: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = tmp_path / "reboot-required"
    monkeypatch.setattr(lifecycle, "REBOOT_REQUIRED", required)
    hour, minute = map(int, time.split(":"))
    moment = datetime(2026, 11, 21, hour, minute, tzinfo=UTC)
    arguments = ("03:00-04:00", ["a", "b"], lambda: zone, moment)
    assert not lifecycle.reboot_due(*arguments)
    required.touch()
    assert lifecycle.reboot_due(*arguments) is due
    assert not lifecycle.reboot_due("", ["a", "b"], lambda: zone, moment)


def test_metrics_of_each_database_and_none_of_our_own(bouncer: Pooler) -> None:
    pool = {"cl_waiting": "0", "sv_used": "1", "maxwait": "0", "maxwait_us": "0", "sv_idle": "2"}
    bouncer.answers |= {
        "SHOW DATABASES": [
            {"name": name, "pool_size": "20"}
            for name in ("node_pass", "node_pass_readonly", "pgkeep_health", "pgbouncer")
        ],
        "SHOW USERS": [{"name": "app_1", "pool_size": "10"}, {"name": "readonly_1"}],
        "SHOW STATS": [{"database": "node_pass", "avg_wait_time": "1500"}],
        "SHOW POOLS": [
            {"database": "node_pass", "user": "app_1", "cl_active": "7", "sv_active": "9", **pool}
            | {"cl_waiting": "3", "maxwait": "2", "maxwait_us": "500000"},
            {"database": "node_pass", "user": "readonly_1", "cl_active": "1", "sv_active": "4"}
            | pool,
            {
                "database": "pgkeep_health",
                "user": "h_1",
                "cl_active": "1",
                "sv_active": "1",
                **pool,
            },
        ],
    }
    values = telemetry.samples()
    idle = dict.fromkeys(telemetry.UNITS, 0.0)
    assert values == {
        "node_pass": {
            "ClientsActive": 8,
            "ClientsWaiting": 3,
            "ServersActive": 13,
            "ServersIdle": 6,
            "MaxWaitSeconds": 2.5,
            "AverageWaitMilliseconds": 1.5,
            "PoolUsePercent": 90,
        },
        "node_pass_readonly": idle,
    }
    first, _ = telemetry.metric_events(
        values, name="pgkeep-prod-pooler", instance_id="i-1", now_ms=5
    )
    document = json.loads(first["message"])
    assert document["_aws"]["Timestamp"] == first["timestamp"] == 5
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "pgkeep/pooler"
    assert directive["Dimensions"] == [["Pooler"], ["Pooler", "Database"]]
    assert {each["Name"] for each in directive["Metrics"]} <= set(document)
    assert (document["Pooler"], document["Database"]) == ("pgkeep-prod-pooler", "node_pass")
