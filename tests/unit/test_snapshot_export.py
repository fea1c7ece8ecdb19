"""RDS's export of snapshots where there is no worker: its role, who starts it, and a stack with one."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.alarms import alarms_of, failed_run
from tests.unit.conftest import Deployed
from tests.unit.function_statements import CLASSES, HERE, KEYS, allow, make_backups, via
from tests.unit.recorder import Recorder, deploy, raw_settings
from tests.unit.test_network import tags

BUCKET = "arn:aws:s3:::pgkeep-prod-backups-123456789012-eu-west-1"
DATABASE = f"arn:aws:rds:{HERE}:db:pgkeep-prod"
OWN = f"arn:aws:rds:{HERE}:snapshot:pgkeep-prod-export-*"
AUTOMATED = f"arn:aws:rds:{HERE}:snapshot:rds:pgkeep-prod-*"
HERE_ONLY = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}


def changed(environment: str, **export: Any) -> dict[str, Any]:
    raw = raw_settings(environment)
    raw["backups"]["worker"] = {"enabled": False}
    raw["backups"]["snapshot_export"] = export
    return raw


@functools.cache
def exporting() -> Recorder:
    return deploy(load(changed("prod"), "prod"))


@functools.cache
def refusing() -> Recorder:
    return deploy(load(changed("prod", enabled=False), "prod"))


def test_rds_may_write_below_one_prefix_and_with_one_key() -> None:
    role = dict(exporting().inputs("backup-export-role"))
    assert exporting().document("backup-export-role", "assumeRolePolicy")["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "export.rds.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": f"arn:aws:rds:{HERE}:*"},
            },
        }
    ]
    assert (role["name"], role["tags"]) == (
        "pgkeep-prod-export", tags("prod", "pgkeep-prod-export"),
    )  # fmt: skip
    assert exporting().document("backup-export-policy")["Statement"] == [
        allow(
            "WriteExports", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            [f"{BUCKET}/exports/*"],
        ),
        allow("FindBucket", ["s3:GetBucketLocation", "s3:ListBucket"], [BUCKET]),
        allow(
            "ExportsKey", ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            [f"{KEYS}backups"],
        ),
    ]  # fmt: skip


def test_the_function_may_snapshot_one_instance_and_pass_one_role() -> None:
    found = exporting().document("backup-policy")["Statement"]
    first = next(i for i, one in enumerate(found) if one["Sid"] == "AddBackups")
    used = [f"{KEYS}backups", f"{KEYS}database"]
    assert found[first:] == [
        *make_backups("prod"),
        allow("TakeSnapshots", ["rds:CreateDBSnapshot"], [DATABASE, OWN]),
        allow("SeeSnapshots", ["rds:DescribeDBSnapshots"], [DATABASE, OWN, AUTOMATED]),
        allow(
            "ExportSnapshots", ["rds:DescribeExportTasks", "rds:StartExportTask"], ["*"],
            Condition=HERE_ONLY,
        ),
        allow(
            "PassExportRole", ["iam:PassRole"], ["arn:aws:iam/role:Role/backup-export-role"],
            Condition={"StringEquals": {"iam:PassedToService": "export.rds.amazonaws.com"}},
        ),
        allow(
            "LetRdsUseKeys", ["kms:CreateGrant"], used,
            Condition={**via("rds"), "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        allow("SeeKeys", ["kms:DescribeKey"], used, Condition=via("rds")),
        allow("ReadRequests", ["s3:GetObject"], [f"{BUCKET}/handover/*/request.json"]),
    ]  # fmt: skip


def test_the_function_knows_whom_to_ask_and_looks_every_ten_minutes() -> None:
    variables = exporting().inputs("backup-function")["environment"]["variables"]
    assert {
        name: variables[name]
        for name in (
            "EXPORT_ROLE_ARN", "EXPORT_NAME", "DB_INSTANCE_IDENTIFIER", "OLDEST_SNAPSHOT_HOURS",
        )
    } == {
        "EXPORT_ROLE_ARN": "arn:aws:iam/role:Role/backup-export-role",
        "EXPORT_NAME": "pgkeep-prod-export",
        "DB_INSTANCE_IDENTIFIER": "pgkeep-prod",
        "OLDEST_SNAPSHOT_HOURS": "24",
    }  # fmt: skip
    assert "WORKER_GROUP" not in variables
    timer = exporting().inputs("backup-schedule-exports")
    assert timer["scheduleExpression"] == "cron(0/10 * * * ? *)"
    assert timer["target"]["input"] == '{"action": "exports"}'


def test_retention_knows_their_prefix() -> None:
    statements = {
        one["Sid"]: one for one in exporting().document("backup-retention-policy")["Statement"]
    }
    assert statements["ReadManifests"]["Resource"] == [
        *(f"{BUCKET}/{class_}/*/manifest.json" for class_ in CLASSES),
        *(f"{BUCKET}/exports/{class_}/*/pgkeep-export.json" for class_ in CLASSES),
        f"{BUCKET}/reports/restore/*.json",
    ]
    assert statements["MarkBackups"]["Resource"] == [
        *(f"{BUCKET}/{class_}/*" for class_ in CLASSES),
        *(f"{BUCKET}/exports/{class_}/*" for class_ in CLASSES),
    ]
    variables = exporting().inputs("backup-retention-function")["environment"]["variables"]
    assert variables["EXPORTS"] == "exports/"


def test_the_lifecycle_ends_and_moves_them_by_their_class() -> None:
    rules = exporting().inputs("backups-lifecycle")["rules"]
    assert [one for one in rules if "export" in one["id"]] == [
        expiring("daily", 30),
        expiring("weekly", 84),
        moving("weekly", "STANDARD_IA"),
        expiring("monthly", 365),
        moving("monthly", "GLACIER_IR"),
        moving("pre-migration", "STANDARD_IA"),
        expiring("manual", 90),
        moving("manual", "STANDARD_IA"),
    ]


def expiring(class_: str, days: int) -> dict[str, Any]:
    marked = {"prefix": f"exports/{class_}/", "tags": {"pgkeep:expired": "true"}}
    return {
        "id": f"expire-export-{class_}",
        "status": "Enabled",
        "filter": {"and": marked},
        "expiration": {"days": days},
    }


def moving(class_: str, storage_class: str) -> dict[str, Any]:
    return {
        "id": f"move-export-{class_}",
        "status": "Enabled",
        "filter": {"prefix": f"exports/{class_}/"},
        "transitions": [{"days": 30, "storageClass": storage_class}],
    }


def test_what_passes_the_endpoint_of_rds() -> None:
    raw = changed("dev", enabled=True)
    calls, looks = deploy(load(raw, "dev")).document("endpoints-rds")["Statement"]
    assert calls["Action"] == ["rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"]
    assert calls["Resource"] == [
        f"arn:aws:rds:{HERE}:{one}"
        for one in (
            "db:pgkeep-dev", "snapshot:pgkeep-dev-export-*", "snapshot:rds:pgkeep-dev-*",
        )
    ]  # fmt: skip
    assert (looks["Action"], looks["Resource"]) == (
        ["rds:DescribeExportTasks", "rds:StartExportTask"], ["*"],
    )  # fmt: skip


def test_a_failed_export_is_an_alarm() -> None:
    found = alarms_of(exporting(), "prod")
    assert found["backup-export-failed"] == failed_run("BackupExportSuccess", period=60)


def nothing_of_it(recorder: Recorder) -> None:
    assert [one for one in recorder.resources if "export" in one] == []
    variables = recorder.inputs("backup-function")["environment"]["variables"]
    assert "EXPORT_ROLE_ARN" not in variables
    assert "export" not in str(recorder.inputs("backups-lifecycle"))
    assert recorder.exports["backup_exports"] is False


def test_a_stack_with_a_worker_has_nothing_of_it(deployed: Deployed, environment: str) -> None:
    nothing_of_it(deployed(environment))


def test_nor_has_one_that_refuses() -> None:
    nothing_of_it(refusing())
    assert exporting().exports["backup_exports"] is True


@pytest.mark.parametrize(
    ("environment", "enabled"), [("local", True), ("dev", False), ("staging", True), ("prod", True)]
)
def test_it_costs_money_and_dev_s_data_is_not_worth_it(environment: str, enabled: bool) -> None:
    settings = load(raw_settings(environment), environment)
    assert settings.backups.snapshot_export.enabled is enabled
    assert not settings.backups.exports_snapshots


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_where_rds_exports_none_it_is_refused_by_name(region: str) -> None:
    raw = changed("dev", enabled=True)
    with pytest.raises(SettingsError) as found:
        load(raw, "dev", region)
    partition = {"c": "aws-cn", "u": "aws-us-gov"}[region[0]]
    assert (
        f"backups.snapshot_export.enabled: true refused, false in {region}: RDS exports no "
        f"snapshots in partition {partition}. Set it to false, or backups.worker.enabled to true."
    ) in str(found.value)
    load(changed("dev", enabled=False), "dev", "eu-west-1")


@pytest.mark.parametrize("hours", [0, 169])
def test_an_age_out_of_range_is_refused(hours: int) -> None:
    with pytest.raises(SettingsError, match=f"oldest_snapshot_hours: {hours} hours refused"):
        load(changed("prod", oldest_snapshot_hours=hours), "prod")


def test_the_longest_name_fits_what_rds_takes() -> None:
    """AWS RDS user guide: an export's name has 60 characters at most."""
    from operations.handover.requests import Request

    prefix = "x" * 25  # the longest: a load balancer's name has 32 characters
    assert len(f"{prefix}-export-{Request.new('daily', 1, 1).id}") <= 60
