"""The backup function is ended from outside: at its time limit, and by a kill.

The function stops by itself before its time is over; a process that stands still cannot.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from localcloud.home import Home
from tests.e2e.local_stack import LocalStack

pytestmark = pytest.mark.root

FUNCTION = "pgkeep-local-backup"
ALARM = f"{FUNCTION}-errors"
TIMEOUT_SECONDS = 45
# Uploads of several parts, and long enough to be met.
ROWS = 40_000


@pytest.fixture(scope="module")
def large(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack with a table of 80 MB of random text, and its function's limits as they were."""
    owner = stack.direct("migrator")
    made = stack.query(
        "migration_security_group_id",
        owner,
        [
            "SET statement_timeout = 0",
            "CREATE TABLE node_pass.large AS SELECT i AS id, "
            "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 60 + i % 2)) AS text "
            f"FROM generate_series(1, {ROWS}) i",
        ],
    )
    assert all("error" not in one for one in made["results"]), made
    functions = stack.aws("lambda")
    before = functions.get_function_configuration(FunctionName=FUNCTION)
    yield stack
    functions.update_function_configuration(FunctionName=FUNCTION, Timeout=before["Timeout"])
    stack.query("migration_security_group_id", owner, ["DROP TABLE node_pass.large"])


def configure(stack: LocalStack, **limits: int) -> None:
    stack.aws("lambda").update_function_configuration(FunctionName=FUNCTION, **limits)


def invoke(stack: LocalStack) -> dict[str, Any]:
    from botocore.config import Config

    patient = Config(read_timeout=300, retries={"total_max_attempts": 1})
    answer = stack.aws("lambda", config=patient).invoke(
        FunctionName=FUNCTION, Payload=b'{"class": "manual"}'
    )
    return {"failed": "FunctionError" in answer, **json.loads(answer["Payload"].read())}


def uploads(stack: LocalStack) -> list[str]:
    found = stack.aws("s3").list_multipart_uploads(Bucket=stack.outputs["backup_bucket"])
    return [one["Key"] for one in found.get("Uploads", [])]


def dumps(stack: LocalStack) -> list[str]:
    points = json.loads(stack.pgkeep("backup", "list", "--json"))["recovery_points"]
    return [one["id"] for one in points if one["kind"] == "dump"]


def processes(stack: LocalStack) -> list[int]:
    """Of the function, and of what it started."""
    prefix = Home(stack.home, stack.port).prefix
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            group = (folder / "cgroup").read_text()
            variables = (folder / "environ").read_bytes()
        except OSError:
            continue
        if prefix in group and f"AWS_LAMBDA_FUNCTION_NAME={FUNCTION}\0".encode() in variables:
            found.append(int(folder.name))
    return found


def alive(process: int) -> bool:
    """Within ten seconds a killed process is gone, or waits for its parent."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state in "ZX":
            return False
        time.sleep(0.1)
    return True


def while_it_uploads(stack: LocalStack, act: Callable[[], None]) -> dict[str, Any]:
    """Invoke the function, and `act` as soon as it uploads; returns its answer."""
    with ThreadPoolExecutor(1) as pool:
        answer: Future[dict[str, Any]] = pool.submit(invoke, stack)
        while not uploads(stack):
            assert not answer.done(), answer.result()
            time.sleep(0.02)
        act()
        return answer.result()


def assert_clean(stack: LocalStack, before: list[str]) -> None:
    """No half backup, and the next run is whole and leaves nothing of the one that was ended."""
    assert dumps(stack) == before
    made = json.loads(stack.pgkeep("backup", "run", "--json"))
    assert made["row_counts"]["node_pass.large"] == ROWS
    assert json.loads(stack.pgkeep("backup", "verify", made["id"], "--json"))["whole"] is True
    assert uploads(stack) == []


def errors(stack: LocalStack) -> float:
    found = stack.aws("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": FUNCTION}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(one["Sum"] for one in found)


def alarm_state(stack: LocalStack) -> str:
    found = stack.aws("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    return found[0]["StateValue"]


def wait_for_alarm(stack: LocalStack, state: str) -> None:
    """An error counts for its minute and the next."""
    deadline = time.monotonic() + 180
    while alarm_state(stack) != state:
        assert time.monotonic() < deadline, f"{ALARM} is {alarm_state(stack)}"
        time.sleep(0.5)


def subscribe(stack: LocalStack) -> str:
    """URL of a queue that gets what the stack's alarms say, as somebody's pager would."""
    sqs, sns = stack.aws("sqs"), stack.aws("sns")
    url = sqs.create_queue(QueueName="pager")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    alarms = stack.aws("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    (topic,) = alarms[0]["AlarmActions"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    return url


def wait_for_page(stack: LocalStack, url: str, wanted: tuple[str, str]) -> None:
    """Of an alarm and its new state. An alarm has its state before its topic has told of it."""
    said: list[tuple[str, str]] = []
    deadline = time.monotonic() + 60
    while wanted not in said:
        assert time.monotonic() < deadline, f"no page says {wanted}: {said}"
        found = stack.aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for one in found.get("Messages", []):
            page = json.loads(json.loads(one["Body"])["Message"])
            said.append((page["AlarmName"], page["NewStateValue"]))
        time.sleep(0.5)


def test_a_kill_at_the_time_limit_leaves_no_half_backup_and_calls_somebody(
    large: LocalStack,
) -> None:
    before, failed = dumps(large), errors(large)
    wait_for_alarm(large, "OK")
    pager = subscribe(large)
    configure(large, Timeout=TIMEOUT_SECONDS)
    stopped: list[int] = []

    def freeze() -> None:
        stopped.extend(processes(large))
        for process in stopped:
            os.kill(process, signal.SIGSTOP)

    answer = while_it_uploads(large, freeze)
    assert stopped
    assert answer["failed"]
    assert f"Task timed out after {TIMEOUT_SECONDS}.00 seconds" in answer["errorMessage"]
    assert [one for one in stopped if alive(one)] == []
    assert uploads(large) != []
    assert errors(large) == failed + 1
    wait_for_alarm(large, "ALARM")
    wait_for_page(large, pager, (ALARM, "ALARM"))
    configure(large, Timeout=900)
    assert_clean(large, before)


def test_a_function_that_is_killed_leaves_no_half_backup(large: LocalStack) -> None:
    """As the kernel does when its memory is full; a wide row alone is handed over before that."""
    before, failed = dumps(large), errors(large)

    def kill() -> None:
        for process in processes(large):
            os.kill(process, signal.SIGKILL)

    answer = while_it_uploads(large, kill)
    assert answer["failed"]
    assert "signal: killed" in answer["errorMessage"]
    assert errors(large) == failed + 1
    assert_clean(large, before)
