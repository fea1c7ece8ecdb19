"""Every alarm, its threshold and where it goes."""

from __future__ import annotations

from typing import Any

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import deploy, raw_settings
from tests.unit.test_functions import FUNCTIONS
from tests.unit.test_network import tags

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
GIB = 1024**3
STORAGE_GIB = {"local": 20, "dev": 20, "staging": 50, "prod": 100}
CONNECTIONS = {"local": 160, "dev": 120, "staging": 160, "prod": 320}


def alarm(metric: str, dimensions: dict[str, str], threshold: float, **more: Any) -> dict[str, Any]:
    return {
        "metricName": metric,
        "dimensions": dimensions,
        "threshold": threshold,
        "statistic": "Average",
        "comparisonOperator": "GreaterThanThreshold",
        "period": 300,
        "evaluationPeriods": 3,
        "treatMissingData": "missing",
        **more,
    }


def expected(environment: str) -> dict[str, dict[str, Any]]:
    prefix = f"pgkeep-{environment}"
    rds = {"namespace": "AWS/RDS"}
    quick = {"statistic": "Maximum", "period": 60}
    found: dict[str, dict[str, Any]] = {}
    for label, identifier in (("primary", prefix), ("replica-1", f"{prefix}-replica-1")):
        dimensions = {"DBInstanceIdentifier": identifier}
        found[f"{label}-cpu"] = alarm("CPUUtilization", dimensions, 80, **rds)
        found[f"{label}-storage"] = alarm(
            "FreeStorageSpace",
            dimensions,
            STORAGE_GIB[environment] * GIB / 5,
            comparisonOperator="LessThanThreshold",
            evaluationPeriods=1,
            **rds,
        )
        found[f"{label}-connections"] = alarm(
            "DatabaseConnections", dimensions, CONNECTIONS[environment], **rds, **quick
        )
    found["replica-1-lag"] = alarm(
        "ReplicaLag",
        {"DBInstanceIdentifier": f"{prefix}-replica-1"},
        30,
        treatMissingData="breaching",
        **rds,
        **quick,
    )
    once = {"period": 60, "evaluationPeriods": 1, "treatMissingData": "notBreaching"}
    for purpose in FUNCTIONS:
        function = f"{prefix}-{purpose}"
        found[f"{purpose}-errors"] = alarm(
            "Errors",
            {"FunctionName": function},
            0,
            namespace="AWS/Lambda",
            statistic="Sum",
            **once,
        )
        found[f"{purpose}-failed-events"] = alarm(
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": f"{function}-failed"},
            0,
            namespace="AWS/SQS",
            statistic="Maximum",
            **once,
        )
    found["pooler-unhealthy"] = alarm(
        "UnHealthyHostCount",
        {"LoadBalancer": "net/pooler-load-balancer", "TargetGroup": "targets/pooler-targets"},
        0,
        namespace="AWS/NetworkELB",
        treatMissingData="notBreaching",
        **quick,
    )
    found["backup-age"] = alarm(
        "BackupAgeSeconds",
        {"Bucket": f"{prefix}-backups-123456789012-eu-west-1", "Database": "node_pass"},
        26 * 3600,
        namespace="pgkeep",
        statistic="Maximum",
        period=3600,
        evaluationPeriods=1,
        treatMissingData="breaching",
    )
    for label, metric, threshold in (
        ("waiting", "ClientsWaiting", 10),
        ("wait", "MaxWaitSeconds", 5),
        ("pool-use", "PoolUsePercent", 80),
    ):
        found[f"pooler-{label}"] = alarm(
            metric,
            {"Pooler": f"{prefix}-pooler"},
            threshold,
            namespace="pgkeep/pooler",
            evaluationPeriods=5,
            treatMissingData="notBreaching",
            **quick,
        )
    return found


def test_alarms(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    found: dict[str, dict[str, Any]] = {}
    for name, inputs in recorder.of_type(ALARM).items():
        label = name.removeprefix("monitoring-")
        if label.startswith("restore-test-"):
            continue  # In test_restore_test.py.
        rest = dict(inputs)
        assert rest.pop("alarmDescription")
        assert rest.pop("name") == f"pgkeep-{environment}-{label}"
        assert rest.pop("tags") == tags(environment, f"pgkeep-{environment}-{label}")
        assert rest.pop("actionsEnabled") is True
        topic = ["arn:aws:sns/topic:Topic/alarms-topic"]
        assert (rest.pop("alarmActions"), rest.pop("okActions")) == (topic, topic)
        found[label] = rest
    assert found == expected(environment)


def test_the_topic(deployed: Deployed, environment: str) -> None:
    recorder, name = deployed(environment), f"pgkeep-{environment}-alarms"
    assert recorder.inputs("alarms-topic") == {
        "name": name,
        "kmsMasterKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-telemetry",
        "tags": tags(environment, name),
    }
    assert recorder.document("alarms-policy")["Statement"] == [
        {
            "Sid": "AlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": f"arn:aws:sns:eu-west-1:123456789012:{name}",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"},
            },
        },
        {
            "Sid": "DatabaseEventsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "events.rds.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": f"arn:aws:sns:eu-west-1:123456789012:{name}",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": "arn:aws:rds:eu-west-1:123456789012:es:*"},
            },
        },
    ]


def test_each_address_is_subscribed() -> None:
    raw = raw_settings("prod")
    raw["monitoring"] = {"emails": ["dba@example.com"]}
    recorder = deploy(load(raw, "prod"))
    assert recorder.inputs("alarms-dba@example.com") == {
        "topic": "arn:aws:sns/topic:Topic/alarms-topic",
        "protocol": "email",
        "endpoint": "dba@example.com",
    }


def test_events_of_exactly_these_databases_go_to_the_topic(
    deployed: Deployed, environment: str
) -> None:
    name = f"pgkeep-{environment}-database-events"
    assert deployed(environment).inputs("database-events-subscription") == {
        "name": name,
        "snsTopic": "arn:aws:sns/topic:Topic/alarms-topic",
        "sourceType": "db-instance",
        "sourceIds": [f"pgkeep-{environment}", f"pgkeep-{environment}-replica-1"],
        "eventCategories": [
            "availability", "configuration change", "deletion", "failover", "failure",
            "low storage", "maintenance", "notification", "read replica", "recovery", "security",
        ],
        "enabled": True,
        "tags": tags(environment, name),
    }  # fmt: skip
    for suffix, purpose, more in (
        (
            *("parameters", "parameter-events"),
            {
                "sourceType": "db-parameter-group",
                "sourceIds": [f"pgkeep-{environment}-postgres17"],
                "eventCategories": ["configuration change"],
            },
        ),
        (
            *("groups", "security-group-events"),
            {
                "sourceType": "db-security-group",
                "eventCategories": ["configuration change", "failure"],
            },
        ),
    ):
        name = f"pgkeep-{environment}-{purpose}"
        assert deployed(environment).inputs(f"database-events-{suffix}") == {
            "name": name,
            "snsTopic": "arn:aws:sns/topic:Topic/alarms-topic",
            "enabled": True,
            "tags": tags(environment, name),
            **more,
        }
