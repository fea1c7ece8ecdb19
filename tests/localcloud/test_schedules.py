"""Schedules and rules really fire, with their role, input, time and dead-letter queue."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root

LAMBDA = f"arn:aws:lambda:{REGION}:123456789012:function:"
QUEUE = f"arn:aws:sqs:{REGION}:123456789012:"
ECHO = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["URL"], MessageBody=json.dumps(event))
"""


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "functions", "schedules") as started:
        started.role("echo", "lambda.amazonaws.com", ["sqs:SendMessage", "logs:*"])
        started.role("scheduler", "scheduler.amazonaws.com", ["lambda:InvokeFunction"])
        started.allow("scheduler", ["sqs:SendMessage"])
        yield started


def queue(planes: Planes, name: str, **attributes: str) -> str:
    return planes.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def schedule(planes: Planes, name: str, expression: str, arn: str, **target) -> None:
    more = {"ActionAfterCompletion": target.pop("after")} if "after" in target else {}
    role = "arn:aws:iam::123456789012:role/" + target.pop("role", "scheduler")
    planes.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role, **target},
        **more,
    )


def in_seconds(seconds: int) -> str:
    return f"at({datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S})"


def test_rate_schedule_invokes_the_function_with_its_input(planes):
    url = queue(planes, "echoed")
    planes.function("echo", ECHO, role="echo", Environment={"Variables": {"URL": url}})
    text = json.dumps({"class": "daily", "time": "<aws.scheduler.scheduled-time>"})
    schedule(planes, "hourly", "rate(1 hour)", LAMBDA + "echo", Input=text)
    event = json.loads(planes.receive(url)["Body"])
    assert event["class"] == "daily"
    assert abs(datetime.fromisoformat(event["time"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert (
        planes.metric_sum("AWS/Scheduler", "InvocationAttemptCount", ScheduleGroup="default") == 1
    )


def test_one_time_schedule_fires_once_and_is_deleted(planes):
    url = queue(planes, "once")
    schedule(planes, "once", in_seconds(2), QUEUE + "once", Input="hello", after="DELETE")
    assert planes.receive(url)["Body"] == "hello"
    with pytest.raises(planes.client("scheduler").exceptions.ResourceNotFoundException):
        planes.client("scheduler").get_schedule(Name="once")


def test_a_role_without_permission_sends_the_input_to_the_dead_letter_queue(planes):
    url = queue(planes, "undelivered")
    planes.role("weak", "scheduler.amazonaws.com", ["sqs:SendMessage"])
    target = {"Input": '{"a": 1}', "DeadLetterConfig": {"Arn": QUEUE + "undelivered"}}
    schedule(planes, "weak", in_seconds(1), LAMBDA + "echo", role="weak", **target)
    message = planes.receive(url)
    assert message["Body"] == '{"a": 1}'
    attributes = message["MessageAttributes"]
    assert attributes["ERROR_CODE"]["StringValue"] == "AccessDeniedException"
    assert "lambda:InvokeFunction" in attributes["ERROR_MESSAGE"]["StringValue"]


def test_a_missing_target_reaches_the_dead_letter_queue(planes):
    url = queue(planes, "missing")
    dead = {"Arn": QUEUE + "missing"}
    schedule(planes, "missing", in_seconds(1), LAMBDA + "absent", DeadLetterConfig=dead)
    assert "absent" in planes.receive(url)["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_disabled_schedules_do_not_fire(planes):
    url = queue(planes, "disabled")
    target = {
        "Arn": QUEUE + "disabled", "RoleArn": "arn:aws:iam::123456789012:role/scheduler", "Input": "x"
    }  # fmt: skip
    common = {
        "Name": "disabled",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "ScheduleExpression": "rate(1 minute)",
    }
    planes.client("scheduler").create_schedule(State="DISABLED", **common)
    with pytest.raises(AssertionError):
        planes.receive(url, seconds=3)
    planes.client("scheduler").update_schedule(State="ENABLED", **common)
    assert planes.receive(url)["Body"] == "x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ScheduleExpression": "cron(0 3 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Nowhere"}, "Invalid ScheduleExpressionTimezone"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/echo"}, "allow AWS EventBridge Scheduler"),
        (
            {"Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/x"},
            "not supported by the local cloud",
        ),
    ],
)
def test_what_the_scheduler_refuses(planes, change, message):
    target = {"Arn": LAMBDA + "echo", "RoleArn": "arn:aws:iam::123456789012:role/scheduler"}
    request = {"ScheduleExpression": "rate(1 hour)"}
    for name, value in change.items():
        (target if name in target else request)[name] = value
    with pytest.raises(planes.client("scheduler").exceptions.ValidationException, match=message):
        planes.client("scheduler").create_schedule(
            Name="refused", FlexibleTimeWindow={"Mode": "OFF"}, Target=target, **request
        )


def test_rules_reach_what_lets_them_in(planes):
    url = queue(planes, "events")
    closed = queue(planes, "closed")
    events = planes.client("events")
    arn = events.put_rule(Name="r", EventPattern='{"source": ["pgkeep"]}')["RuleArn"]
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE + "events",
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    planes.client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [policy]})}
    )
    targets = [
        {"Id": name, "Arn": QUEUE + name, "InputPath": "$.detail"} for name in ("events", "closed")
    ]
    events.put_targets(Rule="r", Targets=targets)
    events.put_events(Entries=[{"Source": "pgkeep", "DetailType": "t", "Detail": '{"backup": 1}'}])
    assert json.loads(planes.receive(url)["Body"]) == {"backup": 1}
    with pytest.raises(AssertionError):
        planes.receive(closed, seconds=1)
