"""When the functions run by themselves, and what the timers may do."""

from __future__ import annotations

import pytest

from tests.unit.conftest import Deployed
from tests.unit.function_statements import HERE, KEYS, allow, via

SCHEDULES = [
    ("backup", "daily", "cron(0 2 * * ? *)", '{"class": "daily"}'),
    ("backup", "weekly", "cron(30 2 ? * SUN *)", '{"class": "weekly"}'),
    ("backup", "monthly", "cron(0 3 1 * ? *)", '{"class": "monthly"}'),
    ("backup-retention", "daily", "cron(0 6 * * ? *)", '{"action": "mark"}'),
    ("backup-retention", "age", "cron(5/15 * * * ? *)", '{"action": "age"}'),
    ("master-credentials", "rotate", "cron(0 5 1 1/3 ? *)", '{"action": "rotate"}'),
    ("role-rotation", "age", "cron(10/15 * * * ? *)", '{"action": "age"}'),
    (
        "pooler-certificates",
        "renew",
        "cron(0 5 * * ? *)",
        '{"dns_names": ["pooler-load-balancer.elb.eu-west-1.amazonaws.com"], '
        '"server_valid_days": 90, "authority_valid_days": 3650}',
    ),
]


def test_schedules(deployed: Deployed, environment: str) -> None:
    prefix = f"pgkeep-{environment}"
    # The restore test's are in test_restore_test.py.
    schedules = {
        name: inputs
        for name, inputs in deployed(environment).of_type("aws:scheduler/schedule:Schedule").items()
        if not name.startswith("restore-test-")
    }
    assert schedules == {
        f"{purpose}-schedule-{label}": {
            "name": f"{prefix}-{purpose}-{label}",
            "description": f"{prefix}-{purpose}: {label}",
            "scheduleExpression": expression,
            "scheduleExpressionTimezone": "UTC",
            "flexibleTimeWindow": {"mode": "OFF"},
            "state": "ENABLED",
            "target": {
                "arn": f"arn:aws:lambda/function:Function/{purpose}-function",
                "roleArn": f"arn:aws:iam/role:Role/{purpose}-schedule-role",
                "input": event,
                "deadLetterConfig": {"arn": f"arn:aws:sqs/queue:Queue/{purpose}-failed"},
                "retryPolicy": {"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 3600},
            },
        }
        for purpose, label, expression, event in SCHEDULES
    }


@pytest.mark.parametrize("purpose", ["backup", "master-credentials", "pooler-certificates"])
def test_a_timer_may_invoke_its_function_only(
    deployed: Deployed, environment: str, purpose: str
) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    assert recorder.document(f"{purpose}-schedule-policy")["Statement"] == [
        allow(
            "InvokeFunction",
            ["lambda:InvokeFunction"],
            [f"arn:aws:lambda:{HERE}:function:{function}"],
        ),
        allow("ReportUndelivered", ["sqs:SendMessage"], [f"arn:aws:sqs:{HERE}:{function}-failed"]),
        allow(
            "ReportUndeliveredKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"{KEYS}telemetry"],
            Condition=via("sqs"),
        ),
    ]
