"""The master password: set by a function at once and on schedule, never in state."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.iam import allow, read_secrets
from components.managed_secret import managed_secret
from components.operation_function import FunctionSpec, OperationFunction

# The function waits while RDS resets the password, which takes minutes.
_TIMEOUT_SECONDS = 900


class MasterCredentials(pulumi.ComponentResource):
    """The secret, the function that fills it, its first run and its schedule."""

    secret: aws.secretsmanager.Secret
    operation: OperationFunction
    initialized: aws.lambda_.Invocation

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        database: Database,
        code: FunctionCode,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make them; the password is real once `initialized` is there."""
        super().__init__("pgkeep:components:MasterCredentials", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.secret = managed_secret(
            f"{name}-secret",
            deployment,
            keys,
            "master",
            description="Master user of the database, for the functions that operate it",
            opts=pulumi.ResourceOptions(parent=self),
        )
        instance_arn = deployment.arn("rds", f"db:{database.identifier}")
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="master-credentials",
                handler="operations.functions.master_credentials.handler",
                description="Sets the master password through the RDS API",
                environment={
                    "DB_INSTANCE_IDENTIFIER": database.identifier,
                    "MASTER_SECRET_ARN": self.secret.arn,
                    "DB_HOST": database.instance.address,
                    "DB_PORT": database.instance.port.apply(str),
                    "DB_NAME": deployment.settings.database.name,
                },
                statements=[
                    allow(
                        "SetMasterPassword",
                        ["rds:DescribeDBInstances", "rds:ModifyDBInstance"],
                        [instance_arn],
                    ),
                    *read_secrets(deployment, keys.secrets.arn, [self.secret.arn], write=True),
                ],
                timeout_seconds=_TIMEOUT_SECONDS,
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        self.initialized = aws.lambda_.Invocation(
            f"{name}-initialize",
            function_name=self.operation.function.name,
            input=json.dumps({"action": "initialize"}),
            lifecycle_scope="CREATE_ONLY",
            # Another instance under the same name needs its own first password.
            triggers={"instance": database.instance.resource_id},
            opts=child,
        )
        FunctionSchedule(
            f"{name}-schedule",
            deployment,
            self.operation,
            [
                Timer(
                    "rotate",
                    # Not a rate: that would fire at once, while the first password is being set.
                    f"cron(0 5 1 1/{deployment.settings.secrets.master_rotation_months} ? *)",
                    json.dumps({"action": "rotate"}),
                )
            ],
            keys=keys,
            opts=child,
        )
        self.register_outputs({"secret_arn": self.secret.arn})
