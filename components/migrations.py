"""The function that applies a workload's migrations as its migrator role."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.iam import read_secrets
from components.operation_function import FunctionSpec, OperationFunction
from components.workload_roles import WorkloadRoles, database_environment
from workloads.contract import Migration

# A migration may build an index over a large table; Lambda's limit.
_TIMEOUT_SECONDS = 900


class Migrations(pulumi.ComponentResource):
    """The function and one run of it for each new set of migrations."""

    operation: OperationFunction
    applied: aws.lambda_.Invocation

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        workload: str,
        migrations: Sequence[Migration],
        roles: WorkloadRoles,
        database: Database,
        code: FunctionCode,
        keys: EncryptionKeys,
        subnet_ids: Sequence[pulumi.Input[str]],
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function and run it; it also grants the new tables to the roles."""
        super().__init__("pgkeep:components:Migrations", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        migrator = roles.secrets["migrator"]
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="migrations",
                handler="operations.functions.migrations.handler",
                description="Applies the workload's migrations",
                environment={
                    **database_environment(deployment, database),
                    "MIGRATOR_SECRET_ARN": migrator.arn,
                },
                statements=read_secrets(deployment, keys.secrets.arn, [migrator.arn]),
                timeout_seconds=_TIMEOUT_SECONDS,
                layers=[code.ca_layer.arn],
                vpc_subnet_ids=subnet_ids,
                vpc_security_group_id=security_group_id,
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        listed = [migration.model_dump() for migration in migrations]
        event = json.dumps({"workload": workload, "migrations": listed})
        self.applied = aws.lambda_.Invocation(
            f"{name}-apply",
            function_name=self.operation.function.name,
            input=event,
            lifecycle_scope="CREATE_ONLY",
            triggers={"instance": database.instance.resource_id},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[roles.applied]),
        )
        self.register_outputs({})
