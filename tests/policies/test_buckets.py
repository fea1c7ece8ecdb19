"""S3 rules: split resources joined to their bucket by reference, bucket policies read as AWS does."""

from __future__ import annotations

from typing import Any

import pytest

from policies import buckets
from policies.inventory import Resource
from tests.policies import good_stack
from tests.policies.good_stack import (
    BLOCK,
    BUCKET,
    BUCKET_POLICY,
    TLS_STATEMENT,
    UNKNOWN_STRING,
    document,
    notes,
    resource,
    urn,
    verdicts,
    violations,
)


@pytest.fixture(autouse=True)
def _only_this_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other themes' rules would speak about the same resources."""
    monkeypatch.setattr(good_stack, "RULES", buckets.RULES)


FLAGS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"]
BLOCKED = "s3-public-access-blocked"
TLS = "s3-tls-only"


def tls(**changes: Any) -> Resource:
    return resource("tls", policy=document({**TLS_STATEMENT, **changes}))


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", [False, "false", None, 0, 1, "yes", []])
def test_each_flag_must_be_true(flag: str, value: object) -> None:
    assert violations(resource("block", **{flag: value})) == [(BLOCKED, "block")]


def test_a_bucket_without_a_block_is_refused() -> None:
    assert violations(without=("block",)) == [(BLOCKED, "backups")]


def test_a_block_of_another_bucket_does_not_count() -> None:
    other = Resource.of(
        type=BLOCK,
        name="block",
        urn=urn("block"),
        properties={"bucket": "another", **dict.fromkeys(FLAGS, True)},
    )
    assert violations(other) == [(BLOCKED, "backups")]


def test_joins_do_not_look_at_logical_names() -> None:
    block = Resource.of(
        type=BLOCK,
        name="backups",
        properties={"bucket": UNKNOWN_STRING, **dict.fromkeys(FLAGS, True)},
        property_dependencies={"bucket": [urn("backups")]},
    )
    named = resource("backups", bucket=UNKNOWN_STRING)
    policy = resource("tls", bucket=UNKNOWN_STRING, policy=UNKNOWN_STRING)
    assert violations(named, policy, block, without=("block",)) == []
    without_reference = Resource.of(
        type=BLOCK, name="backups", properties={"bucket": "b", **dict.fromkeys(FLAGS, True)}
    )
    unjoined = violations(resource("backups"), without_reference, without=("block",))
    assert unjoined == [(BLOCKED, "backups")]


def test_an_auto_named_bucket_of_a_first_preview_is_joined_by_dependency() -> None:
    bucket = resource("backups", bucket=None)
    block = resource("block", bucket=UNKNOWN_STRING)
    policy = resource("tls", bucket=UNKNOWN_STRING, policy=UNKNOWN_STRING)
    assert violations(bucket, block, policy) == []
    assert notes(bucket, block, policy) == [(TLS, "tls")]


def test_a_block_whose_bucket_is_unknown_and_from_nowhere_is_noted() -> None:
    block = Resource.of(
        type=BLOCK,
        name="block",
        urn=urn("block"),
        properties={"bucket": UNKNOWN_STRING, **dict.fromkeys(FLAGS, True)},
    )
    assert notes(block) == [(BLOCKED, "backups")]


def test_two_blocks_must_both_be_closed() -> None:
    second = Resource.of(type=BLOCK, name="second", properties={"bucket": "backups"})
    assert violations(second) == [(BLOCKED, "second")]


def test_a_bucket_without_a_policy_is_refused() -> None:
    assert violations(without=("tls",)) == [(TLS, "backups")]
    legacy = Resource.of(
        type=BUCKET,
        name="legacy",
        properties={"bucket": "backups", "policy": document(TLS_STATEMENT)},
    )
    assert violations(legacy, without=("backups", "tls")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*"]}},
        {"Action": ["s3:*"]},
        {"Action": "*"},
        {"Action": "S3:*"},
        {"Resource": ["arn:aws:s3:::backups*"]},
        {"Resource": "*"},
        {"Resource": ["arn:aws-us-gov:s3:::backups", "arn:aws-us-gov:s3:::backups/*"]},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
        {"Condition": {"Bool": {"aws:SecureTransport": ["false"]}}},
        {"Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}},
        {"Condition": {"bool": {"AWS:securetransport": "False"}}},
        {"Sid": "TlsOnly"},
        {"Effect": "DENY"},
    ],
    ids=str,
)
def test_every_right_spelling_is_accepted(changes: dict[str, Any]) -> None:
    assert verdicts(tls(**changes)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Allow", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Effect": None},
        {"Principal": {"AWS": "123456789012"}},
        {"Principal": {"Service": "*"}},
        {"Principal": None},
        {"Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "s3:GetObject"},
        {"Action": ["s3:Get*", "s3:Put*"]},
        {"Action": None, "NotAction": "s3:ListBucket"},
        {"Action": "ec2:*"},
        {"Resource": "arn:aws:s3:::backups"},
        {"Resource": "arn:aws:s3:::backups/*"},
        {"Resource": ["arn:aws:s3:::backups", "arn:aws:s3:::backups/logs/*"]},
        {"Resource": ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]},
        {"Resource": None, "NotResource": "arn:aws:s3:::other"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": []}}},
        {"Condition": {"StringEquals": {"aws:SecureTransport": "false"}}},
        {"Condition": {"Null": {"aws:SecureTransport": "true"}}},
        {
            "Condition": {
                "Bool": {"aws:SecureTransport": "false"},
                "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            }
        },
        {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"}}},
        {"Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        {"Condition": {"Bool": "aws:SecureTransport"}},
        {"Condition": None},
    ],
    ids=str,
)
def test_everything_that_leaves_a_gap_is_refused(changes: dict[str, Any]) -> None:
    assert violations(tls(**changes)) == [(TLS, "tls")]


def test_bucket_and_objects_may_be_denied_by_two_statements() -> None:
    first = {**TLS_STATEMENT, "Resource": "arn:aws:s3:::backups"}
    second = {**TLS_STATEMENT, "Resource": "arn:aws:s3:::backups/*"}
    assert violations(resource("tls", policy=document(first, second))) == []


def test_the_message_says_what_is_missing() -> None:
    (verdict,) = verdicts(tls(Resource="arn:aws:s3:::backups"))
    assert "does not deny requests without TLS on its objects" in verdict.message
    (verdict,) = verdicts(tls(Effect="Allow"))
    assert "statement 1 allows instead of denying" in verdict.message


@pytest.mark.parametrize(
    "policy", ["", "{", "[]", '"x"', '{"Statement": 5}', '{"Statement": [{"Efect": "Deny"}]}']
)
def test_strange_documents_are_refused(policy: str) -> None:
    assert violations(resource("tls", policy=policy)) == [(TLS, "tls")]


def test_a_key_that_stands_twice_is_refused() -> None:
    doubled = document(TLS_STATEMENT)[:-1] + ', "Statement": []}'
    (verdict,) = verdicts(resource("tls", policy=doubled))
    assert "a key stands twice" in verdict.message


def test_a_policy_with_a_character_set_is_no_wildcard() -> None:
    assert violations(tls(Resource=["arn:aws:s3:::[b]ackups*"])) == [(TLS, "tls")]


def test_a_policy_on_a_bucket_outside_the_stack_is_judged_by_itself() -> None:
    outside = Resource.of(
        type=BUCKET_POLICY, name="outside", properties={"bucket": "x", "policy": document()}
    )
    assert violations(outside) == [(TLS, "outside")]
