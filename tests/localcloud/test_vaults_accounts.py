"""AWS Backup's copies to another account: who lets what in, and the way back."""

import json
from typing import Any

import pytest

from components.aws_backup_statements import copies_from, key_users, permanent
from tests.localcloud import vaults_site
from tests.localcloud.databases_cloud import refused
from tests.localcloud.provider_engine import Made
from tests.localcloud.test_backup_bucket import deployment
from tests.localcloud.vaults_cloud import ALLOWED, OTHER, VaultsCloud

pytestmark = pytest.mark.root

cloud, engine = vaults_site.cloud, vaults_site.engine
vault = vaults_site.vault


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
