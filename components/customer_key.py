"""A customer key with its alias, and what its policy lets the account delegate."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import Statement, document

# What the account may delegate through IAM. The usual `kms:*` written out.
_ACCOUNT_ACTIONS = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)

# What a service of AWS does with a key that it encrypts with.
USE_ACTIONS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
# AWS KMS developer guide: key type reference.
_ENCRYPTING_ACTIONS = frozenset(USE_ACTIONS) - {"kms:DescribeKey"} | {"kms:EnableKeyRotation"}


@dataclass(frozen=True)
class CustomerKey:
    """A key that the program makes, or one that is there already."""

    arn: pulumi.Output[str]
    key_id: pulumi.Output[str]

    @classmethod
    def existing(cls, arn: str) -> CustomerKey:
        """The key with this ARN; its policy stays its owner's."""
        return cls(pulumi.Output.from_input(arn), pulumi.Output.from_input(arn.rpartition("/")[2]))


def delegation(deployment: Deployment, *more: str, encrypts: bool = True) -> Statement:
    """The account's IAM decides who manages and uses the key; `more` are actions beside."""
    return {
        "Sid": "AccountDelegatesThroughIam",
        "Effect": "Allow",
        "Principal": {"AWS": deployment.account_root},
        "Action": [
            action
            for action in (*_ACCOUNT_ACTIONS, *more)
            if encrypts or action not in _ENCRYPTING_ACTIONS
        ],
        # In a key policy `*` means this key.
        "Resource": "*",
    }


def make_key(
    name: str,
    deployment: Deployment,
    kind: str,
    description: str,
    *users: Statement,
    opts: pulumi.ResourceOptions,
    region: str | None = None,
) -> CustomerKey:
    """A key that encrypts, with its alias; `users` are services that its policy lets use it.

    Args:
        name: Pulumi name.
        kind: last part of the key's name in AWS.
        opts: must name the parent.
        region: another one than the stack's.
    """
    key = aws.kms.Key(
        name,
        description=f"{deployment.settings.prefix}: {description}",
        key_usage="ENCRYPT_DECRYPT",
        customer_master_key_spec="SYMMETRIC_DEFAULT",
        enable_key_rotation=True,
        is_enabled=True,
        deletion_window_in_days=deployment.settings.secrets.key_deletion_window_days,
        policy=document(delegation(deployment), *users),
        region=region,
        tags=deployment.tags(deployment.name(kind)),
        opts=opts,
    )
    make_alias(name, deployment, kind, key.key_id, region=region, opts=opts)
    return CustomerKey(key.arn, key.key_id)


def make_alias(
    name: str,
    deployment: Deployment,
    kind: str,
    key_id: pulumi.Output[str],
    *,
    region: str | None,
    opts: pulumi.ResourceOptions,
) -> None:
    """The name by which people find the key that is called `name` in Pulumi."""
    aws.kms.Alias(
        f"{name}-alias",
        name=f"alias/{deployment.name(kind)}",
        target_key_id=key_id,
        region=region,
        opts=opts,
    )
