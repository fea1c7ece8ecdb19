"""Versions that a second factor guards, buckets of older states, and buckets that take logs."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from policies.older_buckets import OLDER_BUCKET, current_properties
from tests.policies.one_rule import NOTE, NOTED, REFUSAL, REFUSED, UNKNOWN, broken, kinds, made

BUCKET = "aws:s3/bucket:Bucket"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOGGING = "aws:s3/bucketLogging:BucketLogging"
MFA, LOGGED = "s3-mfa-delete", "s3-access-logged"


def bucket(name: str = "b", kind: str = BUCKET, **more: Any) -> Resource:
    return made(kind, name, bucket=name, **more)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Enabled", []), (True, []), ("true", []), (UNKNOWN, [NOTE])]
    + [("Disabled", [REFUSAL]), (False, [REFUSAL]), (None, [REFUSAL])],
)
def test_a_versioning_has_a_second_factor(value: Any, expected: list[Kind]) -> None:
    versioning = made(VERSIONING, "v", bucket="b", versioningConfiguration={"mfaDelete": value})
    assert kinds(MFA, versioning) == expected
    # Its bucket says nothing more.
    assert kinds(MFA, versioning, bucket()) == expected


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        (None, [REFUSAL]),
        ("x", [REFUSAL]),
        ({"enabled": True}, [REFUSAL]),
        ({"enabled": True, "mfaDelete": False}, [REFUSAL]),
        ({"enabled": True, "mfaDelete": "x"}, [REFUSAL]),
        ({"enabled": True, "mfaDelete": True}, []),
        ({"enabled": True, "mfaDelete": UNKNOWN}, [NOTE]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_a_bucket_has_it_inside(inline: Any, expected: list[Kind]) -> None:
    assert kinds(MFA, bucket(versioning=inline)) == expected


def test_a_versioning_of_a_bucket_that_is_not_known_yet() -> None:
    elsewhere = made(VERSIONING, "v", bucket=UNKNOWN, versioningConfiguration={"mfaDelete": True})
    assert kinds(MFA, bucket(), elsewhere) == NOTED


def test_security_hub_judges_no_bucket_with_a_lifecycle() -> None:
    """S3.20: a lifecycle and a second factor cannot be had together."""
    lifecycle = made(LIFECYCLE, "l", bucket="b", rules=[])
    versioning = made(VERSIONING, "v", bucket="b", versioningConfiguration={})
    assert broken(MFA, "S3.20", bucket(), versioning) == ["v"]
    assert broken(MFA, "S3.20", bucket(), versioning, lifecycle) == []
    assert broken(MFA, "S3.20", bucket()) == ["b"]
    assert broken(MFA, "S3.20", bucket(), lifecycle) == []
    assert broken(MFA, "S3.20", bucket(), bucket("a"), lifecycle) == ["a"]
    assert broken(MFA, "S3.20", bucket(lifecycleRules=[{"enabled": True}])) == []
    for none in ([], None, UNKNOWN):
        assert broken(MFA, "S3.20", bucket(lifecycleRules=none)) == ["b"]
    # Joined through the bucket that both are of, also before it has a name.
    made_later = made(BUCKET, "b")
    of_it = made(VERSIONING, "v", bucket=(made_later,), versioningConfiguration={})
    aged = made(LIFECYCLE, "l", bucket=(made_later,), rules=[])
    assert broken(MFA, "S3.20", made_later, of_it) == ["v"]
    assert broken(MFA, "S3.20", made_later, of_it, aged) == []
    # CIS asks for it all the same.
    assert kinds(MFA, bucket(), lifecycle) == REFUSED


def test_a_bucket_for_logs_needs_none_of_its_own() -> None:
    logs = bucket("logs")
    split = made(LOGGING, "l", bucket="b", targetBucket="logs")
    assert kinds(LOGGED, bucket(), logs, split) == []
    assert kinds(LOGGED, bucket(logging={"targetBucket": "logs"}), logs) == []
    assert kinds(LOGGED, bucket(logging={"targetBucket": "others"}), logs) == REFUSED


def test_logs_about_itself_make_no_bucket_for_logs() -> None:
    """It would be let off its lock, its copy and its events."""
    rule = "s3-object-lock"
    target = made(LOGGING, "l", bucket="b", targetBucket="b")
    assert kinds(rule, bucket(), target) == REFUSED
    assert kinds(rule, bucket(logging={"targetBucket": "b"})) == REFUSED
    another = made(LOGGING, "k", bucket="a", targetBucket="b")
    assert kinds(rule, bucket(), target, another) == []


@pytest.mark.parametrize(
    ("rule", "older", "expected"),
    [
        ("s3-versioned", {"versionings": [{"enabled": True}]}, []),
        ("s3-versioned", {"versionings": [{"enabled": False}]}, REFUSED),
        ("s3-versioned", {"versionings": []}, REFUSED),
        ("s3-versioned", {"versionings": [{"enabled": True}, {"enabled": False}]}, REFUSED),
        ("s3-versioned", {"versionings": {"enabled": True}}, []),
        (MFA, {"versionings": [{"mfaDelete": True}]}, []),
        (LOGGED, {"loggings": [{"targetBucket": "x"}]}, []),
        (LOGGED, {"loggings": []}, REFUSED),
        ("s3-lock-enabled", {"objectLockConfiguration": {"objectLockEnabled": "Enabled"}}, []),
        ("s3-lock-enabled", {"objectLockConfiguration": {}}, REFUSED),
    ],
    ids=str,
)
def test_buckets_of_the_provider_before(rule: str, older: Any, expected: list[Kind]) -> None:
    assert kinds(rule, bucket(kind=OLDER_BUCKET, **older)) == expected


def test_encryption_inside_a_bucket_of_the_provider_before() -> None:
    def encrypted(**by: Any) -> Resource:
        rules = [{"applyServerSideEncryptionByDefaults": [by], "bucketKeyEnabled": True}]
        return bucket(kind=OLDER_BUCKET, serverSideEncryptionConfigurations=[{"rules": rules}])

    key = "arn:aws:kms:eu-central-1:111122223333:key/1"
    rule = "s3-customer-key"
    assert kinds(rule, encrypted(sseAlgorithm="aws:kms", kmsMasterKeyId=key)) == []
    assert kinds(rule, encrypted(sseAlgorithm="AES256", kmsMasterKeyId=key)) == REFUSED


def test_what_is_one_and_what_is_many() -> None:
    older = {
        "bucket": "b",
        "objectLockConfiguration": {"rules": [{"defaultRetentions": [{"days": 1}]}]},
        "replicationConfigurations": [
            {"role": "r", "rules": [{"destinations": [{"bucket": "c"}]}, {"status": "Enabled"}]}
        ],
        "lifecycleRules": [{"expirations": [{"days": 1}]}, 5],
        "loggings": None,
        "tags": {"versionings": "mine"},
    }
    assert current_properties(OLDER_BUCKET, older) == {
        "bucket": "b",
        "objectLockConfiguration": {"rule": {"defaultRetention": {"days": 1}}},
        "replicationConfiguration": {
            "role": "r",
            "rules": [{"destination": {"bucket": "c"}}, {"status": "Enabled"}],
        },
        "lifecycleRules": [{"expiration": {"days": 1}}, 5],
        "logging": None,
        "tags": {"versioning": "mine"},
    }
    assert current_properties(BUCKET, older) == current_properties(OLDER_BUCKET, older)
    assert current_properties(VERSIONING, older) == older


def test_what_a_property_of_the_provider_before_was_made_of() -> None:
    resource = Resource.of(
        type=OLDER_BUCKET,
        name="b",
        properties={"loggings": UNKNOWN},
        property_dependencies={"loggings": ["urn:x"], "bucket": ["urn:y"]},
    )
    assert resource.property_dependencies == {"logging": ("urn:x",), "bucket": ("urn:y",)}
