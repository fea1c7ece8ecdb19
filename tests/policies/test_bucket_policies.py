"""Bucket policies that deny plain HTTP: whose policy it is, what it leaves open, and why."""

from __future__ import annotations

from typing import Any

import pytest

from policies.buckets import RULES
from policies.evaluation import Judge, Kind, Verdict
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, verdicts

BUCKET, POLICY = "aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
TLS, BLOCKED = "s3-tls-only", "s3-public-access-blocked"
DENIAL: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy(bucket: Any = "b", **changes: Any) -> Resource:
    return made(POLICY, "p", bucket=bucket, policy={"Statement": [{**DENIAL, **changes}]})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"Action": ["s3:GetObject", 5, "s3:*"]}, []),
        ({"Action": [5]}, [REFUSAL]),
        ({"Action": UNKNOWN}, [NOTE]),
        ({"Resource": [5, *DENIAL["Resource"]]}, []),
        ({"Resource": UNKNOWN}, [NOTE]),
        ({"Principal": UNKNOWN}, [NOTE]),
        ({"Principal": {"AWS": ["a", "*"]}}, []),
        ({"Principal": {"Service": "*"}}, [REFUSAL]),
        ({"Principal": "*", "NotPrincipal": {"AWS": "a"}}, [REFUSAL]),
        ({"Condition": UNKNOWN}, [NOTE]),
        ({"Condition": {"Bool": {"aws:SecureTransport": UNKNOWN}}}, [NOTE]),
        ({"Condition": {"Bool": {"aws:SecureTransport": [5, False]}}}, []),
        ({"Condition": {"Bool": {"aws:SecureTransport": [5, "true"]}}}, [REFUSAL]),
        ({"Condition": "x"}, [REFUSAL]),
        ({"Condition": {}}, [REFUSAL]),
        ({"Condition": {"Bool": "x"}}, [REFUSAL]),
        ({"Condition": {"Bool": {}}}, [REFUSAL]),
        ({"Condition": {"Bool": {"aws:ViaAWSService": "false"}}}, [REFUSAL]),
        ({"Effect": "Allow", "Condition": UNKNOWN}, [REFUSAL]),
        ({"Effect": UNKNOWN}, [NOTE]),
    ],
    ids=str,
)
def test_plain_http_is_denied(changes: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds(TLS, policy(**changes)) == expected


def test_a_policy_for_a_bucket_that_is_not_known() -> None:
    assert kinds(TLS, policy(UNKNOWN)) == [NOTE]
    assert kinds(TLS, policy(UNKNOWN, Effect="Allow")) == [REFUSAL]
    assert kinds(TLS, policy(UNKNOWN, Resource="*")) == [NOTE]
    assert kinds(TLS, policy(5)) == [REFUSAL]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Effect": "Allow"}, "on the bucket and its objects; statement 1 allows instead of"),
        ({"Principal": {"AWS": "a"}}, "statement 1 does not deny everyone"),
        ({"Condition": {"Null": {"aws:SecureTransport": "true"}}}, "has the condition {'Null'"),
        ({"Action": "s3:GetObject"}, "names the actions ['s3:GetObject'] and the resources"),
        ({"Resource": DENIAL["Resource"][0]}, "without TLS on its objects; statement 1 names"),
        ({"Resource": DENIAL["Resource"][1]}, "without TLS on the bucket; statement 1 names"),
        ({"Condition": {"Bool": {"a": "false"}}}, "on the bucket and its objects; it must"),
    ],
    ids=str,
)
def test_the_near_miss_is_named(changes: dict[str, Any], words: str) -> None:
    (verdict,) = verdicts(TLS, policy(**changes))
    assert words in verdict.message


def test_a_bucket_has_a_policy_beside_it_or_its_own() -> None:
    bucket, document = made(BUCKET, "b", bucket="b"), {"Statement": DENIAL}
    assert found(TLS, bucket, policy()) == []
    assert found(TLS, bucket) == [(REFUSAL, "b")]
    assert found(TLS, bucket, policy("c")) == [(REFUSAL, "p"), (REFUSAL, "b")]
    assert found(TLS, bucket, policy(UNKNOWN)) == [(NOTE, "p"), (NOTE, "b")]
    for own, expected in ((document, []), ("", [REFUSAL]), (UNKNOWN, [REFUSAL]), ("{", [REFUSAL])):
        assert kinds(TLS, made(BUCKET, "b", bucket="b", policy=own)) == expected
    # The one beside it is the one that holds.
    assert kinds(TLS, made(BUCKET, "b", bucket="b", policy="{}"), policy()) == []


def beside(rule: str, *resources: Resource) -> list[Verdict]:
    """What is said of buckets for what stands beside them."""
    rules = [one for one in RULES if one.id == rule]
    return Judge(Context(), rules=rules, repeats=True).joins(Stack(resources))


def test_a_bucket_is_open_through_what_stands_beside_it() -> None:
    bucket = made(BUCKET, "b", bucket="b")
    for effect, kind, words in (
        ("Allow", REFUSAL, "is open through "),
        (UNKNOWN, NOTE, f'policy of {POLICY} "p"'),
    ):
        (verdict,) = beside(TLS, bucket, policy(Effect=effect))
        assert verdict.kind is kind
        assert verdict.urn == bucket.urn
        assert words in verdict.message
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls")
    for last, kind, words in (
        (False, REFUSAL, "is open through "),
        (UNKNOWN, NOTE, f'restrictPublicBuckets of {BLOCK} "k"'),
    ):
        whole = {**dict.fromkeys(flags, True), "restrictPublicBuckets": last}
        (verdict,) = beside(BLOCKED, bucket, made(BLOCK, "k", bucket="b", **whole))
        assert verdict.kind is kind
        assert words in verdict.message
