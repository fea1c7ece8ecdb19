"""The function that dumps the database to the backup bucket, and when it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.backup_names import bucket_name, export_name, worker_name
from components.backup_rights import export_snapshots, make_backups, start_worker
from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.manifest_signatures import manifest_key_variable
from components.operation_function import FunctionSpec, OperationFunction
from components.snapshot_export import SnapshotExportRole
from components.workload_roles import database_environment

_RETENTION_VARIABLE = "RETENTION_DAYS"
# Not a rate: that would fire at once, while the stack is being made.
_LOOK_AFTER_EXPORTS = "cron(0/10 * * * ? *)"


def _hash_limit(deployment: Deployment) -> dict[str, str]:
    most = deployment.settings.backups.largest_hashed_table_bytes
    return {} if most is None else {"LARGEST_HASHED_TABLE_BYTES": str(most)}


class BackupFunction(pulumi.ComponentResource):
    """The function may add objects to the bucket; it reads manifests, and neither rows nor more."""

    operation: OperationFunction

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        database: Database,
        backup_secret: aws.secretsmanager.Secret,
        code: FunctionCode,
        keys: EncryptionKeys,
        subnet_ids: Sequence[pulumi.Input[str]],
        security_group_id: pulumi.Input[str],
        export_role: SnapshotExportRole | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function and its schedules.

        With `export_role` RDS exports a snapshot of what it has no time for.
        """
        super().__init__("pgkeep:components:BackupFunction", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        functions, backups = deployment.settings.functions, deployment.settings.backups
        schedules = {
            "daily": backups.daily.schedule,
            "weekly": backups.weekly.schedule,
            "monthly": backups.monthly.schedule,
        }
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="backup",
                handler="operations.functions.backup.handler",
                description="Dumps the database to the backup bucket",
                environment={
                    **database_environment(deployment, database),
                    "BACKUP_SECRET_ARN": backup_secret.arn,
                    "BACKUP_BUCKET": bucket_name(deployment),
                    "KMS_KEY_ARN": keys.backups.arn,
                    _RETENTION_VARIABLE: json.dumps(backups.retention_days),
                    **manifest_key_variable(keys),
                    **_hash_limit(deployment),
                    **({"WORKER_GROUP": worker_name(deployment)} if backups.worker.enabled else {}),
                    **_export_variables(deployment, database, export_role),
                },
                statements=[
                    *make_backups(deployment, keys, backup_secret),
                    *(start_worker(deployment) if backups.worker.enabled else ()),
                    *(
                        export_snapshots(
                            deployment, keys, database.identifier, export_role.role.arn
                        )
                        if export_role is not None
                        else ()
                    ),
                ],
                memory_mib=functions.backup_memory_mib,
                timeout_seconds=functions.backup_timeout_seconds,
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
                Timer(class_, schedule, json.dumps({"class": class_}))
                for class_, schedule in schedules.items()
            ]
            + (
                [Timer("exports", _LOOK_AFTER_EXPORTS, json.dumps({"action": "exports"}))]
                if export_role is not None
                else []
            ),
            keys=keys,
            opts=child,
        )
        self.register_outputs({})


def _export_variables(
    deployment: Deployment, database: Database, export_role: SnapshotExportRole | None
) -> dict[str, pulumi.Input[str]]:
    if export_role is None:
        return {}
    hours = deployment.settings.backups.snapshot_export.oldest_snapshot_hours
    return {
        "EXPORT_ROLE_ARN": export_role.role.arn,
        "EXPORT_NAME": export_name(deployment),
        "DB_INSTANCE_IDENTIFIER": database.identifier,
        "OLDEST_SNAPSHOT_HOURS": str(hours),
    }
