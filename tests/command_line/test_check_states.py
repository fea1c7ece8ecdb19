"""`pgkeep check --state`: what a state may hold, and what is no state at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import check, refused, rules, stacks
from tests.command_line.states import SECRET, entry, state, urn, written
from tests.policies.good_stack import ALL

INSTANCE = "aws:rds/instance:Instance"
GROUP = "aws:rds/parameterGroup:ParameterGroup"
BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
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


def judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *resources: dict[str, Any], **options: Any
) -> dict[str, Any]:
    file = written(tmp_path, "state.json", state(resources))
    (one,) = stacks(capsys, states=[file], **options)
    return one


def test_a_good_state_has_no_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = judged(tmp_path, capsys, *good())
    assert one["violations"] == []
    assert one["not_verified"] == []


def test_the_document_has_exactly_these_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = judged(tmp_path, capsys, entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True}))
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
    assert "rds-not-public" in rules(judged(tmp_path, capsys, made))
    changed = entry(INSTANCE, "db", GOOD, outputs={**GOOD, "storageEncrypted": False})
    assert "rds-storage-encrypted" in rules(judged(tmp_path, capsys, changed))


def test_a_default_of_aws_does_not_stand_for_a_decision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = {key: value for key, value in GOOD.items() if key != "kmsKeyId"}
    made = entry(INSTANCE, "db", silent, outputs={**silent, "kmsKeyId": "arn:aws:kms:x:1:key/aws"})
    assert "rds-customer-key" in rules(judged(tmp_path, capsys, made))


def test_blank_outputs_are_not_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blanks = {"replicateSourceDb": "", "snapshotIdentifier": "", "domain": "", "tagsAll": {}}
    whole = [
        {**one, "outputs": {**blanks, **one["outputs"]}} if one["type"] == INSTANCE else one
        for one in good()
    ]
    assert judged(tmp_path, capsys, *whole)["violations"] == []


def test_only_outputs_are_judged_where_there_are_no_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_outputs = {**GOOD, "publiclyAccessible": True}
    for inputs in (..., None, {}):
        found = entry(INSTANCE, "db", outputs=open_outputs) | {"inputs": inputs}
        found = {key: value for key, value in found.items() if value is not ...}
        assert "rds-not-public" in rules(judged(tmp_path, capsys, found))


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
    assert "s3-public-access-blocked" not in rules(judged(tmp_path, capsys, bucket, block))
    other = entry(BLOCK, "block", {"bucket": "other", **FLAGS}, propertyDependencies=...)
    assert "s3-public-access-blocked" in rules(judged(tmp_path, capsys, bucket, other))


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
    assert "s3-public-access-blocked" in rules(judged(tmp_path, capsys, bucket, block))


def test_an_encrypted_secret_is_not_verified_and_a_readable_one_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = {**GOOD, "publiclyAccessible": {**SECRET, "ciphertext": "v1:abc"}}
    one = judged(tmp_path, capsys, entry(INSTANCE, "db", hidden))
    assert "rds-not-public" not in rules(one)
    (note,) = [item for item in one["not_verified"] if item["rule"] == "rds-not-public"]
    assert "--show-secrets" in note["message"]
    shown = {**GOOD, "publiclyAccessible": {**SECRET, "plaintext": "true"}}
    assert "rds-not-public" in rules(judged(tmp_path, capsys, entry(INSTANCE, "db", shown)))
    broken = {**GOOD, "publiclyAccessible": {**SECRET, "plaintext": "{"}}
    assert "rds-not-public" in rules(judged(tmp_path, capsys, entry(INSTANCE, "db", broken)))


def test_a_password_in_the_state_is_refused_although_it_is_encrypted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {**GOOD, "password": {**SECRET, "ciphertext": "v1:abc"}}
    assert "rds-no-stored-password" in rules(judged(tmp_path, capsys, entry(INSTANCE, "db", kept)))


def test_older_names_of_types_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = entry("aws:elasticloadbalancingv2/loadBalancer:LoadBalancer", "lb", {"internal": False})
    versioning = entry(
        "aws:s3/bucketVersioningV2:BucketVersioningV2",
        "v",
        {"bucket": "b", "versioningConfiguration": {"status": "Suspended"}},
    )
    found = judged(tmp_path, capsys, old, versioning)
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
    one = judged(tmp_path, capsys, bucket, block)
    assert "s3-public-access-blocked" in rules(one)
    assert [item["urn"] for item in one["not_verified"] if not item["rule"]] == [block["urn"]]


def test_an_old_half_of_a_replacement_may_have_the_same_urn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True}, delete=True)
    one = judged(tmp_path, capsys, entry(INSTANCE, "db", GOOD), old)
    assert not rules(one) & {"policy-state-intact", "rds-not-public"}


def test_a_urn_that_stands_twice_is_refused_and_both_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True})
    one = judged(tmp_path, capsys, public, entry(INSTANCE, "db", GOOD))
    assert {"policy-state-intact", "rds-not-public"} <= rules(one)


def test_components_and_providers_are_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    component = entry("my:own:Database", "x", custom=False)
    assert judged(tmp_path, capsys, component) == {
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
    one = judged(tmp_path, capsys, *(entry(kind, kind[-5:]) for kind in kinds))
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


@pytest.mark.parametrize(
    ("stack", "option", "days", "violated"),
    [
        ("dev", None, 3, False),
        ("prod", None, 3, True),
        ("development", None, 3, True),
        ("acme-eu", "dev", 3, False),
        ("dev", "prod", 3, True),
    ],
)
def test_the_environment_is_the_stacks_name_the_option_or_the_strictest(
    stack: str,
    option: str | None,
    days: int,
    violated: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = entry(INSTANCE, "db", {**GOOD, "backupRetentionPeriod": days}, stack=stack)
    file = written(tmp_path, "state.json", state([one], stack))
    (found,) = stacks(capsys, states=[file], environment=option)
    assert ("rds-pitr-retention" in rules(found)) is violated


def test_exemptions_and_thresholds_come_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import datetime

    short = entry(INSTANCE, "db", {**GOOD, "backupRetentionPeriod": 14})
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    exemptions = written(
        tmp_path,
        "exemptions.yaml",
        "policy_exemptions:\n"
        f"  - rule: rds-pitr-retention\n    resource: {INSTANCE}::db\n"
        f"    reason: rebuilt every night from prod\n    owner: a@example.com\n    expires: {until}\n",
    )
    assert "rds-pitr-retention" in rules(judged(tmp_path, capsys, short))
    assert "rds-pitr-retention" not in rules(judged(tmp_path, capsys, short, exemptions=exemptions))
    unused = judged(tmp_path, capsys, exemptions=exemptions)
    assert rules(unused) == {"policy-exemptions-valid"}
    config = written(tmp_path, "c.json", {"rds-pitr-retention": {"minimumDays": 14}})
    assert "rds-pitr-retention" not in rules(judged(tmp_path, capsys, short, config=config))
    level = written(tmp_path, "l.json", {"rds-pitr-retention": "advisory"})
    (found,) = [
        item
        for item in judged(tmp_path, capsys, short, config=level)["violations"]
        if item["rule"] == "rds-pitr-retention"
    ]
    assert found["enforcement"] == "advisory"


def test_an_advisory_violation_does_not_refuse(tmp_path: Path) -> None:
    one = entry(BUCKET, "b", {"bucket": "b", "forceDestroy": True}, stack="dev")
    file = written(tmp_path, "state.json", state([one], "dev"))
    assert check(states=[file]) == 1
    levels = written(tmp_path, "c.json", {"all": "advisory"})
    assert check(states=[file], config=levels) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("   \n", "ends in the middle"),
        ("{", "ends in the middle"),
        ('{"version": 3, "deployment": {"resources": [{"urn": "a', "ends in the middle"),
        ('{"version": 3, "deployment": {"resources": [{"urn": 1', "ends in the middle"),
        ("nonsense", "is no state"),
        ("[]", "is no state"),
        ("null", "is no state"),
        ("{}", "no deployment"),
        ('{"a": 1}', "no deployment"),
        ('{"version": 3, "deployment": null}', "deployment is not an object"),
        ('{"version": 3, "deployment": {"resources": {}}}', "resources is not a list"),
        ('{"version": 3, "deployment": {"resources": "x"}}', "resources is not a list"),
        ('{"version": 3, "deployment": {"resources": [1]}}', "resource 1 that is not an object"),
        ('{"version": 3, "deployment": {"resources": [{}]}}', "resource 1 without urn"),
        ('{"version": 3, "deployment": {"resources": [{"urn": "u::a::b::c"}]}}', "without type"),
        (
            '{"version": 3, "deployment": {"resources": [{"urn": "u", "type": "t"}]}}',
            "whose URN is none",
        ),
        ('{"version": 1, "deployment": {}}', "version '1'"),
        ('{"version": "x", "deployment": {}}', "version 'x'"),
        ('{"version": 3, "checkpoint": {}}', "is a checkpoint"),
        ('{"version": 3, "deployment": {}} {}', "something follows"),
        ('{"version": 3, "deployment": {},}', "is not valid JSON"),
        ("{'version': 3}", "is not valid JSON"),
        ('{"version": 3, "version": 3}', "stands twice"),
        ('{"version": 3, "deployment": {"a": {"b": 1, "b": 2}}}', "stands twice"),
        ('{"version": 3, "deployment": {"a": NaN}}', "NaN is no JSON number"),
        ('{"version": 3, "deployment": {"a": -Infinity}}', "-Infinity is no JSON number"),
        ('{"version": 3, "deployment": ' + "[" * 100_000, "deployment is not an object"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"a": ' + '{"a":' * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 10_000 + "}", "is not valid JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_state_ends_with_one_line(content: str, words: str, tmp_path: Path) -> None:
    file = written(tmp_path, "state.json", content)
    line = refused(states=[file])
    assert words in line
    assert file in line


@pytest.mark.parametrize("key", ["inputs", "outputs", "propertyDependencies"])
@pytest.mark.parametrize("value", [5, "x", [], True], ids=repr)
def test_parts_of_a_wrong_type_end_with_one_line(key: str, value: Any, tmp_path: Path) -> None:
    file = written(tmp_path, "state.json", state([entry(INSTANCE, "db", GOOD) | {key: value}]))
    assert f"{key} is not an object" in refused(states=[file])


def test_an_empty_stack_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for deployment in ({}, {"resources": None}, {"resources": []}):
        file = written(tmp_path, "state.json", {"version": 3, "deployment": deployment})
        (one,) = stacks(capsys, states=[file])
        assert one["violations"] == []


def test_files_that_cannot_be_read_end_with_one_line(tmp_path: Path) -> None:
    assert "No such file" in refused(states=[str(tmp_path / "none.json")])
    assert "is a folder" in refused(states=[str(tmp_path)])
    assert "is no file name" in refused(states=["a\0b"])
    sixteen = tmp_path / "sixteen.json"
    sixteen.write_text(json.dumps(state([])), encoding="utf-16")
    assert "is not UTF-8" in refused(states=[str(sixteen)])
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"version": 3, "deployment": {"a": "\xe4"}}')
    assert "is not UTF-8" in refused(states=[str(latin)])


def test_a_byte_order_mark_is_no_part_of_a_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state([])), encoding="utf-8-sig")
    assert len(stacks(capsys, states=[str(file)])) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"environment": "production"},
        {"config": "[]"},
        {"config": '{"no-such-rule": "advisory"}'},
        {"config": '{"rds-not-public": "sometimes"}'},
        {"config": '{"rds-pitr-retention": {"minimumDays": 99}}'},
        {"config": '{"rds-pitr-retention": {"minimumDays": true}}'},
        {"config": '{"rds-pitr-retention": {"days": 3}}'},
        {"config": "{"},
        {"exemptions": "policy_exemptions: all"},
        {"exemptions": "5"},
        {"exemptions": "a: [b"},
    ],
    ids=str,
)
def test_unusable_options_end_with_one_line(options: dict[str, str], tmp_path: Path) -> None:
    files = {
        key: written(tmp_path, key, value) if key != "environment" else value
        for key, value in options.items()
    }
    assert refused(states=[written(tmp_path, "state.json", state([]))], **files)


def test_chunks_of_a_large_state_are_put_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgkeep.check import json_stream

    text = json.dumps(
        state([entry(INSTANCE, "dbä", {**GOOD, "publiclyAccessible": True})]), indent=1
    )
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(json_stream, "_CHUNK_CHARACTERS", size)
        (one,) = stacks(capsys, states=[written(tmp_path, "state.json", text)])
        assert "rds-not-public" in rules(one)


@pytest.mark.parametrize(
    "policy",
    ["[" * 50_000, '{"Statement": ' + "[" * 50_000, "x" * 10_000_000, "\ud800\x00"],
    ids=["nested", "nested statement", "ten megabytes", "surrogate"],
)
def test_strange_documents_in_a_state_are_refused(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = entry("aws:s3/bucketPolicy:BucketPolicy", "p", {"bucket": "b", "policy": policy})
    assert "s3-tls-only" in rules(judged(tmp_path, capsys, one))


def test_deeply_nested_properties_are_unusable_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nested: Any = True
    for _ in range(300):
        nested = [nested]
    one = judged(tmp_path, capsys, entry(INSTANCE, "db", {**GOOD, "storageEncrypted": nested}))
    assert "rds-storage-encrypted" in rules(one)
