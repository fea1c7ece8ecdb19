"""Rules for S3 buckets: public access blocked, TLS only, both over split resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

from .documents import (
    MalformedDocumentError,
    Statement,
    covers_everything_below,
    is_wildcard,
    matches,
    parse,
)
from .inventory import Resource, Stack
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation, require
from .values import UNKNOWN, Unknown, boolean, contains_unknown, one_or_many, shown

BUCKETS: Final = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
ACCESS_POINT: Final = "aws:s3/accessPoint:AccessPoint"
ACCOUNT_BLOCK: Final = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
PUBLIC_ACCESS_BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"

_IDENTITIES: Final = ("bucket", "id")
_FLAGS: Final = (
    "blockPublicAcls",
    "blockPublicPolicy",
    "ignorePublicAcls",
    "restrictPublicBuckets",
)
_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")
_TLS_LIMIT: Final = (
    "have a bucket policy that denies s3:* to everyone on the bucket and its objects "
    "if aws:SecureTransport is false"
)


def _flags_set(block: Resource, _context: Context) -> Iterator[Outcome]:
    fields, silent, place = block.properties, False, ""
    if block.type == ACCESS_POINT:
        # An access point blocks everything unless it says otherwise, and never can later.
        place, silent = "publicAccessBlockConfiguration", True
        nested = block.get(place)
        if nested is UNKNOWN:
            yield Unverified(block, place)
            return
        if nested is not None and not isinstance(nested, dict):
            yield Violation(
                block, f"has {place} = {shown(nested)}", "have four flags that are true"
            )
            return
        fields = cast("dict[str, object]", nested) if isinstance(nested, dict) else {}
    for flag in _FLAGS:
        value = boolean(fields.get(flag), default=silent)
        limit = "be true, as all four flags must"
        if place and not isinstance(value, bool | Unknown):
            yield Violation(block, f"has {place}.{flag} = {shown(fields.get(flag))}", limit)
        elif place and value is False:
            yield Violation(block, f"has {place}.{flag} = false", limit)
        else:
            yield from require(block, flag, value, bool, limit)


def _buckets_blocked(stack: Stack, context: Context) -> Iterator[Outcome]:
    for bucket in stack.of_type(*BUCKETS):
        blocks = stack.referring(bucket, [PUBLIC_ACCESS_BLOCK], "bucket", _IDENTITIES)
        if blocks is UNKNOWN:
            yield Unverified(bucket, "the bucket of a BucketPublicAccessBlock")
            continue
        if not blocks:
            yield Violation(
                bucket,
                "has no BucketPublicAccessBlock in this stack",
                "have one whose bucket refers to it, with all four flags true",
            )
        for block in blocks:
            for outcome in _flags_set(block, context):
                if isinstance(outcome, Violation):
                    found = f"is open through {block.label}, which {outcome.found}"
                    yield Violation(bucket, found, outcome.limit, cause=block)
                else:
                    yield Unverified(bucket, f"{outcome.needs} of {block.label}", cause=block)


def _policy_denies_plain(policy: Resource, _context: Context) -> Iterator[Outcome]:
    yield from _tls_only(policy, policy.get("policy"), policy.get("bucket"))


def _buckets_tls_only(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for bucket in stack.of_type(*BUCKETS):
        policies = stack.referring(bucket, [BUCKET_POLICY], "bucket", _IDENTITIES)
        if policies is UNKNOWN:
            yield Unverified(bucket, "the bucket of a BucketPolicy")
        elif not policies and bucket.get("policy") in (None, "", UNKNOWN):
            # (A bucket's own `policy` is an output too, so unknown at preview: no evidence.)
            yield Violation(bucket, "has no BucketPolicy in this stack", _TLS_LIMIT)
        elif not policies:
            yield from _tls_only(bucket, bucket.get("policy"), bucket.get("bucket"))
        else:
            for policy in policies:
                for outcome in _tls_only(policy, policy.get("policy"), policy.get("bucket")):
                    if isinstance(outcome, Violation):
                        found = f"is open through {policy.label}, which {outcome.found}"
                        yield Violation(bucket, found, outcome.limit, cause=policy)
                    else:
                        needs = f"{outcome.needs} of {policy.label}"
                        yield Unverified(bucket, needs, cause=policy)


def is_tls_only(policy: Resource) -> bool:
    """Whether a bucket policy certainly denies every request without TLS."""
    if policy.type != BUCKET_POLICY:
        return False
    return not any(True for _ in _tls_only(policy, policy.get("policy"), policy.get("bucket")))


def _tls_only(resource: Resource, document: object, bucket_name: object) -> Iterator[Outcome]:
    try:
        statements = parse(document)
    except MalformedDocumentError as error:
        yield Violation(resource, f"has a policy that {error}", _TLS_LIMIT)
        return
    if statements is UNKNOWN:
        yield Unverified(resource, "policy")
        return
    denials = [statement for statement in statements if _denies_plain_transport(statement)]
    if bucket_name is UNKNOWN and denials:
        yield Unverified(resource, "bucket")
        return
    name = bucket_name if isinstance(bucket_name, str) else ""
    patterns = [pattern for statement in denials for pattern in statement.resources]
    missing = [
        part
        for part, covered in (
            ("the bucket", any(_covers_bucket(pattern, name) for pattern in patterns)),
            ("its objects", any(_covers_objects(pattern, name) for pattern in patterns)),
        )
        if not covered
    ]
    if not missing:
        return
    if any(_may_become_denial(statement) for statement in statements):
        yield Unverified(resource, "policy")
        return
    reason = _near_miss(statements)
    found = f"does not deny requests without TLS on {' and '.join(missing)}{reason}"
    yield Violation(resource, found, _TLS_LIMIT)


def _denies_plain_transport(statement: Statement) -> bool:
    """Whether the statement denies every S3 action to everyone who comes without TLS."""
    return (
        statement.denies
        and not statement.not_principals
        and ("AWS", "*") in statement.principals
        and any(
            isinstance(action, str)
            and (is_wildcard(action) or covers_everything_below(action, "s3:"))
            for action in statement.actions
        )
        and _only_condition_is_plain_transport(statement.condition)
    )


def _only_condition_is_plain_transport(condition: object) -> bool:
    """True for {"Bool": {"aws:SecureTransport": "false"}} and its spellings, with nothing beside.

    A second operator or key would narrow the denial to a part of the plain requests. Operators and
    keys do not regard case; IfExists changes nothing, because the key is in every request.
    """
    if not isinstance(condition, dict) or len(cast("dict[str, object]", condition)) != 1:
        return False
    ((operator, keys),) = cast("dict[str, object]", condition).items()
    if operator.lower() not in ("bool", "boolifexists") or not isinstance(keys, dict):
        return False
    pairs = list(cast("dict[str, object]", keys).items())
    if len(pairs) != 1 or pairs[0][0].lower() != "aws:securetransport":
        return False
    return any(
        value is False or (isinstance(value, str) and value.lower() == "false")
        for value in one_or_many(pairs[0][1])
    )


def _may_become_denial(statement: Statement) -> bool:
    """Whether values that are not known yet could make the statement the one that is missing."""
    parts: Sequence[object] = (
        *statement.actions,
        *statement.resources,
        *(identity for _kind, identity in statement.principals),
        statement.condition,
    )
    return statement.unknown or (statement.denies and any(contains_unknown(part) for part in parts))


def _covers_bucket(pattern: object, name: str) -> bool:
    return isinstance(pattern, str) and any(matches(pattern, arn) for arn in _arns(name))


def _covers_objects(pattern: object, name: str) -> bool:
    return isinstance(pattern, str) and any(
        covers_everything_below(pattern, f"{arn}/") for arn in _arns(name)
    )


def _arns(bucket_name: str) -> Iterable[str]:
    # S3 refuses a policy that names a bucket of another partition, so that any may match here.
    return (f"arn:{partition}:s3:::{bucket_name}" for partition in _PARTITIONS)


def _near_miss(statements: Iterable[Statement]) -> str:
    """What is wrong with a statement that looks meant for it."""
    for statement in statements:
        if "securetransport" not in str(statement.condition).lower():
            continue
        place = f"; statement {statement.number}"
        if not statement.denies:
            return f"{place} allows instead of denying"
        if ("AWS", "*") not in statement.principals:
            return f"{place} does not deny everyone (Principal must be *)"
        if not _only_condition_is_plain_transport(statement.condition):
            return f"{place} has the condition {shown(statement.condition)}"
        return f"{place} names the actions {shown(list(statement.actions))} and the resources " + (
            shown(list(statement.resources))
        )
    return ""


PUBLIC_ACCESS_BLOCKED: Final = Rule(
    id="s3-public-access-blocked",
    title="Buckets block public access",
    what="Every bucket has a BucketPublicAccessBlock with all four flags true; so have access "
    "points and the account's own block.",
    why="One wrong ACL or policy would otherwise publish every backup in the bucket.",
    remediation="add aws.s3.BucketPublicAccessBlock(bucket=<bucket>.id) with block_public_acls, "
    "block_public_policy, ignore_public_acls and restrict_public_buckets = True.",
    severity=Severity.CRITICAL,
    catalogue=("S3-01",),
    controls=(
        "CKV2_AWS_6",
        "CKV_AWS_53",
        "CKV_AWS_54",
        "CKV_AWS_55",
        "CKV_AWS_56",
        "CKV_AWS_392",
        "S3.1",
        "S3.8",
        "3.1.4",
    ),
    types=(PUBLIC_ACCESS_BLOCK, ACCOUNT_BLOCK, ACCESS_POINT),
    check_resource=_flags_set,
    check_stack=_buckets_blocked,
)

TLS_ONLY: Final = Rule(
    id="s3-tls-only",
    title="Buckets refuse requests without TLS",
    what="Every bucket has a policy that denies s3:* to everyone if aws:SecureTransport is false.",
    why="S3 also answers plain HTTP, which shows backups and signed requests to the network.",
    remediation='add to the aws.s3.BucketPolicy: Effect Deny, Principal "*", Action "s3:*", '
    'Resource [<bucket arn>, <bucket arn>/*], Condition Bool aws:SecureTransport "false".',
    severity=Severity.HIGH,
    catalogue=("S3-05",),
    controls=("CKV_AWS_379", "S3.5", "3.1.1"),
    types=(BUCKET_POLICY,),
    check_resource=_policy_denies_plain,
    check_stack=_buckets_tls_only,
)

RULES: Final = (PUBLIC_ACCESS_BLOCKED, TLS_ONLY)
