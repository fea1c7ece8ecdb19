"""AWS Backup: what the provider makes, and that a job makes a snapshot that can be restored."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import vaults
from pgkeep.backup import recovery_points
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused
from tests.localcloud.provider_engine import Engine, Made, provider

pytestmark = pytest.mark.root

THERE = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/aws-backup"
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
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabasesCloud]:
    from moto.backup.models import backup_backends

    vaults.install(None)  # type: ignore[arg-type]  # it needs nothing of the cloud
    backup_backends.clear()
    found = DatabasesCloud(tmp_path_factory.mktemp("cloud"), databases_cloud.base_image(print))
    try:
        found.create_instance("orders", StorageEncrypted=True)
        found.wait("orders")
        with found.connect("orders") as connection:
            connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
            connection.execute("INSERT INTO buyers VALUES (1)")
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def engine(cloud: DatabasesCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


def key(cloud: DatabasesCloud, region: str = "eu-west-1") -> str:
    return cloud.client_of("kms", region).create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def vault(engine: Engine, cloud: DatabasesCloud) -> Made:
    made = engine.create(
        "aws:backup/vault:Vault", "vault", name="near", kmsKeyArn=key(cloud), tags={"Name": "near"}
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
def copies(engine: Engine, cloud: DatabasesCloud) -> Made:
    return engine.create(
        "aws:backup/vault:Vault",
        "copies",
        name="far",
        kmsKeyArn=key(cloud, THERE),
        region=THERE,
    )


def plain(made: Made) -> dict[str, Any]:
    return {name: value for name, value in made.inputs.items() if not name.startswith("__")}


def test_everything_is_made_read_back_changed_and_removed(
    engine: Engine, cloud: DatabasesCloud, vault: Made, copies: Made
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
    plan = engine.create("aws:backup/plan:Plan", "plan", name="orders", rules=rules)
    selection = engine.create(
        "aws:backup/selection:Selection",
        "selection",
        name="orders",
        planId=plan.id,
        iamRoleArn=ROLE,
        resources=[cloud.describe("orders")["DBInstanceArn"]],
    )
    for made in (*engine.made,):
        assert not engine.diff(made, **plain(made)).changed, made.token
        assert engine.read(made) is not None, made.token
    found = cloud.client_of("backup").get_backup_plan(BackupPlanId=plan.id)["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 30}
    assert found["Rules"][0]["CopyActions"][0]["DestinationBackupVaultArn"] == copies["arn"]
    changed = [{**rules[0], "lifecycle": {"deleteAfter": 60}}]
    assert engine.diff(plan, name="orders", rules=changed).replaces == []
    engine.update(plan, name="orders", rules=changed)
    found = cloud.client_of("backup").get_backup_plan(BackupPlanId=plan.id)["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 60}
    engine.delete(selection)
    assert engine.read(selection) is None


def test_a_job_makes_a_snapshot_in_the_vault(cloud: DatabasesCloud, vault: Made) -> None:
    point = run_job(cloud, days=30)
    assert point["Status"] == "COMPLETED"
    assert point["CalculatedLifecycle"]["DeleteAt"] > datetime.now(UTC)
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


def run_job(cloud: DatabasesCloud, days: int) -> dict[str, Any]:
    backup = cloud.client_of("backup")
    arn = cloud.describe("orders")["DBInstanceArn"]
    job = backup.start_backup_job(
        BackupVaultName="near",
        ResourceArn=arn,
        IamRoleArn=ROLE,
        Lifecycle={"DeleteAfterDays": days},
    )
    cloud.eventually(
        lambda: backup.describe_backup_job(BackupJobId=job["BackupJobId"])["State"] == "COMPLETED",
        60,
    )
    points = backup.list_recovery_points_by_resource(ResourceArn=arn)["RecoveryPoints"]
    assert job["RecoveryPointArn"] in {one["RecoveryPointArn"] for one in points}
    listed = backup.list_recovery_points_by_backup_vault(BackupVaultName="near", ByResourceArn=arn)[
        "RecoveryPoints"
    ]
    return next(one for one in listed if one["RecoveryPointArn"] == job["RecoveryPointArn"])


def test_lock_and_policy_keep_it(cloud: DatabasesCloud, vault: Made) -> None:
    backup = cloud.client_of("backup")
    point = run_job(cloud, days=3)
    with refused("AccessDeniedException"):
        backup.delete_recovery_point(
            BackupVaultName="near", RecoveryPointArn=point["RecoveryPointArn"]
        )
    with pytest.raises(ClientError, match="lock of near allows 3 to 365 days"):
        run_job(cloud, days=1)
    with pytest.raises(ClientError, match="has recovery points"):
        backup.delete_backup_vault(BackupVaultName="near")


def test_a_copy_goes_to_another_region_and_is_listed(
    cloud: DatabasesCloud, vault: Made, copies: Made
) -> None:
    point = run_job(cloud, days=30)
    backup = cloud.client_of("backup")
    job = backup.start_copy_job(
        RecoveryPointArn=point["RecoveryPointArn"],
        SourceBackupVaultName="near",
        DestinationBackupVaultArn=copies["arn"],
        IamRoleArn=ROLE,
        Lifecycle={"DeleteAfterDays": 90},
    )["CopyJobId"]
    assert backup.describe_copy_job(CopyJobId=job)["CopyJob"]["State"] == "COMPLETED"
    arn, now = recovery_points.arn(cloud.rds, "orders"), datetime.now(UTC)
    near = list(recovery_points.of_vault(backup, "near", arn, {}, now))
    (far,) = recovery_points.of_vault(
        cloud.client_of("backup", THERE), "far", arn, {}, now, region=THERE
    )
    assert {one.kind for one in near} == {"aws-backup"}
    assert (far.kind, far.backup_class, far.size_bytes) == ("aws-backup copy", "manual", 20 * 2**30)
    assert far.note.startswith(f"in {THERE}, kept until ")
    assert 0 <= far.rpo_seconds < 600
    proven = {far.id: now}
    (again,) = recovery_points.of_vault(
        cloud.client_of("backup", THERE), "far", arn, proven, now, region=THERE
    )
    assert again.proven_at == now
