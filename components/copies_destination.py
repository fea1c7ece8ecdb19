"""What the owner of a bucket in another account puts there, so that copies arrive and stay.

The program makes nothing in another account: `pgkeep backup destination` prints these documents for
whoever owns the bucket.
"""

from __future__ import annotations

from components.backup_names import copies_role_arn
from components.bucket_statements import permanent, replicas_only, secure_transport
from components.deployment import Deployment
from components.iam import Conditions, Statement

#: What the role needs at the destination, in its own policy and in the bucket's.
#: Without s3:ReplicateDelete: what is deleted in the source stays.
WRITE_ACTIONS = ("s3:ReplicateObject", "s3:ReplicateTags")
#: The copies then belong to the account of the bucket.
OVERRIDE_ACTION = "s3:ObjectOwnerOverrideToBucketOwner"
KEY_ACTIONS = ("kms:Encrypt", "kms:GenerateDataKey")


def through_s3(deployment: Deployment, region: str, bucket_arn: str) -> Conditions:
    """The key is used by S3 of that region only, for objects of that bucket only."""
    return {
        "StringEquals": {"kms:ViaService": f"s3.{region}.{deployment.dns_suffix}"},
        # The bucket with a bucket key, the object without one.
        "ArnLike": {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, f"{bucket_arn}/*"]},
    }


def bucket_policy(deployment: Deployment, bucket_arn: str) -> list[Statement]:
    """Statements of the bucket's policy: copies come in, nothing else does, nothing goes.

    AWS S3 user guide: granting permissions when the source and destination buckets are owned by
    different accounts; changing the replica owner.
    """
    return [
        {
            "Sid": "AllowCopies",
            "Effect": "Allow",
            **_only_the_role(deployment, {}),
            "Action": [*WRITE_ACTIONS, OVERRIDE_ACTION],
            "Resource": f"{bucket_arn}/*",
        },
        *secure_transport(bucket_arn),
        *permanent(deployment, bucket_arn),
        *replicas_only(bucket_arn),
    ]


def key_statement(deployment: Deployment, region: str, bucket_arn: str) -> Statement:
    """One more statement for the policy of the copies' key: the role encrypts copies with it.

    AWS S3 user guide: replicating encrypted objects, cross-account scenarios.
    """
    return {
        "Sid": "AllowCopies",
        "Effect": "Allow",
        **_only_the_role(deployment, through_s3(deployment, region, bucket_arn)),
        "Action": list(KEY_ACTIONS),
        "Resource": "*",
    }


def _only_the_role(deployment: Deployment, conditions: Conditions) -> Statement:
    """The role by its name, not as a principal.

    AWS refuses a principal that does not exist yet, and one that is deleted and made again is
    another to it: copies would fail without a word.
    """
    equals = {
        **conditions.get("StringEquals", {}),
        "aws:PrincipalArn": copies_role_arn(deployment),
    }
    return {
        "Principal": {"AWS": deployment.account_root},
        "Condition": {**conditions, "StringEquals": equals},
    }
