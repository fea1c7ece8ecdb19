"""The function that restores into a scratch instance on schedule, and proves what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi

from components.backup_names import backup_bucket_arn, bucket_name
from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.iam import Statement, allow, read_secrets
from components.manifest_signatures import manifest_key_use, manifest_key_variable
from components.operation_function import FunctionSpec, OperationFunction
from components.workload_roles import database_environment

# Lambda's longest run; a test goes on over several.
_TIMEOUT_SECONDS = 900
# Not a rate: that would fire at once, while the stack is being made.
_GO_ON = "cron(0/10 * * * ? *)"
_REPORTS = "reports/"


def _start(scope: str) -> str:
    return json.dumps({"action": "start", "scope": scope})


def scratch_identifier(deployment: Deployment) -> str:
    """Name of the scratch instance; there is at most one a stack."""
    return deployment.name("restore-test")


class RestoreTest(pulumi.ComponentResource):
    """It may make and delete exactly one instance, read the backups, and add reports."""

    operation: OperationFunction

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        database: Database,
        subnet_group_name: str,
        master_secret_arn: pulumi.Input[str],
        workload: str,
        objectives: Mapping[str, int],
        code: FunctionCode,
        keys: EncryptionKeys,
        subnet_ids: Sequence[pulumi.Input[str]],
        security_group_id: pulumi.Input[str],
        scratch_security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function and its schedules.

        Args:
            name: Pulumi name.
            deployment: where.
            database: what is restored.
            subnet_group_name: where the scratch instance is: the database's own.
            master_secret_arn: a restored instance has production's master password.
            workload: whose checks are asked of what was restored.
            objectives: what the workload asks: rto_seconds, rpo_seconds.
            code: archive and layers.
            keys: of secrets, backups and the database.
            subnet_ids: the function's.
            security_group_id: the function's.
            scratch_security_group_id: the scratch instance's.
            opts: Pulumi's options.
        """
        super().__init__("pgkeep:components:RestoreTest", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.restore_test
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="restore-test",
                handler="operations.functions.restore_test.handler",
                description="Restores into a scratch instance and proves what came back",
                environment={
                    **database_environment(deployment, database),
                    "DB_INSTANCE_IDENTIFIER": database.identifier,
                    "SCRATCH_INSTANCE_IDENTIFIER": scratch_identifier(deployment),
                    "SCRATCH_SECURITY_GROUP_ID": scratch_security_group_id,
                    "SCRATCH_OLDEST_HOURS": str(settings.scratch_oldest_hours),
                    "MASTER_SECRET_ARN": master_secret_arn,
                    "BACKUP_BUCKET": bucket_name(deployment),
                    "KMS_KEY_ARN": keys.backups.arn,
                    "WORKLOAD": workload,
                    **manifest_key_variable(keys),
                    "RECOVERY_OBJECTIVES": json.dumps(dict(objectives)),
                },
                statements=[
                    *_database_statements(deployment, database, subnet_group_name, keys),
                    *_bucket_statements(deployment, keys),
                    *manifest_key_use(keys, "kms:VerifyMac"),
                    *read_secrets(deployment, keys.secrets.arn, [master_secret_arn]),
                ],
                memory_mib=deployment.settings.functions.backup_memory_mib,
                timeout_seconds=_TIMEOUT_SECONDS,
                layers=[code.ca_layer.arn, code.client_layer.arn],
                vpc_subnet_ids=subnet_ids,
                vpc_security_group_id=security_group_id,
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        FunctionSchedule(
            f"{name}-schedule",
            deployment,
            self.operation,
            [
                Timer("start", settings.schedule, _start("weekly")),
                Timer("start-monthly", settings.monthly_schedule, _start("monthly")),
                Timer("continue", _GO_ON, json.dumps({"action": "continue"})),
            ],
            keys=keys,
            opts=child,
        )
        self.register_outputs({})


def _database_statements(
    deployment: Deployment, database: Database, subnet_group_name: str, keys: EncryptionKeys
) -> list[Statement]:
    source = deployment.arn("rds", f"db:{database.identifier}")
    scratch = deployment.arn("rds", f"db:{scratch_identifier(deployment)}")
    via = deployment.via("rds")
    major = deployment.settings.database.engine_version.partition(".")[0]
    return [
        allow("SeeInstances", ["rds:DescribeDBInstances"], [source, scratch]),
        # All that the action touches. AWS service authorization reference: Amazon RDS.
        allow(
            "RestoreToScratch",
            ["rds:RestoreDBInstanceToPointInTime"],
            [
                source,
                scratch,
                deployment.arn("rds", f"og:default:postgres-{major}"),
                database.parameter_group.name.apply(
                    lambda group: deployment.arn("rds", f"pg:{group}")
                ),
                deployment.arn("rds", f"subgrp:{subnet_group_name}"),
            ],
        ),
        # The state of a test is in the tags of its instance.
        allow("OwnScratch", ["rds:AddTagsToResource", "rds:DeleteDBInstance"], [scratch]),
        # RDS encrypts the new instance on behalf of who asks for it.
        # AWS RDS user guide: AWS KMS key management, authorizing use of a customer managed key.
        allow(
            "EncryptScratch",
            ["kms:CreateGrant"],
            [keys.database.arn],
            {**via, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        allow("SeeScratchKey", ["kms:DescribeKey"], [keys.database.arn], via),
    ]


def _bucket_statements(deployment: Deployment, keys: EncryptionKeys) -> list[Statement]:
    bucket = backup_bucket_arn(deployment)
    return [
        allow("FindBackups", ["s3:ListBucket"], [bucket]),
        allow("ReadBackups", ["s3:GetObject"], [f"{bucket}/*"]),
        allow("AddReports", ["s3:PutObject"], [f"{bucket}/{_REPORTS}*"]),
        allow(
            "BackupsKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [keys.backups.arn],
            deployment.via("s3"),
        ),
    ]
