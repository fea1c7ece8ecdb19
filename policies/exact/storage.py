"""Outside demands on buckets, log groups, topics and queues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

from ..bucket_protection import ACL, ENCRYPTION, grants
from ..bucket_versions import without_lifecycle
from ..buckets import BUCKET_POLICY, BUCKETS, PUBLIC_ACCESS_BLOCK
from ..documents import Statement
from ..inventory import Resource, Stack
from ..joins import beside
from ..requirements import each, flag, given, number, on_resource, one_of
from ..resource_policies import statements
from ..rules import Context, Outcome, ResourceCheck, StackCheck, Violation
from ..values import boolean, one_or_many, text

_BY_KMS: Final = ("aws:kms", "aws:kms:dsse")
_INLINE: Final = "serverSideEncryptionConfiguration"
_ALGORITHM: Final = "applyServerSideEncryptionByDefault.sseAlgorithm"
WEBSITE: Final = "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration"
_TRANSPORT: Final = re.compile("securetransport", re.IGNORECASE)
_ALL_USERS: Final = "/AllUsers"
_PUBLIC_ACLS: Final = ("public-read", "public-read-write")
_SIGNED_IN: Final = "/AuthenticatedUsers"


def encrypted_by(*algorithms: str) -> StackCheck:
    """Every bucket has an encryption configuration with one of `algorithms`, under any key."""
    split = on_resource(each("rules", one_of(_ALGORITHM, algorithms), at_least=1))
    inline = on_resource(one_of(f"{_INLINE}.rule.{_ALGORITHM}", algorithms))
    return beside(BUCKETS, ENCRYPTION, "bucket", split, limit="use KMS", inline=(_INLINE, inline))


def _encrypted_at_all(stack: Stack, context: Context) -> Iterator[Outcome]:
    """S3 encrypts what nothing else encrypts, since January 2023: only what is named counts."""
    for outcome in encrypted_by("AES256", *_BY_KMS)(stack, context):
        if outcome.cause is not None or outcome.resource.get(_INLINE) is not None:
            yield outcome


def _access_block(flag_name: str) -> ResourceCheck:
    one_flag = on_resource(flag(flag_name, True, default=False))

    def check(resource: Resource, context: Context) -> Iterator[Outcome]:
        if resource.type == PUBLIC_ACCESS_BLOCK:
            yield from one_flag(resource, context)

    return check


def _access_point_open(point: Resource, _context: Context) -> Iterator[Outcome]:
    """Three flags that are plainly false."""
    block = point.get("publicAccessBlockConfiguration")
    fields = cast("dict[str, object]", block) if isinstance(block, dict) else {}
    names = ("blockPublicAcls", "blockPublicPolicy", "restrictPublicBuckets")
    if all(boolean(fields.get(name), default=True) is False for name in names):
        yield Violation(point, "is public", "not be public")


def _public_over_plain_http(stack: Stack, _context: Context) -> Iterator[Outcome]:
    """CKV_AWS_379 spares websites, restricted buckets, and any statement about the transport."""
    for acl in stack.of_type(ACL):
        if acl.get("acl") not in _PUBLIC_ACLS and _ALL_USERS not in str(grants(acl)):
            continue  # Signed-in users of other accounts are another check's.
        beside = [
            one
            for kind in (WEBSITE, PUBLIC_ACCESS_BLOCK, BUCKET_POLICY)
            for one in stack.of_type(kind)
            if one.get("bucket") == acl.get("bucket")
        ]
        if not any(
            one.type == WEBSITE
            or boolean(one.get("restrictPublicBuckets"), default=False) is True
            or _speaks_of_transport(one)
            for one in beside
        ):
            yield Violation(acl, "is public", "not be public")


def _speaks_of_transport(policy: Resource) -> bool:
    return any(
        isinstance(one, Statement)
        and _TRANSPORT.search(str(one.condition)) is not None
        and ("false" in str(one.condition).lower()) is one.denies
        for one in statements(policy, "policy", "")
    )


def _acl(
    canned: Callable[[str], bool], grantees: tuple[str, ...], permissions: tuple[str, ...]
) -> StackCheck:
    """No canned ACL that `canned` finds, and no grant of `permissions` to `grantees`."""

    def is_public(acl: Resource) -> bool:
        name = text(acl.get("acl"))
        return (isinstance(name, str) and canned(name)) or any(
            any(one in str(grant) for one in grantees)
            and any(one in str(grant) for one in permissions)
            for grant in one_or_many(grants(acl))
        )

    def judge(stack: Stack, _context: Context) -> Iterator[Outcome]:
        limit = "not be public"
        for acl in stack.of_type(ACL):
            if is_public(acl):
                yield Violation(acl, "is public", limit)
        for bucket in stack.of_type(*BUCKETS):
            acls = stack.referring(bucket, [ACL], "bucket", ("bucket", "id"))
            if any(is_public(one) for one in (bucket, *(acls if isinstance(acls, list) else ()))):
                yield Violation(bucket, "is public", limit)

    return judge


def _queue_encrypted(*, unless_said: bool) -> ResourceCheck:
    """A queue is under any key, AWS's own too; `unless_said`: so it is where nothing is said.

    SQS encrypts under its own key unless told not to (SetQueueAttributes), as Security Hub sees.
    """

    def check(queue: Resource, context: Context) -> Iterator[Outcome]:
        if boolean(queue.get("sqsManagedSseEnabled"), default=unless_said) is not True:
            yield from on_resource(given("kmsMasterKeyId"))(queue, context)

    return check


def _open_without_condition(policy: Resource, _context: Context) -> Iterator[Outcome]:
    """CKV_AWS_387 is content with any condition."""
    for one in statements(policy, "policy", ""):
        everybody = isinstance(one, Statement) and ("AWS", "*") in one.principals
        if isinstance(one, Statement) and everybody and one.allows and one.condition is None:
            yield Violation(policy, "is public", "not be public")


_READ: Final = ("READ", "FULL_CONTROL")
_WRITE: Final = ("WRITE", "FULL_CONTROL")

RESOURCES: Final[Mapping[str, Mapping[str, ResourceCheck]]] = {
    "s3-public-access-blocked": {
        "CKV_AWS_53": _access_block("blockPublicAcls"),
        "CKV_AWS_54": _access_block("blockPublicPolicy"),
        "CKV_AWS_55": _access_block("ignorePublicAcls"),
        "CKV_AWS_56": _access_block("restrictPublicBuckets"),
        "CKV_AWS_392": _access_point_open,
    },
    # Any retention at all.
    "logs-retention": {"CKV_AWS_66": on_resource(number("retentionInDays", default=-1, least=0))},
    # Under any key, AWS's own too.
    "sns-customer-key": dict.fromkeys(
        ("CKV_AWS_26", "SNS.1"), on_resource(given("kmsMasterKeyId"))
    ),
    "sqs-customer-key": {
        "CKV_AWS_27": _queue_encrypted(unless_said=False),
        "SQS.1": _queue_encrypted(unless_said=True),
    },
    "sqs-no-public-policy": {"CKV_AWS_387": _open_without_condition},
}
JOINS: Final[Mapping[str, Mapping[str, StackCheck]]] = {
    "s3-mfa-delete": {"S3.20": without_lifecycle},
    "s3-public-acl-tls": {"CKV_AWS_379": _public_over_plain_http},
    "s3-no-public-acl": {
        "CKV_AWS_20": _acl(
            lambda name: (
                name in ("public-read", "public-read-write", "authenticated-read", "website")
            ),
            (_ALL_USERS,),
            _READ,
        ),
        "CKV_AWS_57": _acl(lambda name: name == "public-read-write", (_ALL_USERS,), _WRITE),
        "CKV2_AWS_43": _acl(lambda name: name == "authenticated-read", (_SIGNED_IN,), ("",)),
        "S3.2": _acl(
            lambda name: name in ("public-read", "public-read-write", "authenticated-read"),
            (_ALL_USERS, _SIGNED_IN),
            _READ,
        ),
        "S3.3": _acl(lambda name: name == "public-read-write", (_ALL_USERS, _SIGNED_IN), _WRITE),
    },
    "s3-no-acl-control": {
        "CKV_AWS_375": _acl(lambda _name: False, (_ALL_USERS,), ("READ_ACP", "FULL_CONTROL"))
    },
    # Two of the four flags.
    "s3-public-access-blocked": {
        "CKV2_AWS_6": beside(
            BUCKETS,
            PUBLIC_ACCESS_BLOCK,
            "bucket",
            on_resource(
                flag("blockPublicAcls", True, default=False),
                flag("blockPublicPolicy", True, default=False),
            ),
            limit="have one",
        )
    },
    "s3-customer-key": {
        "CKV_AWS_19": _encrypted_at_all,
        "CKV_AWS_145": encrypted_by(*_BY_KMS),
        "S3.17": encrypted_by(*_BY_KMS),
        "configureServerSideEncryptionKms": encrypted_by(*_BY_KMS),
    },
}
