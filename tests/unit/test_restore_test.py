"""The restore test: on in staging and prod, and exactly this."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.alarms import alarm, alarms_of, failed_run
from tests.unit.function_statements import (
    HERE,
    KEYS,
    allow,
    network_statements,
    own_statements,
    secret,
    secrets,
    via,
)
from tests.unit.recorder import REGION, Recorder, deploy, raw_settings
from tests.unit.test_functions import CA, DATABASE
from tests.unit.test_network import tags
from tests.unit.test_security_groups import EGRESS, FLOWS, INGRESS, rules

BUCKET = "pgkeep-prod-backups-123456789012-eu-west-1"
FUNCTION = "pgkeep-prod-restore-test"


@pytest.fixture(scope="module")
def prod() -> Recorder:
    return deploy(load(raw_settings("prod"), "prod", REGION))


def test_it_runs_in_staging_and_prod(deployed: Any, environment: str) -> None:
    recorder = deployed(environment)
    wanted = environment in ("staging", "prod")
    assert any("restore-test" in name for name in recorder.resources) == wanted
    assert (recorder.exports["restore_test_function"] is not None) == wanted


def test_a_database_that_would_pass_for_a_scratch_instance_is_refused() -> None:
    raw = raw_settings("prod")
    raw["database"] = raw["database"] | {"identifier": "orders-restore-test"}
    with pytest.raises(SettingsError, match=r"database.identifier: .* must not end in -restore-te"):
        load(raw, "prod", REGION)


def test_its_role_may_do_exactly_this(prod: Recorder) -> None:
    source, scratch = (f"arn:aws:rds:{HERE}:db:pgkeep-prod{end}" for end in ("", "-restore-test"))
    assert prod.document("restore-test-policy")["Statement"] == [
        *own_statements(FUNCTION),
        *network_statements(FUNCTION),
        allow("SeeInstances", ["rds:DescribeDBInstances"], [source, scratch]),
        allow(
            "RestoreToScratch",
            ["rds:RestoreDBInstanceToPointInTime"],
            [
                source,
                scratch,
                f"arn:aws:rds:{HERE}:og:default:postgres-17",
                f"arn:aws:rds:{HERE}:pg:pgkeep-prod-postgres17",
                f"arn:aws:rds:{HERE}:subgrp:pgkeep-prod-database",
            ],
        ),
        allow("OwnScratch", ["rds:AddTagsToResource", "rds:DeleteDBInstance"], [scratch]),
        allow(
            "EncryptScratch",
            ["kms:CreateGrant"],
            [f"{KEYS}database"],
            Condition={**via("rds"), "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        allow("SeeScratchKey", ["kms:DescribeKey"], [f"{KEYS}database"], Condition=via("rds")),
        allow("FindBackups", ["s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}"]),
        allow("ReadBackups", ["s3:GetObject"], [f"arn:aws:s3:::{BUCKET}/*"]),
        allow("AddReports", ["s3:PutObject"], [f"arn:aws:s3:::{BUCKET}/reports/*"]),
        allow(
            "BackupsKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"{KEYS}backups"],
            Condition=via("s3"),
        ),
        allow("VerifyManifests", ["kms:VerifyMac"], [f"{KEYS}manifests"]),
        *secrets("Read", "master-credentials-secret"),
    ]


def test_its_function(prod: Recorder) -> None:
    inputs = prod.inputs("restore-test-function")
    layer = "arn:aws:lambda/layerVersion:LayerVersion/function-code-"
    assert {
        key: inputs[key]
        for key in ("name", "handler", "layers", "memorySize", "timeout", "environment", "tags")
    } == {
        "name": FUNCTION,
        "handler": "operations.functions.restore_test.handler",
        "layers": [f"{layer}rds-ca", f"{layer}postgresql-client"],
        "memorySize": 2048,
        "timeout": 900,
        "environment": {
            "variables": {
                **DATABASE,
                **CA,
                "DB_INSTANCE_IDENTIFIER": "pgkeep-prod",
                "SCRATCH_INSTANCE_IDENTIFIER": "pgkeep-prod-restore-test",
                "SCRATCH_SECURITY_GROUP_ID": "security-groups-restore-test-id",
                "SCRATCH_OLDEST_HOURS": "6",
                "MASTER_SECRET_ARN": secret("master-credentials-secret"),
                "BACKUP_BUCKET": BUCKET,
                "KMS_KEY_ARN": f"{KEYS}backups",
                "MANIFEST_KEY_ARN": f"{KEYS}manifests",
                "WORKLOAD": "node_pass",
                "RECOVERY_OBJECTIVES": '{"rto_seconds": 900, "rpo_seconds": 600}',
            }
        },
        "tags": tags("prod", FUNCTION),
    }


def test_its_schedules(prod: Recorder) -> None:
    schedules = prod.of_type("aws:scheduler/schedule:Schedule")
    assert {
        name: (inputs["scheduleExpression"], inputs["target"]["input"])
        for name, inputs in schedules.items()
        if "restore-test" in name
    } == {
        "restore-test-schedule-start": (
            "cron(0 6 ? * SUN *)",
            '{"action": "start", "scope": "weekly"}',
        ),
        "restore-test-schedule-start-monthly": (
            "cron(0 18 2 * ? *)",
            '{"action": "start", "scope": "monthly"}',
        ),
        "restore-test-schedule-continue": ("cron(0/10 * * * ? *)", '{"action": "continue"}'),
    }


def test_only_the_functions_reach_the_scratch_instance_and_it_reaches_nothing(
    prod: Recorder,
) -> None:
    flows = FLOWS | {("functions", "restore-test", 5432)}
    assert rules(prod, INGRESS) == rules(prod, EGRESS) == flows
    own = "security-groups-restore-test-id"
    leaving = [one for one in prod.of_type(EGRESS).values() if one["securityGroupId"] == own]
    assert leaving == []


def test_its_endpoint_lets_only_this_pass(prod: Recorder) -> None:
    (calls,) = prod.document("endpoints-rds")["Statement"]
    assert calls["Action"] == [
        "rds:AddTagsToResource",
        "rds:DeleteDBInstance",
        "rds:DescribeDBInstances",
        "rds:RestoreDBInstanceToPointInTime",
    ]
    assert calls["Resource"] == [
        f"arn:aws:rds:{HERE}:{resource}"
        for resource in (
            "db:pgkeep-prod",
            "db:pgkeep-prod-restore-test",
            "og:default:*",
            "pg:pgkeep-prod-*",
            "subgrp:pgkeep-prod-*",
        )
    ]
    assert calls["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}
    _, bucket = prod.document("endpoints-s3")["Statement"]
    assert bucket["Action"] == ["s3:ListBucket", "s3:ListBucketMultipartUploads"]


def test_its_alarms(prod: Recorder) -> None:
    database = {"Database": "node_pass"}
    wanted = {
        "age": alarm(
            "RestoreTestAgeDays",
            database,
            90,
            namespace="pgkeep",
            statistic="Maximum",
            period=3600,
            evaluationPeriods=1,
            treatMissingData="breaching",
        ),
        "failed": failed_run("RestoreTestSuccess"),
        "rto": alarm(
            "RestoreTestRtoSeconds",
            {**database, "Kind": "point-in-time"},
            900,
            namespace="pgkeep",
            statistic="Maximum",
            evaluationPeriods=1,
            treatMissingData="ignore",
        ),
    }
    made = alarms_of(prod, "prod")
    assert {label: made[f"restore-test-{label}"] for label in wanted} == wanted
    assert {"restore-test-errors", "restore-test-failed-events"} <= set(made)
