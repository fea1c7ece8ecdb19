"""Every value that a rule may read, replaced in turn: no rule crashes, and none lets it pass.

Covers unknown values at preview and at apply (as sentinel, as output, and through pulumi-policy's
own proxies), secrets, nulls and wrong types, at every place of the good stack.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Resource
from policies.rules import Phase
from tests.policies.good_stack import ALL, UNKNOWN_STRING, context, resource, stack, verdicts
from tests.policies.test_specs import ADVICE

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

# Properties whose absence or change no rule has to notice.
NOT_JUDGED = {"role", "functionName", "name", "identifier", "applyMethod"}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def replaced(properties: dict[str, Any], path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    changed = copy.deepcopy(properties)
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = new
    return changed


def decoded(properties: dict[str, Any]) -> dict[str, Any]:
    """With JSON texts as objects, so that their inside is spoilt too."""
    return {
        key: json.loads(value) if isinstance(value, str) and value.startswith("{") else value
        for key, value in properties.items()
    }


SPOTS = [
    pytest.param(name, path, id=f"{name}:{'.'.join(map(str, path))}")
    for name, (_, properties, _) in ALL.items()
    for path in places(decoded(properties))
]


def spoilt(name: str, path: tuple[Any, ...], new: Any) -> Resource:
    return resource(name, **replaced(decoded(ALL[name][1]), path, new))


@functools.cache
def noted(name: str, path: tuple[Any, ...]) -> list[Verdict]:
    """What is said at a preview in which this value is not known yet."""
    return verdicts(spoilt(name, path, UNKNOWN_STRING))


def test_the_good_stack_has_no_verdict() -> None:
    assert verdicts() == []
    assert verdicts(phase=Phase.APPLY) == []


def test_documents_may_be_objects() -> None:
    whole = [resource(name, **decoded(properties)) for name, (_, properties, _) in ALL.items()]
    assert verdicts(*whole) == []


@pytest.mark.parametrize(("name", "path"), SPOTS)
def test_unknown_is_never_a_violation_at_preview(name: str, path: tuple[Any, ...]) -> None:
    found = noted(name, path)
    assert [v.message for v in found if v.kind is not Kind.NOT_VERIFIED] == []


@pytest.mark.parametrize(("name", "path"), SPOTS)
def test_unknown_is_noted_at_preview_and_refused_at_apply(name: str, path: tuple[Any, ...]) -> None:
    found = noted(name, path)
    refused = verdicts(spoilt(name, path, UNKNOWN_STRING), phase=Phase.APPLY)
    assert {v.rule.id for v in found} == {v.rule.id for v in refused}
    assert all(v.blocks or v.rule.id in ADVICE for v in refused)
    assert all(name in v.message or v.urn for v in found)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("db", ("storageEncrypted",)),
        ("db", ("publiclyAccessible",)),
        ("db", ("backupRetentionPeriod",)),
        ("group", ("parameters",)),
        ("group", ("parameters", 0, "value")),
        ("group", ("parameters", 0, "name")),
        ("block", ("ignorePublicAcls",)),
        ("tls", ("policy",)),
        ("tls", ("policy", "Statement", 0, "Condition")),
        ("role", ("assumeRolePolicy",)),
        ("role", ("inlinePolicies", 0, "policy")),
        ("role", ("managedPolicyArns", 0)),
        ("permissions", ("policy", "Statement", 0, "Action", 0)),
        ("permissions", ("policy", "Statement", 0, "Resource", 0)),
        ("roles", ("input",)),
        ("roles", ("input", "manifest", "roles", 2, "member_of")),
    ],
)
def test_what_is_judged_is_noted(name: str, path: tuple[Any, ...]) -> None:
    assert [v for v in noted(name, path) if v.urn.endswith(name)]


@pytest.mark.parametrize(("name", "path"), SPOTS)
def test_outputs_and_proxies_of_unknowns_read_like_sentinels(
    name: str, path: tuple[Any, ...]
) -> None:
    assert verdicts(spoilt(name, path, {SIGNATURE: OUTPUT})) == noted(name, path)
    kind, properties, _ = ALL[name]
    raw = replaced(decoded(properties), path, UNKNOWN_STRING)
    proxy = unknown_checking_proxy(deserialize_properties(raw))
    direct = Resource.of(type=kind, name=name, properties=raw).properties
    assert Resource.of(type=kind, name=name, properties=proxy).properties == direct


@pytest.mark.parametrize(("name", "path"), SPOTS)
def test_secrets_are_read_through(name: str, path: tuple[Any, ...]) -> None:
    value: Any = decoded(ALL[name][1])
    for step in path:
        value = value[step]
    assert verdicts(spoilt(name, path, {SIGNATURE: SECRET, "value": value})) == []


WRONG: list[Any] = [
    None,
    -1,
    3.5,
    float("nan"),
    10**400,
    True,
    False,
    "",
    "nonsense",
    "{" * 5000,
    "[" * 100_000,
    [],
    [None],
    [[]],
    {},
    {"a": {"b": []}},
    "\x00\ud800",
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: repr(value)[:20])
def test_wrong_values_never_crash_a_rule(wrong: Any) -> None:
    for name, (_, properties, _) in ALL.items():
        for path in places(decoded(properties)):
            for verdict in verdicts(spoilt(name, path, wrong)):
                assert "the rule itself failed" not in verdict.message, (name, path)


@pytest.mark.parametrize("wrong", [-1, 3.5, "nonsense", {"a": 1}, [[]]], ids=repr)
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("db", ("storageEncrypted",)),
        ("db", ("publiclyAccessible",)),
        ("db", ("backupRetentionPeriod",)),
        ("db", ("parameterGroupName",)),
        ("group", ("parameters",)),
        ("group", ("parameters", 0)),
        ("group", ("parameters", 0, "value")),
        ("block", ("blockPublicAcls",)),
        ("block", ("bucket",)),
        ("tls", ("policy",)),
        ("tls", ("policy", "Statement")),
        ("tls", ("policy", "Statement", 0)),
        ("tls", ("bucket",)),
        ("role", ("assumeRolePolicy",)),
        ("role", ("inlinePolicies", 0, "policy")),
        ("permissions", ("policy",)),
        ("permissions", ("policy", "Statement", 0)),
        ("roles", ("input", "manifest", "roles", 2)),
        ("roles", ("input", "manifest", "roles", 2, "grants")),
        ("roles", ("input", "manifest", "roles", 2, "grants", 0)),
    ],
    ids=str,
)
def test_wrong_types_never_pass(name: str, path: tuple[Any, ...], wrong: Any) -> None:
    assert [v for v in verdicts(spoilt(name, path, wrong)) if v.blocks]


@pytest.mark.parametrize(("name", "path"), SPOTS)
def test_null_reads_like_missing(name: str, path: tuple[Any, ...]) -> None:
    changed = decoded(copy.deepcopy(ALL[name][1]))
    if not all(isinstance(step, str) for step in path):
        return  # A null in a list is an entry, not a missing one.
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    missing = Resource.of(type=ALL[name][0], name=name, properties=changed)
    null = replaced(decoded(ALL[name][1]), path, None)
    assert Resource.of(type=ALL[name][0], name=name, properties=null).properties == (
        missing.properties
    )


def test_ten_megabytes_of_document_are_refused_quickly() -> None:
    huge = json.dumps({"Statement": [{"Effect": "Deny", "Sid": "x" * 10_000_000}]})
    found = evaluate(stack(resource("tls", policy=huge)), context())
    assert any("characters" in v.message and len(v.message) < 1000 for v in found if v.blocks)
