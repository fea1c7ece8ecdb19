"""Secrets that functions fill: the stack makes the place, never the value."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from stacks.governance_settings import OWN_TAG_PREFIX


def secret_name(deployment: Deployment, *parts: str) -> str:
    """`pgkeep-prod/node_pass/app`; the endpoint policy lets only this stack's prefix pass."""
    return "/".join((deployment.settings.prefix, *parts))


def managed_secret(
    name: str,
    deployment: Deployment,
    keys: EncryptionKeys,
    *parts: str,
    description: str,
    opts: pulumi.ResourceOptions,
    credential: bool = True,
) -> aws.secretsmanager.Secret:
    """An empty secret under the secrets key.

    Without a `credential` in it there is nothing to rotate; its tag tells the policies so.
    """
    full_name = secret_name(deployment, *parts)
    tags = deployment.tags(full_name)
    return aws.secretsmanager.Secret(
        name,
        name=full_name,
        description=description,
        kms_key_id=keys.secrets.arn,
        recovery_window_in_days=deployment.settings.secrets.recovery_window_days,
        tags=tags if credential else {**tags, f"{OWN_TAG_PREFIX}credential": "none"},
        opts=opts,
    )
