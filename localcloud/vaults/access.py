"""What AWS Backup may do: as the role of a selection, into vaults, with keys.

Sources: AWS Backup developer guide, "Setting up cross-account backup" and "Encryption for a backup
copy to a different account or AWS Region"; AWS managed policy
AWSBackupServiceRolePolicyForBackup, its part for RDS.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.backup.models import Vault
from moto.kms.models import kms_backends

from localcloud.errors import LocalCloudError
from localcloud.permissions import resource_policies, roles
from localcloud.permissions.callers import Caller
from localcloud.permissions.enforcement import decide
from localcloud.permissions.policies import Decision, Principal, Request, evaluate

_SERVICE = "backup.amazonaws.com"
_FOR_RDS = {"kms:grantisforawsresource": "true"}


class Role:
    """The role that a selection, or whoever starts a job, gives to AWS Backup."""

    def __init__(self, account: str, arn: str) -> None:
        role = roles.find(account, arn)
        if role is None or not roles.trusts(account, arn, _SERVICE):
            raise LocalCloudError(f"IAM Role {arn} cannot be assumed by AWS Backup")
        self._arn, self._account = arn, account
        self._caller = Caller(Principal(account, (arn,)), role, "backup")

    def require(
        self, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        """Raise LocalCloudError unless the role may do this."""
        values = {
            "aws:securetransport": "true",
            "aws:principalarn": self._arn,
            "aws:principalaccount": self._account,
            "aws:resourceaccount": resource.split(":")[4],
            **(context or {}),
        }
        request = Request(action, resource, self._caller.principal, values)
        if decide(self._caller, request) is not Decision.ALLOW:
            raise LocalCloudError(
                f"User: {self._arn} is not authorized to perform: {action} on resource: {resource}"
            )

    def require_key(self, key_arn: str, region: str) -> None:
        """Raise LocalCloudError unless RDS may use the key for what this role asks for."""
        if managed(key_arn):
            return
        via = {"kms:viaservice": f"rds.{region}.amazonaws.com"}
        self.require("kms:DescribeKey", key_arn, via)
        self.require("kms:CreateGrant", key_arn, via | _FOR_RDS)


def check_lock(vault: Vault, days: int | None) -> None:
    """Raise LocalCloudError for a retention that the vault's lock does not allow.

    Source: AWS Backup developer guide, "AWS Backup Vault Lock": the vault fails the job.
    """
    least, most = vault.min_retention_days, vault.max_retention_days
    short = least is not None and days is not None and days < least
    long = most is not None and (days is None or days > most)
    if vault.locked and (short or long):
        raise LocalCloudError(
            f"Lifecycle of {days or 'no'} days is refused: the lock of "
            f"{vault.backup_vault_name} allows {least} to {most} days."
        )


def require_other_account(vault_arn: str, source: str, key_arn: str | None) -> None:
    """Raise LocalCloudError unless the vault of another account takes copies of `source`.

    `key_arn` is the key that the snapshot is under: an AWS managed one cannot be shared, and of
    another one the policy has to let the vault's account in.
    """
    principal = Principal(source, (f"arn:aws:iam::{source}:root",))
    request = Request("backup:CopyIntoBackupVault", vault_arn, principal)
    document = resource_policies.find(vault_arn)
    if document is None or evaluate([document], request) is not Decision.ALLOW:
        raise LocalCloudError(
            "Access Denied trying to call AWS Backup service: the access policy of "
            f"{vault_arn} does not allow account {source} backup:CopyIntoBackupVault"
        )
    if key_arn is None:
        return
    if managed(key_arn):
        raise LocalCloudError(
            f"The snapshot is encrypted with the AWS managed key {key_arn}, which cannot be shared "
            "with another account"
        )
    _require_shared(key_arn, vault_arn.split(":")[4])


def _require_shared(key_arn: str, account: str) -> None:
    root = Principal(account, (f"arn:aws:iam::{account}:root",))
    via = {"kms:viaservice": f"rds.{key_arn.split(':')[3]}.amazonaws.com"}
    document = resource_policies.find(key_arn)
    for action, context in (
        ("kms:DescribeKey", via),
        ("kms:Decrypt", via),
        ("kms:CreateGrant", via | _FOR_RDS),
    ):
        request = Request(action, key_arn, root, context)
        if document is None or evaluate([document], request) is not Decision.ALLOW:
            raise LocalCloudError(
                f"Given key ID is not accessible: the policy of {key_arn} does not allow account "
                f"{account} {action}"
            )


def managed(key_arn: str) -> bool:
    """Whether AWS manages the key (`alias/aws/…`)."""
    _, _, _, region, account, name = key_arn.split(":", 5)
    if name.startswith("alias/aws/"):
        return True
    key: Any = kms_backends[account][region].keys.get(name.removeprefix("key/"))
    return key is not None and any(alias.startswith("alias/aws/") for alias in key.aliases)
