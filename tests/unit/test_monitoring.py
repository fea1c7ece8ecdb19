"""Every alarm, its threshold and where it goes."""

from __future__ import annotations

from typing import Any

from stacks.settings import load
from tests.unit.alarms import ALARM, alarm, alarms_of
from tests.unit.conftest import Deployed
from tests.unit.function_statements import FUNCTIONS
from tests.unit.recorder import deploy, raw_settings
from tests.unit.test_network import tags

GIB = 1024**3
STORAGE_GIB = {"local": 20, "dev": 20, "staging": 50, "prod": 100}
CONNECTIONS = {"local": 160, "dev": 120, "staging": 160, "prod": 320}


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
    found["rotation-overdue"] = alarm(
        "RotationOverdueDays",
        {"FunctionName": f"{prefix}-role-rotation"},
        2,
        namespace="pgkeep",
        statistic="Maximum",
        period=3600,
        evaluationPeriods=1,
        treatMissingData="breaching",
    )
    if environment == "prod":
        found["backup-copies-failed"] = alarm(
            "OperationsFailedReplication",
            {
                "SourceBucket": "pgkeep-prod-backups-123456789012-eu-west-1",
                "DestinationBucket": "pgkeep-prod-copies-123456789012-eu-central-1",
                "RuleId": "copy-backups",
            },
            0,
            namespace="AWS/S3",
            statistic="Sum",
            evaluationPeriods=1,
            treatMissingData="ignore",
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
    # The others: test_restore_test.py and test_backup_worker.py.
    elsewhere = ("restore-test-", "backup-worker-")
    found = {
        label: inputs
        for label, inputs in alarms_of(deployed(environment), environment).items()
        if not label.startswith(elsewhere)
    }
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


# What a subscription asks for, wherever it is.
EVENTS: dict[str, dict[str, Any]] = {
    "subscription": {
        "sourceType": "db-instance",
        "eventCategories": [
            "availability", "configuration change", "deletion", "failover", "failure",
            "low storage", "maintenance", "notification", "read replica", "recovery", "security",
        ],
    },
    "parameters": {
        "sourceType": "db-parameter-group",
        "eventCategories": ["configuration change"],
    },
    "groups": {
        "sourceType": "db-security-group",
        "eventCategories": ["configuration change", "failure"],
    },
}  # fmt: skip


def test_events_of_exactly_these_databases_go_to_the_topic(
    deployed: Deployed, environment: str
) -> None:
    instances = [f"pgkeep-{environment}", f"pgkeep-{environment}-replica-1"]
    for suffix, purpose, more in (
        ("subscription", "database-events", {"sourceIds": instances}),
        ("parameters", "parameter-events", {"sourceIds": [f"pgkeep-{environment}-postgres17"]}),
        ("groups", "security-group-events", {}),
    ):
        name = f"pgkeep-{environment}-{purpose}"
        assert deployed(environment).inputs(f"database-events-{suffix}") == {
            **EVENTS[suffix],
            **more,
            "name": name,
            "snsTopic": "arn:aws:sns/topic:Topic/alarms-topic",
            "enabled": True,
            "tags": tags(environment, name),
        }


THERE = {
    "region": "eu-central-1",
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "create_kms_key": True,
}


def test_a_replica_in_another_region_is_watched_there() -> None:
    raw = raw_settings("prod")
    raw["replicas"] = {**raw.get("replicas", {}), "other_regions": [THERE]}
    raw["database"]["backup_replication"] = None
    raw["monitoring"] = {**raw.get("monitoring", {}), "emails": ["dba@example.com"]}
    recorder = deploy(load(raw, "prod"))
    watch, region = "watch-eu-central-1", {"region": "eu-central-1"}
    identifier = "pgkeep-prod-replica-eu-central-1"
    dimensions = {"DBInstanceIdentifier": identifier}
    topic = f"arn:aws:sns/topic:Topic/{watch}-alarms-topic"
    rds = {**region, "namespace": "AWS/RDS", "alarmActions": [topic], "okActions": [topic]}
    quick = {"statistic": "Maximum", "period": 60}
    here = expected("prod")
    wanted = {
        "cpu": alarm("CPUUtilization", dimensions, 80, **rds),
        "storage": alarm(
            "FreeStorageSpace",
            dimensions,
            here["primary-storage"]["threshold"],
            comparisonOperator="LessThanThreshold",
            evaluationPeriods=1,
            **rds,
        ),
        "connections": alarm(
            "DatabaseConnections", dimensions, CONNECTIONS["prod"], **rds, **quick
        ),
        "lag": alarm("ReplicaLag", dimensions, 30, treatMissingData="breaching", **rds, **quick),
    }
    found: dict[str, dict[str, Any]] = {}
    for name, inputs in recorder.of_type(ALARM).items():
        if not name.startswith(watch):
            continue
        label = name.removeprefix(f"{watch}-replica-eu-central-1-")
        rest = dict(inputs)
        assert rest.pop("alarmDescription")
        assert rest.pop("name") == f"{identifier}-{label}"
        assert rest.pop("tags") == tags("prod", f"{identifier}-{label}")
        assert rest.pop("actionsEnabled") is True
        found[label] = rest
    assert found == wanted
    key = f"{watch}-key"
    assert recorder.inputs(key)["region"] == "eu-central-1"
    assert [one["Sid"] for one in recorder.document(key)["Statement"]] == [
        "AccountDelegatesThroughIam",
        "AlarmsOfThisAccount",
        "DatabaseEventsOfThisAccount",
    ]
    assert recorder.inputs(f"{watch}-alarms-topic") == {
        **region,
        "name": "pgkeep-prod-alarms",
        "kmsMasterKeyId": f"arn:aws:kms:eu-west-1:123456789012:key/{key}",
        "tags": tags("prod", "pgkeep-prod-alarms"),
    }
    policy = recorder.document(f"{watch}-alarms-policy")["Statement"][0]
    assert recorder.inputs(f"{watch}-alarms-policy")["region"] == "eu-central-1"
    assert policy["Resource"] == "arn:aws:sns:eu-central-1:123456789012:pgkeep-prod-alarms"
    assert policy["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:*"
    }
    assert recorder.inputs(f"{watch}-alarms-dba@example.com") == {
        **region,
        "topic": topic,
        "protocol": "email",
        "endpoint": "dba@example.com",
    }
    assert recorder.exports["regional_alarm_topic_arns"] == {"eu-central-1": topic}
    events = "database-events-eu-central-1"
    for suffix, purpose, more in (
        ("subscription", "database-events", {"sourceIds": [identifier]}),
        ("parameters", "parameter-events", {"sourceIds": ["pgkeep-prod-postgres17"]}),
        ("groups", "security-group-events", {}),
    ):
        name = f"pgkeep-prod-{purpose}"
        assert recorder.inputs(f"{events}-{suffix}") == {
            **EVENTS[suffix],
            **region,
            **more,
            "name": name,
            "snsTopic": topic,
            "enabled": True,
            "tags": tags("prod", name),
        }


def test_failed_copies_into_a_given_bucket() -> None:
    raw = raw_settings("prod")
    raw["backups"]["replication"] = {
        "region": "eu-central-1",
        "bucket_arn": "arn:aws:s3:::an-archive",
        "key_arn": "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
    }
    recorder = deploy(load(raw, "prod"))
    inputs = recorder.inputs("monitoring-backup-copies-failed")
    assert inputs["dimensions"]["DestinationBucket"] == "an-archive"
