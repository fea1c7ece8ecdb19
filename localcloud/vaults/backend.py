"""What moto's AWS Backup lacks: vault policies, selections, jobs and recovery points."""

import datetime
import uuid
from typing import Any, cast

from moto.backup.exceptions import (
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.models import BackupBackend, Plan, Vault, backup_backends
from moto.core.exceptions import JsonRESTError
from moto.rds.models import rds_backends

from localcloud.databases.snapshots import Snapshots
from localcloud.errors import LocalCloudError
from localcloud.permissions.policies import Decision, Principal, Request, evaluate
from localcloud.schedules import expressions
from localcloud.vaults.records import BackupJob, CopyJob, RecoveryPoint


class AccessDeniedError(JsonRESTError):
    """The vault's lock or its access policy refuses."""

    code = 403

    def __init__(self, reason: str) -> None:
        super().__init__("AccessDeniedException", reason)


class LocalBackupBackend(BackupBackend):
    """AWS Backup of one region of an account."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.vault_policies: dict[str, str] = {}
        self.selections: dict[tuple[str, str], dict[str, Any]] = {}
        self.points: dict[str, RecoveryPoint] = {}
        self.backup_jobs: dict[str, BackupJob] = {}
        self.copy_jobs: dict[str, CopyJob] = {}

    @property
    def rds(self) -> Snapshots:
        """RDS of the same account and region."""
        return cast(Snapshots, rds_backends[self.account_id][self.region_name])

    def snapshot_arn(self, name: str) -> str:
        """ARN of the snapshot of that name here."""
        return f"arn:{self.partition}:rds:{self.region_name}:{self.account_id}:snapshot:{name}"

    def vault(self, name: str) -> Vault:
        """The vault of that name. Raises ResourceNotFoundException."""
        if name not in self.vaults:
            raise ResourceNotFoundException(msg=f"Backup vault {name} not found")
        return self.vaults[name]

    def create_backup_vault(
        self,
        backup_vault_name: str,
        backup_vault_tags: Any,
        encryption_key_arn: str | None,
        creator_request_id: Any,
    ) -> Vault:
        """Without a key it is the one that AWS manages for AWS Backup."""
        key_arn = encryption_key_arn or (
            f"arn:{self.partition}:kms:{self.region_name}:{self.account_id}:alias/aws/backup"
        )
        return super().create_backup_vault(
            backup_vault_name, backup_vault_tags, key_arn, creator_request_id
        )

    def create_backup_plan(
        self, backup_plan: dict[str, Any], backup_plan_tags: Any, creator_request_id: Any
    ) -> Plan:
        """Check the schedules, then create."""
        _check_schedules(backup_plan)
        return super().create_backup_plan(backup_plan, backup_plan_tags, creator_request_id)

    def delete_backup_plan(self, backup_plan_id: str) -> tuple[str, str, float, str]:
        """As AWS: not with selections; and, unlike in moto, its name can be used again."""
        if any(plan_id == backup_plan_id for plan_id, _ in self.selections):
            raise InvalidRequestException(
                msg="Related backup plan selections must be deleted prior to backup plan deletion"
            )
        deleted = super().delete_backup_plan(backup_plan_id)
        del self.plans[backup_plan_id]
        return deleted

    def update_plan(self, plan_id: str, document: dict[str, Any]) -> Plan:
        """UpdateBackupPlan: new rules, a new version."""
        _check_schedules(document)
        plan = self.get_backup_plan(plan_id, None)
        # moto gives the rules of a new plan their ids and defaults.
        changed: Any = Plan(document, plan.creator_request_id, self)
        plan.backup_plan, plan.version_id = changed.backup_plan, changed.version_id
        return plan

    def select(self, plan_id: str, selection: dict[str, Any]) -> str:
        """CreateBackupSelection; returns its id. Raises InvalidParameterValueException."""
        self.get_backup_plan(plan_id, None)
        for member in ("ListOfTags", "Conditions"):
            if selection.get(member):
                raise InvalidParameterValueException(
                    msg=f"{member}: the local cloud selects by Resources and NotResources only."
                )
        identifier = str(uuid.uuid4())
        self.selections[plan_id, identifier] = selection
        return identifier

    def selection(self, plan_id: str, identifier: str) -> dict[str, Any]:
        """GetBackupSelection. Raises ResourceNotFoundException."""
        if (plan_id, identifier) not in self.selections:
            raise ResourceNotFoundException(msg=f"Backup selection {identifier} not found")
        return self.selections[plan_id, identifier]

    def point(self, arn: str) -> RecoveryPoint:
        """The recovery point of an ARN. Raises ResourceNotFoundException."""
        if arn not in self.points:
            raise ResourceNotFoundException(msg=f"Recovery point {arn} not found")
        return self.points[arn]

    def keep(self, point: RecoveryPoint) -> None:
        """Put a recovery point into its vault."""
        self.points[point.arn] = point

    def forget(self, point: RecoveryPoint) -> None:
        """End a recovery point, and its snapshot with it."""
        del self.points[point.arn]
        self.rds.remove_snapshot(point.snapshot)

    def delete_point(self, vault_name: str, arn: str, principal: Principal) -> None:
        """DeleteRecoveryPoint. Raises AccessDeniedError as the lock and the policy say."""
        vault, point = self.vault(vault_name), self.point(arn)
        context = {"aws:principalarn": principal.arns[0]} if principal.arns else {}
        request = Request("backup:DeleteRecoveryPoint", arn, principal, context)
        policy = self.vault_policies.get(vault_name)
        if policy is not None and evaluate([policy], request) is Decision.DENY:
            raise AccessDeniedError(f"the access policy of {vault_name} denies it")
        if vault.locked and vault.min_retention_days:
            age = datetime.datetime.now(datetime.UTC) - point.created
            if age < datetime.timedelta(days=vault.min_retention_days):
                raise AccessDeniedError(f"{vault_name} is locked")
        self.forget(point)

    def delete_backup_vault(self, backup_vault_name: str) -> None:
        """As AWS: only an empty one."""
        if any(p.vault.backup_vault_name == backup_vault_name for p in self.points.values()):
            raise InvalidParameterValueException(
                msg=f"Backup vault {backup_vault_name} cannot be deleted: it has recovery points."
            )
        self.vault_policies.pop(backup_vault_name, None)
        super().delete_backup_vault(backup_vault_name)


def backend_of(arn: str) -> LocalBackupBackend:
    """AWS Backup of the account and region that an ARN names."""
    _, _, _, region, account, *_ = arn.split(":")
    return cast(LocalBackupBackend, backup_backends[account][region])


def _check_schedules(document: dict[str, Any]) -> None:
    for rule in document["Rules"]:
        if text := rule.get("ScheduleExpression"):
            try:
                expressions.parse(text, rule.get("ScheduleExpressionTimezone") or "UTC")
            except LocalCloudError as error:
                raise InvalidParameterValueException(msg=str(error)) from None


# moto finds a backend's routes by the module of its class.
LocalBackupBackend.__module__ = "moto.backup.models"
