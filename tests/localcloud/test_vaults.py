"""AWS Backup: what the provider makes, jobs and copies on demand, and what refuses them."""

import json
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from botocore.exceptions import ClientError

from components.aws_backup_statements import permanent
from pgkeep.backup import recovery_points
from tests.localcloud import vaults_site
from tests.localcloud.databases_cloud import refused
from tests.localcloud.provider_engine import Engine, Made
from tests.localcloud.vaults_cloud import ROLE, THERE, VaultsCloud
from tests.localcloud.vaults_site import DENY

pytestmark = pytest.mark.root

cloud, engine = vaults_site.cloud, vaults_site.engine
vault, copies = vaults_site.vault, vaults_site.copies

ROOT = "arn:aws:iam::123456789012:root"


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
