"""The function that marks backups whose retention has ended, for S3's lifecycle to remove.

It also says how old the newest backup is, since it runs when the backup function does not.
"""

from __future__ import annotations

import json

import pulumi

from components.backup_lifecycle import EXPORTS
from components.backup_names import backup_bucket_arn, bucket_name
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.iam import allow
from components.manifest_signatures import manifest_key_use, manifest_key_variable
from components.operation_function import FunctionSpec, OperationFunction

# After the last of the night's backups.
_SCHEDULE = "cron(0 6 * * ? *)"
# Several times in an hour, the period of the alarm on it; never with the run above, since the
# function runs once at a time.
_AGE_SCHEDULE = "cron(5/15 * * * ? *)"


class BackupRetention(pulumi.ComponentResource):
    """The function reads manifests and reports, and tags: it can neither read rows nor delete."""

    operation: OperationFunction

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        code: FunctionCode,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function and its schedule; it needs no way to the database."""
        super().__init__("pgkeep:components:BackupRetention", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket_arn = backup_bucket_arn(deployment)
        backups = deployment.settings.backups
        classes = [f"{bucket_arn}/{class_}" for class_ in backups.classes]
        exports = [f"{bucket_arn}/{EXPORTS}{class_}" for class_ in backups.classes]
        if not backups.exports_snapshots:
            exports = []
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="backup-retention",
                handler="operations.functions.backup_retention.handler",
                description="Marks backups that may go; S3's lifecycle removes what is marked",
                environment={
                    "BACKUP_BUCKET": bucket_name(deployment),
                    "DB_NAME": deployment.settings.database.name,
                    **({"EXPORTS": EXPORTS} if exports else {}),
                    **manifest_key_variable(keys),
                },
                statements=[
                    allow("FindBackups", ["s3:ListBucket"], [bucket_arn]),
                    allow(
                        "ReadManifests",
                        ["s3:GetObject"],
                        [
                            *(f"{prefix}/*/manifest.json" for prefix in classes),
                            *(f"{prefix}/*/pgkeep-export.json" for prefix in exports),
                            f"{bucket_arn}/reports/restore/*.json",
                        ],
                    ),
                    allow(
                        "MarkBackups",
                        ["s3:GetObjectTagging", "s3:PutObjectTagging"],
                        [f"{prefix}/*" for prefix in (*classes, *exports)],
                    ),
                    allow(
                        "ReadManifestsKey",
                        ["kms:Decrypt"],
                        [keys.backups.arn],
                        deployment.via("s3"),
                    ),
                    *manifest_key_use(keys, "kms:VerifyMac"),
                ],
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
                Timer("daily", _SCHEDULE, json.dumps({"action": "mark"})),
                Timer("age", _AGE_SCHEDULE, json.dumps({"action": "age"})),
            ],
            keys=keys,
            opts=child,
        )
        self.register_outputs({})
