"""Rotation of every login role's password by Secrets Manager, and the function that does it.

The function also says how old all passwords are: a rotation that never began fails nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.iam import read_secrets
from components.operation_function import FunctionSpec, OperationFunction
from components.workload_roles import WorkloadRoles, database_environment
from workloads.contract import WorkloadContract

# A host reads its users, and starts to wait again when it is done (hosts/files,
# pgkeep-credentials.timer): a tenth of the interval more at random, and this for the reading.
_READING_SECONDS = 10
# Beside the wait for the hosts: connections that are tried again while the database restarts.
_WORK_SECONDS = 200
# Several times in an hour, the period of the alarm on it; at other minutes than backup-retention.
_AGE_SCHEDULE = "cron(10/15 * * * ? *)"
# RDS changes the password of a secret that it manages every seven days.
_DAYS_MANAGED_BY_RDS = 7
_LONGEST_MONTH_DAYS = 31


class RoleRotation(pulumi.ComponentResource):
    """The function may write the roles' secrets and the list for the pooler hosts, and no other."""

    operation: OperationFunction

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        contract: WorkloadContract,
        roles: WorkloadRoles,
        database: Database,
        master_secret_arn: pulumi.Input[str],
        code: FunctionCode,
        keys: EncryptionKeys,
        subnet_ids: Sequence[pulumi.Input[str]],
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function, and rotate every secret of `roles` on schedule from then on."""
        super().__init__("pgkeep:components:RoleRotation", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settles_seconds = _settles_seconds(deployment.settings.pooler.refresh_interval_seconds)
        secrets = {role.name: roles.secrets[role.kind].arn for role in contract.login_roles}
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="role-rotation",
                handler="operations.functions.role_rotation.handler",
                description="Rotates the passwords of login roles",
                environment={
                    **database_environment(deployment, database),
                    "MASTER_SECRET_ARN": master_secret_arn,
                    "POOLER_USERS_SECRET_ARN": roles.pooler_users_secret.arn,
                    "POOLERS_SETTLE_SECONDS": str(settles_seconds),
                    "ROTATED_ROLES": pulumi.Output.json_dumps(secrets),
                    "ROTATION_DAYS": str(deployment.settings.secrets.login_rotation_days),
                    "MASTER_ROTATION_DAYS": str(_master_rotation_days(deployment)),
                    "WORKLOAD": contract.workload,
                },
                statements=[
                    *read_secrets(deployment, keys.secrets.arn, [master_secret_arn]),
                    *read_secrets(
                        deployment,
                        keys.secrets.arn,
                        [*secrets.values(), roles.pooler_users_secret.arn],
                        write=True,
                    ),
                ],
                timeout_seconds=settles_seconds + _WORK_SECONDS,
                layers=[code.ca_layer.arn],
                vpc_subnet_ids=subnet_ids,
                vpc_security_group_id=security_group_id,
                # Secrets Manager rotates all secrets in the same window; and one to tell the age.
                concurrency=len(secrets) + 1,
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        allowed = aws.lambda_.Permission(
            f"{name}-permission",
            statement_id="SecretsManagerOfThisAccount",
            action="lambda:InvokeFunction",
            function=self.operation.function.name,
            principal=deployment.service_principal("secretsmanager"),
            source_account=deployment.account_id,
            opts=child,
        )
        for role in contract.login_roles:
            aws.secretsmanager.SecretRotation(
                f"{name}-{role.kind}",
                secret_id=roles.secrets[role.kind].arn,
                rotation_lambda_arn=self.operation.function.arn,
                rotation_rules={
                    "automatically_after_days": deployment.settings.secrets.login_rotation_days
                },
                # The roles function has just made the passwords; a deployment changes none.
                rotate_immediately=False,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed, roles.applied]),
            )
        FunctionSchedule(
            f"{name}-schedule",
            deployment,
            self.operation,
            [Timer("age", _AGE_SCHEDULE, json.dumps({"action": "age"}))],
            keys=keys,
            opts=child,
        )
        self.register_outputs({})


def _master_rotation_days(deployment: Deployment) -> int:
    """How old the master password may become."""
    if deployment.settings.database.master_password == "managed_by_rds":  # noqa: S105
        return _DAYS_MANAGED_BY_RDS
    return deployment.settings.secrets.master_rotation_months * _LONGEST_MONTH_DAYS


def _settles_seconds(refresh_interval_seconds: int) -> int:
    """How long after a change of the list of users every pooler host knows it."""
    return refresh_interval_seconds + refresh_interval_seconds // 10 + _READING_SECONDS
