"""Where the logical backups are: their bucket, the records of its use, and the copies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.backup_lifecycle import lifecycle
from components.backup_names import backup_bucket_arn, bucket_name, log_bucket_name
from components.backup_records import BackupRecords
from components.backup_replication import BackupReplication
from components.bucket import BucketSpec, make_bucket
from components.bucket_statements import only_key, permanent, secure_transport, write_once
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys


class BackupStorage(pulumi.ComponentResource):
    """The bucket with everything that guards it."""

    bucket: aws.s3.Bucket
    bucket_arn: str
    policy: aws.s3.BucketPolicy
    copies_bucket_arn: str | None = None

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        keys: EncryptionKeys,
        writer_role_arns: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make it all; `writer_role_arns` may add backups and never delete or overwrite one."""
        super().__init__("pgkeep:components:BackupStorage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        backups = deployment.settings.backups
        self.bucket_arn = backup_bucket_arn(deployment)
        made = make_bucket(
            name,
            deployment,
            BucketSpec(
                bucket=bucket_name(deployment),
                key_arn=keys.backups.arn,
                lifecycle=lifecycle(backups),
                statements=[
                    *secure_transport(self.bucket_arn),
                    *only_key(self.bucket_arn, keys.backups.arn),
                    *permanent(deployment, self.bucket_arn),
                    *write_once(self.bucket_arn, writer_role_arns),
                ],
                locked=True,
            ),
            self,
        )
        self.bucket, self.policy = made.bucket, made.policy
        # EventBridge then hears of every object that comes and goes; rules may be added to it.
        aws.s3.BucketNotification(
            f"{name}-notification",
            bucket=made.bucket.bucket,
            eventbridge=True,
            opts=child,
        )
        if backups.access_logs or backups.inventory.enabled:
            BackupRecords(
                f"{name}-records",
                deployment,
                log_bucket=log_bucket_name(deployment),
                source_bucket=bucket_name(deployment),
                source=made,
                key_arn=keys.backups.arn,
                opts=child,
            )
        if backups.replication is not None:
            copies = BackupReplication(
                f"{name}-copies",
                deployment,
                backups.replication,
                source=made,
                source_key=keys.backups,
                opts=child,
            )
            self.copies_bucket_arn = copies.bucket_arn
        self.register_outputs({"bucket": self.bucket.bucket})
