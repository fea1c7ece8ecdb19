"""A backup that does not fit into the function's time: made by a host that comes, and goes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from localcloud import cgroups
from localcloud.home import Home
from tests.e2e.local_stack import LocalStack
from toolchain.tunnel import local_tunnel

pytestmark = pytest.mark.root

GROUP = "pgkeep-local-backup-worker"
SECONDS_OF_A_WORKER = 240


def wait_for(what: Callable[[], Any], seconds: float = SECONDS_OF_A_WORKER) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, what
        time.sleep(1)
    return found


def members(stack: LocalStack) -> list[str]:
    found = stack.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
    (group,) = found["AutoScalingGroups"]
    assert group["DesiredCapacity"] or not [
        one for one in group["Instances"] if one["LifecycleState"] == "InService"
    ]
    return [one["InstanceId"] for one in group["Instances"]]


def document(stack: LocalStack, request: str, name: str) -> dict[str, Any] | None:
    s3, bucket = stack.aws("s3"), stack.outputs["backup_bucket"]
    try:
        found = s3.get_object(Bucket=bucket, Key=f"handover/{request}/{name}.json")
    except s3.exceptions.NoSuchKey:
        return None
    return json.loads(found["Body"].read())


@pytest.fixture
def wide(stack: LocalStack) -> Iterator[None]:
    """A row that libpq needs more memory for than the function has for one program."""
    migrator, group = stack.direct("migrator"), "migration_security_group_id"
    make = "CREATE TABLE node_pass.wide AS SELECT repeat('x', 200000000) AS text"
    made = stack.query(group, migrator, [make])
    assert "error" not in made["results"][0], made
    yield
    stack.query(group, migrator, ["DROP TABLE node_pass.wide"])


@pytest.mark.usefixtures("wide")
def test_a_worker_makes_the_backup_of_a_row_too_wide_for_the_function_and_goes(
    stack: LocalStack,
) -> None:
    answer = json.loads(stack.pgkeep("backup", "run", "--json"))
    assert answer["handed_over"]["worker"] == GROUP
    assert answer["handed_over"]["queued_behind"] is None
    assert answer["reason"].startswith("a row of node_pass.wide is too wide: psql: ")
    assert answer["reason"].endswith("within the 384 MiB that one program has here")
    assert answer["row_counts"]["node_pass.wide"] == 1
    whole = json.loads(stack.pgkeep("backup", "verify", answer["id"], "--json"))
    assert whole["whole"] is True
    manifest = json.loads(
        stack.aws("s3")
        .get_object(Bucket=stack.outputs["backup_bucket"], Key=answer["key"])["Body"]
        .read()
    )
    assert manifest["worker"] == "worker, c6i.large"
    attempt = document(stack, answer["handed_over"]["request"], "attempt-1")
    assert attempt is not None
    lines = stack.aws("logs").get_log_events(
        logGroupName=attempt["log_group"], logStreamName=attempt["log_stream"], startFromHead=True
    )["events"]
    said = [json.loads(line["message"])["event"] for line in lines]
    assert (said[0], said[-1]) == ("backup_taken", "backup_worker")
    wait_for(lambda: members(stack) == [])


def test_nothing_can_reach_it(stack: LocalStack) -> None:
    ec2 = stack.aws("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [GROUP]}])[
        "SecurityGroups"
    ]
    assert group["IpPermissions"] == []


def test_a_worker_that_is_killed_leaves_a_failure_and_goes(stack: LocalStack) -> None:
    wait_for(lambda: members(stack) == [])
    before = json.loads(stack.pgkeep("backup", "list", "--json"))["recovery_points"]
    os.environ.update(
        {name: stack.environment[name] for name in stack.environment if "PGKEEP_" in name}
    )
    master = stack.aws("secretsmanager").get_secret_value(
        SecretId=stack.outputs["master_secret_name"]
    )
    login = json.loads(master["SecretString"])
    host, port = stack.outputs["database_endpoint"], int(stack.outputs["database_port"])
    with (
        local_tunnel(stack.outputs["migration_security_group_id"], host, port) as (address, number),
        psycopg.connect(
            host=host,
            hostaddr=address,
            port=number,
            dbname=stack.outputs["database_name"],
            user=login["username"],
            password=login["password"],
            sslmode="verify-full",
            sslrootcert=str(stack.home / "rds-ca-bundle.pem"),
        ) as connection,
    ):
        words = ["backup", "run", "--time-limit", "0", "--no-wait", "--json"]
        request = json.loads(stack.pgkeep(*words))["handed_over"]["request"]
        connection.execute("LOCK TABLE node_pass.buyers IN ACCESS EXCLUSIVE MODE")
        attempt = wait_for(lambda: document(stack, request, "attempt-1"))
        for process in wait_for(lambda: processes(stack, attempt["worker"])):
            os.kill(process, signal.SIGKILL)
        result = wait_for(lambda: document(stack, request, "result"))
    assert result == {
        "status": "failed",
        "error": "the backup worker was ended: signal (killed KILL)",
    }
    wait_for(lambda: members(stack) == [])
    points = json.loads(stack.pgkeep("backup", "list", "--json"))
    assert len(points["recovery_points"]) >= len(before) - 1
    dumps = [one["id"] for one in points["recovery_points"] if one["kind"] == "dump"]
    assert dumps == [one["id"] for one in before if one["kind"] == "dump"]
    # What it had uploaded when it was killed is called what it is.
    assert {one["reason"] for one in points["not_backups"]} <= {
        "it has no manifest: the run did not reach its end"
    }
    # The next one starts clean.
    answer = json.loads(stack.pgkeep("backup", "run", "--json"))
    assert answer["id"]
    assert "handed_over" not in answer


def processes(stack: LocalStack, instance: str) -> list[int]:
    """The worker's own processes on its host, seen from outside."""
    prefix = Home(stack.home, stack.port).prefix
    return [
        process
        for process in cgroups.processes(prefix, instance)
        if b"operations.handover.worker" in Path(f"/proc/{process}/cmdline").read_bytes()
    ]


def test_the_function_s_own_limit_is_left_alone(stack: LocalStack) -> None:
    """Nothing was handed over that fits."""
    answer = json.loads(stack.pgkeep("backup", "run", "--time-limit", "600", "--json"))
    assert "handed_over" not in answer
