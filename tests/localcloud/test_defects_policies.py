"""Policy evaluation: what allows, what denies, and conditions in every shape."""

import json

import pytest

from localcloud.permissions.buckets import action
from localcloud.permissions.conditions import holds
from localcloud.permissions.policies import Decision, Principal, Request, evaluate

ROLE = "arn:aws:iam::123456789012:role/backup"


def decide(statement: dict, request: Request, **options) -> Decision:
    return evaluate([json.dumps({"Statement": [statement]})], request, **options)


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": "false"}, True),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, {"s3:tlsversion": "1.3"}, False),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, {"s3:tlsversion": "1.1"}, True),
        ({"StringEquals": {"a": ["x", "y"]}}, {"a": "y"}, True),
        ({"StringNotEquals": {"a": "x"}}, {}, True),
        ({"StringNotEqualsIfExists": {"a": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"a": "x"}}, {"a": "y"}, False),
        ({"Null": {"a": "true"}, "StringEquals": {"b": "1"}}, {"b": "1"}, True),
        ({"Null": {"a": "false"}, "StringNotEquals": {"a": "x"}}, {}, False),
        ({"ArnLike": {"a": "arn:aws:logs:*:1:*"}}, {"a": "arn:aws:logs:eu-west-1:1:g"}, True),
        ({"StringLike": {"a": "data/${aws:userid}/*"}}, {"a": "data/u/1", "aws:userid": "u"}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.1.2.3"}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": "10.1.2.3"}, False),
        ({"DateLessThan": {"a": "2030-01-01T00:00:00Z"}}, {"a": "2029-12-31T23:00:00Z"}, True),
        ({"ForAllValues:StringEquals": {"a": ["x", "y"]}}, {"a": ["x", "z"]}, False),
        ({"ForAllValues:StringEquals": {"a": ["x"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"a": ["x"]}}, {"a": ["z", "x"]}, True),
    ],
)
def test_conditions(condition, context, expected):
    assert holds(condition, context) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l", Decision.ALLOW),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/k", Decision.NEUTRAL),
        ("arn:aws:s3:::b[1]", "arn:aws:s3:::b1", Decision.NEUTRAL),
        ("arn:aws:s3:::?/k", "arn:aws:s3:::b/k", Decision.ALLOW),
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/k", Decision.NEUTRAL),
    ],
)
def test_resources_match_with_wildcards_and_case(pattern, resource, expected):
    statement = {"Effect": "Allow", "Action": "S3:get*", "Resource": pattern}
    assert decide(statement, Request("s3:GetObject", resource)) is expected


def test_deny_beats_allow_whatever_the_order():
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}
    for statements in ([allow, deny], [deny, allow]):
        document = json.dumps({"Statement": statements})
        assert evaluate([document], Request("s3:PutObject", "x")) is Decision.DENY
        assert evaluate([document], Request("s3:GetObject", "x")) is Decision.ALLOW


def test_principals():
    principal = Principal("123456789012", (ROLE, "arn:aws:sts::123456789012:assumed-role/backup/s"))
    request = Request("kms:Decrypt", "*", principal)
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    assert decide(statement | {"Principal": root}, request) is Decision.NEUTRAL
    assert decide(statement | {"Principal": root}, request, delegated=True) is Decision.ALLOW
    assert decide(statement | {"Principal": {"AWS": [ROLE]}}, request) is Decision.ALLOW
    assert decide(statement | {"Principal": "*"}, request) is Decision.ALLOW
    assert decide(statement | {"Principal": {"Service": "logs"}}, request) is Decision.NEUTRAL
    deny = statement | {"Effect": "Deny", "Principal": root}
    assert decide(deny, request) is Decision.DENY


def test_unknown_operator_is_never_ignored():
    with pytest.raises(ValueError, match="StringMaybe"):
        holds({"StringMaybe": {"a": "b"}}, {"a": "b"})


@pytest.mark.parametrize(
    ("method", "query", "has_key", "expected"),
    [
        ("GET", {}, False, "s3:ListBucket"),
        ("GET", {"versions": ""}, False, "s3:ListBucketVersions"),
        ("PUT", {"encryption": ""}, False, "s3:PutEncryptionConfiguration"),
        ("DELETE", {"lifecycle": ""}, False, "s3:PutLifecycleConfiguration"),
        ("DELETE", {"policy": ""}, False, "s3:DeleteBucketPolicy"),
        ("HEAD", {}, True, "s3:GetObject"),
        ("GET", {"versionId": "1"}, True, "s3:GetObjectVersion"),
        ("GET", {"retention": ""}, True, "s3:GetObjectRetention"),
        ("PUT", {"partNumber": "1", "uploadId": "u"}, True, "s3:PutObject"),
        ("POST", {"uploads": ""}, True, "s3:PutObject"),
        ("DELETE", {"uploadId": "u"}, True, "s3:AbortMultipartUpload"),
        ("DELETE", {"versionId": "1"}, True, "s3:DeleteObjectVersion"),
    ],
)
def test_s3_actions(method, query, has_key, expected):
    assert action(method, query, has_key) == expected
