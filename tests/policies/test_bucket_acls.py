"""ACLs, lifecycles and access points of buckets: what opens, what is a rule for every object."""

from __future__ import annotations

from typing import Any

import pytest

from policies.bucket_protection import RULES
from policies.evaluation import Judge, Kind
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, kinds, made

BUCKET, ACL = "aws:s3/bucket:Bucket", "aws:s3/bucketAcl:BucketAcl"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
POLICY, POINT = "aws:s3/bucketPolicy:BucketPolicy", "aws:s3/accessPoint:AccessPoint"
PUBLIC, OVER_TLS = "s3-no-public-acl", "s3-public-acl-tls"
BLOCKED = "s3-public-access-blocked"


def grant(group: str, permission: Any = "READ") -> dict[str, Any]:
    uri = f"http://acs.amazonaws.com/groups/{group}"
    return {"grantee": {"type": "Group", "uri": uri}, "permission": permission}


ALL, AUTHENTICATED = grant("global/AllUsers"), grant("global/AuthenticatedUsers")
LOGS = grant("s3/LogDelivery", "WRITE")


@pytest.mark.parametrize(
    ("acl", "in_an_acl", "in_a_bucket"),
    [
        (None, [], []),
        ("private", [], []),
        ("public-read", [REFUSAL], [REFUSAL]),
        ("authenticated-read", [REFUSAL], [REFUSAL]),
        ("website", [REFUSAL], [REFUSAL]),
        (5, [REFUSAL], [REFUSAL]),
        # A bucket's own is an output too.
        (UNKNOWN, [NOTE], []),
    ],
)
def test_no_canned_acl_is_public(acl: Any, in_an_acl: list[Kind], in_a_bucket: list[Kind]) -> None:
    assert kinds(PUBLIC, made(ACL, "a", bucket="b", acl=acl)) == in_an_acl
    assert kinds(PUBLIC, made(BUCKET, "b", bucket="b", acl=acl)) == in_a_bucket


@pytest.mark.parametrize(
    ("grants", "in_an_acl", "in_a_bucket"),
    [
        ([], [], []),
        ([LOGS], [], []),
        ([LOGS, ALL], [REFUSAL], [REFUSAL]),
        (AUTHENTICATED, [REFUSAL], [REFUSAL]),
        ([UNKNOWN, ALL], [NOTE, REFUSAL], [REFUSAL]),
        ([grant("s3/LogDelivery", UNKNOWN)], [NOTE], []),
        (UNKNOWN, [NOTE], []),
        (5, [REFUSAL], []),
        (["x"], [REFUSAL], []),
    ],
    ids=str,
)
def test_no_grant_is_for_everybody(
    grants: Any, in_an_acl: list[Kind], in_a_bucket: list[Kind]
) -> None:
    policy = {"grants": grants}
    assert kinds(PUBLIC, made(ACL, "a", bucket="b", accessControlPolicy=policy)) == in_an_acl
    assert kinds(PUBLIC, made(ACL, "a", bucket="b", accessControlPolicy="x")) == [REFUSAL]
    assert kinds(PUBLIC, made(BUCKET, "b", bucket="b", grants=grants)) == in_a_bucket


def test_an_acl_that_is_not_known_is_noted() -> None:
    assert kinds(PUBLIC, made(ACL, "a", accessControlPolicy=UNKNOWN)) == [NOTE]
    assert kinds(PUBLIC, made(ACL, "a", accessControlPolicy="x")) == [REFUSAL]


def beside(*resources: Resource) -> list[tuple[Kind, str]]:
    """What is said of buckets for what stands beside them."""
    rules = [rule for rule in RULES if rule.id == PUBLIC]
    found = Judge(Context(), rules=rules, repeats=True).joins(Stack(resources))
    return [(one.kind, one.urn.rpartition("::")[2]) for one in found]


def test_a_bucket_is_open_through_its_acl() -> None:
    bucket = made(BUCKET, "b", bucket="b")
    assert beside(bucket, made(ACL, "a", bucket="b", acl="public-read")) == [(REFUSAL, "b")]
    for harmless in (
        made(ACL, "a", bucket="b", acl="private"),
        made(ACL, "a", bucket="b", acl=UNKNOWN),
        made(ACL, "a", bucket="c", acl="public-read"),
        made(ACL, "a", bucket=UNKNOWN, acl="public-read"),
    ):
        assert beside(bucket, harmless) == []


TLS = {
    "Statement": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"acl": "private"}, []),
        ({"acl": 5}, []),
        ({"acl": "public-read"}, [REFUSAL]),
        ({"accessControlPolicy": {"grants": [ALL]}}, [REFUSAL]),
        ({"acl": "private", "accessControlPolicy": {"grants": [LOGS, ALL]}}, [REFUSAL]),
        ({"accessControlPolicy": {"grants": [AUTHENTICATED]}}, []),
    ],
    ids=str,
)
def test_what_is_public_is_read_over_tls(properties: dict[str, Any], expected: list[Kind]) -> None:
    acl = made(ACL, "a", bucket="b", **properties)
    assert kinds(OVER_TLS, acl) == expected
    assert kinds(OVER_TLS, acl, made(POLICY, "p", bucket="b", policy=TLS)) == []
    assert kinds(OVER_TLS, acl, made(BLOCK, "k", bucket="b", ignorePublicAcls=True)) == []
    assert kinds(OVER_TLS, acl, made(BLOCK, "k", bucket="b", blockPublicAcls=True)) == []
    for nothing in (
        made(POLICY, "p", bucket="c", policy=TLS),
        made(POLICY, "p", bucket="b", policy="{}", ignorePublicAcls=True),
        made(BLOCK, "k", bucket="b", restrictPublicBuckets=True, ignorePublicAcls=False),
        made(BLOCK, "k", bucket="b", policy=TLS),
        made(BLOCK, "k", bucket="c", ignorePublicAcls=True),
    ):
        assert kinds(OVER_TLS, acl, nothing) == expected


def aborting(days: Any = 1, **more: Any) -> dict[str, Any]:
    abort = {"daysAfterInitiation": days}
    return {"status": "Enabled", "abortIncompleteMultipartUpload": abort, **more}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([aborting()], []),
        ([aborting(prefix="", filter={"prefix": ""})], []),
        ([aborting(filter={})], []),
        ([{"status": "Enabled"}, aborting()], []),
        (["x", aborting()], []),
        ([UNKNOWN, aborting()], []),
        ([aborting(0)], [REFUSAL]),
        ([aborting("soon")], [REFUSAL]),
        ([aborting(status="Disabled")], [REFUSAL]),
        ([aborting(prefix="logs/")], [REFUSAL]),
        ([aborting(filter={"prefix": "logs/"})], [REFUSAL]),
        ([{"status": "Enabled", "abortIncompleteMultipartUpload": "x"}], [REFUSAL]),
        (["x"], [REFUSAL]),
        ("x", [REFUSAL]),
        ([], [REFUSAL]),
        ([UNKNOWN], [NOTE]),
        ([aborting(UNKNOWN)], [NOTE]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_uploads_are_aborted_for_every_object(rules: Any, expected: list[Kind]) -> None:
    assert kinds("s3-aborts-uploads", made(LIFECYCLE, "l", rules=rules)) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [([{}], []), ([], [REFUSAL]), (None, [REFUSAL]), ("x", [REFUSAL]), (UNKNOWN, [NOTE])],
)
def test_a_lifecycle_has_rules(rules: Any, expected: list[Kind]) -> None:
    assert kinds("s3-lifecycle", made(LIFECYCLE, "l", rules=rules)) == expected


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (None, []),
        ({}, []),
        ({"blockPublicAcls": True}, []),
        ({"blockPublicAcls": False}, [REFUSAL]),
        ({"blockPublicAcls": "x"}, [REFUSAL]),
        ({"blockPublicAcls": UNKNOWN}, [NOTE]),
        ("x", [REFUSAL]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_access_points_block_unless_they_say_otherwise(
    configuration: Any, expected: list[Kind]
) -> None:
    point = made(POINT, "p", publicAccessBlockConfiguration=configuration)
    assert kinds(BLOCKED, point) == expected


def test_an_account_s_block_says_every_flag() -> None:
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    kind = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
    assert kinds(BLOCKED, made(kind, "a", **dict.fromkeys(flags, True))) == []
    assert kinds(BLOCKED, made(kind, "a", **dict.fromkeys(flags[1:], True))) == [REFUSAL]
