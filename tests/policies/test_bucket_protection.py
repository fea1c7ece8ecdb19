"""Buckets of access logs: the only ones that may leave encryption to S3."""

from __future__ import annotations

from typing import Any

import pytest

from policies import bucket_protection
from policies.inventory import Resource
from tests.policies import good_stack
from tests.policies.good_stack import UNKNOWN_STRING, notes, resource, urn, violations

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
    found = violations(resource("encryption", rules=rules), logging(targetBucket="backups"))
    assert found[0][0] == KEY
