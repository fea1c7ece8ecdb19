"""The backup bucket and what guards it. That the guards hold is left to e2e."""

from __future__ import annotations

from typing import Any

from tests.unit.conftest import Deployed
from tests.unit.test_network import tags

KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-backups"


def name(environment: str) -> str:
    return f"pgkeep-{environment}-backups-123456789012-eu-west-1"


def test_the_bucket(deployed: Deployed, environment: str) -> None:
    recorder, bucket = deployed(environment), name(environment)
    assert recorder.inputs("backups-bucket") == {
        "bucket": bucket,
        "forceDestroy": environment in ("local", "dev"),
        "tags": tags(environment, bucket),
    }
    assert recorder.inputs("backups-public-access") == {
        "bucket": bucket,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    assert recorder.inputs("backups-ownership") == {
        "bucket": bucket,
        "rule": {"objectOwnership": "BucketOwnerEnforced"},
    }
    assert recorder.inputs("backups-versioning") == {
        "bucket": bucket,
        "versioningConfiguration": {"status": "Enabled"},
    }
    assert recorder.inputs("backups-encryption") == {
        "bucket": bucket,
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {
                    "sseAlgorithm": "aws:kms",
                    "kmsMasterKeyId": KEY,
                },
                "bucketKeyEnabled": True,
            }
        ],
    }


def test_each_class_expires_on_its_own_and_pre_migration_never(
    deployed: Deployed, environment: str
) -> None:
    def expire(class_: str, days: int) -> dict[str, Any]:
        return {
            "id": f"expire-{class_}",
            "status": "Enabled",
            "filter": {"prefix": f"{class_}/"},
            "expiration": {"days": days},
        }

    assert deployed(environment).inputs("backups-lifecycle") == {
        "bucket": name(environment),
        "rules": [
            expire("daily", 30),
            expire("weekly", 84),
            expire("monthly", 365),
            {
                "id": "expire-noncurrent-versions",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrentVersionExpiration": {
                    "noncurrentDays": 1 if environment == "local" else 30
                },
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
            },
        ],
    }


def test_the_policy_denies_plain_text_other_keys_and_the_writer_s_deletes(
    deployed: Deployed, environment: str
) -> None:
    bucket = f"arn:aws:s3:::{name(environment)}"

    def deny(sid: str, action: str | list[str], resource: Any, **more: Any) -> dict[str, Any]:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": resource,
            **more,
        }

    assert deployed(environment).document("backups-policy") == {
        "Version": "2012-10-17",
        "Statement": [
            deny(
                "DenyPlainText",
                "s3:*",
                [bucket, f"{bucket}/*"],
                Condition={"Bool": {"aws:SecureTransport": "false"}},
            ),
            deny(
                "DenyOldTls",
                "s3:*",
                [bucket, f"{bucket}/*"],
                Condition={"NumericLessThan": {"s3:TlsVersion": "1.2"}},
            ),
            deny(
                "DenyOtherKeys",
                "s3:PutObject",
                f"{bucket}/*",
                Condition={
                    "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": KEY},
                },
            ),
            deny(
                "DenyOtherEncryption",
                "s3:PutObject",
                f"{bucket}/*",
                Condition={
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
                },
            ),
            deny(
                "DenyWriterDeletes",
                [
                    "s3:DeleteBucket",
                    "s3:DeleteBucketPolicy",
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                ],
                [bucket, f"{bucket}/*"],
                Principal={"AWS": "arn:aws:iam/role:Role/backup-role"},
            ),
        ],
    }
