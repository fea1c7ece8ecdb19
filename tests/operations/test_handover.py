"""A backup that is handed over: the request, the worker that takes it, and every end of it."""

from __future__ import annotations

import dataclasses
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from operations.backup import BackupTarget, Manifest, Options, time_budget
from operations.backup.time_budget import Estimate, OverBudgetError, OverMemoryError
from operations.database import Endpoint
from operations.errors import OperationError
from operations.functions import backup as function
from operations.handover import backup_site, requests, worker_group
from operations.handover.backup_site import BackupSite
from operations.handover.log_stream import LogStream
from operations.handover.requests import Desk, Request
from operations.handover.worker import Worker
from operations.handover.worker_group import WorkerGroup
from tests.operations.stored_backups import BUCKET, made

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0"
ESTIMATE = Estimate(2_000, 40 * 1024**3, 25 * 1024**2, "assumption")
OVER = OverBudgetError(ESTIMATE, 880)


@pytest.fixture
def desk(s3: Any) -> Desk:
    return Desk(s3, BUCKET, KEY)


class Group:
    """Auto Scaling as far as it is used; `instances` are who is up, one look after the other."""

    def __init__(self, *looks: list[str]) -> None:
        self.looks = list(looks) or [[]]
        self.wanted: list[dict[str, Any]] = []

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        assert AutoScalingGroupNames == ["workers"]
        up = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"AutoScalingGroups": [{"Instances": [{"InstanceId": one} for one in up]}]}

    def set_desired_capacity(self, **asked: Any) -> None:
        self.wanted.append(asked)


class Site(BackupSite):
    """A site whose backups are what the test says."""

    def back_up(self, backup_class: str, options: Options) -> Manifest:
        asked.append((backup_class, options))
        return outcomes.pop(0)()


asked: list[tuple[str, Options]] = []
outcomes: list[Callable[[], Manifest]] = []


def fails(error: Exception) -> Callable[[], Manifest]:
    def outcome() -> Manifest:
        raise error

    return outcome


@pytest.fixture
def site(s3: Any, tmp_path: Path) -> Site:
    asked.clear()
    outcomes.clear()
    endpoint = Endpoint("db", 5432, "node_pass", tmp_path / "ca.pem")
    return Site(endpoint, "secret", BackupTarget(BUCKET, KEY, {}), lambda: s3)


def worker(site: Site, folder: Path, seconds: float = 3_600) -> Worker:
    deadline = time.monotonic() + seconds
    return Worker(site, "i-1", "c6g.large", "/pgkeep/log", deadline, folder / "request.json")


def request(days_ago: float = 0, backup_class: str = "daily") -> Request:
    asked_at = datetime.now(UTC) - timedelta(days=days_ago)
    new = Request.new(backup_class, 2_000.04, 5)
    return dataclasses.replace(
        new, id=f"{asked_at:%Y%m%dT%H%M%S%f}-x", requested_at=asked_at.isoformat()
    )


def result(desk: Desk, one: Request) -> dict[str, Any]:
    key = f"handover/{one.id}/result.json"
    return json.loads(desk.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_request_is_open_until_it_has_a_result(desk: Desk) -> None:
    first, second, old = request(), request(), request(days_ago=1.1)
    for one in (second, first, old):
        desk.ask(one)
    assert [(one.id, tried) for one, tried in desk.open()] == [(first.id, 0), (second.id, 0)]
    desk.take(first, 1, {"worker": "i-1"})
    assert [(one.id, tried) for one, tried in desk.open()] == [(first.id, 1), (second.id, 0)]
    desk.end(first, {"status": "done"})
    desk.end(first, {"status": "failed"})
    assert result(desk, first) == {"status": "done"}
    assert [one for one, _ in desk.open()] == [second]


def test_its_objects_are_written_once_and_under_the_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[dict[str, Any]] = []
    monkeypatch.setattr(desk.s3, "put_object", lambda **given: put.append(given))
    desk.ask(request())
    (given,) = put
    assert (given["IfNoneMatch"], given["SSEKMSKeyId"]) == ("*", KEY)
    assert given["ServerSideEncryption"] == "aws:kms"


@pytest.mark.parametrize("requested_at", ["2026-01-01T00:00:00", "today", None])
def test_what_is_no_request_is_told_by_its_key_and_keeps_nobody_from_the_others(
    desk: Desk, requested_at: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"id": 1} | ({"requested_at": requested_at} if requested_at else {})
    if requested_at:
        document = {**dataclasses.asdict(request()), **document}
    body = json.dumps(document).encode()
    desk.s3.put_object(Bucket=BUCKET, Key="handover/0/request.json", Body=body)
    desk.ask(one := request())
    assert [found for found, _ in desk.open()] == [one]
    told = json.loads(capsys.readouterr().out)
    assert told["event"] == "request_unreadable"
    assert "handover/0/request.json is no request of this version; remove it" in told["error"]


def test_a_worker_is_started_for_the_request(desk: Desk) -> None:
    group, one = Group(), request()
    given = WorkerGroup(group, "workers").hand_over(one, desk)
    assert dataclasses.asdict(given) == {
        "to": "worker", "request": one.id, "worker": "workers", "queued_behind": None,
    }  # fmt: skip
    assert group.wanted == [
        {"AutoScalingGroupName": "workers", "DesiredCapacity": 1, "HonorCooldown": False}
    ]
    assert [found for found, _ in desk.open()] == [one]


def test_a_worker_that_is_up_takes_it_next_and_there_is_never_a_second(desk: Desk) -> None:
    group = Group(["i-1"])
    given = WorkerGroup(group, "workers").hand_over(request(), desk)
    assert given.queued_behind == "i-1"
    assert [one["DesiredCapacity"] for one in group.wanted] == [1]


def test_one_that_has_closed_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(worker_group.time, "sleep", pauses.append)
    desk.close("i-1")
    group = Group(["i-1"], ["i-1"], ["i-1"], [])
    given = WorkerGroup(group, "workers").hand_over(request(), desk)
    assert (given.queued_behind, len(pauses)) == (None, 2)


def test_the_worker_takes_all_requests_and_closes(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = request(), request(backup_class="weekly")
    site.desk.ask(first)
    site.desk.ask(second)
    backup = made(1)
    outcomes.extend([fails(OperationError("psql failed: no space")), lambda: backup])
    worker(site, tmp_path).serve()
    assert result(site.desk, first) == {
        "status": "failed", "error": "OperationError: psql failed: no space",
    }  # fmt: skip
    ended = result(site.desk, second)
    assert (ended["status"], ended["id"], ended["key"]) == ("done", backup.id, backup.key)
    assert [one for one, _ in asked] == ["daily", "weekly"]
    options = asked[0][1]
    assert options.worker == "worker, c6g.large"
    assert options.time_limit_seconds == pytest.approx(3_540, abs=5)
    assert options.too_large_fails
    assert site.desk.is_closing("i-1")
    assert not (tmp_path / "request.json").exists()
    success = [one["BackupWorkerSuccess"] for one in events(capsys) if "_aws" in one]
    assert success == [0, 1]


def test_who_asks_while_it_closes_is_heard(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, close = request(), Desk.close

    def just_before(desk: Desk, name: str) -> None:
        desk.ask(late)
        close(desk, name)

    monkeypatch.setattr(Desk, "close", just_before)
    outcomes.append(lambda: made(1))
    worker(site, tmp_path).serve()
    assert result(site.desk, late)["status"] == "done"


def test_a_request_that_killed_two_workers_is_given_up(site: Site, tmp_path: Path) -> None:
    one = request()
    site.desk.ask(one)
    for number in (1, 2):
        site.desk.take(one, number, {"worker": f"i-{number}"})
    worker(site, tmp_path).serve()
    assert asked == []
    assert "2 workers ended without a word" in result(site.desk, one)["error"]


def test_what_rds_exports_is_not_made_by_a_worker_too(site: Site, tmp_path: Path) -> None:
    """From when the stack had no worker: the run has the export, and not a dump beside it."""
    exported = dataclasses.replace(request(), snapshot="pgkeep-dev-export-1")
    mine = request()
    for one in (exported, mine):
        site.desk.ask(one)
    outcomes.append(lambda: made(1))
    worker(site, tmp_path).serve()
    assert result(site.desk, mine)["status"] == "done"
    assert outcomes == []
    # It is open still, for who looks after exports.
    assert [one for one, _ in site.desk.open()] == [exported]
    assert not (tmp_path / "request.json").exists()


def test_the_request_at_work_stands_in_a_file(site: Site, tmp_path: Path) -> None:
    one, seen = request(), list[Any]()
    site.desk.ask(one)

    def outcome() -> Manifest:
        seen.append(json.loads((tmp_path / "request.json").read_text()))
        return made(1)

    outcomes.append(outcome)
    worker(site, tmp_path).serve()
    assert seen == [{"id": one.id, "class": "daily"}]


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def invoke(
    site: Site, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], group: str | None
) -> dict[str, Any]:
    monkeypatch.setattr(function.BackupSite, "from_environment", lambda: site)
    if group is None:
        monkeypatch.delenv("WORKER_GROUP", raising=False)
    else:
        monkeypatch.setenv("WORKER_GROUP", "workers")
    return function.handler(event, Context())


def test_the_function_hands_over_what_it_has_no_time_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = Group()
    monkeypatch.setattr(function.boto3, "client", lambda _name: group)
    outcomes.append(fails(OVER))
    answer = invoke(site, monkeypatch, {"class": "daily", "time_limit_seconds": 60}, "workers")
    ((one, _),) = site.desk.open()
    assert answer["handed_over"]["request"] == one.id
    assert answer["reason"] == (
        "a backup of 40960 MiB would take about 2000 s (25 MiB/s by assumption), more than the "
        "880 s that this run has"
    )
    assert (one.backup_class, one.estimated_seconds) == ("daily", 2_000)
    options = asked[0][1]
    assert (options.budget_seconds, options.too_large_fails) == (60, False)
    assert options.time_limit_seconds == 880
    (said,) = events(capsys)
    assert (said["event"], said["BackupHandedOver"], said["to"]) == (
        "backup_handed_over", 1, "worker",
    )  # fmt: skip


def test_a_row_too_wide_for_the_function_gets_all_of_the_worker_s_memory(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group()
    monkeypatch.setattr(function.boto3, "client", lambda _name: group)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
    outcomes.append(fails(OverMemoryError("a row is too wide", 896 * 1024**2, ESTIMATE)))
    answer = invoke(site, monkeypatch, {"class": "daily"}, "workers")
    assert answer["reason"] == ("a row is too wide, within the 896 MiB that one program has here")
    options = asked[0][1]
    assert options.memory_bytes == 2048 * 1024**2
    assert options.program_memory_bytes == 896 * 1024**2
    ((one, _),) = site.desk.open()
    assert one.sessions == 1
    outcomes.append(lambda: made(1))
    worker(site, tmp_path).serve()
    alone = asked[1][1]
    assert alone.workers == 1
    assert 0 < (alone.program_memory_bytes or 0) < (alone.memory_bytes or 0)
    # Who was handed over for its time has a session a processor.
    site.desk.ask(request())
    outcomes.append(lambda: made(2))
    worker(site, tmp_path).serve()
    assert asked[2][1].workers >= 2


def test_the_limit_of_hashing_comes_with_the_site(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "DB_HOST": "db", "DB_PORT": "5432", "DB_NAME": "node_pass", "RDS_CA_BUNDLE": __file__,
        "BACKUP_SECRET_ARN": "secret", "BACKUP_BUCKET": BUCKET, "KMS_KEY_ARN": KEY,
        "RETENTION_DAYS": "3", "LARGEST_HASHED_TABLE_BYTES": "1000",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seen: list[Options] = []

    def run(*_: Any, options: Options, **__: Any) -> Manifest:
        seen.append(options)
        return made(1)

    monkeypatch.setattr(backup_site, "run", run)
    site = BackupSite.from_environment()
    site.back_up("daily", Options(workers=3))
    assert seen == [Options(workers=3, largest_hashed_table_bytes=1000)]
    monkeypatch.setenv("LARGEST_HASHED_TABLE_BYTES", "")
    assert BackupSite.from_environment().largest_hashed_table_bytes is None


def test_a_program_has_its_share_and_never_less_than_it_needs() -> None:
    assert Options().program_memory_bytes is None
    shares = [
        Options(memory_bytes=mib * 1024**2, workers=workers).program_memory_bytes
        for mib, workers in ((1024, 2), (1024, 1), (256, 2), (128, 1))
    ]
    assert shares == [mib * 1024**2 for mib in (384, 768, 96, 96)]


def test_without_a_worker_it_fails_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes.append(fails(OVER))
    with pytest.raises(OverBudgetError, match="pgkeep backup run --here"):
        invoke(site, monkeypatch, {"class": "daily"}, None)
    (said,) = events(capsys)
    assert (said["event"], said["BackupSuccess"], said["Class"]) == ("backup_failed", 0, "daily")


def test_a_worker_that_cannot_be_started_is_a_failed_backup(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(**_: Any) -> None:
        raise PermissionError("AccessDenied")

    group = Group()
    monkeypatch.setattr(group, "set_desired_capacity", refuses)
    monkeypatch.setattr(function.boto3, "client", lambda _name: group)
    outcomes.append(fails(OVER))
    with pytest.raises(PermissionError):
        invoke(site, monkeypatch, {"class": "daily"}, "workers")
    assert [one["event"] for one in events(capsys)] == ["backup_failed"]


@pytest.mark.parametrize("wrong", [-1, True, "60"])
def test_a_wrong_limit_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, wrong: object
) -> None:
    with pytest.raises(OperationError, match="it must be a number of seconds, 0 or more"):
        invoke(site, monkeypatch, {"class": "daily", "time_limit_seconds": wrong}, None)
    assert asked == []


def test_the_log_reaches_cloudwatch_line_by_line(aws: None) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/pgkeep/log")
    also = io.StringIO()
    with LogStream(logs, "/pgkeep/log", "i-1", also) as stream:
        stream.write('{"event": "a"}\n{"ev')
        stream.write('ent": "b"}\n')
    found = logs.get_log_events(
        logGroupName="/pgkeep/log", logStreamName="i-1", startFromHead=True
    )["events"]
    assert [one["message"] for one in found] == ['{"event": "a"}', '{"event": "b"}']
    assert also.getvalue() == '{"event": "a"}\n{"event": "b"}\n'
    with LogStream(logs, "/pgkeep/log", "i-1", also):
        logs.delete_log_group(logGroupName="/pgkeep/log")
        print("lost", file=stream)


def test_estimates_of_a_worker_go_by_workers(s3: Any) -> None:
    backup = dataclasses.replace(
        made(1), duration_seconds=10, source_bytes=1024**3, worker="worker, c6g.large"
    )
    s3.put_object(Bucket=BUCKET, Key=backup.key, Body=time_budget.manifest.encode(backup))
    found = [
        time_budget.measured(
            s3=s3, bucket=BUCKET, database="node_pass", classes=["daily"], worker=kind
        ).based_on
        for kind in ("worker, c6g.large", "function, 2048 MiB")
    ]
    assert found == [f"backup {backup.id}", "assumption"]
    assert requests.PREFIX == "handover/"
