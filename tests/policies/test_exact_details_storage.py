"""Outside demands on buckets by themselves: ACLs, access blocks, encryption."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from tests.policies.one_rule import UNKNOWN, broken, is_broken, made

POLICY, ROLE_POLICY = "aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"
INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
GROUP = "aws:rds/parameterGroup:ParameterGroup"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"


BUCKET, ACL = "aws:s3/bucket:Bucket", "aws:s3/bucketAcl:BucketAcl"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BLOCKED = "s3-public-access-blocked"


def test_flags_of_access_blocks() -> None:
    for control, name in (
        ("CKV_AWS_53", "blockPublicAcls"),
        ("CKV_AWS_54", "blockPublicPolicy"),
        ("CKV_AWS_55", "ignorePublicAcls"),
        ("CKV_AWS_56", "restrictPublicBuckets"),
    ):
        assert is_broken(BLOCKED, control, made(BLOCK))
        assert not is_broken(BLOCKED, control, made(BLOCK, **{name: True}))
        account = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
        assert not is_broken(BLOCKED, control, made(account))


def test_access_points() -> None:
    kind = "aws:s3/accessPoint:AccessPoint"
    off = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "restrictPublicBuckets"), False)
    for block, found in (
        (off, True),
        ({**off, "blockPublicAcls": True}, False),
        ({**off, "blockPublicAcls": None}, False),
        ({}, False),
        ("x", False),
        (None, False),
    ):
        point = made(kind, publicAccessBlockConfiguration=block)
        assert is_broken(BLOCKED, "CKV_AWS_392", point) == found


USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED_IN = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


def grants(uri: str, permission: str) -> dict[str, Any]:
    return {"grants": [{"grantee": {"uri": uri}, "permission": permission}]}


@pytest.mark.parametrize(
    ("fields", "controls"),
    [
        ({"acl": "private"}, ""),
        ({"acl": "public-read"}, "CKV_AWS_20 S3.2"),
        ({"acl": "public-read-write"}, "CKV_AWS_20 CKV_AWS_57 S3.2 S3.3"),
        ({"acl": "authenticated-read"}, "CKV_AWS_20 CKV2_AWS_43 S3.2"),
        ({"acl": "website"}, "CKV_AWS_20"),
        ({"acl": 5}, ""),
        ({"accessControlPolicy": grants(USERS, "READ")}, "CKV_AWS_20 S3.2"),
        ({"accessControlPolicy": grants(USERS, "WRITE")}, "CKV_AWS_57 S3.3"),
        ({"accessControlPolicy": grants(SIGNED_IN, "WRITE")}, "CKV2_AWS_43 S3.3"),
        ({"accessControlPolicy": grants("x", "READ")}, ""),
    ],
    ids=str,
)
def test_public_acls(fields: dict[str, Any], controls: str) -> None:
    acl, bucket = made(ACL, "acl", bucket="b", **fields), made(BUCKET, "bucket", bucket="b")
    for control in ("CKV_AWS_20", "CKV_AWS_57", "CKV2_AWS_43", "S3.2", "S3.3"):
        found = ["acl", "bucket"] if control in controls.split() else []
        assert broken("s3-no-public-acl", control, acl, bucket) == found, control
        assert broken("s3-no-public-acl", control, bucket) == []
    later = made(ACL, "acl", bucket=UNKNOWN, **fields)
    assert "bucket" not in broken("s3-no-public-acl", "S3.2", later, bucket)


def test_public_acls_over_plain_http() -> None:
    rule, control = "s3-public-acl-tls", "CKV_AWS_379"
    acl = made(ACL, "acl", bucket="b", acl="public-read")
    policy = "aws:s3/bucketPolicy:BucketPolicy"

    def spared(*beside: Resource) -> bool:
        return broken(rule, control, acl, *beside) == []

    def about(effect: str, value: str, key: str = "aws:SecureTransport") -> Resource:
        statement = {
            "Effect": effect,
            "Principal": "*",
            "Action": "s3:*",
            "Condition": {"Bool": {key: value}},
        }
        return made(policy, bucket="b", policy={"Statement": [statement]})

    assert not spared()
    for other in ({"acl": "public-read-write"}, {"accessControlPolicy": grants(USERS, "READ")}):
        assert is_broken(rule, control, made(ACL, **other))
    # Signed-in users of other accounts are another check's.
    for other in (
        {"acl": "authenticated-read"},
        {"accessControlPolicy": grants(SIGNED_IN, "READ")},
    ):
        assert not is_broken(rule, control, made(ACL, **other))
    website = "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration"
    assert spared(made(website, bucket="b"))
    assert not spared(made(website, bucket="c"))
    assert spared(made(BLOCK, bucket="b", restrictPublicBuckets=True))
    assert not spared(made(BLOCK, bucket="b", restrictPublicBuckets=False))
    assert not spared(made(BLOCK, bucket="b", restrictPublicBuckets="x"))
    assert spared(about("Deny", "false"))
    assert spared(about("Allow", "true"))
    assert not spared(about("Deny", "true"))
    assert not spared(about("Allow", "false"))
    assert not spared(about("Deny", "false", "aws:SourceIp"))
    assert not spared(made(policy, bucket="b", policy="{"))


def test_encryption_of_buckets() -> None:
    rule, kind = (
        "s3-customer-key",
        ("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"),
    )
    key = "serverSideEncryptionConfiguration"

    def default(algorithm: str) -> dict[str, Any]:
        return {"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm}}

    for algorithm, at_all, by_kms in (
        ("aws:kms", False, False),
        ("AES256", False, True),
        ("none", True, True),
    ):
        bucket = made(BUCKET, "bucket", bucket="b")
        apart = made(kind, "apart", bucket="b", rules=[default(algorithm)])
        inline = made(BUCKET, "bucket", **{key: {"rule": default(algorithm)}})
        for resources in ([bucket, apart], [inline]):
            assert is_broken(rule, "CKV_AWS_19", *resources) == at_all
            assert is_broken(rule, "CKV_AWS_145", *resources) == by_kms
    bare = made(BUCKET, "bucket")
    assert not is_broken(rule, "CKV_AWS_19", bare)
    assert is_broken(rule, "CKV_AWS_145", bare)
