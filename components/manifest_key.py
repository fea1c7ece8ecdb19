"""The key that signs the backups' manifests, and where the copies are what verifies without it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.customer_key import CustomerKey, delegation, make_alias
from components.deployment import Deployment
from components.iam import Statement, document

_KIND = "manifests"
_DESCRIPTION = "Signatures of the backups' manifests"
_SIGN, _VERIFY = "kms:GenerateMac", "kms:VerifyMac"
# Whoever may make a grant of a key may let others sign with it.
_NOT_OF_A_REPLICA = "kms:CreateGrant"


def make_manifest_key(
    name: str, deployment: Deployment, opts: pulumi.ResourceOptions
) -> CustomerKey:
    """An HMAC key, which encrypts nothing; AWS rotates only keys that encrypt.

    With `backups.replication.signing_key_replica` it is a multi-Region key with a replica in the
    copies' region, which verifies when this region is gone. AWS KMS developer guide: HMAC keys,
    multi-Region keys.
    """
    replication = deployment.settings.backups.replication
    there = None
    if replication is not None and replication.signing_key_replica:
        there = replication.region
    window = deployment.settings.secrets.key_deletion_window_days
    key = aws.kms.Key(
        name,
        description=f"{deployment.settings.prefix}: {_DESCRIPTION}",
        key_usage="GENERATE_VERIFY_MAC",
        customer_master_key_spec="HMAC_256",
        is_enabled=True,
        deletion_window_in_days=window,
        multi_region=True if there is not None else None,
        policy=document(
            delegation(deployment, _SIGN, _VERIFY, encrypts=False),
            *([_may_be_replicated_to(deployment, there)] if there is not None else []),
        ),
        tags=deployment.tags(deployment.name(_KIND)),
        opts=opts,
    )
    make_alias(name, deployment, _KIND, key.key_id, region=None, opts=opts)
    if there is not None:
        # A replica has a policy of its own: in its region nobody signs, whatever IAM allows.
        statement = delegation(deployment, _VERIFY, encrypts=False)
        statement["Action"] = [one for one in statement["Action"] if one != _NOT_OF_A_REPLICA]
        replica = aws.kms.ReplicaKey(
            f"{name}-replica",
            description=f"{deployment.settings.prefix}: {_DESCRIPTION}, to verify them",
            primary_key_arn=key.arn,
            enabled=True,
            deletion_window_in_days=window,
            policy=document(statement),
            region=there,
            tags=deployment.tags(deployment.name(_KIND)),
            opts=opts,
        )
        make_alias(f"{name}-replica", deployment, _KIND, replica.key_id, region=there, opts=opts)
    return CustomerKey(key.arn, key.key_id)


def _may_be_replicated_to(deployment: Deployment, region: str) -> Statement:
    """AWS KMS developer guide: controlling access to multi-Region keys."""
    return {
        "Sid": "ReplicaWhereTheCopiesAre",
        "Effect": "Allow",
        "Principal": {"AWS": deployment.account_root},
        "Action": "kms:ReplicateKey",
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ReplicaRegion": region}},
    }
