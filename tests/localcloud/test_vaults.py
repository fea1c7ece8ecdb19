"""AWS Backup: what the provider makes, jobs and copies on demand, and what refuses them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from botocore.exceptions import ClientError

from components.aws_backup_statements import copies_from, key_users, permanent
from pgkeep.backup import recovery_points
from tests.localcloud.databases_cloud import refused
from tests.localcloud.provider_engine import Engine, Made, provider
from tests.localcloud.test_backup_bucket import deployment
from tests.localcloud.vaults_cloud import ALLOWED, OTHER, ROLE, THERE, VaultsCloud

pytestmark = pytest.mark.root

ROOT = "arn:aws:iam::123456789012:root"
DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NobodyDeletes",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": ["backup:DeleteRecoveryPoint"],
                "Resource": "*",
            }
        ],
    }
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultsCloud]:
    found = VaultsCloud(tmp_path_factory.mktemp("cloud"))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def engine(cloud: VaultsCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


@pytest.fixture(scope="module")
def vault(engine: Engine, cloud: VaultsCloud) -> Made:
    made = engine.create(
        "aws:backup/vault:Vault", "vault", name="near", kmsKeyArn=cloud.key(), tags={"Name": "near"}
    )
    engine.create(
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "lock",
        backupVaultName="near",
        minRetentionDays=3,
        maxRetentionDays=365,
    )
    engine.create(
        "aws:backup/vaultPolicy:VaultPolicy", "policy", backupVaultName="near", policy=DENY
    )
    return made


@pytest.fixture(scope="module")
def copies(engine: Engine, cloud: VaultsCloud) -> Made:
    return engine.create(
        "aws:backup/vault:Vault",
        "copies",
        name="far",
        kmsKeyArn=cloud.key(THERE),
        region=THERE,
    )


def plain(made: Made) -> dict[str, Any]:
    return {name: value for name, value in made.inputs.items() if not name.startswith("__")}


def test_everything_is_made_read_back_changed_and_removed(
    engine: Engine, cloud: VaultsCloud, vault: Made, copies: Made
) -> None:
    assert vault["arn"] == "arn:aws:backup:eu-west-1:123456789012:backup-vault:near"
    assert copies["arn"] == f"arn:aws:backup:{THERE}:123456789012:backup-vault:far"
    rules = [
        {
            "ruleName": "daily",
            "targetVaultName": "near",
            "schedule": "cron(0 5 * * ? *)",
            "startWindow": 60,
            "completionWindow": 720,
            "lifecycle": {"deleteAfter": 30},
            "recoveryPointTags": {"Name": "daily"},
            "copyActions": [
                {"destinationVaultArn": copies["arn"], "lifecycle": {"deleteAfter": 30}}
            ],
        }
    ]
    plan = engine.create("aws:backup/plan:Plan", "plan", name="provided", rules=rules)
    selection = engine.create(
        "aws:backup/selection:Selection",
        "selection",
        name="orders",
        planId=plan.id,
        iamRoleArn=ROLE,
        resources=[cloud.arn],
    )
    for made in (*engine.made,):
        assert not engine.diff(made, **plain(made)).changed, made.token
        assert engine.read(made) is not None, made.token
    found = cloud.client_of("backup").get_backup_plan(BackupPlanId=plan.id)["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 30}
    assert found["Rules"][0]["CopyActions"][0]["DestinationBackupVaultArn"] == copies["arn"]
    changed = [{**rules[0], "lifecycle": {"deleteAfter": 60}}]
    assert engine.diff(plan, name="provided", rules=changed).replaces == []
    engine.update(plan, name="provided", rules=changed)
    found = cloud.client_of("backup").get_backup_plan(BackupPlanId=plan.id)["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 60}
    assert found["Rules"][0]["RuleId"]
    engine.delete(selection)
    assert engine.read(selection) is None
    engine.delete(plan)


def test_a_job_makes_a_snapshot_in_the_vault(cloud: VaultsCloud, vault: Made) -> None:
    job = cloud.run_job()
    assert job["State"] == "COMPLETED"
    (point,) = [one for one in cloud.points() if one["RecoveryPointArn"] == job["RecoveryPointArn"]]
    assert point["Status"] == "COMPLETED"
    assert point["CalculatedLifecycle"]["DeleteAt"] > datetime.now(UTC)
    by_resource = cloud.client_of("backup").list_recovery_points_by_resource(ResourceArn=cloud.arn)
    assert job["RecoveryPointArn"] in {
        one["RecoveryPointArn"] for one in by_resource["RecoveryPoints"]
    }
    snapshot = point["RecoveryPointArn"].partition(":snapshot:")[2]
    (found,) = cloud.rds.describe_db_snapshots(
        DBSnapshotIdentifier=snapshot, SnapshotType="awsbackup"
    )["DBSnapshots"]
    assert (found["SnapshotType"], found["Status"]) == ("awsbackup", "available")
    # As on AWS, a list of snapshots has those of AWS Backup only when it is asked for them.
    listed = cloud.rds.describe_db_snapshots(DBInstanceIdentifier="orders")["DBSnapshots"]
    assert snapshot not in {one["DBSnapshotIdentifier"] for one in listed}
    with cloud.connect("orders") as connection:
        connection.execute("DELETE FROM buyers")
    cloud.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="restored",
        DBSnapshotIdentifier=snapshot,
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[cloud.database_group],
    )
    cloud.wait("restored")
    with cloud.connect("restored") as connection:
        assert connection.execute("SELECT id FROM buyers").fetchall() == [(1,)]


def test_lock_and_policy_keep_it(cloud: VaultsCloud, vault: Made) -> None:
    backup = cloud.client_of("backup")
    arn = cloud.run_job(days=3)["RecoveryPointArn"]
    with refused("AccessDeniedException"):
        backup.delete_recovery_point(BackupVaultName="near", RecoveryPointArn=arn)
    # With roles that break the glass it denies everybody else.
    breakers = [f"{ROLE}-breaks-glass"]
    for names, refusal in ((breakers, "access policy"), ([*breakers, ROOT], "near is locked")):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [permanent(names)]})
        backup.put_backup_vault_access_policy(BackupVaultName="near", Policy=policy)
        with refused("AccessDeniedException", refusal):
            backup.delete_recovery_point(BackupVaultName="near", RecoveryPointArn=arn)
    backup.put_backup_vault_access_policy(BackupVaultName="near", Policy=DENY)
    failed = cloud.run_job(days=1)
    assert failed["State"] == "FAILED"
    assert "lock of near allows 3 to 365 days" in failed["StatusMessage"]
    with pytest.raises(ClientError, match="has recovery points"):
        backup.delete_backup_vault(BackupVaultName="near")


def test_a_copy_goes_to_another_region_and_is_listed(
    cloud: VaultsCloud, vault: Made, copies: Made
) -> None:
    point = cloud.run_job()
    copied = cloud.copy(point["RecoveryPointArn"], copies["arn"], days=90)
    assert copied["State"] == "COMPLETED"
    assert copied["DestinationEncryptionKeyArn"] == copies.inputs["kmsKeyArn"]
    backup, there = cloud.client_of("backup"), cloud.client_of("backup", THERE)
    arn, now = recovery_points.arn(cloud.rds, "orders"), datetime.now(UTC)
    near = list(recovery_points.of_vault(backup, "near", arn, {}, now))
    (far,) = recovery_points.of_vault(there, "far", arn, {}, now, region=THERE)
    assert {one.kind for one in near} == {"aws-backup"}
    assert (far.kind, far.backup_class, far.size_bytes) == ("aws-backup copy", "manual", 20 * 2**30)
    assert far.note.startswith(f"in {THERE}, kept until ")
    assert 0 <= far.rpo_seconds < 600
    (again,) = recovery_points.of_vault(there, "far", arn, {far.id: now}, now, region=THERE)
    assert again.proven_at == now


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


def test_a_role_that_nobody_can_assume_and_schedules_that_aws_refuses(
    cloud: VaultsCloud, vault: Made
) -> None:
    job = cloud.run_job(role=ROLE + "-gone")
    assert job["StatusMessage"] == f"IAM Role {ROLE}-gone cannot be assumed by AWS Backup"
    backup = cloud.client_of("backup")
    rule = {"RuleName": "r", "TargetBackupVaultName": "near", "ScheduleExpression": "daily"}
    with pytest.raises(ClientError, match="Invalid Schedule Expression daily"):
        backup.create_backup_plan(BackupPlan={"BackupPlanName": "wrong", "Rules": [rule]})


def test_a_vault_that_may_be_emptied_is_deleted_with_its_points(
    cloud: VaultsCloud, engine: Engine
) -> None:
    full = engine.create("aws:backup/vault:Vault", "full", name="full", kmsKeyArn=cloud.key())
    arn = cloud.run_job(vault="full")["RecoveryPointArn"]
    with pytest.raises(grpc.RpcError, match="has recovery points"):
        engine.delete(full)
    engine.update(full, name="full", kmsKeyArn=full.inputs["kmsKeyArn"], forceDestroy=True)
    engine.delete(full)
    assert engine.read(full) is None
    with refused("DBSnapshotNotFound"):
        cloud.rds.describe_db_snapshots(
            DBSnapshotIdentifier=arn.partition(":snapshot:")[2], SnapshotType="awsbackup"
        )


class Elsewhere:
    """A vault in another account, as its owner prepares it."""

    def __init__(self, cloud: VaultsCloud, name: str) -> None:
        self.backup = cloud.of_account(OTHER, "backup")
        self.key_arn = cloud.key("eu-west-1", OTHER)
        made = self.backup.create_backup_vault(
            BackupVaultName=name, EncryptionKeyArn=self.key_arn, BackupVaultTags={}
        )
        self.arn = str(made["BackupVaultArn"])
        self.name = name

    def let_in(self, account: str) -> None:
        statements = [copies_from(f"arn:aws:iam::{account}:root", "AllowCopies"), permanent()]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.backup.put_backup_vault_access_policy(BackupVaultName=self.name, Policy=policy)


def test_a_copy_goes_to_another_account_that_lets_it_in(cloud: VaultsCloud, vault: Made) -> None:
    there = Elsewhere(cloud, "kept")
    arn = cloud.run_job()["RecoveryPointArn"]
    failed = cloud.counted("NumberOfCopyJobsFailed")

    def reason() -> str:
        job = cloud.copy(arn, there.arn)
        assert job["State"] == "FAILED"
        return job["StatusMessage"]

    assert "does not allow account 123456789012 backup:CopyIntoBackupVault" in reason()
    there.let_in("111111111111")
    assert reason().startswith("Access Denied trying to call AWS Backup service")
    there.let_in("123456789012")
    assert f"Given key ID is not accessible: the policy of {cloud.database_key}" in reason()
    users = key_users(deployment(), f"arn:aws:iam::{OTHER}:root")
    cloud.share(cloud.client_of("kms"), cloud.database_key, *users)
    cloud.role("aws-backup", [one for one in ALLOWED if one != "rds:ModifyDBSnapshotAttribute"])
    assert "not authorized to perform: rds:ModifyDBSnapshotAttribute" in reason()
    cloud.role("aws-backup", ALLOWED)
    assert cloud.counted("NumberOfCopyJobsFailed") == failed + 4
    copied = cloud.copy(arn, there.arn)
    assert copied["State"] == "COMPLETED", copied
    (point,) = cloud.points("kept", account=OTHER)
    assert point["RecoveryPointArn"] == copied["DestinationRecoveryPointArn"]
    assert point["EncryptionKeyArn"] == there.key_arn
    assert (point["ResourceArn"], point["Status"]) == (cloud.arn, "COMPLETED")
    assert point["IamRoleArn"].endswith("AWSServiceRoleForBackup")
    # It is the other account's alone, and the source is shared no longer.
    for rds, other in (
        (cloud.rds, point["RecoveryPointArn"]),
        (cloud.of_account(OTHER, "rds"), arn),
    ):
        with refused("DBSnapshotNotFound"):
            rds.describe_db_snapshots(DBSnapshotIdentifier=other, SnapshotType="awsbackup")
    bring_back(cloud, there, point["RecoveryPointArn"])


def bring_back(cloud: VaultsCloud, there: Elsewhere, arn: str) -> None:
    """What the other account does when nothing is left here; into a vault that lets it in."""
    backup, vault = cloud.client_of("backup"), "back"
    made = backup.create_backup_vault(
        BackupVaultName=vault, EncryptionKeyArn=cloud.key(), BackupVaultTags={}
    )
    policy = {"Statement": [copies_from(f"arn:aws:iam::{OTHER}:root", "AllowCopiesBack")]}
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=json.dumps(policy))
    role = cloud.role("brings-back", ALLOWED, OTHER)

    def job() -> dict[str, Any]:
        started = there.backup.start_copy_job(
            RecoveryPointArn=arn,
            SourceBackupVaultName=there.name,
            DestinationBackupVaultArn=made["BackupVaultArn"],
            IamRoleArn=role,
        )
        return there.backup.describe_copy_job(CopyJobId=started["CopyJobId"])["CopyJob"]

    assert "does not allow account 123456789012 kms:DescribeKey" in job()["StatusMessage"]
    users = key_users(deployment(), "arn:aws:iam::123456789012:root")
    cloud.share(cloud.of_account(OTHER, "kms"), there.key_arn, *users)
    assert job()["State"] == "COMPLETED"
    (point,) = cloud.points(vault)
    snapshot = point["RecoveryPointArn"].partition(":snapshot:")[2]
    (found,) = cloud.rds.describe_db_snapshots(
        DBSnapshotIdentifier=snapshot, SnapshotType="awsbackup"
    )["DBSnapshots"]
    assert found["Status"] == "available"


def test_a_key_that_aws_manages_keeps_copies_in_their_account(
    cloud: VaultsCloud, vault: Made
) -> None:
    there = Elsewhere(cloud, "closed")
    there.let_in("123456789012")
    arn = cloud.run_job()["RecoveryPointArn"]
    instance: Any = cloud.plane.node("orders").instance
    instance.backend.own_snapshot(
        arn.partition(":snapshot:")[2]
    ).kms_key_id = instance.backend.default_key
    job = cloud.copy(arn, there.arn)
    assert (job["State"], "AWS managed key" in job["StatusMessage"]) == ("FAILED", True)
