"""What AWS Backup keeps a record of: recovery points, backup jobs and copy jobs."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from moto.backup.models import Vault

from localcloud.databases.snapshots import LocalDBSnapshot

RESOURCE_TYPE = "RDS"
_GIB = 1024**3
_POINT_STATES = {"creating": "CREATING", "available": "COMPLETED", "failed": "PARTIAL"}


@dataclass
class RecoveryPoint:
    """A snapshot in a vault. Without a `role_arn` AWS Backup's own role of the account made it."""

    arn: str
    vault: Vault
    snapshot: LocalDBSnapshot
    role_arn: str | None
    created: datetime.datetime
    delete_after_days: int | None
    rule: Mapping[str, str] | None = None
    source_vault_arn: str | None = None
    # Why the lifecycle could not end it.
    kept_because: str | None = None

    @property
    def delete_at(self) -> datetime.datetime | None:
        """When the lifecycle removes it."""
        if self.delete_after_days is None:
            return None
        return self.created + datetime.timedelta(days=self.delete_after_days)

    def describe(self) -> dict[str, Any]:
        """RecoveryPointByBackupVault of the API."""
        delete_at = self.delete_at
        account = self.vault.backup_vault_arn.split(":")[4]
        found: dict[str, Any] = {
            "RecoveryPointArn": self.arn,
            "BackupVaultName": self.vault.backup_vault_name,
            "BackupVaultArn": self.vault.backup_vault_arn,
            "SourceBackupVaultArn": self.source_vault_arn,
            "ResourceArn": cast(Any, self.snapshot.database).arn,
            "ResourceType": RESOURCE_TYPE,
            "CreatedBy": self.rule,
            "IamRoleArn": self.role_arn or service_role_arn(account),
            "Status": _POINT_STATES[self.snapshot.status],
            "CreationDate": self.created.timestamp(),
            "BackupSizeInBytes": size_bytes(self.snapshot),
            "EncryptionKeyArn": self.snapshot.kms_key_id,
            "IsEncrypted": bool(self.snapshot.encrypted),
        }
        if delete_at is not None:
            found["CalculatedLifecycle"] = {"DeleteAt": delete_at.timestamp()}
            found["Lifecycle"] = {"DeleteAfterDays": self.delete_after_days}
        if self.kept_because is not None:
            found |= {"Status": "EXPIRED", "StatusMessage": self.kept_because}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class BackupRequest:
    """What a rule or StartBackupJob asks for. `copies` are the rule's CopyActions."""

    vault_name: str
    resource_arn: str
    role_arn: str
    delete_after_days: int | None
    start_by: datetime.datetime
    complete_within: datetime.timedelta
    tags: Mapping[str, str]
    rule: Mapping[str, str] | None = None
    copies: tuple[Mapping[str, Any], ...] = ()


@dataclass
class BackupJob:
    """One snapshot that is to be made; CREATED until RDS has begun it."""

    id: str
    vault: Vault
    request: BackupRequest
    created: datetime.datetime
    state: str = "CREATED"
    message: str | None = None
    point: RecoveryPoint | None = None
    begun: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    # Since when RDS has not been asked again.
    asked: datetime.datetime | None = None

    def describe(self) -> dict[str, Any]:
        """BackupJob of the API."""
        request = self.request
        found: dict[str, Any] = {
            "AccountId": self.vault.backup_vault_arn.split(":")[4],
            "BackupJobId": self.id,
            "BackupVaultName": self.vault.backup_vault_name,
            "BackupVaultArn": self.vault.backup_vault_arn,
            "ResourceArn": request.resource_arn,
            "ResourceType": RESOURCE_TYPE,
            "ResourceName": request.resource_arn.rpartition(":")[2],
            "IamRoleArn": request.role_arn,
            "CreatedBy": request.rule,
            "State": self.state,
            "StatusMessage": self.message,
            "CreationDate": self.created.timestamp(),
            "StartBy": request.start_by.timestamp(),
            "InitiationDate": self.begun and self.begun.timestamp(),
            "CompletionDate": self.ended and self.ended.timestamp(),
            "PercentDone": "100.0" if self.state == "COMPLETED" else "0.0",
        }
        if self.point is not None:
            found["RecoveryPointArn"] = self.point.arn
            found["BackupSizeInBytes"] = size_bytes(self.point.snapshot)
        return {name: value for name, value in found.items() if value is not None}


@dataclass
class CopyJob:
    """One copy of a recovery point into another vault."""

    id: str
    source: RecoveryPoint
    destination_vault_arn: str
    role_arn: str
    delete_after_days: int | None
    created: datetime.datetime
    backup_job_id: str | None = None
    state: str = "RUNNING"
    message: str | None = None
    copy: RecoveryPoint | None = None
    ended: datetime.datetime | None = field(default=None)

    def describe(self) -> dict[str, Any]:
        """CopyJob of the API."""
        resource_arn: str = cast(Any, self.source.snapshot.database).arn
        found: dict[str, Any] = {
            "AccountId": self.source.vault.backup_vault_arn.split(":")[4],
            "CopyJobId": self.id,
            "SourceBackupVaultArn": self.source.vault.backup_vault_arn,
            "SourceRecoveryPointArn": self.source.arn,
            "DestinationBackupVaultArn": self.destination_vault_arn,
            "ResourceArn": resource_arn,
            "ResourceType": RESOURCE_TYPE,
            "ResourceName": resource_arn.rpartition(":")[2],
            "IamRoleArn": self.role_arn,
            "CreatedBy": self.source.rule,
            "CreatedByBackupJobId": self.backup_job_id,
            "State": self.state,
            "StatusMessage": self.message,
            "CreationDate": self.created.timestamp(),
            "CompletionDate": self.ended and self.ended.timestamp(),
            "BackupSizeInBytes": size_bytes(self.source.snapshot),
        }
        if self.delete_after_days is not None:
            found["DestinationRecoveryPointLifecycle"] = {"DeleteAfterDays": self.delete_after_days}
        if self.copy is not None:
            found["DestinationRecoveryPointArn"] = self.copy.arn
            found["DestinationEncryptionKeyArn"] = self.copy.snapshot.kms_key_id
        return {name: value for name, value in found.items() if value is not None}


def service_role_arn(account: str) -> str:
    """The role that AWS Backup has in an account that copies come to."""
    path = "aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
    return f"arn:aws:iam::{account}:role/{path}"


def size_bytes(snapshot: LocalDBSnapshot) -> int:
    """What AWS Backup gives as a snapshot's size: the storage that is allocated."""
    return int(cast(Any, snapshot).allocated_storage) * _GIB
