"""Who used a bucket of backups, and what is in it: access logs and inventory in a bucket beside."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.backup_lifecycle import leftovers
from components.bucket import BucketSpec, GuardedBucket, make_bucket
from components.bucket_statements import (
    ACCESS_LOG_PREFIX,
    INVENTORY_PREFIX,
    permanent,
    records,
    secure_transport,
)
from components.deployment import Deployment

# Columns that answer: what is there, under which key, locked until when, and copied or not.
_INVENTORY_FIELDS = (
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "BucketKeyStatus",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "ChecksumAlgorithm",
)


class BackupRecords(pulumi.ComponentResource):
    """The log bucket of one bucket of backups, in the same region.

    S3 delivers access logs neither under a customer key nor into a bucket with a default lock, so
    this bucket has S3's own encryption and no lock; the inventory in it is under the backups' key.
    """

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        log_bucket: str,
        source_bucket: str,
        source: GuardedBucket,
        key_arn: pulumi.Input[str],
        region: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the log bucket and turn on what the settings want in the bucket `source`.

        Args:
            log_bucket: name of the bucket to make.
            source_bucket: name of the bucket that is recorded, known before it exists.
            key_arn: the key of the inventory, which must let S3 use it.
            region: that of `source`, when it is another one than the stack's.
        """
        super().__init__("pgkeep:components:BackupRecords", name, None, opts)
        backups = deployment.settings.backups
        log_arn, source_arn = (
            deployment.global_arn("s3", bucket) for bucket in (log_bucket, source_bucket)
        )
        logs = make_bucket(
            name,
            deployment,
            BucketSpec(
                bucket=log_bucket,
                key_arn=None,
                lifecycle=[
                    {
                        "id": "expire-records",
                        "status": "Enabled",
                        "filter": {"prefix": ""},
                        "expiration": {"days": backups.log_retention_days},
                    },
                    *leftovers(backups.noncurrent_retention_days),
                ],
                statements=[
                    *secure_transport(log_arn),
                    *permanent(deployment, log_arn),
                    *records(deployment, log_arn, source_arn),
                ],
                region=region,
            ),
            self,
        )
        # S3 tries whether it may write when the delivery is turned on.
        allowed = pulumi.ResourceOptions(parent=self, depends_on=[logs.policy])
        if backups.access_logs:
            aws.s3.BucketLogging(
                f"{name}-access-logs",
                bucket=source.bucket.bucket,
                target_bucket=logs.bucket.bucket,
                target_prefix=ACCESS_LOG_PREFIX,
                region=region,
                opts=allowed,
            )
        if backups.inventory.enabled:
            aws.s3.Inventory(
                f"{name}-inventory",
                bucket=source.bucket.bucket,
                name="all-versions",
                included_object_versions="All",
                optional_fields=list(_INVENTORY_FIELDS),
                schedule={"frequency": backups.inventory.frequency},
                destination={
                    "bucket": {
                        "bucket_arn": log_arn,
                        "account_id": deployment.account_id,
                        "prefix": INVENTORY_PREFIX.rstrip("/"),
                        "format": "Parquet",
                        "encryption": {"sse_kms": {"key_id": key_arn}},
                    }
                },
                region=region,
                opts=allowed,
            )
        self.register_outputs({"bucket": logs.bucket.bucket})
