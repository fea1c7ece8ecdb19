"""Rules for what a backup bucket needs besides itself: lock, replica, logs, events, own account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .bucket_protection import ACL, LOGGING
from .buckets import BUCKET_POLICY, BUCKETS
from .documents import Statement, matches
from .inventory import Resource, Stack
from .links import sources
from .requirements import (
    ADVISORY_BELOW_PROD,
    ADVISORY_BELOW_STAGING,
    Part,
)
from .resource_policies import statements
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, integer, one_or_many, shown

LOCK: Final = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
REPLICATION: Final = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
NOTIFICATION: Final = "aws:s3/bucketNotification:BucketNotification"
_LEAST_LOCK_DAYS: Final = {
    Environment.LOCAL: 1,
    Environment.DEV: 1,
    Environment.STAGING: 7,
    # The daily class of backups is kept this long in prod (stacks/defaults.py).
    Environment.PROD: 30,
}
# What AWS Security Hub's S3.6 takes from other accounts.
_ADMINISTRATION: Final = (
    *("s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketPolicy"),
    *("s3:PutEncryptionConfiguration", "s3:PutObjectAcl"),
)
_CONTROL: Final = frozenset({"FULL_CONTROL", "READ_ACP", "WRITE_ACP"})


def _data_buckets(stack: Stack) -> Iterator[Resource]:
    """Buckets that are no other bucket's log target."""
    for bucket in stack.of_type(*BUCKETS):
        own = sources(stack, bucket, (LOGGING,), "bucket").found
        split = sources(stack, bucket, (LOGGING,), "targetBucket").found
        inline = sources(stack, bucket, BUCKETS, "logging").found
        if all(one in (*own, bucket) for one in (*split, *inline)):
            yield bucket


def _is_copy(stack: Stack, bucket: Resource) -> bool:
    """Whether a replication of the stack writes into the bucket."""
    rules = sources(stack, bucket, (REPLICATION,), "rules").found
    own = sources(stack, bucket, (REPLICATION,), "bucket").found
    return any(one not in own for one in rules)


def _inline(bucket: Resource, *names: str) -> object:
    """The first of the bucket's own older properties; as outputs they are unknown: no evidence."""
    values = (bucket.get(name) for name in names)
    return next((value for value in values if value not in (None, UNKNOWN, [], {})), None)


def _lock_given(bucket: Resource, context: Context) -> Iterator[Outcome]:
    """An older inline lock configuration must be on."""
    part = Part(bucket, context, "", bucket.properties)
    if bucket.get("objectLockConfiguration") in (None, UNKNOWN):
        return
    enabled = part.read("objectLockConfiguration.objectLockEnabled")
    if enabled is UNKNOWN:
        yield part.unverified("objectLockConfiguration.objectLockEnabled")
    elif enabled != "Enabled":
        yield part.violation("objectLockConfiguration.objectLockEnabled", enabled, "be Enabled")


def _locked(stack: Stack, context: Context) -> Iterator[Outcome]:
    for bucket in _data_buckets(stack):
        locks = sources(stack, bucket, (LOCK,), "bucket")
        inline = _inline(bucket, "objectLockConfiguration")
        if locks.undecided:
            yield Unverified(bucket, "the bucket of a BucketObjectLockConfiguration")
        elif not locks.found and not isinstance(inline, dict):
            limit = "be locked, with objectLockEnabled and a default retention"
            yield Violation(bucket, "has no BucketObjectLockConfiguration in this stack", limit)
        for one in locks.found or ([bucket] if isinstance(inline, dict) else []):
            prefix = "objectLockConfiguration." if one is bucket else ""
            yield from _retained(Part(one, context, "", one.properties), prefix)


def _retained(part: Part, prefix: str) -> Iterator[Outcome]:
    place = f"{prefix}rule.defaultRetention"
    mode, days, years = (part.read(f"{place}.{key}") for key in ("mode", "days", "years"))
    least = _LEAST_LOCK_DAYS[part.context.environment]
    if mode is UNKNOWN:
        yield part.unverified(f"{place}.mode")
    elif mode not in ("GOVERNANCE", "COMPLIANCE"):
        yield part.violation(f"{place}.mode", mode, "be GOVERNANCE or COMPLIANCE")
    if UNKNOWN in (days, years):
        yield part.unverified(f"{place}.days")
        return
    kept, more = integer(days, default=0), integer(years, default=0)
    total = kept + 365 * more if isinstance(kept, int) and isinstance(more, int) else 0
    if total < least:
        limit = f"be at least {least} days in {part.context.environment}"
        yield part.violation(f"{place}.days", days, limit)


def _replicated(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for bucket in _data_buckets(stack):
        if _is_copy(stack, bucket):
            continue
        found = sources(stack, bucket, (REPLICATION,), "bucket")
        inline = _inline(bucket, "replicationConfiguration")
        if found.undecided:
            yield Unverified(bucket, "the bucket of a BucketReplicationConfig")
            continue
        limit = "have a copy of its objects in another region"
        if not found.found and inline is None:
            yield Violation(bucket, "has no BucketReplicationConfig in this stack", limit)
            continue
        rules = [one.get("rules") for one in found.found] or [_rules_of(inline)]
        states = {state for one in rules for state in _states(one)}
        if "Enabled" in states:
            continue
        if UNKNOWN in states:
            yield Unverified(bucket, "whether a replication rule is Enabled")
        else:
            yield Violation(bucket, "has no replication rule that is Enabled", limit)


def _rules_of(inline: object) -> object:
    return cast("dict[str, object]", inline).get("rules") if isinstance(inline, dict) else None


def _states(rules: object) -> Iterator[object]:
    """The status of each rule, as far as it can be known."""
    for one in [UNKNOWN] if rules is UNKNOWN else one_or_many(rules):
        if one is UNKNOWN:
            yield UNKNOWN
        elif isinstance(one, dict):
            status = cast("dict[str, object]", one).get("status")
            yield status if status is UNKNOWN or isinstance(status, str) else None


def _replica_encrypted(replication: Resource, _context: Context) -> Iterator[Outcome]:
    rules = replication.get("rules")
    if rules is UNKNOWN:
        yield Unverified(replication, "rules")
        return
    entries = one_or_many(rules)
    if not entries:
        yield Violation(replication, "has no rules", "have an enabled rule")
    for number, entry in enumerate(entries):
        if entry is UNKNOWN:
            yield Unverified(replication, f"rules[{number}]")
            continue
        fields = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        part = Part(replication, _context, f"rules[{number}].", fields)
        status = part.read("status")
        key = part.read("destination.encryptionConfiguration.replicaKmsKeyId")
        if status is UNKNOWN:
            yield part.unverified("status")
        elif status != "Enabled":
            yield part.violation("status", status, "be Enabled")
        if key is UNKNOWN:
            yield part.unverified("destination.encryptionConfiguration.replicaKmsKeyId")
        elif not isinstance(key, str) or not key.strip():
            place = "destination.encryptionConfiguration.replicaKmsKeyId"
            yield part.violation(place, key, "name a key of the other region")


def _access_logged(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for bucket in _data_buckets(stack):
        found = sources(stack, bucket, (LOGGING,), "bucket")
        if found.undecided:
            yield Unverified(bucket, "the bucket of a BucketLogging")
        elif not found.found and _inline(bucket, "logging") is None:
            limit = "have one that names a bucket for its access logs"
            yield Violation(bucket, "has no BucketLogging in this stack", limit)


def _notifies(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for bucket in _data_buckets(stack):
        if _is_copy(stack, bucket):
            continue
        found = sources(stack, bucket, (NOTIFICATION,), "bucket")
        if found.undecided:
            yield Unverified(bucket, "the bucket of a BucketNotification")
        elif not found.found:
            limit = "have one, so that somebody can act on what is written or deleted"
            yield Violation(bucket, "has no BucketNotification in this stack", limit)


def _no_administration(policy: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "leave these to the identity policies of the bucket's own account"
    for statement in statements(policy, "policy", limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        if not statement.allows or not (statement.principals or statement.not_principals):
            continue
        if {kind.lower() for kind, _identity in statement.principals} == {"service"}:
            continue
        for action in statement.actions:
            if action is UNKNOWN:
                yield Unverified(policy, f"an action of statement {statement.number} of policy")
            elif not isinstance(action, str) or any(
                matches(action, one) for one in _ADMINISTRATION
            ):
                found = f"allows {shown(action)} in statement {statement.number} of policy"
                yield Violation(policy, found, limit)


def _no_acl_control(acl: Resource, _context: Context) -> Iterator[Outcome]:
    policy = acl.get("accessControlPolicy")
    fields = cast("dict[str, object]", policy) if isinstance(policy, dict) else {}
    for grant in one_or_many(fields.get("grants") if policy is not UNKNOWN else policy):
        if contains_unknown(grant):
            yield Unverified(acl, "accessControlPolicy")
            continue
        entry = cast("dict[str, object]", grant) if isinstance(grant, dict) else {}
        everyone = any(name in str(entry.get("grantee")) for name in ("AllUsers", "Authenticated"))
        if everyone and entry.get("permission") in _CONTROL:
            found = f"grants {shown(entry.get('permission'))} to everybody"
            yield Violation(acl, found, "let nobody else read or change permissions")


RULES: Final = (
    Rule(
        id="s3-lock-enabled",
        title="A lock that is configured is on",
        what="objectLockConfiguration of a bucket, where it is given, is Enabled.",
        why="A lock that is off looks like one in a review.",
        remediation="set object_lock_enabled = True and an aws.s3.BucketObjectLockConfiguration.",
        severity=Severity.MEDIUM,
        catalogue=("S3-04",),
        controls=("CKV_AWS_143",),
        types=BUCKETS,
        check_resource=_lock_given,
    ),
    Rule(
        id="s3-object-lock",
        title="Backups cannot be deleted before their time",
        what="Every bucket that is no log target has an object lock with a default retention of 1 "
        "(local, dev), 7 (staging) or 30 (prod) days.",
        why="Whoever takes over the backup's role would delete the backups first.",
        remediation="set backups.object_lock in stacks/Pulumi.<environment>.yaml; elsewhere "
        "object_lock_enabled = True and an aws.s3.BucketObjectLockConfiguration.",
        severity=Severity.HIGH,
        catalogue=("S3-04",),
        controls=("S3.15",),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_locked,
        joined_types=(*BUCKETS, LOCK),
    ),
    Rule(
        id="s3-replicated",
        title="Backups are copied to another region",
        what="Every bucket that is neither a log target nor itself a copy has a replication.",
        why="The loss of a region, or of the bucket, would take database and backups together.",
        remediation="set backups.replication in stacks/Pulumi.<environment>.yaml, or add "
        "aws.s3.BucketReplicationConfig.",
        severity=Severity.HIGH,
        catalogue=("S3-09",),
        controls=("CKV_AWS_144", "S3.7"),
        types=(),
        enforcement=ADVISORY_BELOW_PROD,
        check_stack=_replicated,
        joined_types=(*BUCKETS, REPLICATION),
    ),
    Rule(
        id="s3-replica-encrypted",
        title="Copies of backups are encrypted by a key of their region",
        what="Every rule of a replication is Enabled and has a replicaKmsKeyId.",
        why="Objects under a customer key are skipped without one, and nobody is told.",
        remediation="set encryption_configuration with replica_kms_key_id in the rule's "
        "destination.",
        severity=Severity.HIGH,
        catalogue=("S3-09",),
        controls=(),
        types=(REPLICATION,),
        check_resource=_replica_encrypted,
    ),
    Rule(
        id="s3-access-logged",
        title="Access to buckets is logged",
        what="Every bucket that is no log target itself has a BucketLogging.",
        why="Who read or deleted a backup could not be told.",
        remediation="add aws.s3.BucketLogging (backups.access_logs in the stack's settings).",
        severity=Severity.MEDIUM,
        catalogue=("S3-10",),
        controls=("CKV_AWS_18", "S3.9", "s3-bucket-logging-enabled"),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_access_logged,
        joined_types=(*BUCKETS, LOGGING),
    ),
    Rule(
        id="s3-notifies",
        title="Buckets tell what happens to their objects",
        what="Every bucket that is neither a log target nor a copy has a BucketNotification.",
        why="A deleted or missing backup would be noticed when it is needed.",
        remediation="add aws.s3.BucketNotification with eventbridge = True.",
        severity=Severity.MEDIUM,
        catalogue=("S3-10",),
        controls=("CKV2_AWS_62", "S3.11"),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_notifies,
        joined_types=(*BUCKETS, NOTIFICATION),
    ),
    Rule(
        id="s3-no-foreign-administration",
        title="No bucket policy lets others change the bucket",
        what="No bucket policy allows changing policy, ACLs or encryption.",
        why="Another account could open the bucket, or lock its owner out.",
        remediation="take these actions out of the aws.s3.BucketPolicy.",
        severity=Severity.HIGH,
        catalogue=("S3-06",),
        controls=("S3.6",),
        types=(BUCKET_POLICY, *BUCKETS),
        check_resource=_no_administration,
    ),
    Rule(
        id="s3-no-acl-control",
        title="Nobody unknown reads or changes permissions of a bucket",
        what="No BucketAcl grants FULL_CONTROL, READ_ACP or WRITE_ACP to everybody.",
        why="Whoever changes the ACL opens the bucket as far as they like.",
        remediation="remove the grant; use the bucket's policy.",
        severity=Severity.CRITICAL,
        catalogue=("S3-07",),
        controls=("CKV_AWS_375",),
        types=(ACL,),
        check_resource=_no_acl_control,
    ),
)
