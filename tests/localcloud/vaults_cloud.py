"""AWS Backup over the databases' small cloud, at a time that the tests set."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto.backup.models import backup_backends
from moto.cloudwatch.models import cloudwatch_backends

from localcloud import vaults
from localcloud.home import REGION
from localcloud.permissions import accounts
from localcloud.vaults.service import Service
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud

ACCOUNT, OTHER = "123456789012", "210987654321"
THERE = "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-backup"
# What components/aws_backup.py allows, without its resources.
ALLOWED = (
    "rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:CopyDBSnapshot", "rds:DeleteDBSnapshot",
    "rds:ModifyDBSnapshotAttribute", "backup:CopyIntoBackupVault", "kms:DescribeKey",
    "kms:CreateGrant",
)  # fmt: skip


class VaultsCloud(DatabasesCloud):
    """An instance `orders` under a customer key, and AWS Backup that works when it is told to."""

    def __init__(self, path: Path) -> None:
        accounts.install()
        vaults.replace_backend()
        backup_backends.clear()
        self.moment: datetime | None = None
        self.service = Service(lambda: self.moment or datetime.now(UTC))
        super().__init__(path, databases_cloud.base_image(print))
        self.role("aws-backup", ALLOWED)
        self.database_key = self.key()
        self.create_instance("orders", StorageEncrypted=True, KmsKeyId=self.database_key)
        self.wait("orders")
        self.arn = str(self.describe("orders")["DBInstanceArn"])
        with self.connect("orders") as connection:
            connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
            connection.execute("INSERT INTO buyers VALUES (1)")

    def role(self, name: str, actions: Sequence[str], account: str = ACCOUNT) -> str:
        """Make a role that AWS Backup assumes, or change what it may do."""
        iam = self.of_account(account, "iam")
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "backup.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        if name not in {one["RoleName"] for one in iam.list_roles()["Roles"]}:
            document = json.dumps({"Statement": [trust]})
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="backups", PolicyDocument=document)
        return f"arn:aws:iam::{account}:role/{name}"

    def key(self, region: str = REGION, account: str = ACCOUNT, *users: Any) -> str:
        """A key whose policy lets its own account decide, and what else is said."""
        client = self.of_account(account, "kms", region)
        made = client.create_key()["KeyMetadata"]
        self.share(client, made["Arn"], *users)
        return made["Arn"]

    @staticmethod
    def share(client: Any, key_arn: str, *users: Any) -> None:
        """Say who may use a key, besides its own account."""
        owner = {"AWS": f"arn:aws:iam::{key_arn.split(':')[4]}:root"}
        root = {"Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [root, *users]})
        client.put_key_policy(KeyId=key_arn, PolicyName="default", Policy=policy)

    def of_account(self, account: str, service: str, region: str = REGION) -> Any:
        """A client of an account's administrator."""
        key = "local" if account == ACCOUNT else account
        factory: Any = boto3.client
        named = {"region_name": region, "aws_access_key_id": key}
        return factory(service, **{**self.arguments, **named})

    def job(self, job_id: str) -> dict[str, Any]:
        """A backup job at its end."""
        backup = self.client_of("backup")

        def ended() -> Any:
            self.service.tick()
            found = backup.describe_backup_job(BackupJobId=job_id)
            return found if "CompletionDate" in found else None

        return self.eventually(ended, 60)

    def run_job(self, days: int | None = 30, role: str = ROLE, vault: str = "near") -> Any:
        """StartBackupJob, and its end."""
        lifecycle = {} if days is None else {"Lifecycle": {"DeleteAfterDays": days}}
        started = self.client_of("backup").start_backup_job(
            BackupVaultName=vault, ResourceArn=self.arn, IamRoleArn=role, **lifecycle
        )
        return self.job(started["BackupJobId"])

    def points(self, vault: str = "near", region: str = REGION, account: str = ACCOUNT) -> Any:
        """The recovery points of a vault."""
        backup = self.of_account(account, "backup", region)
        return backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]

    def copy(self, point_arn: str, destination: str, days: int | None = 30) -> dict[str, Any]:
        """StartCopyJob from the vault `near`, and its end."""
        backup = self.client_of("backup")
        lifecycle = {} if days is None else {"Lifecycle": {"DeleteAfterDays": days}}
        job = backup.start_copy_job(
            RecoveryPointArn=point_arn,
            SourceBackupVaultName="near",
            DestinationBackupVaultArn=destination,
            IamRoleArn=ROLE,
            **lifecycle,
        )
        return backup.describe_copy_job(CopyJobId=job["CopyJobId"])["CopyJob"]

    def counted(self, metric: str, **more: str) -> float:
        """Sum of a metric of the vault `near`, with the dimensions that the alarms ask for."""
        # moto's own statistics mix metrics that share a dimension; its alarms do not.
        backend: Any = cloudwatch_backends[ACCOUNT][REGION]
        wanted = {"BackupVaultName": "near", **more}
        return sum(
            datum.value
            for datum in backend.metric_data
            if (datum.namespace, datum.name) == ("AWS/Backup", metric)
            and {one.name: one.value for one in datum.dimensions} == wanted
        )
