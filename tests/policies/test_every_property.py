"""Every rule, every type that it judges, every property that it reads: odd values never pass.

Nothing here is listed by hand: each rule is run once over a recorder that notes which properties
it reads, and each of these is then replaced by every kind of odd value. If any value of a property
makes a rule complain, an unknown or unreadable one must make it complain, or note it. A new rule is
driven as soon as it stands in the catalogue; one whose type has no example here fails the test.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.catalogue import RULES
from policies.connections import _PLACES as PLACES
from policies.evaluation import Judge, Kind, Verdict
from policies.inventory import Resource, Stack
from policies.rules import Context, Phase, Rule
from tests.policies import good_scenes, good_stack

UNKNOWN = good_stack.UNKNOWN_STRING
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
TODAY = datetime.date(2026, 1, 1)
CASES = Path(__file__).parent / "cases"
ANYBODY = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
ODD: tuple[Any, ...] = (
    *(None, False, True, 0, -1, float("nan"), 10**400),
    *("", "nonsense", "*", "0.0.0.0/0", "\x00\ud800", "[" * 5000),
    *([], [None], [[]], ["*"], {}, {"a": {"b": []}}, [{"a": 1}]),
    json.dumps({"Statement": ANYBODY}),
    {"Statement": ANYBODY},
    '{"a": 1, "a": 2}',
    "postgresql://app:hunter2hunter2@db.internal/app?sslmode=disable",
)
UNREADABLE: tuple[Any, ...] = (
    UNKNOWN,
    {SIGNATURE: OUTPUT},
    {SIGNATURE: SECRET, "ciphertext": "AAAA"},
    {SIGNATURE: SECRET, "value": UNKNOWN},
)
HUGE = json.dumps({"Statement": [{"Effect": "Deny", "Sid": "x" * 10_000_000}]})

# Where an unknown value is no gap: it is there, whatever it is, and that is all that the rule asks.
# Each is judged again with its real value at apply.
IS_SET = {
    "replicateSourceDb": "what has a source is a replica, and is judged beside it",
    "referencedSecurityGroupId": "a rule with a group as its source lets no network in",
    "instance": "an address with a host is used",
}
# At a preview AWS's side of the property is unknown too, so that it tells nothing of the program.
COMPUTED = {
    "acl": "a bucket's ACL stands in a BucketAcl",
    "objectLockConfiguration": "a bucket's lock stands in a BucketObjectLockConfiguration",
    "policy": "a key without a policy has AWS's own",
}
# By these a resource is found from another one: the recorded dependency finds it all the same.
IDENTITIES = frozenset({"name", "identifier", "bucket", "clusterIdentifier", "arn", "id"})
COMPUTED_IN = frozenset(
    {"s3-no-public-acl", "s3-lock-enabled", "s3-object-lock", "kms-policy-given"}
)
# These refuse whatever is there, or judge an option, or need more resources than one example.
WITHOUT_PROPERTIES = frozenset(
    {
        *("net-no-default-vpc", "iam-no-users", "iam-no-console-users", "rds-stateful-protected"),
        *("net-endpoints-exist",),
    }
)


# Types of which no labelled case and no good stack has one.
EXAMPLES: dict[str, dict[str, Any]] = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {"policyArn": "arn:aws:iam::1:policy/a"},
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": {
        "policyArns": ["arn:aws:iam::1:policy/a"]
    },
    "aws:iam/accessKey:AccessKey": {"user": "ann"},
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": {"ingress": []},
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": {
        "family": "aurora-postgresql16",
        "parameters": good_stack.GOOD["group"][1]["parameters"],
    },
    "aws:rds/clusterSnapshot:ClusterSnapshot": {"dbClusterIdentifier": "a"},
    "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy": {
        "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/a"
    },
    "aws:s3/bucketV2:BucketV2": {"bucket": "older", "forceDestroy": False},
    "aws:kms/keyPolicy:KeyPolicy": {"keyId": "a", "policy": '{"Statement": []}'},
    "aws:kms/replicaKey:ReplicaKey": {
        "enabled": True,
        "deletionWindowInDays": 30,
        "policy": good_scenes.KEPT["key"][1]["policy"],
    },
}


class Recorder(dict[str, object]):
    """Properties that note which of them are read; `*` when all are."""

    def __init__(self, properties: dict[str, object], read: set[str]) -> None:
        super().__init__(properties)
        self._read = read

    def get(self, key: str, default: object = None) -> Any:
        self._read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> object:
        self._read.add(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self._read.update(super().keys())
        return super().__iter__()

    def keys(self) -> Any:
        self._read.update(super().keys())
        return super().keys()

    def items(self) -> Any:
        self._read.update(super().keys())
        return super().items()


def corpus() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Type -> (name in the good stack or "", properties): an example of every type."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, (kind, properties, _) in good_stack.ALL.items():
        found.setdefault(kind, []).append((name, properties))
    more: list[tuple[str, dict[str, Any]]] = []
    for line in (CASES / "cases.jsonl").read_text().splitlines():
        more += [(item["type"], item["props"]) for item in json.loads(line)["resources"]]
    for line in (CASES / "demands.jsonl").read_text().splitlines():
        case = json.loads(line)
        more += [(case["type"], case["properties"]), *map(tuple, case["others"])]
    for kind, properties in more:
        if len(found.setdefault(kind, [])) < 2 and properties:
            found[kind].append(("", properties))
    # A connection may stand in many types; any text is an example of them.
    texts = {kind: dict.fromkeys(names, "psql") for kind, names in PLACES.items()}
    for kind, properties in {**texts, **EXAMPLES}.items():
        found.setdefault(kind, [("", properties)])
    return found


CORPUS = corpus()


def made(
    kind: str, name: str, properties: dict[str, Any], read: set[str] | None = None
) -> Resource:
    if name:
        whole = good_stack.resource(name)
        raw = Resource.of(type=kind, name=name, urn=whole.urn, properties=properties)
        one = replace(whole, properties=raw.properties, hidden=raw.hidden)
    else:
        one = Resource.of(type=kind, name="other", properties=properties, protect=True)
    if read is not None:
        one = replace(one, properties=Recorder(dict(one.properties), read))
    return one


def judged(rule: Rule, resource: Resource, phase: Phase = Phase.PREVIEW) -> list[Verdict]:
    """What one rule says of a resource by itself, and of its scene if it judges stacks."""
    judge = Judge(Context(phase=phase, today=TODAY), rules=[rule], repeats=True)
    verdicts = judge.resource(resource) if resource.type in rule.types else []
    if rule.check_stack is not None:
        stack = good_stack.stack(resource) if resource.name in good_stack.ALL else Stack([resource])
        verdicts += judge.joins(stack)
    return verdicts


def examples(rule: Rule) -> Iterator[tuple[str, str, dict[str, Any], set[str]]]:
    """Each example that the rule looks at, with the properties that it reads of it."""
    for kind in dict.fromkeys((*rule.types, *rule.joined_types)):
        for name, properties in CORPUS.get(kind, []):
            read: set[str] = set()
            judged(rule, made(kind, name, properties, read))
            yield kind, name, properties, read


def spoilt(properties: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return {**properties, key: value}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_odd_values_of_every_property(rule: Rule) -> None:
    looked_at = 0
    for kind, name, properties, read in examples(rule):
        before = complaints(judged(rule, made(kind, name, properties)))
        for key in sorted(read):
            looked_at += 1
            matters = False
            for value in ODD:
                verdicts = judged(rule, made(kind, name, spoilt(properties, key, value)))
                not_crashed(rule, verdicts, kind, key, value)
                matters |= bool(complaints(verdicts) - before)
            left_out = {name_: item for name_, item in properties.items() if name_ != key}
            verdicts = judged(rule, made(kind, name, left_out))
            null = judged(rule, made(kind, name, spoilt(properties, key, None)))
            assert complaints(verdicts) == complaints(null), (kind, key, "null reads like missing")
            for value in UNREADABLE:
                verdicts = judged(rule, made(kind, name, spoilt(properties, key, value)))
                not_crashed(rule, verdicts, kind, key, value)
                if matters and not is_no_gap(rule, name, key):
                    assert verdicts, (kind, key, value, "passes although it cannot be read")
    assert bool(looked_at) != (rule.id in WITHOUT_PROPERTIES), f"{rule.id} reads {looked_at}"


def is_no_gap(rule: Rule, name: str, key: str) -> bool:
    """Whether nothing has to be said of an unknown value."""
    joined = bool(name) and key in good_stack.ALL[name][2]
    return (
        joined or key in IDENTITIES or key in IS_SET or (key in COMPUTED and rule.id in COMPUTED_IN)
    )


def complaints(verdicts: list[Verdict]) -> set[tuple[str, str]]:
    return {(one.urn, one.rule.id) for one in verdicts if one.kind is Kind.VIOLATION}


def not_crashed(rule: Rule, verdicts: list[Verdict], kind: str, key: str, value: Any) -> None:
    for verdict in verdicts:
        assert "the rule itself failed" not in verdict.message, (
            rule.id,
            kind,
            key,
            repr(value)[:60],
            verdict.message,
        )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_ten_megabytes_in_every_property(rule: Rule) -> None:
    for kind, name, properties, read in examples(rule):
        for key in sorted(read):
            verdicts = judged(rule, made(kind, name, spoilt(properties, key, HUGE)))
            not_crashed(rule, verdicts, kind, key, "10 MB")
            assert all(len(one.message) < 2_000 for one in verdicts), (kind, key)
        break


def test_every_type_of_every_rule_has_an_example() -> None:
    judged_types = {kind for rule in RULES for kind in rule.types}
    with_examples = {
        kind for kind, listed in CORPUS.items() if any(properties for _name, properties in listed)
    }
    assert sorted(judged_types - with_examples) == []
