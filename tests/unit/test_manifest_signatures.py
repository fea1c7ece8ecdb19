"""Signed manifests: a key that encrypts nothing, who may sign, who may verify, and where."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import load
from tests.unit.recorder import REGION, Recorder, deploy, raw_settings
from tests.unit.test_network import tags

ROOT = "arn:aws:iam::123456789012:root"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-manifests"


# What the account may delegate of a key that encrypts nothing.
MANAGE = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]
NAME = "pgkeep-prod-manifests"


@pytest.fixture(scope="module")
def signed() -> Recorder:
    return deploy(load(raw_settings("prod"), "prod", REGION))


def delegated(*actions: str) -> dict[str, Any]:
    return {
        "Sid": "AccountDelegatesThroughIam",
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": list(actions),
        "Resource": "*",
    }


def without_policy(recorder: Recorder, name: str) -> dict[str, Any]:
    return {key: value for key, value in recorder.inputs(name).items() if key != "policy"}


def test_in_the_copies_region_a_replica_verifies_and_cannot_sign(signed: Recorder) -> None:
    text = "pgkeep-prod: Signatures of the backups' manifests"
    assert without_policy(signed, "keys-manifests") == {
        "description": text,
        "keyUsage": "GENERATE_VERIFY_MAC",
        "customerMasterKeySpec": "HMAC_256",
        "isEnabled": True,
        "deletionWindowInDays": 30,
        "multiRegion": True,
        "tags": tags("prod", NAME),
    }
    assert signed.document("keys-manifests")["Statement"] == [
        delegated(*MANAGE, "kms:GenerateMac", "kms:VerifyMac"),
        {
            "Sid": "ReplicaWhereTheCopiesAre",
            "Effect": "Allow",
            "Principal": {"AWS": ROOT},
            "Action": "kms:ReplicateKey",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:ReplicaRegion": "eu-central-1"}},
        },
    ]
    assert without_policy(signed, "keys-manifests-replica") == {
        "description": f"{text}, to verify them",
        "primaryKeyArn": KEY,
        "enabled": True,
        "deletionWindowInDays": 30,
        "region": "eu-central-1",
        "tags": tags("prod", NAME),
    }
    # Whoever could make a grant could let somebody sign.
    verify = [action for action in MANAGE if action != "kms:CreateGrant"]
    assert signed.document("keys-manifests-replica")["Statement"] == [
        delegated(*verify, "kms:VerifyMac")
    ]
    alias = {"name": f"alias/{NAME}", "targetKeyId": "0123abcd-keys-manifests"}
    assert signed.inputs("keys-manifests-alias") == alias
    assert signed.inputs("keys-manifests-replica-alias") == {
        **alias,
        "targetKeyId": "mrk-keys-manifests-replica",
        "region": "eu-central-1",
    }


def test_a_stack_that_asks_for_no_replica_keeps_the_key_that_it_has() -> None:
    """Another value of multiRegion would replace the key; so would false where there was none."""
    raw = raw_settings("prod")
    del raw["backups"]["replication"]["signing_key_replica"]
    recorder = deploy(load(raw, "prod", REGION))
    assert "multiRegion" not in recorder.inputs("keys-manifests")
    (statement,) = recorder.document("keys-manifests")["Statement"]
    assert statement == delegated(*MANAGE, "kms:GenerateMac", "kms:VerifyMac")
    assert not recorder.of_type("aws:kms/replicaKey:ReplicaKey")


def test_the_key_signs_and_encrypts_nothing(signed: Recorder) -> None:
    inputs = signed.inputs("keys-manifests")
    assert inputs["keyUsage"] == "GENERATE_VERIFY_MAC"
    assert inputs["customerMasterKeySpec"] == "HMAC_256"
    assert "enableKeyRotation" not in inputs
    statement, _ = signed.document("keys-manifests", "policy")["Statement"]
    assert statement["Principal"] == {"AWS": ROOT}
    assert {"kms:GenerateMac", "kms:VerifyMac"} <= set(statement["Action"])
    assert not {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} & set(statement["Action"])
    (other,) = signed.document("keys-backups", "policy")["Statement"][:1]
    assert "kms:GenerateMac" not in other["Action"]
    assert signed.exports["manifest_key_arn"] == KEY


@pytest.mark.parametrize(
    ("policy", "sid", "action"),
    [
        ("backup-policy", "SignManifests", "kms:GenerateMac"),
        ("restore-test-policy", "VerifyManifests", "kms:VerifyMac"),
        ("backup-retention-policy", "VerifyManifests", "kms:VerifyMac"),
    ],
)
def test_who_signs_cannot_verify_and_who_verifies_cannot_sign(
    signed: Recorder, policy: str, sid: str, action: str
) -> None:
    macs = [
        statement
        for statement in signed.document(policy)["Statement"]
        if any(one.endswith("Mac") for one in statement["Action"])
    ]
    assert macs == [{"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": [KEY]}]
    function = signed.inputs(policy.replace("-policy", "-function"))
    assert function["environment"]["variables"]["MANIFEST_KEY_ARN"] == KEY


def test_functions_without_internet_reach_kms_for_signatures_only(signed: Recorder) -> None:
    (statement,) = signed.document("endpoints-kms")["Statement"]
    assert statement["Action"] == ["kms:GenerateMac", "kms:VerifyMac"]
    assert statement["Resource"] == ["arn:aws:kms:eu-west-1:123456789012:key/*"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}


@pytest.mark.parametrize(
    ("environment", "signs"), [("local", True), ("dev", False), ("staging", True), ("prod", True)]
)
def test_where_backups_count_only_signed_ones_are_backups(environment: str, signs: bool) -> None:
    assert load(raw_settings(environment), environment, REGION).backups.sign_manifests is signs


def test_without_the_setting_there_is_no_key_and_no_endpoint() -> None:
    raw = raw_settings("prod")
    replication = {"region": "eu-central-1"}
    raw["backups"] = {"replication": replication, "sign_manifests": False}
    recorder = deploy(load(raw, "prod", REGION))
    assert not {"keys-manifests", "endpoints-kms"} & set(recorder.resources)
    assert recorder.exports["manifest_key_arn"] is None
