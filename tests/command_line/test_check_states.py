"""`pgkeep check --state`: what a state may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import judged_state, rules, stacks
from tests.command_line.states import SECRET, entry, state, urn, written
from tests.policies.good_stack import ALL, BLOCK, BUCKET, INSTANCE

FLAGS = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)

GOOD = ALL["db"][1]


def good() -> list[dict[str, Any]]:
    """The good stack of the policy tests as it would stand in a state."""
    return [
        entry(
            kind,
            name,
            properties,
            propertyDependencies={
                key: [urn(ALL[target][0], target) for target in targets]
                for key, targets in references.items()
            },
        )
        for name, (kind, properties, references) in ALL.items()
    ]


def test_a_good_state_has_no_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = judged_state(tmp_path, capsys, *good())
    assert one["violations"] == []
    assert one["not_verified"] == []


def test_the_document_has_exactly_these_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = judged_state(
        tmp_path, capsys, entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True})
    )
    assert set(one) == {"source", "violations", "not_verified", "not_covered"}
    (found,) = [item for item in one["violations"] if item["rule"] == "rds-not-public"]
    assert found == {
        "rule": "rds-not-public",
        "controls": [
            "CKV_AWS_17",
            "RDS.2",
            "3.2.3",
            "rds-instance-public-access",
            "disallowPublicAccess",
        ],
        "urn": urn(INSTANCE, "db"),
        "severity": "critical",
        "enforcement": "mandatory",
        "message": f'{INSTANCE} "db" has publiclyAccessible = true; it must be false.',
        "remediation": "set publicly_accessible = False; reach the database from inside the VPC "
        "(pooler, migration runner, EC2 Instance Connect Endpoint).",
    }


def test_outputs_are_judged_where_they_differ_from_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = {key: value for key, value in GOOD.items() if key != "publiclyAccessible"}
    made = entry(INSTANCE, "db", silent, outputs={**silent, "publiclyAccessible": True})
    assert "rds-not-public" in rules(judged_state(tmp_path, capsys, made))
    changed = entry(INSTANCE, "db", GOOD, outputs={**GOOD, "storageEncrypted": False})
    assert "rds-storage-encrypted" in rules(judged_state(tmp_path, capsys, changed))


def test_a_default_of_aws_does_not_stand_for_a_decision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = {key: value for key, value in GOOD.items() if key != "kmsKeyId"}
    made = entry(INSTANCE, "db", silent, outputs={**silent, "kmsKeyId": "arn:aws:kms:x:1:key/aws"})
    assert "rds-customer-key" in rules(judged_state(tmp_path, capsys, made))


def test_blank_outputs_are_not_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blanks = {"replicateSourceDb": "", "snapshotIdentifier": "", "domain": "", "tagsAll": {}}
    whole = [
        {**one, "outputs": {**blanks, **one["outputs"]}} if one["type"] == INSTANCE else one
        for one in good()
    ]
    assert judged_state(tmp_path, capsys, *whole)["violations"] == []


def test_only_outputs_are_judged_where_there_are_no_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_outputs = {**GOOD, "publiclyAccessible": True}
    for inputs in (..., None, {}):
        found = entry(INSTANCE, "db", outputs=open_outputs) | {"inputs": inputs}
        found = {key: value for key, value in found.items() if value is not ...}
        assert "rds-not-public" in rules(judged_state(tmp_path, capsys, found))


@pytest.mark.parametrize("reference", ["my-bucket", "my-bucket-id", "arn:aws:s3:::my-bucket"])
def test_joins_by_name_id_and_arn_without_dependencies(
    reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = entry(
        BUCKET,
        "b",
        id="my-bucket-id",
        outputs={"id": "my-bucket-id", "bucket": "my-bucket", "arn": "arn:aws:s3:::my-bucket"},
    )
    block = entry(BLOCK, "block", {"bucket": reference, **FLAGS}, propertyDependencies=...)
    assert "s3-public-access-blocked" not in rules(judged_state(tmp_path, capsys, bucket, block))
    other = entry(BLOCK, "block", {"bucket": "other", **FLAGS}, propertyDependencies=...)
    assert "s3-public-access-blocked" in rules(judged_state(tmp_path, capsys, bucket, other))


def test_a_name_made_of_a_buckets_name_is_another_bucket(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = entry(BUCKET, "b", {"bucket": "data"})
    block = entry(
        BLOCK,
        "block",
        {"bucket": "data-logs", **FLAGS},
        propertyDependencies={"bucket": [urn(BUCKET, "b")]},
    )
    assert "s3-public-access-blocked" in rules(judged_state(tmp_path, capsys, bucket, block))


def test_an_encrypted_secret_is_not_verified_and_a_readable_one_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = {**GOOD, "publiclyAccessible": {**SECRET, "ciphertext": "v1:abc"}}
    one = judged_state(tmp_path, capsys, entry(INSTANCE, "db", hidden))
    assert "rds-not-public" not in rules(one)
    (note,) = [item for item in one["not_verified"] if item["rule"] == "rds-not-public"]
    assert "--show-secrets" in note["message"]
    shown = {**GOOD, "publiclyAccessible": {**SECRET, "plaintext": "true"}}
    assert "rds-not-public" in rules(judged_state(tmp_path, capsys, entry(INSTANCE, "db", shown)))
    broken = {**GOOD, "publiclyAccessible": {**SECRET, "plaintext": "{"}}
    assert "rds-not-public" in rules(judged_state(tmp_path, capsys, entry(INSTANCE, "db", broken)))


def test_a_password_in_the_state_is_refused_although_it_is_encrypted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {**GOOD, "password": {**SECRET, "ciphertext": "v1:abc"}}
    assert "rds-no-stored-password" in rules(
        judged_state(tmp_path, capsys, entry(INSTANCE, "db", kept))
    )


def test_older_names_of_types_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = entry("aws:elasticloadbalancingv2/loadBalancer:LoadBalancer", "lb", {"internal": False})
    versioning = entry(
        "aws:s3/bucketVersioningV2:BucketVersioningV2",
        "v",
        {"bucket": "b", "versioningConfiguration": {"status": "Suspended"}},
    )
    found = judged_state(tmp_path, capsys, old, versioning)
    assert {"lb-internal", "s3-versioned"} <= rules(found)
    assert all("elasticloadbalancingv2" in m for m in messages(found, "lb-internal"))


def messages(one: dict[str, Any], rule: str) -> list[str]:
    return [item["message"] for item in one["violations"] if item["rule"] == rule]


@pytest.mark.parametrize("mark", ["delete", "pendingReplacement", "external"])
def test_what_is_not_the_stacks_own_is_noted_and_helps_nobody(
    mark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = entry(BUCKET, "b", {"bucket": "data"})
    block = entry(BLOCK, "block", {"bucket": "data", **FLAGS}, **{mark: True})
    one = judged_state(tmp_path, capsys, bucket, block)
    assert "s3-public-access-blocked" in rules(one)
    assert [item["urn"] for item in one["not_verified"] if not item["rule"]] == [block["urn"]]


def test_an_old_half_of_a_replacement_may_have_the_same_urn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True}, delete=True)
    one = judged_state(tmp_path, capsys, entry(INSTANCE, "db", GOOD), old)
    assert not rules(one) & {"policy-state-intact", "rds-not-public"}


def test_a_urn_that_stands_twice_is_refused_and_both_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True})
    one = judged_state(tmp_path, capsys, public, entry(INSTANCE, "db", GOOD))
    assert {"policy-state-intact", "rds-not-public"} <= rules(one)


def test_components_and_providers_are_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    component = entry("my:own:Database", "x", custom=False)
    assert judged_state(tmp_path, capsys, component) == {
        "source": str(tmp_path / "state.json"),
        "violations": [],
        "not_verified": [],
        "not_covered": [],
    }


def test_what_no_rule_judges_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [
        "aws:dynamodb/table:Table",
        "aws:apigateway/restApi:RestApi",
        "gcp:sql/databaseInstance:DatabaseInstance",
        "aws:rds/subnetGroup:SubnetGroup",
        "random:index/randomId:RandomId",
        "random:index/randomPassword:RandomPassword",
    ]
    one = judged_state(tmp_path, capsys, *(entry(kind, kind[-5:]) for kind in kinds))
    assert [(item["type"], item["reason"].split()[0]) for item in one["not_covered"]] == [
        ("aws:apigateway/restApi:RestApi", "opens"),
        ("aws:dynamodb/table:Table", "holds"),
        ("gcp:sql/databaseInstance:DatabaseInstance", "is"),
        ("random:index/randomPassword:RandomPassword", "makes"),
    ]


def test_each_state_is_judged_on_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = written(tmp_path, "a.json", state([entry(BUCKET, "b", {"bucket": "data"})]))
    block = entry(BLOCK, "block", {"bucket": "data", **FLAGS})
    beside = written(tmp_path, "b.json", state([block]))
    first, second = stacks(capsys, states=[bucket, beside])
    assert (first["source"], second["source"]) == (bucket, beside)
    assert "s3-public-access-blocked" in rules(first)
    assert rules(second) == set()
