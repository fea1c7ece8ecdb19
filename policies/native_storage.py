"""Buckets, backups and secrets of aws-native in the provider aws (see `native_types.py`)."""

from __future__ import annotations

from typing import Final, cast

from .native import Companion, Fields, Translation, nested
from .values import UNKNOWN

_IN_BUCKET: Final = ("bucket", "bucket")


def _s3(name: str) -> str:
    return f"aws:s3/{name[:1].lower()}{name[1:]}:{name}"


def _logging(value: object, fields: Fields) -> list[dict[str, object]]:
    """Without a destination a bucket keeps its own log."""
    found = nested("destinationBucketName>targetBucket logFilePrefix>targetPrefix")(value, fields)
    if isinstance(value, dict) and "targetBucket" not in found[0]:
        found[0]["targetBucket"] = fields.get("bucketName", UNKNOWN)
    return found


def _notification(value: object, _fields: Fields) -> list[dict[str, object]]:
    fields = cast("Fields", value) if isinstance(value, dict) else {"lambdaConfigurations": value}
    names = {
        "lambdaConfigurations": "lambdaFunctions",
        "queueConfigurations": "queues",
        "topicConfigurations": "topics",
    }
    found = {names[key]: item for key, item in fields.items() if key in names and item}
    bridge = fields.get("eventBridgeConfiguration")
    if isinstance(bridge, dict):
        # Given without a word it is on.
        said = cast("Fields", bridge).get("eventBridgeEnabled", True)
        found |= {} if said is False else {"eventbridge": said}
    elif bridge is not None:
        found["eventbridge"] = bridge
    return [found] if found else []


def _ciphertext(value: object, _fields: Fields) -> list[dict[str, object]]:
    return [{"secretString": value}]


def _template(value: object, _fields: Fields) -> list[dict[str, object]]:
    """The words around a password that AWS makes: an address, a user."""
    fields = cast("Fields", value) if isinstance(value, dict) else {"secretStringTemplate": value}
    found = fields.get("secretStringTemplate")
    return [] if found is None else [{"secretString": found}]


STORAGE: Final[dict[str, Translation]] = {
    "aws-native:s3:Bucket": Translation(
        _s3("Bucket"),
        "bucketName>bucket bucketNamePrefix>bucketPrefix objectLockEnabled tags>tags:tags",
        ignored="abacStatus accelerateConfiguration bucketNamespace "
        "intelligentTieringConfigurations inventoryConfigurations metricsConfigurations",
        attributes="arn",
        companions=(
            Companion(
                _s3("BucketPublicAccessBlock"),
                "publicAccessBlockConfiguration",
                nested("blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets"),
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketServerSideEncryptionConfiguration"),
                "bucketEncryption",
                nested("serverSideEncryptionConfiguration>rules:encryption"),
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketVersioning"),
                "versioningConfiguration",
                lambda value, _fields: [{"versioningConfiguration": value}],
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketLifecycleConfiguration"),
                "lifecycleConfiguration",
                nested("rules>rules:lifecycle"),
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketOwnershipControls"),
                "ownershipControls",
                nested("rules>rule:first"),
                _IN_BUCKET,
            ),
            Companion(_s3("BucketLogging"), "loggingConfiguration", _logging, _IN_BUCKET),
            Companion(
                _s3("BucketObjectLockConfiguration"),
                "objectLockConfiguration",
                nested("objectLockEnabled rule"),
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketReplicationConfig"),
                "replicationConfiguration",
                nested("role rules"),
                _IN_BUCKET,
            ),
            Companion(
                _s3("BucketNotification"), "notificationConfiguration", _notification, _IN_BUCKET
            ),
            Companion(
                _s3("BucketAcl"),
                "accessControl",
                lambda value, fields: nested("acl>acl:canned")({"acl": value}, fields),
                _IN_BUCKET,
                read_back=False,
            ),
        ),
    ),
    "aws-native:s3:BucketPolicy": Translation(_s3("BucketPolicy"), "bucket policyDocument>policy"),
    "aws-native:backup:BackupVault": Translation(
        "aws:backup/vault:Vault",
        "backupVaultName>name encryptionKeyArn>kmsKeyArn backupVaultTags>tags",
        ignored="notifications",
        attributes="backupVaultArn>arn",
        companions=(
            Companion(
                "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
                "lockConfiguration",
                nested("minRetentionDays maxRetentionDays changeableForDays"),
                ("backupVaultName", "name"),
            ),
        ),
    ),
    "aws-native:backup:BackupPlan": Translation(
        "aws:backup/plan:Plan",
        "backupPlan>name:plan-name backupPlan>rules:plan-rules backupPlanTags>tags",
        attributes="backupPlanArn>arn",
    ),
    "aws-native:backup:BackupSelection": Translation(
        "aws:backup/selection:Selection",
        "backupPlanId>planId backupSelection>name:selection-name "
        "backupSelection>iamRoleArn:selection-role backupSelection>resources:selection-resources "
        "backupSelection>notResources:selection-not "
        "backupSelection>conditions:selection-conditions "
        "backupSelection>selectionTags:selection-tags",
    ),
    "aws-native:secretsmanager:Secret": Translation(
        "aws:secretsmanager/secret:Secret",
        "name description kmsKeyId replicaRegions>replicas tags>tags:tags",
        ignored="type",
        attributes="id>arn",
        companions=(
            Companion(
                "aws:secretsmanager/secretVersion:SecretVersion",
                "secretString",
                _ciphertext,
                ("secretId", "arn"),
                read_back=False,
            ),
            Companion(
                "aws:secretsmanager/secretVersion:SecretVersion",
                "generateSecretString",
                _template,
                ("secretId", "arn"),
                read_back=False,
            ),
        ),
    ),
    "aws-native:secretsmanager:RotationSchedule": Translation(
        "aws:secretsmanager/secretRotation:SecretRotation",
        "secretId rotationLambdaArn rotationRules rotateImmediatelyOnUpdate>rotateImmediately",
    ),
    "aws-native:secretsmanager:ResourcePolicy": Translation(
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        "secretId>secretArn resourcePolicy>policy blockPublicPolicy",
    ),
}
