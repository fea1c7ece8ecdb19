"""Buckets and what they are set to: one example of each type, each after what it needs."""

from localcloud.provider.wire import Asset
from tests.localcloud.provider_sample import NEW_TAGS, TAGS, Sample, policy

SAMPLES = (
    Sample(
        "bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-backups", "forceDestroy": True, "tags": TAGS},
        lambda _: {"tags": NEW_TAGS},
        ("PutBucketTagging",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "versioning",
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda made: {
            "bucket": made["bucket"].id,
            "versioningConfiguration": {"status": "Enabled"},
        },
        lambda _: {"versioningConfiguration": {"status": "Suspended"}},
        ("PutBucketVersioning",),
        {"bucket": "other-bucket"},
        stays=True,
    ),
    Sample(
        "encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda made: {
            "bucket": made["bucket"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": made["key"]["arn"],
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        lambda _: {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        ("PutBucketEncryption",),
    ),
    Sample(
        "public-access",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda made: {
            "bucket": made["bucket"].id,
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
        },
        lambda _: {"ignorePublicAcls": True, "restrictPublicBuckets": True},
        ("PutPublicAccessBlock",),
    ),
    Sample(
        "bucket-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda made: {"bucket": made["bucket"].id, "policy": policy(Principal="*")},
        lambda _: {"policy": policy("s3:ListBucket", Principal="*")},
        ("PutBucketPolicy",),
    ),
    Sample(
        "lifecycle",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda made: {
            "bucket": made["bucket"].id,
            "rules": [
                {
                    "id": "daily",
                    "status": "Enabled",
                    "filter": {"prefix": "daily/"},
                    "expiration": {"days": 35},
                    "noncurrentVersionExpiration": {"noncurrentDays": 7},
                },
                {
                    "id": "parts",
                    "status": "Enabled",
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
                },
                {
                    "id": "marked",
                    "status": "Enabled",
                    "filter": {"and": {"prefix": "daily/", "tags": {"pgkeep:expired": "true"}}},
                    "expiration": {"days": 35},
                },
                {
                    "id": "abandoned",
                    "status": "Enabled",
                    "filter": {"tag": {"key": "pgkeep:expired", "value": "abandoned"}},
                    "expiration": {"days": 1},
                },
            ],
        },
        lambda _: {
            "rules": [
                {
                    "id": "daily",
                    "status": "Enabled",
                    "filter": {"prefix": "daily/"},
                    "expiration": {"days": 40},
                }
            ]
        },
        ("PutBucketLifecycleConfiguration",),
    ),
    Sample(
        "ownership",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda made: {
            "bucket": made["bucket"].id,
            "rule": {"objectOwnership": "BucketOwnerEnforced"},
        },
        lambda _: {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        ("PutBucketOwnershipControls",),
    ),
    Sample(
        "locked-bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-locked", "forceDestroy": True, "objectLockEnabled": True},
    ),
    Sample(
        "object-lock",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 3}},
        },
        lambda _: {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 4}}},
        ("PutObjectLockConfiguration",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "log-bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-logs", "forceDestroy": True},
    ),
    Sample(
        "log-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda made: {
            "bucket": made["log-bucket"].id,
            "policy": policy(
                "s3:PutObject",
                Principal={"Service": "logging.s3.amazonaws.com"},
                Resource="arn:aws:s3:::pgkeep-logs/*",
            ),
        },
    ),
    Sample(
        "logging",
        "aws:s3/bucketLogging:BucketLogging",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "targetBucket": made["log-bucket"].id,
            "targetPrefix": "access/",
        },
        lambda _: {"targetPrefix": "other/"},
        ("PutBucketLogging",),
    ),
    Sample(
        "object",
        "aws:s3/bucketObject:BucketObject",
        lambda made: {
            "bucket": made["log-bucket"].id,
            "key": "worker/functions.zip",
            "source": Asset(text="one", hash="one"),
            "sourceHash": "one",
            "contentType": "application/zip",
        },
        lambda _: {"source": Asset(text="two", hash="two"), "sourceHash": "two"},
        ("PutObject",),
        {"key": "worker/other.zip"},
    ),
    Sample(
        "inventory",
        "aws:s3/inventory:Inventory",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "name": "all",
            "includedObjectVersions": "All",
            "schedule": {"frequency": "Weekly"},
            "destination": {
                "bucket": {
                    "bucketArn": "arn:aws:s3:::pgkeep-logs",
                    "format": "Parquet",
                    "prefix": "inventory",
                    "encryption": {"sseKms": {"keyId": made["key"]["arn"]}},
                }
            },
            "optionalFields": ["Size", "ETag"],
        },
        lambda _: {"schedule": {"frequency": "Daily"}},
        ("PutBucketInventoryConfiguration",),
        {"name": "other"},
    ),
    Sample(
        "replication",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "role": made["role"]["arn"],
            "rules": [
                {
                    "id": "copy",
                    "priority": 1,
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Disabled"},
                    "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                    "destination": {
                        "bucket": "arn:aws:s3:::pgkeep-copies",
                        "storageClass": "STANDARD_IA",
                        "encryptionConfiguration": {"replicaKmsKeyId": made["key"]["arn"]},
                        "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
                        "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
                    },
                }
            ],
        },
        lambda _: {
            "rules": [
                {
                    "id": "copy",
                    "priority": 1,
                    "status": "Disabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Disabled"},
                    "destination": {"bucket": "arn:aws:s3:::pgkeep-copies"},
                }
            ]
        },
        ("PutBucketReplication",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "notification",
        "aws:s3/bucketNotification:BucketNotification",
        lambda made: {"bucket": made["locked-bucket"].id, "eventbridge": True},
        stays=True,
    ),
)
