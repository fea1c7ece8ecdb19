"""AWS Backup's plans: rules fire, copy, expire and fail at a time that the tests set."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud import vaults_site
from tests.localcloud.databases_cloud import refused
from tests.localcloud.provider_engine import Made
from tests.localcloud.vaults_cloud import ALLOWED, ROLE, THERE, VaultsCloud

pytestmark = pytest.mark.root

cloud, engine = vaults_site.cloud, vaults_site.engine
vault, copies = vaults_site.vault, vaults_site.copies


@pytest.fixture
def plan(cloud: VaultsCloud, vault: Made, copies: Made) -> Iterator[str]:
    """A rule at five o'clock, with copies; removed afterwards."""
    cloud.moment = datetime.now(UTC).replace(hour=4, minute=50, second=0, microsecond=0)
    backup = cloud.client_of("backup")
    lifecycle = {"DeleteAfterDays": 7}
    rule = {
        "RuleName": "daily",
        "TargetBackupVaultName": "near",
        "ScheduleExpression": "cron(0 5 * * ? *)",
        "StartWindowMinutes": 60,
        "CompletionWindowMinutes": 120,
        "Lifecycle": lifecycle,
        "RecoveryPointTags": {"Name": "daily"},
        "CopyActions": [{"DestinationBackupVaultArn": copies["arn"], "Lifecycle": lifecycle}],
    }
    made = backup.create_backup_plan(BackupPlan={"BackupPlanName": "orders", "Rules": [rule]})
    plan_id = str(made["BackupPlanId"])
    selected = backup.create_backup_selection(
        BackupPlanId=plan_id,
        BackupSelection={
            "SelectionName": "orders",
            "IamRoleArn": ROLE,
            "Resources": [cloud.arn],
        },
    )
    yield plan_id
    with pytest.raises(ClientError, match="selections must be deleted prior"):
        backup.delete_backup_plan(BackupPlanId=plan_id)
    backup.delete_backup_selection(BackupPlanId=plan_id, SelectionId=selected["SelectionId"])
    backup.delete_backup_plan(BackupPlanId=plan_id)
    cloud.role("aws-backup", ALLOWED)
    # What a jump over days has started as well.
    for job in jobs(cloud, plan_id):
        cloud.job(job["BackupJobId"])
    cloud.moment = None


def jobs(cloud: VaultsCloud, plan_id: str) -> list[dict[str, Any]]:
    cloud.service.tick()
    found = cloud.client_of("backup").list_backup_jobs(ByBackupVaultName="near")["BackupJobs"]
    return [one for one in found if one.get("CreatedBy", {}).get("BackupPlanId") == plan_id]


def at_five(cloud: VaultsCloud, plan_id: str) -> dict[str, Any]:
    """The job that the plan starts at five."""
    assert jobs(cloud, plan_id) == []
    assert cloud.moment is not None
    cloud.moment += timedelta(minutes=10)
    (job,) = jobs(cloud, plan_id)
    assert job["CreationDate"] == cloud.moment
    return job


def test_a_rule_fires_copies_and_ends_what_it_made(
    cloud: VaultsCloud, plan: str, copies: Made
) -> None:
    completed = [cloud.counted(f"NumberOf{of}JobsCompleted") for of in ("Backup", "Copy")]
    job = cloud.job(at_five(cloud, plan)["BackupJobId"])
    assert (job["State"], job["CreatedBy"]["BackupRuleName"]) == ("COMPLETED", "daily")
    (copied,) = cloud.client_of("backup").list_copy_jobs(
        BySourceRecoveryPointArn=job["RecoveryPointArn"], ByState="COMPLETED"
    )["CopyJobs"]
    assert copied["CreatedByBackupJobId"] == job["BackupJobId"]
    arn = copied["DestinationRecoveryPointArn"]
    (far,) = [one for one in cloud.points("far", THERE) if one["RecoveryPointArn"] == arn]
    assert far["CreatedBy"]["BackupPlanName"] == "orders"
    assert far["SourceBackupVaultArn"].endswith(":near")
    assert far["EncryptionKeyArn"] == copies.inputs["kmsKeyArn"]
    tags = cloud.rds.list_tags_for_resource(ResourceName=job["RecoveryPointArn"])["TagList"]
    assert tags == [{"Key": "Name", "Value": "daily"}]
    assert [cloud.counted(f"NumberOf{of}JobsCompleted") for of in ("Backup", "Copy")] == [
        count + 1 for count in completed
    ]
    assert cloud.counted("NumberOfBackupJobsCompleted", ResourceType="RDS") >= 1
    assert cloud.moment is not None
    kept = cloud.moment + timedelta(days=7)
    cloud.moment = kept - timedelta(seconds=1)
    cloud.service.tick()
    assert {job["RecoveryPointArn"], arn} <= here_and_there(cloud)
    # Neither the vault's policy nor its lock keeps what is past its retention.
    cloud.moment = kept
    cloud.service.tick()
    assert not {job["RecoveryPointArn"], arn} & here_and_there(cloud)
    for rds, gone in ((cloud.rds, job["RecoveryPointArn"]), (cloud.client_of("rds", THERE), arn)):
        with refused("DBSnapshotNotFound"):
            rds.describe_db_snapshots(
                DBSnapshotIdentifier=gone.partition(":snapshot:")[2], SnapshotType="awsbackup"
            )


def here_and_there(cloud: VaultsCloud) -> set[str]:
    return {one["RecoveryPointArn"] for one in (*cloud.points(), *cloud.points("far", THERE))}


def test_a_job_that_cannot_begin_waits_for_its_window_and_expires(
    cloud: VaultsCloud, plan: str
) -> None:
    instance: Any = cloud.plane.node("orders").instance
    instance.status = "modifying"
    expired = cloud.counted("NumberOfBackupJobsExpired")
    try:
        job = at_five(cloud, plan)
        assert job["State"] == "CREATED"
        assert "it is modifying" in job["StatusMessage"]
        assert cloud.moment is not None
        cloud.moment += timedelta(minutes=60)
        assert cloud.job(job["BackupJobId"])["State"] == "EXPIRED"
    finally:
        instance.status = "available"
    assert cloud.counted("NumberOfBackupJobsExpired") == expired + 1


def test_what_takes_longer_than_its_window_is_aborted(
    cloud: VaultsCloud, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None: ...

    monkeypatch.setattr("localcloud.databases.backups.snapshot", never)
    job = at_five(cloud, plan)
    assert job["State"] == "RUNNING"
    assert cloud.moment is not None
    cloud.moment += timedelta(minutes=120)
    ended = cloud.job(job["BackupJobId"])
    assert (ended["State"], cloud.counted("NumberOfBackupJobsAborted")) == ("ABORTED", 1)
    # Whenever RDS is done with it, it is removed.
    assert ended["RecoveryPointArn"] in here_and_there(cloud)
    snapshot = ended["RecoveryPointArn"].partition(":snapshot:")[2]
    found: Any = cloud.plane.node("orders").instance
    found.backend.own_snapshot(snapshot).finish(True)
    cloud.service.tick()
    assert ended["RecoveryPointArn"] not in here_and_there(cloud)


@pytest.mark.parametrize("missing", ["rds:CreateDBSnapshot", "rds:AddTagsToResource"])
def test_a_role_that_may_not_fails_the_job(cloud: VaultsCloud, plan: str, missing: str) -> None:
    failed = cloud.counted("NumberOfBackupJobsFailed")
    cloud.role("aws-backup", [one for one in ALLOWED if one != missing])
    job = at_five(cloud, plan)
    assert job["State"] == "FAILED"
    assert f"{ROLE} is not authorized to perform: {missing}" in job["StatusMessage"]
    assert cloud.counted("NumberOfBackupJobsFailed") == failed + 1


def test_a_copy_that_the_role_may_not_make_has_failed_and_the_point_stays(
    cloud: VaultsCloud, plan: str
) -> None:
    failed = cloud.counted("NumberOfCopyJobsFailed")
    cloud.role("aws-backup", [one for one in ALLOWED if one != "kms:CreateGrant"])
    job = cloud.job(at_five(cloud, plan)["BackupJobId"])
    assert job["State"] == "COMPLETED"
    (copied,) = cloud.client_of("backup").list_copy_jobs(
        BySourceRecoveryPointArn=job["RecoveryPointArn"]
    )["CopyJobs"]
    assert copied["State"] == "FAILED"
    assert "not authorized to perform: kms:CreateGrant" in copied["StatusMessage"]
    assert cloud.counted("NumberOfCopyJobsFailed") == failed + 1
    # A role that may not delete leaves what is past its retention as EXPIRED.
    cloud.role("aws-backup", [one for one in ALLOWED if one != "rds:DeleteDBSnapshot"])
    assert cloud.moment is not None
    cloud.moment += timedelta(days=8)
    cloud.service.tick()
    (kept,) = [one for one in cloud.points() if one["RecoveryPointArn"] == job["RecoveryPointArn"]]
    assert (kept["Status"], "rds:DeleteDBSnapshot" in kept["StatusMessage"]) == ("EXPIRED", True)
