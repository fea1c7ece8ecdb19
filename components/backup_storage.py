"""The bucket of the logical backups: encrypted, versioned, private, and kept by class."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import Statement, document

# Prefix of each class of backup; pre-migration backups are kept for ever (guide spike-land).
SCHEDULED_CLASSES = ("daily", "weekly", "monthly")
# Parts of an upload that broke off; a backup lasts 15 minutes at most.
_ABORT_UPLOADS_AFTER_DAYS = 1


def bucket_name(deployment: Deployment) -> str:
    """Bucket names are shared by all AWS accounts: account and region make this one ours."""
    return deployment.name("backups", deployment.account_id, deployment.region)


class BackupStorage(pulumi.ComponentResource):
    """The bucket with everything that guards it."""

    bucket: aws.s3.Bucket
    bucket_arn: str
    policy: aws.s3.BucketPolicy

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        keys: EncryptionKeys,
        writer_role_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the bucket; `writer_role_arn` may add backups and never delete one."""
        super().__init__("pgkeep:components:BackupStorage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        backups = deployment.settings.backups
        self.bucket_arn = deployment.global_arn("s3", bucket_name(deployment))
        self.bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=bucket_name(deployment),
            force_destroy=not backups.keep_bucket,
            tags=deployment.tags(bucket_name(deployment)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        public_access_block = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=self.bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=self.bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=self.bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=self.bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": keys.backups.arn,
                    },
                    # One data key for many parts: fewer calls to KMS.
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=self.bucket.bucket,
            rules=self._lifecycle(deployment),
            # Rules for noncurrent versions need versioning.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        self.policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=self.bucket.bucket,
            policy=document(*self._statements(keys.backups.arn, writer_role_arn)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[public_access_block]),
        )
        self.register_outputs({"bucket": self.bucket.bucket})

    def _lifecycle(
        self, deployment: Deployment
    ) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
        backups = deployment.settings.backups
        rules: list[aws.s3.BucketLifecycleConfigurationRuleArgsDict] = []
        for class_ in SCHEDULED_CLASSES:
            days: int = getattr(backups, f"{class_}_retention_days")
            rules.append(
                {
                    "id": f"expire-{class_}",
                    "status": "Enabled",
                    "filter": {"prefix": f"{class_}/"},
                    "expiration": {"days": days},
                }
            )
        rules.append(
            {
                "id": "expire-noncurrent-versions",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrent_version_expiration": {
                    "noncurrent_days": backups.noncurrent_retention_days
                },
                "abort_incomplete_multipart_upload": {
                    "days_after_initiation": _ABORT_UPLOADS_AFTER_DAYS
                },
            }
        )
        return rules

    def _statements(
        self, key_arn: pulumi.Input[str], writer_role_arn: pulumi.Input[str]
    ) -> list[Statement]:
        everything = [self.bucket_arn, f"{self.bucket_arn}/*"]
        objects = f"{self.bucket_arn}/*"
        return [
            {
                "Sid": "DenyPlainText",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": everything,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "DenyOldTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": everything,
                "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
            },
            {
                # A request that names no key gets the bucket's own. In a Deny, `...IfExists` would
                # refuse those too, so `Null` asks for the header first.
                "Sid": "DenyOtherKeys",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": objects,
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn},
                },
            },
            {
                "Sid": "DenyOtherEncryption",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": objects,
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
                },
            },
            {
                "Sid": "DenyWriterDeletes",
                "Effect": "Deny",
                "Principal": {"AWS": writer_role_arn},
                "Action": [
                    "s3:DeleteBucket",
                    "s3:DeleteBucketPolicy",
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
                "Resource": everything,
            },
        ]
