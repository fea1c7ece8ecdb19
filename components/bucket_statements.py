"""Statements of bucket policies: what is refused to whom, whatever their own roles allow."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.deployment import Deployment
from components.iam import Conditions, Statement

ACCESS_LOG_PREFIX = "access/"
INVENTORY_PREFIX = "inventory/"

# What would undo the guards of a bucket.
_GUARDS = (
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
)


def _deny(
    sid: str,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    conditions: Conditions | None = None,
    principal: pulumi.Input[str] | list[pulumi.Input[str]] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*" if principal is None else {"AWS": principal},
        "Action": actions if isinstance(actions, str) else list(actions),
        "Resource": resources if isinstance(resources, str) else list(resources),
    }
    return statement if conditions is None else {**statement, "Condition": conditions}


def secure_transport(bucket_arn: str) -> list[Statement]:
    """TLS 1.2 or later for everybody."""
    everything = [bucket_arn, f"{bucket_arn}/*"]
    return [
        _deny("DenyPlainText", "s3:*", everything, {"Bool": {"aws:SecureTransport": "false"}}),
        _deny("DenyOldTls", "s3:*", everything, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ]


def only_key(bucket_arn: str, key_arn: pulumi.Input[str]) -> list[Statement]:
    """No object under another key than `key_arn`.

    A request that names no key gets the bucket's own. In a Deny, `...IfExists` would refuse those
    too, so `Null` asks for the header first.
    """
    objects, header = f"{bucket_arn}/*", "s3:x-amz-server-side-encryption"
    return [
        _deny(
            "DenyOtherKeys",
            "s3:PutObject",
            objects,
            {
                "Null": {f"{header}-aws-kms-key-id": "false"},
                "StringNotEquals": {f"{header}-aws-kms-key-id": key_arn},
            },
        ),
        _deny(
            "DenyOtherEncryption",
            "s3:PutObject",
            objects,
            {"Null": {header: "false"}, "StringNotEquals": {header: "aws:kms"}},
        ),
    ]


def permanent(deployment: Deployment, bucket_arn: str) -> list[Statement]:
    """Nobody but the break-glass roles deletes a version or ends a governance lock.

    Deleting without a version only adds a marker, so a person may still remove a backup; S3's own
    lifecycle is not subject to bucket policies.
    """
    roles = deployment.settings.backups.break_glass_role_arns
    conditions = {"ArnNotLike": {"aws:PrincipalArn": list(roles)}} if roles else None
    actions = ("s3:BypassGovernanceRetention", "s3:DeleteObjectVersion")
    return [_deny("DenyPermanentDeletion", actions, f"{bucket_arn}/*", conditions)]


def write_once(bucket_arn: str, writer_role_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """The writers neither delete nor overwrite, and do not touch the bucket's guards.

    Only PutObject and CompleteMultipartUpload create objects; the other calls of an upload cannot
    carry `If-None-Match`. Source: AWS S3 user guide, "Enforce conditional writes on buckets".
    """
    everything = [bucket_arn, f"{bucket_arn}/*"]
    deletions = ("s3:DeleteObject", "s3:DeleteObjectVersion")
    writers: pulumi.Input[str] | list[pulumi.Input[str]] = (
        writer_role_arns[0] if len(writer_role_arns) == 1 else list(writer_role_arns)
    )
    return [
        _deny(
            "DenyWriterDeletes",
            sorted((*deletions, *_GUARDS)),
            everything,
            principal=writers,
        ),
        _deny(
            "DenyWriterOverwrites",
            "s3:PutObject",
            f"{bucket_arn}/*",
            {
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
            writers,
        ),
    ]


def replicas_only(bucket_arn: str) -> list[Statement]:
    """Nobody writes into a bucket of copies but S3's replication, which is no PutObject."""
    return [_deny("DenyWrites", "s3:PutObject", f"{bucket_arn}/*")]


def records(deployment: Deployment, log_bucket_arn: str, source_bucket_arn: str) -> list[Statement]:
    """S3 may write the access logs and the inventory of exactly one bucket of this account."""
    backups = deployment.settings.backups
    conditions = {
        "StringEquals": {"aws:SourceAccount": deployment.account_id},
        "ArnLike": {"aws:SourceArn": source_bucket_arn},
    }
    writers = (
        (backups.access_logs, "AccessLogs", "logging.s3", ACCESS_LOG_PREFIX),
        (backups.inventory.enabled, "Inventory", "s3", INVENTORY_PREFIX),
    )
    return [
        {
            "Sid": f"Allow{what}",
            "Effect": "Allow",
            "Principal": {"Service": deployment.service_principal(service)},
            "Action": "s3:PutObject",
            "Resource": f"{log_bucket_arn}/{prefix}*",
            "Condition": conditions,
        }
        for wanted, what, service, prefix in writers
        if wanted
    ]
