"""aws-native: the same settings get the same verdicts as in the provider aws."""

from __future__ import annotations

import copy
import datetime
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from facts import package_data
from policies.catalogue import RULES as CATALOGUE
from policies.coverage import not_covered
from policies.evaluation import Judge, Kind, Verdict, evaluate
from policies.existing import evaluate_existing
from policies.inventory import Resource, Stack
from policies.native import expanded
from policies.native_types import TRANSLATIONS
from policies.rules import Phase
from policies.values import UNKNOWN
from tests.policies import good_stack
from tests.policies.native_resources import native
from tests.policies.native_writing import OWNERS, TYPES, UnsayableError, scene
from tests.policies.spec_table import ABSENT, ALSO_GOOD, SPECS

UNKNOWN_TEXT = good_stack.UNKNOWN_STRING
TODAY = datetime.date(2026, 1, 1)
# A bucket's second factor, which only the root user can set, cannot be said in aws-native.
UNSAYABLE_IN_GOOD = {"mfaDelete"}
UNSAYABLE = {"skipFinalSnapshot", "finalSnapshotIdentifier"}


@pytest.mark.parametrize("native", TRANSLATIONS)
def test_every_name_is_one_of_cloudformation_and_of_the_sdk(native: str) -> None:
    service, kind = native.split(":")[1:]
    names = schema_names(service, kind) | {"id"}
    for how in (TRANSLATIONS[native], TRANSLATIONS[native].otherwise):
        if how is None:
            continue
        words = f"{how.names} {how.attributes}".split()
        own = {word.partition(">")[0] for word in words} | set(how.ignored.split())
        own |= {one.source for one in how.companions}
        assert {name for name in own if name.lower() not in names} == set()
        text = sdk_module(how.type)
        targets = {(word.partition(">")[2] or word).partition(":")[0] for word in words}
        known = {one for one in targets if f'name="{one}"' in text or f"def {one}(self)" in text}
        assert targets - known == set()


def schema_names(service: str, kind: str) -> set[str]:
    """CloudFormation's names of a type's properties, in small letters.

    Pulumi's package writes `DBInstanceIdentifier` as dbInstanceIdentifier.
    """
    files = {one.lower(): file for one, file in resource_files().items()}
    file = files[f"aws::{service}::{kind}".lower()]
    found = package_data.json_file("cfnlint", f"data/schemas/resources/{file}.json")
    return {name.lower() for name in found["properties"]}


@cache
def resource_files() -> dict[str, str]:
    return package_data.json_file("cfnlint", "data/schemas/providers/us-east-1.json")


def sdk_module(kind: str) -> str:
    module, name = kind.removeprefix("aws:").partition(":")[0].split("/")
    spec = find_spec("pulumi_aws")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / module.replace("lambda", "lambda_")
    snake = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return (folder / f"{snake}.py").read_text()


def entries(name: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources around one."""
    whole = {one: copy.deepcopy(entry[1]) for one, entry in good_stack.scene_of(name).items()}
    for properties in whole.values():
        for part in properties.values():
            if isinstance(part, dict):
                for key in UNSAYABLE_IN_GOOD:
                    part.pop(key, None)
    return whole


def spoil(properties: dict[str, Any], path: str, value: Any) -> None:
    target: Any = properties
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        target = target[step] if isinstance(step, int) else target.setdefault(step, {})
    if value is ABSENT:
        target.pop(last, None)
    else:
        target[last] = value


def said(resources: list[Resource], rule: Any) -> set[tuple[Kind, bool]]:
    """Kinds of verdicts of a rule, and whether they block; parts of a resource share its URN."""
    found = evaluate(Stack(resources), good_stack.context(today=TODAY), rules=[rule])
    crashes = [one.message for one in found if "the rule itself failed" in one.message]
    assert crashes == []
    return {(one.kind, one.blocks) for one in found}


SPOILT = [(rule, *one) for rule, spoils in SPECS.items() for one in spoils]
KEPT = [(rule, *one) for rule, kept in ALSO_GOOD.items() for one in kept]
BY_RULE: dict[str, list[tuple[str, str, list[Any]]]] = {}
for _rule, _name, _path, _values in (*SPOILT, *KEPT):
    if good_stack.ALL[_name][0] in {**TYPES, **OWNERS}:
        BY_RULE.setdefault(_rule, []).append((_name, _path, _values))
RULES = {rule.id: rule for rule in CATALOGUE}


@pytest.mark.parametrize("rule", BY_RULE)
def test_the_same_settings_get_the_same_verdicts(rule: str) -> None:
    for name, path, values in BY_RULE[rule]:
        for value in values[:2] if path not in UNSAYABLE else ():
            written = entries(name)
            spoil(written[name], path, value)
            try:
                native = scene(written, spoilt=name)
            except UnsayableError:
                continue
            plain = [
                good_stack.resource(one, **{**dict.fromkeys(good_stack.ALL[one][1]), **properties})
                for one, properties in written.items()
            ]
            assert any("aws-native" in one.declared_type for one in native)
            if value is ABSENT and path == "egress":
                continue  # tested below: EC2's own rule stays
            assert said(native, RULES[rule]) == said(plain, RULES[rule]), (name, path, value)


def rules_of(found: list[Verdict]) -> set[str]:
    return {one.rule.id for one in found if one.kind is Kind.VIOLATION}


def test_what_is_not_known_yet_is_joined_by_its_dependency() -> None:
    block = dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    parts = native("s3:Bucket", {"publicAccessBlockConfiguration": block})
    assert parts[1].get("bucket") is UNKNOWN
    assert parts[1].property_dependencies["bucket"] == (parts[0].urn,)
    found = evaluate(Stack(parts), good_stack.context())
    assert "s3-public-access-blocked" not in {one.rule.id for one in found}
    hidden = native("s3:Bucket", {"publicAccessBlockConfiguration": UNKNOWN_TEXT})
    found = evaluate(Stack(hidden), good_stack.context())
    assert {one.kind for one in found if one.rule.id == "s3-public-access-blocked"} == {
        Kind.NOT_VERIFIED
    }
    named = native("rds:DbParameterGroup", {"parameters": UNKNOWN_TEXT, "family": "postgres17"})
    assert named[0].get("parameters") is UNKNOWN
    keyed = native(
        "rds:DbInstance",
        {"dbParameterGroupName": UNKNOWN_TEXT},
        property_dependencies={"dbParameterGroupName": ["urn:group"]},
    )
    assert keyed[0].property_dependencies == {"parameterGroupName": ("urn:group",)}
    replicated = native(
        "s3:Bucket",
        {"replicationConfiguration": {"role": UNKNOWN_TEXT}},
        property_dependencies={"replicationConfiguration": ["urn:role"]},
    )
    assert replicated[1].property_dependencies == {"role": ("urn:role",), "bucket": (parts[0].urn,)}


def test_one_fault_is_told_once() -> None:
    parts = native("s3:Bucket", {"publicAccessBlockConfiguration": {}, "bucketName": "b"})
    for repeats in (False, True):
        judge = Judge(good_stack.context(), repeats=repeats)
        found = [one for part in parts for one in judge.resource(part)]
        found += judge.joins(Stack(parts))
        told = [one.message for one in found if one.rule.id == "s3-public-access-blocked"]
        # Each of the four switches, and not the bucket once more for each.
        assert len(told) == 4


def test_what_cannot_be_translated_is_listed() -> None:
    role = [{"featureName": "s3Export", "roleArn": "r"}]
    (one,) = native("rds:DbInstance", {"associatedRoles": role, "dbSecurityGroups": []})
    reasons = [found.reason for found in not_covered([one])]
    assert reasons == [
        "has associatedRoles, which no rule reads",
        "cannot say whether its deletion leaves a snapshot: use the provider aws",
    ]
    (topic,) = native("sns:Topic", {"subscription": [{"endpoint": "a@b.c"}], "displayName": "x"})
    assert [found.reason for found in not_covered([topic])] == [
        "has subscription, which no rule reads"
    ]
    assert {found.type for found in not_covered([topic])} == {"aws-native:sns:Topic"}
    # What AWS tells of itself is no property.
    imported = {"topicArn": "arn:t", "topicName": "t", "id": "arn:t"}
    assert not_covered(native("sns:Topic", imported, imported)) == []
    (table,) = native("dynamodb:Table", {"tableName": "t"})
    assert table.type == "aws-native:dynamodb:Table"
    assert len(not_covered([table])) == 1


def test_states_say_what_aws_made_of_it() -> None:
    block = dict.fromkeys(
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
    )
    asked = {"bucketName": "b", "publicAccessBlockConfiguration": block}
    for outputs, refused in (
        (asked, False),
        ({**asked, "publicAccessBlockConfiguration": {**block, "blockPublicAcls": False}}, True),
        # Taken away by hand.
        ({"bucketName": "b", "arn": "arn:aws:s3:::b"}, True),
        ({}, False),
    ):
        parts = native("s3:Bucket", asked, outputs)
        judge = Judge(good_stack.context(phase=Phase.STATE), repeats=True)
        found = rules_of(evaluate_existing(parts, judge))
        assert ("s3-public-access-blocked" in found) == refused, outputs
    # AWS does not give a canned ACL back.
    parts = native("s3:Bucket", {"accessControl": "Private"}, {"bucketName": "b"})
    assert parts[1].outputs == {"bucket": "b"}
    (log,) = native("logs:LogGroup", {}, {"arn": "arn:aws:logs:eu-west-1:1:log-group:x:*"})
    assert log.outputs["arn"] == "arn:aws:logs:eu-west-1:1:log-group:x"
    (key,) = native("kms:Key", {}, {"arn": "arn:k", "keyId": "k", "id": "k"})
    assert key.outputs == {"arn": "arn:k", "keyId": "k", "id": "k"}


def test_secrets_that_cannot_be_read_stay_hidden() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    hidden = {**secret, "ciphertext": "v1:abc"}
    (one,) = native("rds:DbInstance", {"masterUserPassword": hidden})
    assert one.hidden == {"password"}
    assert one.get("password") is UNKNOWN
    parts = native("secretsmanager:Secret", {"secretString": hidden})
    assert parts[1].hidden == {"secretString"}
    assert parts[0].hidden == frozenset()


def test_other_resources_are_as_they_were() -> None:
    one = Resource.of(type="aws:sns/topic:Topic", name="t", properties={"name": "t"})
    assert expanded(one) == [one]
