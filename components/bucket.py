"""A bucket with everything that guards it: private, versioned, encrypted, with a lifecycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import Statement, document

LifecycleRule = aws.s3.BucketLifecycleConfigurationRuleArgsDict


@dataclass(frozen=True)
class BucketSpec:
    """What differs between the buckets."""

    bucket: str
    """Name in AWS."""
    key_arn: pulumi.Input[str] | None
    """Customer key; None for S3's own, where S3 can write under no other."""
    lifecycle: Sequence[LifecycleRule]
    statements: Sequence[Statement]
    locked: bool = False
    """Object Lock by the settings of the backups."""
    region: str | None = None
    """Another one than the stack's."""


@dataclass(frozen=True)
class GuardedBucket:
    """A bucket that was made."""

    bucket: aws.s3.Bucket
    versioning: aws.s3.BucketVersioning
    policy: aws.s3.BucketPolicy


def make_bucket(
    name: str, deployment: Deployment, spec: BucketSpec, parent: pulumi.Resource
) -> GuardedBucket:
    """Make the bucket and its settings; `name` is the first part of their Pulumi names."""
    backups = deployment.settings.backups
    child = pulumi.ResourceOptions(parent=parent)
    bucket = aws.s3.Bucket(
        f"{name}-bucket",
        bucket=spec.bucket,
        force_destroy=not backups.keep_bucket,
        # Only a bucket that is made with it can have it: the lock itself is a setting.
        object_lock_enabled=True if spec.locked else None,
        region=spec.region,
        tags=deployment.tags(spec.bucket),
        opts=child,
    )
    public_access_block = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        region=spec.region,
        opts=child,
    )
    aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.bucket,
        rule={"object_ownership": "BucketOwnerEnforced"},
        region=spec.region,
        opts=child,
    )
    versioning = aws.s3.BucketVersioning(
        f"{name}-versioning",
        bucket=bucket.bucket,
        versioning_configuration={"status": "Enabled"},
        region=spec.region,
        opts=child,
    )
    after_versioning = pulumi.ResourceOptions(parent=parent, depends_on=[versioning])
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[_encryption(spec.key_arn)],
        region=spec.region,
        opts=child,
    )
    aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=bucket.bucket,
        rules=list(spec.lifecycle),
        region=spec.region,
        # Rules for noncurrent versions need versioning.
        opts=after_versioning,
    )
    if spec.locked and backups.object_lock.mode != "off":
        aws.s3.BucketObjectLockConfiguration(
            f"{name}-object-lock",
            bucket=bucket.bucket,
            object_lock_enabled="Enabled",
            rule={
                "default_retention": {
                    "mode": backups.object_lock.mode.upper(),
                    "days": backups.object_lock.retention_days,
                }
            },
            region=spec.region,
            opts=after_versioning,
        )
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=document(*spec.statements),
        region=spec.region,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[public_access_block]),
    )
    return GuardedBucket(bucket, versioning, policy)


def _encryption(
    key_arn: pulumi.Input[str] | None,
) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgsDict:
    if key_arn is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    return {
        "apply_server_side_encryption_by_default": {
            "sse_algorithm": "aws:kms",
            "kms_master_key_id": key_arn,
        },
        # One data key for many objects: fewer calls to KMS.
        "bucket_key_enabled": True,
    }
