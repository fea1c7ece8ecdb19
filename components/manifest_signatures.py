"""What a function needs to sign the backups' manifests, or to verify them."""

from __future__ import annotations

from typing import Literal

import pulumi

from components.encryption_keys import EncryptionKeys
from components.iam import Statement, allow

_SIDS = {"kms:GenerateMac": "SignManifests", "kms:VerifyMac": "VerifyManifests"}


def manifest_key_variable(keys: EncryptionKeys) -> dict[str, pulumi.Input[str]]:
    """The environment variable that names the key; empty where manifests are not signed."""
    return {} if keys.manifests is None else {"MANIFEST_KEY_ARN": keys.manifests.arn}


def manifest_key_use(
    keys: EncryptionKeys, action: Literal["kms:GenerateMac", "kms:VerifyMac"]
) -> list[Statement]:
    """Who signs does not need to verify, and who verifies cannot sign."""
    if keys.manifests is None:
        return []
    return [allow(_SIDS[action], [action], [keys.manifests.arn])]
