"""How the functions become master user: with this program's secret, or with the one RDS keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.master_credentials import MasterCredentials
from components.operation_function import OperationFunction


@dataclass(frozen=True)
class MasterAccess:
    """Where the master's password is.

    Attributes:
        secret_arn: its secret, with `username` and `password`.
        secret_name: the name to ask Secrets Manager for.
        ready: once this is there, the password in the secret is the real one; another instance,
            also one of the same name, has it replaced.
        operations: the functions that this takes.
    """

    secret_arn: pulumi.Input[str]
    secret_name: pulumi.Input[str]
    ready: pulumi.Resource
    operations: Sequence[OperationFunction]


def master_access(
    name: str,
    deployment: Deployment,
    *,
    database: Database,
    code: FunctionCode,
    keys: EncryptionKeys,
    opts: pulumi.ResourceOptions,
) -> MasterAccess:
    """As `database.master_password` says."""
    if deployment.settings.database.master_password == "managed_by_rds":  # noqa: S105
        # RDS makes the secret with the instance and changes its password every seven days.
        secret_arn = database.instance.master_user_secrets.apply(
            lambda secrets: secrets[0].secret_arn or ""
        )
        # Secrets Manager takes an ARN wherever it takes a name.
        return MasterAccess(secret_arn, secret_arn, database.instance, ())
    master = MasterCredentials(name, deployment, database=database, code=code, keys=keys, opts=opts)
    return MasterAccess(
        master.secret.arn, master.secret.name, master.initialized, (master.operation,)
    )
