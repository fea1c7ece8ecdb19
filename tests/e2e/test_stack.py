"""End to end on a real local cloud: from `make up` to a query through the pooler, and down again.

The tests run in the order of this file on one stack. What only AWS has (its control plane) is
emulated; PostgreSQL, PgBouncer, systemd, TLS, the firewall and the functions are real.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.local_stack import REPOSITORY, LocalStack, last_words

pytestmark = pytest.mark.root

INSERT = """INSERT INTO buyers (license_id, wallet, tier, status)
VALUES ('NODE-1', '0xabc', 'gold', 'active') RETURNING license_id"""


def test_up_ends_with_a_summary_that_says_how_to_go_on(stack: LocalStack) -> None:
    for part in ("Pooler", "Database", "Replica", "s3://", "make psql", "make down"):
        assert part in stack.up_output


def test_app_writes_and_reads_through_the_pooler_with_tls_verified_in_full(
    stack: LocalStack,
) -> None:
    answer = stack.query(
        "application_security_group_id",
        stack.through_pooler(),
        [
            INSERT,
            "UPDATE buyers SET tx_hash = '0xfeed' WHERE license_id = 'NODE-1'",
            "SELECT tier, tx_hash FROM buyers WHERE license_id = 'NODE-1'",
        ],
    )
    assert answer["error"] is None
    assert answer["results"][0]["rows"] == [["NODE-1"]]
    assert answer["results"][1]["count"] == 1
    assert answer["results"][2]["rows"] == [["gold", "0xfeed"]]


@pytest.mark.parametrize("statement", ["DELETE FROM buyers", "TRUNCATE buyers"])
def test_app_cannot_delete(stack: LocalStack, statement: str) -> None:
    answer = stack.query("application_security_group_id", stack.through_pooler(), [statement])
    assert answer["error"] is None
    assert answer["results"][0]["sqlstate"] == "42501"
    assert "permission denied for table buyers" in answer["results"][0]["error"]


def test_a_plain_text_connection_is_refused_at_the_pooler(stack: LocalStack) -> None:
    plain = {**stack.through_pooler(), "sslmode": "disable"}
    answer = stack.query("application_security_group_id", plain, ["SELECT 1"])
    assert "SSL required" in answer["error"]


def test_a_plain_text_connection_is_refused_at_the_database(stack: LocalStack) -> None:
    plain = {**stack.direct("migrator"), "sslmode": "disable"}
    answer = stack.query("migration_security_group_id", plain, ["SELECT 1"])
    assert "no encryption" in answer["error"]


def test_a_wrong_authority_is_refused_by_the_client(stack: LocalStack) -> None:
    wrong = {**stack.through_pooler(), "sslrootcert": str(stack.home / "rds-ca-bundle.pem")}
    answer = stack.query("application_security_group_id", wrong, ["SELECT 1"])
    assert "certificate verify failed" in answer["error"]


def test_a_client_outside_the_application_group_cannot_reach_the_pooler(stack: LocalStack) -> None:
    answer = stack.query("analytics_security_group_id", stack.through_pooler(), ["SELECT 1"])
    assert "timeout" in answer["error"]


def test_the_application_cannot_reach_the_database_directly(stack: LocalStack) -> None:
    answer = stack.query("application_security_group_id", stack.direct("app"), ["SELECT 1"])
    assert "timeout" in answer["error"]


def test_readonly_reads_on_the_replica_and_cannot_write(stack: LocalStack) -> None:
    replica = stack.outputs["replica_endpoints"][0]
    answer = stack.query(
        "analytics_security_group_id",
        stack.direct("readonly", replica),
        [
            "SELECT pg_is_in_recovery()",
            "SELECT wallet FROM buyers WHERE license_id = 'NODE-1'",
            "UPDATE buyers SET wallet = ''",
        ],
    )
    assert answer["error"] is None
    assert answer["results"][0]["rows"] == [[True]]
    assert answer["results"][1]["rows"] == [["0xabc"]]
    assert answer["results"][2]["sqlstate"] == "25006"  # read-only transaction: a replica


def test_readonly_cannot_write_where_writing_is_possible(stack: LocalStack) -> None:
    answer = stack.query(
        "migration_security_group_id", stack.direct("readonly"), ["UPDATE buyers SET wallet = ''"]
    )
    assert answer["results"][0]["sqlstate"] == "42501"


def test_buyers_has_the_indexes_of_the_guide(stack: LocalStack) -> None:
    answer = stack.query(
        "migration_security_group_id",
        stack.direct("migrator"),
        ["SELECT indexname FROM pg_indexes WHERE tablename = 'buyers' ORDER BY 1"],
    )
    assert [row[0] for row in answer["results"][0]["rows"]] == sorted(
        [
            "buyers_pkey",
            "buyers_license_id_idx",
            "buyers_wallet_idx",
            "buyers_tier_idx",
            "buyers_status_idx",
            "buyers_created_at_idx",
            "buyers_wallet_status_idx",
        ]
    )


def test_a_backup_is_listed_verified_and_proven_by_restoring_it(stack: LocalStack) -> None:
    made = json.loads(stack.pgkeep("backup", "run", "--class", "pre-migration", "--json"))
    assert made["row_counts"]["node_pass.buyers"] == 1
    assert json.loads(stack.pgkeep("backup", "verify", made["id"], "--json"))["whole"]

    stack.pgkeep("restore", "--from", made["id"], "--to", "restored")
    counted = stack.query(
        "migration_security_group_id",
        {**stack.direct("migrator"), "dbname": "restored"},
        ["SELECT license_id FROM node_pass.buyers", "DROP TABLE node_pass.buyers"],
    )
    # Owner and grants came with it: the migrator acts as the owner there too.
    assert counted["results"][0]["rows"] == [["NODE-1"]]

    listed = json.loads(stack.pgkeep("backup", "list", "--json"))["recovery_points"]
    (dump,) = [point for point in listed if point["id"] == made["id"]]
    assert (dump["class"], dump["proven"]) == ("pre-migration", True)
    assert {point["kind"] for point in listed} >= {"dump", "point-in-time", "snapshot"}
    decided = json.loads(stack.pgkeep("backup", "prune", "--dry-run", "--json"))["decisions"]
    assert [one["keep"] for one in decided] == [True]


def test_a_restore_over_the_present_database_and_the_way_back(stack: LocalStack) -> None:
    refused = stack.run_pgkeep("restore", "--to", "node_pass", "--confirm", "yes")
    assert refused.returncode == 1
    assert "was not confirmed: type node_pass when asked" in refused.stderr
    stack.query(
        "application_security_group_id",
        stack.through_pooler(),
        ["UPDATE buyers SET tier = 'spoiled' WHERE license_id = 'NODE-1'"],
    )
    # Applications go on meanwhile: they wait at the pooler, and nothing of theirs is refused.
    with transactions(stack) as meanwhile:
        answer = json.loads(
            stack.pgkeep("restore", "--to", "node_pass", "--confirm", "node_pass", "--json")
        )
    print("clients of a restore over the present database:", answer["exchange"], meanwhile)
    assert answer["proven"]
    assert len(answer["exchange"]["paused_hosts"]) == len(pooler_addresses(stack))
    assert (answer["exchange"]["busy_hosts"], answer["exchange"]["silent_hosts"]) == ([], [])
    assert meanwhile["errors"] == {}
    assert meanwhile["committed"] > 0
    assert meanwhile["longest_seconds"] < answer["exchange"]["seconds"] + 10
    read = ["SELECT tier FROM buyers WHERE license_id = 'NODE-1'", "DELETE FROM buyers"]
    restored = stack.query("application_security_group_id", stack.through_pooler(), read)
    assert restored["results"][0]["rows"] == [["gold"]]
    assert restored["results"][1]["sqlstate"] == "42501"
    # A transaction that does not end in time is ended; everybody else only waits.
    with transactions(stack) as others, long_transaction(stack) as ended:
        words = ["--back-to", answer["set_aside_as"], "--confirm", "node_pass"]
        for _ in range(3):
            told = stack.run_pgkeep("restore", *words, "--drain-seconds", "3")
            # A busy machine's hosts may answer late: then nothing was replaced.
            if "Try again" not in told.stderr:
                break
    assert told.returncode == 0, told.stderr
    assert "Transactions had not ended in time at i-" in told.stderr
    print("a transaction that goes on, ended after 3 s:", ended["seconds"], others)
    errors = [one["error"] for one in ended["results"] if "error" in one]
    assert errors, ended
    assert "timeout" not in errors[0]
    assert ended["seconds"] < 160
    assert (others["errors"], others["lost"]) == ({}, 0)
    mend = "UPDATE buyers SET tier = 'gold' WHERE license_id = 'NODE-1'"
    back = stack.query("application_security_group_id", stack.through_pooler(), [read[0], mend])
    assert back["results"][0]["rows"] == [["spoiled"]]


@contextmanager
def long_transaction(stack: LocalStack) -> Generator[dict[str, Any]]:
    """A client of the pooler that spoils a row and does not commit for minutes; what it was told."""
    told: dict[str, Any] = {}
    statements = [
        "BEGIN",
        "UPDATE buyers SET tier = 'never' WHERE license_id = 'NODE-1'",
        "SELECT pg_advisory_xact_lock(4711)",
        # Each below the role's statement_timeout.
        *["SELECT pg_sleep(20)"] * 8,
        "COMMIT",
    ]

    def hold() -> None:
        began = time.monotonic()
        group = "application_security_group_id"
        told.update(stack.query(group, stack.through_pooler(), statements))
        told["seconds"] = time.monotonic() - began

    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"

    def has_begun() -> bool:
        migrator = stack.direct("migrator")
        answer = stack.query("migration_security_group_id", migrator, [held])
        return answer["results"][0]["rows"] != [[0]]

    client = threading.Thread(target=hold)
    client.start()
    try:
        wait_until(has_begun)
        yield told
    finally:
        client.join()


def test_a_restore_that_dies_does_not_keep_its_clients_waiting(stack: LocalStack) -> None:
    secret = stack.outputs["pooler_pause_secret_name"]

    def wish(state: str, seconds: float) -> None:
        text = json.dumps({"id": "died", "state": state, "until": time.time() + seconds})
        stack.aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)

    with transactions(stack) as meanwhile:
        wish("ready", 40)
        wait_until(lambda: said_by_poolers(stack, "died", "ready"))
        wish("pause", 6)
        wait_until(lambda: said_by_poolers(stack, "died", "resumed"))
    print("clients of a pause that nobody ended:", meanwhile)
    assert meanwhile["errors"] == {}
    assert 4 < meanwhile["longest_seconds"] < 20


def said_by_poolers(stack: LocalStack, name: str, state: str) -> bool:
    """Whether every host has answered so."""
    logs, group = stack.aws("logs"), stack.outputs["pooler_log_group"]
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    names = [one["logStreamName"] for one in streams if one["logStreamName"].endswith("/pause")]
    answers = [
        [json.loads(event["message"]) for event in page["events"]]
        for page in (logs.get_log_events(logGroupName=group, logStreamName=one) for one in names)
    ]
    said = [host for host in answers if {"id": name, "state": state} in host]
    return len(said) == len(pooler_addresses(stack))


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def test_the_backup_schedule_points_at_the_function(stack: LocalStack) -> None:
    schedules = stack.aws("scheduler").list_schedules()["Schedules"]
    targets = [schedule["Target"]["Arn"] for schedule in schedules]
    assert any(target.endswith(f":{stack.outputs['backup_function']}") for target in targets)


def test_every_pooler_host_passes_the_host_tests(stack: LocalStack) -> None:
    """By the login that deploy.yml uses: a key pushed by EC2 Instance Connect, and no other."""
    assert len(pooler_addresses(stack)) == 2
    result = stack.toolchain("host-tests", "local")
    assert result.returncode == 0, last_words(result)
    assert "skipped" not in result.stdout


def test_a_second_up_changes_nothing(stack: LocalStack) -> None:
    preview = stack.preview("--expect-no-changes")
    assert preview.returncode == 0, last_words(preview)
    started = time.monotonic()
    up = stack.toolchain("up")
    assert up.returncode == 0, last_words(up)
    assert "unchanged" in up.stdout
    print(f"second up: {time.monotonic() - started:.1f} s")
    # Of what exists, the engine hands the policies less than a state has: no ids, no outputs.
    in_engine = set(re.findall(r"\[severity: \w+\]  ([\w-]+)  \([^)]+ ([^)]+)\)", preview.stdout))
    findings = {(rule, name) for rule, name in in_engine if rule != "policy-coverage-complete"}
    assert findings == judged_by_state(stack)


def judged_by_state(stack: LocalStack) -> set[tuple[str, str]]:
    """What the policies find in the exported state: rules, and the resources' logical names."""
    exported = stack.pulumi("stack", "export", "--stack", "local")
    state = stack.home / "exported.json"
    state.write_text(exported.stdout)
    checked = stack.run_pgkeep("check", "--state", str(state), "--json")
    found = json.loads(checked.stdout)["stacks"][0]["violations"]
    return {(one["rule"], one["urn"].rpartition("::")[2]) for one in found}


def test_a_pool_size_changes_exactly_the_pooler(stack: LocalStack) -> None:
    before = set(pooler_addresses(stack))
    stack.write_config({"pooler": {"default_pool_size": 19}})
    preview = stack.preview("--json")
    assert preview.returncode == 0, last_words(preview)
    steps = json.loads(preview.stdout)["steps"]
    changed = {step["newState"]["type"]: step["op"] for step in steps if step["op"] != "same"}
    assert changed == {
        "aws:ec2/launchTemplate:LaunchTemplate": "update",
        "aws:autoscaling/group:Group": "update",
    }
    with transactions(stack) as counts:
        up = stack.toolchain("up")
    assert up.returncode == 0, last_words(up)
    assert counts["committed"] > 0
    assert (counts["lost"], counts["refused"]) == (0, 0), counts
    deadline = time.monotonic() + 120
    while before & set(pooler_addresses(stack)) and time.monotonic() < deadline:
        time.sleep(1)
    after = pooler_addresses(stack)
    assert len(after) == 2
    assert not before & set(after), "the instance refresh did not replace every host"
    answer = stack.query(
        "application_security_group_id",
        stack.through_pooler(),
        ["SELECT tier FROM buyers WHERE license_id = 'NODE-1'"],
    )
    assert answer["error"] is None
    assert answer["results"][0]["rows"] == [["gold"]]


def test_down_leaves_nothing(stack: LocalStack) -> None:
    down = stack.toolchain("down")
    assert down.returncode == 0, last_words(down)
    assert stack.leftovers() == []


@contextmanager
def transactions(stack: LocalStack) -> Generator[dict[str, Any]]:
    """Transactions of a second through the pooler meanwhile; afterwards what became of them."""
    request = {"connection": stack.through_pooler(), "clients": 6, "seconds": 1.0}
    group = stack.outputs["application_security_group_id"]
    run = ["-m", "localcloud", "run", "--security-group", group, "--"]
    counts: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, *run, sys.executable, "tests/e2e/transactions.py"],
        cwd=REPOSITORY,
        env=stack.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        yield counts
        answer, _ = process.communicate()
    counts.update(json.loads(answer))


def pooler_addresses(stack: LocalStack) -> list[str]:
    """Private addresses of the hosts in service."""
    groups = stack.aws("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[stack.outputs["pooler_group_name"]]
    )["AutoScalingGroups"]
    identifiers = [
        i["InstanceId"] for i in groups[0]["Instances"] if i["LifecycleState"] == "InService"
    ]
    reservations = stack.aws("ec2").describe_instances(InstanceIds=identifiers)["Reservations"]
    return [i["PrivateIpAddress"] for r in reservations for i in r["Instances"]]
