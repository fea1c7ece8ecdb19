"""What moto's AWS Backup lacks: vault policies, selections, jobs and recovery points."""

import datetime
import json
import uuid
from dataclasses import dataclass, field
from typing import Any, cast

from moto.backup.exceptions import InvalidParameterValueException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Vault, backup_backends
from moto.core.exceptions import JsonRESTError
from moto.rds.exceptions import RDSClientError
from moto.rds.models import rds_backends

from localcloud.databases.snapshots import LocalDBSnapshot, Snapshots

_JOB_STATES = {"creating": "RUNNING", "available": "COMPLETED", "failed": "FAILED"}
_POINT_STATES = {"creating": "CREATING", "available": "COMPLETED", "failed": "PARTIAL"}


class AccessDeniedError(JsonRESTError):
    """The vault's lock or its access policy refuses."""

    code = 403

    def __init__(self, reason: str) -> None:
        super().__init__("AccessDeniedException", reason)


@dataclass
class RecoveryPoint:
    """A snapshot in a vault; `job` made it."""

    arn: str
    vault: Vault
    snapshot: LocalDBSnapshot
    job: str
    role_arn: str
    created: datetime.datetime
    delete_after_days: int | None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    source_vault_arn: str | None = None
    rule: dict[str, str] | None = None

    @property
    def delete_at(self) -> datetime.datetime | None:
        """When the lifecycle removes it."""
        if self.delete_after_days is None:
            return None
        return self.created + datetime.timedelta(days=self.delete_after_days)

    def describe(self) -> dict[str, Any]:
        """RecoveryPointByBackupVault of the API."""
        delete_at = self.delete_at
        found: dict[str, Any] = {
            "RecoveryPointArn": self.arn,
            "BackupVaultName": self.vault.backup_vault_name,
            "BackupVaultArn": self.vault.backup_vault_arn,
            "SourceBackupVaultArn": self.source_vault_arn,
            "ResourceArn": cast(Any, self.snapshot.database).arn,
            "ResourceType": "RDS",
            "CreatedBy": self.rule,
            "IamRoleArn": self.role_arn,
            "Status": _POINT_STATES[self.snapshot.status],
            "CreationDate": self.created.timestamp(),
            "BackupSizeInBytes": cast(Any, self.snapshot).allocated_storage * 1024**3,
            "EncryptionKeyArn": self.snapshot.kms_key_id,
            "IsEncrypted": bool(self.snapshot.encrypted),
        }
        if delete_at is not None:
            found["CalculatedLifecycle"] = {"DeleteAt": delete_at.timestamp()}
            found["Lifecycle"] = {"DeleteAfterDays": self.delete_after_days}
        return {name: value for name, value in found.items() if value is not None}


class LocalBackupBackend(BackupBackend):
    """AWS Backup of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.vault_policies: dict[str, str] = {}
        self.selections: dict[tuple[str, str], dict[str, Any]] = {}
        self.points: dict[str, RecoveryPoint] = {}
        self.jobs: dict[str, str] = {}  # job → recovery point

    def vault(self, name: str) -> Vault:
        """The vault of that name. Raises ResourceNotFoundException."""
        if name not in self.vaults:
            raise ResourceNotFoundException(msg=f"Backup vault {name} not found")
        return self.vaults[name]

    def select(self, plan_id: str, selection: dict[str, Any]) -> str:
        """CreateBackupSelection; returns its id."""
        self.get_backup_plan(plan_id, None)
        identifier = str(uuid.uuid4())
        self.selections[plan_id, identifier] = selection
        return identifier

    def selection(self, plan_id: str, identifier: str) -> dict[str, Any]:
        """GetBackupSelection. Raises ResourceNotFoundException."""
        if (plan_id, identifier) not in self.selections:
            raise ResourceNotFoundException(msg=f"Backup selection {identifier} not found")
        return self.selections[plan_id, identifier]

    def start_job(self, inputs: dict[str, Any]) -> RecoveryPoint:
        """StartBackupJob for an RDS instance: a snapshot in the background."""
        vault = self.vault(inputs["BackupVaultName"])
        days = (inputs.get("Lifecycle") or {}).get("DeleteAfterDays")
        _check_lock(vault, days)
        parts = str(inputs["ResourceArn"]).split(":")
        if len(parts) != 7 or parts[2] != "rds" or parts[5] != "db":
            raise InvalidParameterValueException(
                msg=f"{inputs['ResourceArn']}: the local cloud backs up RDS instances only."
            )
        job = str(uuid.uuid4()).upper()
        try:
            snapshot = self._rds().create_db_snapshot(
                parts[6], f"awsbackup:job-{job.lower()}", snapshot_type="awsbackup"
            )
        except RDSClientError as error:
            raise InvalidParameterValueException(msg=str(error)) from None
        return self._keep(vault, cast(LocalDBSnapshot, snapshot), job, inputs, days)

    def start_copy(self, inputs: dict[str, Any]) -> tuple[str, RecoveryPoint]:
        """StartCopyJob into a vault of this account, in any region."""
        source = self.point(inputs["RecoveryPointArn"])
        destination = str(inputs["DestinationBackupVaultArn"]).split(":")
        there = cast(LocalBackupBackend, backup_backends[destination[4]][destination[3]])
        vault = there.vault(destination[6])
        days = (inputs.get("Lifecycle") or {}).get("DeleteAfterDays")
        _check_lock(vault, days)
        job = str(uuid.uuid4()).upper()
        snapshot = there._rds().copy_db_snapshot(
            source.snapshot.arn,
            f"awsbackup:copyjob-{job.lower()}",
            kms_key_id=vault.encryption_key_arn,
        )
        snapshot.snapshot_type = "awsbackup"
        copy = there._keep(vault, cast(LocalDBSnapshot, snapshot), job, inputs, days)
        copy.source_vault_arn = source.vault.backup_vault_arn
        copy.created = source.created
        self.jobs[job] = copy.arn
        return job, copy

    def point(self, arn: str) -> RecoveryPoint:
        """The recovery point of an ARN. Raises ResourceNotFoundException."""
        if arn not in self.points:
            raise ResourceNotFoundException(msg=f"Recovery point {arn} not found")
        return self.points[arn]

    def delete_point(self, vault_name: str, arn: str) -> None:
        """DeleteRecoveryPoint. Raises AccessDeniedError as the lock and the policy say."""
        vault, point = self.vault(vault_name), self.point(arn)
        if _denies(self.vault_policies.get(vault_name), "backup:DeleteRecoveryPoint"):
            raise AccessDeniedError(f"the access policy of {vault_name} denies it")
        if vault.locked and vault.min_retention_days:
            age = datetime.datetime.now(datetime.UTC) - point.created
            if age < datetime.timedelta(days=vault.min_retention_days):
                raise AccessDeniedError(f"{vault_name} is locked")
        self._rds().remove_snapshot(point.snapshot)
        del self.points[arn]

    def delete_backup_vault(self, backup_vault_name: str) -> None:
        """As AWS: only an empty one."""
        if any(p.vault.backup_vault_name == backup_vault_name for p in self.points.values()):
            raise InvalidParameterValueException(
                msg=f"Backup vault {backup_vault_name} cannot be deleted: it has recovery points."
            )
        self.vault_policies.pop(backup_vault_name, None)
        super().delete_backup_vault(backup_vault_name)

    def update_plan(self, plan_id: str, document: dict[str, Any]) -> Any:
        """UpdateBackupPlan."""
        plan = self.get_backup_plan(plan_id, None)
        plan.backup_plan = document
        plan.version_id = uuid.uuid4().hex
        return plan

    def _rds(self) -> Snapshots:
        return cast(Snapshots, rds_backends[self.account_id][self.region_name])

    def _keep(
        self,
        vault: Vault,
        snapshot: LocalDBSnapshot,
        job: str,
        inputs: dict[str, Any],
        days: int | None,
    ) -> RecoveryPoint:
        point = RecoveryPoint(
            arn=snapshot.arn,
            vault=vault,
            snapshot=snapshot,
            job=job,
            role_arn=inputs["IamRoleArn"],
            created=datetime.datetime.now(datetime.UTC),
            delete_after_days=days,
            tags=inputs.get("RecoveryPointTags") or {},
        )
        self.points[point.arn] = point
        self.jobs[job] = point.arn
        return point


def job_state(point: RecoveryPoint) -> str:
    """State of the job that made it."""
    return _JOB_STATES[point.snapshot.status]


def _check_lock(vault: Vault, days: int | None) -> None:
    least, most = vault.min_retention_days, vault.max_retention_days
    short = least is not None and days is not None and days < least
    long = most is not None and (days is None or days > most)
    if vault.locked and (short or long):
        raise InvalidParameterValueException(
            msg=f"Lifecycle of {days or 'no'} days is refused: the lock of "
            f"{vault.backup_vault_name} allows {least} to {most} days."
        )


def _denies(policy: str | None, action: str) -> bool:
    statements = json.loads(policy)["Statement"] if policy else []
    return any(
        one["Effect"] == "Deny" and action in one["Action"] and "Condition" not in one
        for one in statements
    )


# moto finds a backend's routes by the module of its class.
LocalBackupBackend.__module__ = "moto.backup.models"
