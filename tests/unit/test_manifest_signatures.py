"""Signed manifests: a key that encrypts nothing, who may sign, who may verify, and where."""

from __future__ import annotations

import pytest

from stacks.settings import load
from tests.unit.recorder import REGION, Recorder, deploy, raw_settings

ROOT = "arn:aws:iam::123456789012:root"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-manifests"


@pytest.fixture(scope="module")
def signed() -> Recorder:
    return deploy(load(raw_settings("prod"), "prod", REGION))


def test_the_key_signs_and_encrypts_nothing(signed: Recorder) -> None:
    inputs = signed.inputs("keys-manifests")
    assert inputs["keyUsage"] == "GENERATE_VERIFY_MAC"
    assert inputs["customerMasterKeySpec"] == "HMAC_256"
    assert "enableKeyRotation" not in inputs
    (statement,) = signed.document("keys-manifests", "policy")["Statement"]
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
    raw["backups"] = {**raw.get("backups", {}), "sign_manifests": False}
    recorder = deploy(load(raw, "prod", REGION))
    assert not {"keys-manifests", "endpoints-kms"} & set(recorder.resources)
    assert recorder.exports["manifest_key_arn"] is None
