"""Rules for what protects the objects in S3 buckets: keys, versions, lifecycle, ownership."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .buckets import BUCKET_POLICY, BUCKETS, PUBLIC_ACCESS_BLOCK, is_tls_only
from .inventory import Resource, Stack
from .joins import beside
from .requirements import (
    ADVISORY_BELOW_STAGING,
    at_least,
    each,
    flag,
    given,
    on_resource,
    one_of,
    text_where,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, boolean, contains_unknown, integer, one_or_many, sequence, shown

ENCRYPTION: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"
OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ACL: Final = "aws:s3/bucketAcl:BucketAcl"
LOGGING: Final = "aws:s3/bucketLogging:BucketLogging"
_INLINE: Final = "serverSideEncryptionConfiguration.rule.applyServerSideEncryptionByDefault"
_S3_ITSELF: Final = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
_PUBLIC_GRANTEES: Final = ("AllUsers", "AuthenticatedUsers")

_encrypted = on_resource(
    each(
        "rules",
        one_of("applyServerSideEncryptionByDefault.sseAlgorithm", ("aws:kms", "aws:kms:dsse")),
        given("applyServerSideEncryptionByDefault.kmsMasterKeyId"),
        at_least=1,
        limit="have a rule with sseAlgorithm aws:kms and kmsMasterKeyId",
    )
)


def _encrypted_by_itself(encryption: Resource, context: Context) -> Iterator[Outcome]:
    """S3's own key is judged with the whole stack: a bucket of access logs can have no other."""
    if not _by_s3_itself(encryption):
        yield from _encrypted(encryption, context)


def _by_s3_itself(encryption: Resource) -> bool:
    rules = sequence(encryption.get("rules"))
    return isinstance(rules, list) and bool(rules) and all(rule == _S3_ITSELF for rule in rules)


def _customer_keys(stack: Stack, context: Context) -> Iterator[Outcome]:
    for outcome in _customer_keys_beside(stack, context):
        if outcome.cause is None or not _by_s3_itself(outcome.cause):
            yield outcome
            continue
        bucket = outcome.resource
        logging = stack.referring(bucket, [LOGGING], "targetBucket", ("bucket", "id"))
        if logging is UNKNOWN:
            yield Unverified(bucket, "the targetBucket of a BucketLogging")
        elif not logging:
            yield outcome


_encrypted_inline = on_resource(
    one_of(f"{_INLINE}.sseAlgorithm", ("aws:kms", "aws:kms:dsse")),
    given(f"{_INLINE}.kmsMasterKeyId"),
)
_customer_keys_beside = beside(
    BUCKETS,
    ENCRYPTION,
    "bucket",
    _encrypted,
    limit="have it use aws:kms",
    inline=("serverSideEncryptionConfiguration", _encrypted_inline),
)
_versioned = on_resource(one_of("versioningConfiguration.status", ("Enabled",)))
_owned = on_resource(one_of("rule.objectOwnership", ("BucketOwnerEnforced",)))


def _aborts_uploads(lifecycle: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "have an enabled rule for every object that aborts incomplete multipart uploads"
    rules = sequence(lifecycle.get("rules"))
    if rules is UNKNOWN:
        yield Unverified(lifecycle, "rules")
        return
    entries = rules if isinstance(rules, list) else []
    if any(_aborts(cast("dict[str, object]", one)) for one in entries if isinstance(one, dict)):
        return
    if contains_unknown(entries):
        yield Unverified(lifecycle, "rules")
    else:
        yield Violation(lifecycle, f"has rules = {shown(lifecycle.get('rules'))}", limit)


def _aborts(rule: dict[str, object]) -> bool:
    abort = rule.get("abortIncompleteMultipartUpload")
    days = cast("dict[str, object]", abort) if isinstance(abort, dict) else {}
    found = integer(days.get("daysAfterInitiation"), default=0)
    return (
        rule.get("status") == "Enabled"
        and isinstance(found, int)
        and found > 0
        and rule.get("prefix") in (None, "")
        and rule.get("filter") in (None, {}, {"prefix": ""})
    )


def _has_rules(lifecycle: Resource, _context: Context) -> Iterator[Outcome]:
    rules = sequence(lifecycle.get("rules"))
    if rules is UNKNOWN:
        yield Unverified(lifecycle, "rules")
    elif not isinstance(rules, list) or not rules:
        yield Violation(lifecycle, f"has rules = {shown(lifecycle.get('rules'))}", "have rules")


def is_public_name(name: str) -> bool:
    """Whether a canned ACL lets everybody, or everybody with an AWS account, in."""
    return name.startswith(("public", "authenticated")) or name == "website"


def grants(acl: Resource) -> object:
    """The grants of a BucketAcl, or of a bucket in its older form."""
    if acl.type != ACL:
        return acl.get("grants")
    policy = acl.get("accessControlPolicy")
    return cast("dict[str, object]", policy).get("grants") if isinstance(policy, dict) else policy


def _no_public_acl(acl: Resource, context: Context) -> Iterator[Outcome]:
    limit = "not be public"
    older = acl.type != ACL
    # (A bucket's own `acl` and `grants` are outputs too, so unknown at preview: no evidence.)
    if not (older and acl.get("acl") is UNKNOWN):
        private = text_where("acl", lambda name: not is_public_name(name), limit)
        yield from on_resource(private)(acl, context)
    for grant in one_or_many(grants(acl)):
        if contains_unknown(grant):
            if not older:
                yield Unverified(acl, "accessControlPolicy")
        elif any(name in str(grant) for name in _PUBLIC_GRANTEES) or not (
            older or isinstance(grant, dict)
        ):
            yield Violation(acl, f"grants {shown(grant)}", limit)


def _no_public_bucket(stack: Stack, context: Context) -> Iterator[Outcome]:
    for bucket in stack.of_type(*BUCKETS):
        acls = stack.referring(bucket, [ACL], "bucket", ("bucket", "id"))
        for acl in acls if isinstance(acls, list) else ():
            for outcome in _no_public_acl(acl, context):
                if isinstance(outcome, Violation):
                    found = f"is open through {acl.label}, which {outcome.found}"
                    yield Violation(bucket, found, outcome.limit, cause=acl)


def _public_acls_over_tls(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for acl in stack.of_type(ACL):
        name = acl.get("acl")
        open_to_all = isinstance(name, str) and is_public_name(name)
        if not open_to_all and not any(
            _PUBLIC_GRANTEES[0] in str(one) for one in one_or_many(grants(acl))
        ):
            continue
        bucket = acl.get("bucket")
        mine = [
            one
            for kind in (BUCKET_POLICY, PUBLIC_ACCESS_BLOCK)
            for one in stack.of_type(kind)
            if one.get("bucket") == bucket
        ]
        if not any(is_blocked(one) or is_tls_only(one) for one in mine):
            limit = "be private, or stand beside a policy that denies requests without TLS"
            yield Violation(acl, "lets everybody in, over plain HTTP too", limit)


def is_blocked(block: Resource) -> bool:
    """Whether a public access block makes public ACLs void."""
    return block.type == PUBLIC_ACCESS_BLOCK and any(
        boolean(block.get(name), default=False) is True
        for name in ("ignorePublicAcls", "blockPublicAcls")
    )


RULES: Final = (
    Rule(
        id="s3-public-acl-tls",
        title="What an ACL opens is not read over plain HTTP",
        what="A BucketAcl that is public has a bucket policy beside it that denies requests "
        "without TLS.",
        why="What everybody may read, whoever listens would read and change on its way.",
        remediation="remove the aws.s3.BucketAcl; else deny aws:SecureTransport false in the "
        "aws.s3.BucketPolicy.",
        severity=Severity.HIGH,
        catalogue=("S3-05",),
        controls=("CKV_AWS_379",),
        types=(),
        check_stack=_public_acls_over_tls,
        joined_types=(ACL, BUCKET_POLICY, PUBLIC_ACCESS_BLOCK),
    ),
    Rule(
        id="s3-customer-key",
        title="Buckets encrypt under a key of one's own",
        what="Every bucket has an encryption configuration with aws:kms and a key; only a bucket "
        "that another one's BucketLogging names may leave it to S3, which delivers no access logs "
        "under a customer key.",
        why="Under S3's own key every reader of the bucket can decrypt it, and nothing records it.",
        remediation="add aws.s3.BucketServerSideEncryptionConfiguration with sse_algorithm "
        '"aws:kms" and kms_master_key_id.',
        severity=Severity.HIGH,
        catalogue=("S3-02",),
        controls=("CKV_AWS_19", "CKV_AWS_145", "S3.17", "configureServerSideEncryptionKms"),
        types=(ENCRYPTION,),
        check_resource=_encrypted_by_itself,
        check_stack=_customer_keys,
    ),
    Rule(
        id="s3-versioned",
        title="Buckets keep earlier versions",
        what="Every bucket has a BucketVersioning with the status Enabled.",
        why="An overwritten or deleted backup could not be brought back.",
        remediation='add aws.s3.BucketVersioning with status "Enabled".',
        severity=Severity.HIGH,
        catalogue=("S3-03",),
        controls=("CKV_AWS_21", "S3.14"),
        types=(VERSIONING,),
        check_resource=_versioned,
        check_stack=beside(
            BUCKETS,
            VERSIONING,
            "bucket",
            _versioned,
            limit="have it Enabled",
            inline=("versioning", on_resource(flag("versioning.enabled", True, default=False))),
        ),
    ),
    Rule(
        id="s3-owner-enforced",
        title="Buckets have no ACLs at all",
        what="Every bucket has BucketOwnershipControls with BucketOwnerEnforced.",
        why="An object's ACL can open it to another account past the bucket's policy.",
        remediation="add aws.s3.BucketOwnershipControls with object_ownership "
        '"BucketOwnerEnforced".',
        severity=Severity.MEDIUM,
        catalogue=("S3-07",),
        controls=("CKV2_AWS_65", "S3.12"),
        types=(OWNERSHIP,),
        check_resource=_owned,
        check_stack=beside(
            BUCKETS, OWNERSHIP, "bucket", _owned, limit="have one with BucketOwnerEnforced"
        ),
    ),
    Rule(
        id="s3-no-public-acl",
        title="No ACL opens a bucket to everybody",
        what="No ACL of a bucket is public or grants to AllUsers or AuthenticatedUsers.",
        why="Everybody, or everybody with an AWS account, could list or read the backups.",
        remediation="remove the aws.s3.BucketAcl; grant in the bucket's policy.",
        severity=Severity.CRITICAL,
        catalogue=("S3-07",),
        controls=("CKV_AWS_20", "CKV_AWS_57", "CKV2_AWS_43", "S3.2", "S3.3"),
        types=(ACL, *BUCKETS),
        check_resource=_no_public_acl,
        check_stack=_no_public_bucket,
    ),
    Rule(
        id="s3-lifecycle",
        title="Buckets have a lifecycle",
        what="Every bucket has a BucketLifecycleConfiguration with rules.",
        why="Backups would be kept for ever, against retention rules and at growing cost.",
        remediation="add aws.s3.BucketLifecycleConfiguration (backups.* in the stack's settings).",
        severity=Severity.MEDIUM,
        catalogue=("S3-08",),
        controls=("CKV2_AWS_61", "S3.10", "S3.13"),
        types=(LIFECYCLE,),
        check_resource=_has_rules,
        check_stack=beside(
            BUCKETS,
            LIFECYCLE,
            "bucket",
            _has_rules,
            limit="have one with rules",
            inline=("lifecycleRules", on_resource(at_least("lifecycleRules", 1, "rules"))),
        ),
    ),
    Rule(
        id="s3-aborts-uploads",
        title="Incomplete uploads are removed",
        what="Every lifecycle has an enabled rule for all objects that aborts incomplete uploads.",
        why="Parts of failed backups stay invisible, are paid for, and hold data.",
        remediation="add a rule with abort_incomplete_multipart_upload and no filter.",
        severity=Severity.MEDIUM,
        catalogue=("S3-08",),
        controls=("CKV_AWS_300",),
        types=(LIFECYCLE,),
        check_resource=_aborts_uploads,
    ),
    Rule(
        id="s3-not-emptied",
        title="A bucket with objects is not deleted",
        what="forceDestroy is false on every bucket.",
        why="`destroy` would delete every backup with the bucket, all versions included.",
        remediation="set backups.keep_bucket: true in stacks/Pulumi.<environment>.yaml.",
        severity=Severity.CRITICAL,
        catalogue=("S3-11",),
        controls=(),
        types=BUCKETS,
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(flag("forceDestroy", False, default=False)),
    ),
)
