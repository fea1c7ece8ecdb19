"""Buckets of access logs: the only ones that may leave encryption to S3."""

from __future__ import annotations

from typing import Any

import pytest

from policies import bucket_protection
from policies.evaluation import Judge
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies import good_stack
from tests.policies.good_stack import UNKNOWN_STRING, notes, resource, urn, violations
from tests.policies.one_rule import NOTE, REFUSAL, found, kinds, made

KEY = "s3-customer-key"
S3_ITSELF = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}


@pytest.fixture(autouse=True)
def _only_this_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other themes' rules would speak about the same resources."""
    monkeypatch.setattr(good_stack, "RULES", bucket_protection.RULES)


def logging(**properties: Any) -> Resource:
    name = "access-logs"
    return Resource.of(
        type=bucket_protection.LOGGING,
        name=name,
        urn=urn(name, bucket_protection.LOGGING),
        properties={"bucket": "other", "targetPrefix": "access/", **properties},
        property_dependencies={},
    )


def test_a_bucket_under_s3_s_own_key_is_refused() -> None:
    assert violations(resource("encryption", rules=[S3_ITSELF])) == [(KEY, "backups")]


def test_unless_it_receives_access_logs() -> None:
    encryption = resource("encryption", rules=[S3_ITSELF])
    assert violations(encryption, logging(targetBucket="backups")) == []
    assert violations(encryption, logging(targetBucket="another")) == [(KEY, "backups")]


def test_to_write_logs_is_not_to_receive_them() -> None:
    encryption = resource("encryption", rules=[S3_ITSELF])
    writes = logging(bucket="backups", targetBucket="another")
    assert violations(encryption, writes) == [(KEY, "backups")]


def test_an_unknown_target_is_named() -> None:
    encryption = resource("encryption", rules=[S3_ITSELF])
    unknown = logging(targetBucket=UNKNOWN_STRING)
    assert (KEY, "backups") in notes(encryption, unknown)
    assert violations(encryption, unknown) == []


@pytest.mark.parametrize("rules", [[], [S3_ITSELF, {}], [{**S3_ITSELF, "x": 1}]])
def test_a_bucket_of_logs_needs_some_encryption(rules: list[Any]) -> None:
    told = violations(resource("encryption", rules=rules), logging(targetBucket="backups"))
    assert told[0][0] == KEY


def test_whose_encryption_it_is() -> None:
    bucket = made("aws:s3/bucket:Bucket", "b", bucket="b")
    logs = made(bucket_protection.LOGGING, "l", bucket="c", targetBucket="b")

    def encryption(name: str, *rules: Any) -> Resource:
        return made(bucket_protection.ENCRYPTION, "e", bucket=name, rules=list(rules))

    by_default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn"}
    good = {"applyServerSideEncryptionByDefault": by_default}
    assert kinds(KEY, bucket, encryption("b", good)) == []
    # Only what is about the bucket counts, also for a bucket of logs.
    assert found(KEY, bucket, logs) == [(REFUSAL, "b")]
    assert found(KEY, bucket, logs, encryption("c", S3_ITSELF)) == [(REFUSAL, "b")]
    unknown = encryption(UNKNOWN_STRING, S3_ITSELF)
    assert found(KEY, bucket, logs, unknown) == [(NOTE, "b")]
    # A bad one is told of its bucket as well.
    rules = [one for one in bucket_protection.RULES if one.id == KEY]
    judge = Judge(Context(), rules=rules, repeats=True)
    told = judge.joins(Stack([bucket, logs, encryption("b", S3_ITSELF, {})]))
    assert {(one.kind, one.urn) for one in told} == {(REFUSAL, bucket.urn)}
    assert judge.joins(Stack([bucket, logs, encryption("b", S3_ITSELF)])) == []
