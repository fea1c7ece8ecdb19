"""The backup bucket and what guards it. That the guards hold is left to the local cloud's tests."""

from __future__ import annotations

import json
from typing import Any

from components import backup_lifecycle
from operations.backup import expiry
from stacks.backup_settings import BackupSettings
from stacks.settings import load
from tests.unit.changed_settings import changed
from tests.unit.conftest import Deployed
from tests.unit.recorder import Recorder, deploy
from tests.unit.test_network import tags

KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-backups"
DAILY_DAYS = {"local": 3, "dev": 3, "staging": 7, "prod": 30}
NONCURRENT_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
LOG_DAYS = {"local": 7, "dev": 30, "staging": 90, "prod": 365}
GLASS = "arn:aws:iam::123456789012:role/break-glass"


def name(environment: str, purpose: str = "backups", region: str = "eu-west-1") -> str:
    return f"pgkeep-{environment}-{purpose}-123456789012-{region}"


def inputs_of_bucket(recorder: Recorder, prefix: str, **more: Any) -> None:
    """What every bucket has, whatever it holds."""
    bucket = recorder.inputs(f"{prefix}-bucket")["bucket"]
    assert recorder.inputs(f"{prefix}-public-access") == {
        "bucket": bucket,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
        **more,
    }
    assert recorder.inputs(f"{prefix}-ownership") == {
        "bucket": bucket,
        "rule": {"objectOwnership": "BucketOwnerEnforced"},
        **more,
    }
    assert recorder.inputs(f"{prefix}-versioning") == {
        "bucket": bucket,
        "versioningConfiguration": {"status": "Enabled"},
        **more,
    }


def encryption(key: str) -> list[dict[str, Any]]:
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
    return [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}]


def leftovers(environment: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "expire-noncurrent-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrentVersionExpiration": {"noncurrentDays": NONCURRENT_DAYS[environment]},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
        },
        {
            "id": "remove-last-markers",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "expiration": {"expiredObjectDeleteMarker": True},
        },
    ]


HANDOVER = {
    "id": "expire-handover",
    "status": "Enabled",
    "filter": {"prefix": "handover/"},
    "expiration": {"days": 90},
}


def class_rules(class_: str, days: int | None, storage_class: str = "") -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if days:
        rules.append(
            {
                "id": f"expire-{class_}",
                "status": "Enabled",
                "filter": {"and": {"prefix": f"{class_}/", "tags": {"pgkeep:expired": "true"}}},
                "expiration": {"days": days},
            }
        )
    if storage_class:
        rules.append(
            {
                "id": f"move-{class_}",
                "status": "Enabled",
                "filter": {"prefix": f"{class_}/"},
                "transitions": [{"days": 30, "storageClass": storage_class}],
            }
        )
    return rules


ABANDONED = {
    "id": "expire-abandoned",
    "status": "Enabled",
    "filter": {"tag": {"key": "pgkeep:expired", "value": "abandoned"}},
    "expiration": {"days": 1},
}


def deny(sid: str, action: str | list[str], resource: Any, **more: Any) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        **more,
    }


def transport(bucket: str) -> list[dict[str, Any]]:
    everything = [bucket, f"{bucket}/*"]
    return [
        deny(
            "DenyPlainText",
            "s3:*",
            everything,
            Condition={"Bool": {"aws:SecureTransport": "false"}},
        ),
        deny(
            "DenyOldTls",
            "s3:*",
            everything,
            Condition={"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        ),
    ]


def only_key(bucket: str, key: str) -> list[dict[str, Any]]:
    return [
        deny(
            "DenyOtherKeys",
            "s3:PutObject",
            f"{bucket}/*",
            Condition={
                "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"},
                "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key},
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
    ]


def permanent(bucket: str, **more: Any) -> dict[str, Any]:
    actions = ["s3:BypassGovernanceRetention", "s3:DeleteObjectVersion"]
    return deny("DenyPermanentDeletion", actions, f"{bucket}/*", **more)


def test_the_bucket(deployed: Deployed, environment: str) -> None:
    recorder, bucket = deployed(environment), name(environment)
    assert recorder.inputs("backups-bucket") == {
        "bucket": bucket,
        "forceDestroy": environment in ("local", "dev"),
        "objectLockEnabled": True,
        "tags": tags(environment, bucket),
    }
    inputs_of_bucket(recorder, "backups")
    assert recorder.inputs("backups-encryption") == {"bucket": bucket, "rules": encryption(KEY)}
    assert recorder.inputs("backups-notification") == {"bucket": bucket, "eventbridge": True}


def test_new_versions_are_locked_where_data_is_guarded(
    deployed: Deployed, environment: str
) -> None:
    locks = deployed(environment).of_type(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    )
    if environment in ("local", "dev"):
        assert locks == {}
        return
    assert locks["backups-object-lock"] == {
        "bucket": name(environment),
        "objectLockEnabled": "Enabled",
        "rule": {
            "defaultRetention": {
                "mode": "GOVERNANCE",
                "days": 7 if environment == "staging" else 30,
            }
        },
    }


def test_compliance_is_passed_on() -> None:
    lock = {"mode": "compliance", "retention_days": 5}
    recorder = deploy(load(changed("prod", backups__object_lock=lock), "prod"))
    for prefix in ("backups", "backups-copies"):
        assert recorder.inputs(f"{prefix}-object-lock")["rule"] == {
            "defaultRetention": {"mode": "COMPLIANCE", "days": 5}
        }


def test_each_class_moves_and_expires_on_its_own_and_pre_migration_never_expires(
    deployed: Deployed, environment: str
) -> None:
    assert deployed(environment).inputs("backups-lifecycle") == {
        "bucket": name(environment),
        "rules": [
            *class_rules("daily", DAILY_DAYS[environment]),
            *class_rules("weekly", 84, "STANDARD_IA"),
            *class_rules("monthly", 365, "GLACIER_IR"),
            *class_rules("pre-migration", None, "STANDARD_IA"),
            *class_rules("manual", 90, "STANDARD_IA"),
            ABANDONED,
            HANDOVER,
            *leftovers(environment),
        ],
    }


def test_the_lifecycle_goes_by_the_tag_that_retention_puts() -> None:
    text = json.dumps(backup_lifecycle.lifecycle(BackupSettings()))
    assert f'"tags": {{"{expiry.TAG}": "{expiry.EXPIRED}"}}' in text
    assert f'"tag": {{"key": "{expiry.TAG}", "value": "{expiry.ABANDONED}"}}' in text


def test_a_class_that_neither_moves_nor_expires_has_no_rule() -> None:
    settings = changed("dev", backups__pre_migration__storage_class="STANDARD")
    rules = deploy(load(settings, "dev")).inputs("backups-lifecycle")["rules"]
    assert "move-pre-migration" not in [rule["id"] for rule in rules]
    assert "expire-pre-migration" not in [rule["id"] for rule in rules]


def test_the_policy(deployed: Deployed, environment: str) -> None:
    bucket = f"arn:aws:s3:::{name(environment)}"
    roles = ("backup-role", "backup-worker-role-role")
    writer = {"AWS": [f"arn:aws:iam/role:Role/{role}" for role in roles]}
    assert deployed(environment).document("backups-policy") == {
        "Version": "2012-10-17",
        "Statement": [
            *transport(bucket),
            *only_key(bucket, KEY),
            permanent(bucket),
            deny(
                "DenyWriterDeletes",
                [
                    "s3:DeleteBucket",
                    "s3:DeleteBucketPolicy",
                    "s3:DeleteObject",
                    "s3:DeleteObjectVersion",
                    "s3:PutBucketObjectLockConfiguration",
                    "s3:PutBucketOwnershipControls",
                    "s3:PutBucketPolicy",
                    "s3:PutBucketVersioning",
                    "s3:PutEncryptionConfiguration",
                    "s3:PutLifecycleConfiguration",
                    "s3:PutReplicationConfiguration",
                ],
                [bucket, f"{bucket}/*"],
                Principal=writer,
            ),
            deny(
                "DenyWriterOverwrites",
                "s3:PutObject",
                f"{bucket}/*",
                Principal=writer,
                Condition={
                    "Null": {"s3:if-none-match": "true"},
                    "Bool": {"s3:ObjectCreationOperation": "true"},
                },
            ),
        ],
    }


def test_break_glass_roles_alone_may_delete_for_good() -> None:
    recorder = deploy(load(changed("prod", backups__break_glass_role_arns=[GLASS]), "prod"))
    for prefix, bucket in (
        ("backups", name("prod")),
        ("backups-records", name("prod", "logs")),
        ("backups-copies", name("prod", "copies", "eu-central-1")),
        ("backups-copies-records", name("prod", "copy-logs", "eu-central-1")),
    ):
        [statement] = [
            statement
            for statement in recorder.document(f"{prefix}-policy")["Statement"]
            if statement["Sid"] == "DenyPermanentDeletion"
        ]
        condition = {"ArnNotLike": {"aws:PrincipalArn": [GLASS]}}
        assert statement == permanent(f"arn:aws:s3:::{bucket}", Condition=condition)


def records(source: str, logs: str) -> list[dict[str, Any]]:
    conditions = {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
    }
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{logs}/{prefix}/*",
            "Condition": conditions,
        }
        for sid, service, prefix in (
            ("AllowAccessLogs", "logging.s3.amazonaws.com", "access"),
            ("AllowInventory", "s3.amazonaws.com", "inventory"),
        )
    ]


def inventory(source: str, logs: str, key: str) -> dict[str, Any]:
    return {
        "bucket": source,
        "name": "all-versions",
        "includedObjectVersions": "All",
        "optionalFields": [
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
        ],
        "schedule": {"frequency": "Weekly"},
        "destination": {
            "bucket": {
                "bucketArn": f"arn:aws:s3:::{logs}",
                "accountId": "123456789012",
                "prefix": "inventory",
                "format": "Parquet",
                "encryption": {"sseKms": {"keyId": key}},
            }
        },
    }


def test_access_and_contents_are_recorded_beside(deployed: Deployed, environment: str) -> None:
    recorder, logs = deployed(environment), name(environment, "logs")
    assert recorder.inputs("backups-records-bucket") == {
        "bucket": logs,
        "forceDestroy": environment in ("local", "dev"),
        "tags": tags(environment, logs),
    }
    inputs_of_bucket(recorder, "backups-records")
    # S3 delivers access logs under no customer key.
    assert recorder.inputs("backups-records-encryption") == {
        "bucket": logs,
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
    }
    assert recorder.inputs("backups-records-lifecycle")["rules"] == [
        {
            "id": "expire-records",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "expiration": {"days": LOG_DAYS[environment]},
        },
        *leftovers(environment),
    ]
    arn = f"arn:aws:s3:::{logs}"
    assert recorder.document("backups-records-policy")["Statement"] == [
        *transport(arn),
        permanent(arn),
        *records(name(environment), logs),
    ]
    assert recorder.inputs("backups-records-access-logs") == {
        "bucket": name(environment),
        "targetBucket": logs,
        "targetPrefix": "access/",
    }
    assert recorder.inputs("backups-records-inventory") == inventory(name(environment), logs, KEY)


def test_records_can_be_switched_off() -> None:
    logs = deploy(load(changed("dev", backups__inventory={"enabled": False}), "dev"))
    sids = [one["Sid"] for one in logs.document("backups-records-policy")["Statement"]]
    assert "AllowAccessLogs" in sids
    assert "AllowInventory" not in sids
    assert logs.of_type("aws:s3/inventory:Inventory") == {}
    assert len(logs.document("keys-backups")["Statement"]) == 1
    nothing = changed("dev", backups__inventory={"enabled": False}, backups__access_logs=False)
    assert list(deploy(load(nothing, "dev")).of_type("aws:s3/bucket:Bucket")) == ["backups-bucket"]
