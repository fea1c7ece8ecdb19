"""The rule that versions of objects are deleted with a second factor only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .bucket_protection import LIFECYCLE, VERSIONING
from .buckets import BUCKETS
from .inventory import Resource, Stack
from .links import sources, targets
from .requirements import ADVISORY_EVERYWHERE, Part
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, boolean, contains_unknown

_LIMIT: Final = "be Enabled"


def _mfa_delete(versioning: Resource, context: Context) -> Iterator[Outcome]:
    part = Part(versioning, context, "", versioning.properties)
    value = part.read("versioningConfiguration.mfaDelete")
    if value is UNKNOWN:
        yield part.unverified("versioningConfiguration.mfaDelete")
    elif value != "Enabled" and boolean(value, default=False) is not True:
        yield part.violation("versioningConfiguration.mfaDelete", value, _LIMIT)


def _mfa_delete_inside(stack: Stack, _context: Context) -> Iterator[Outcome]:
    """Buckets without a BucketVersioning: only their own older property can say it."""
    for bucket in stack.of_type(*BUCKETS):
        split = sources(stack, bucket, (VERSIONING,), "bucket")
        inline = bucket.get("versioning")
        fields = cast("dict[str, object]", inline) if isinstance(inline, dict) else {}
        if split.found or boolean(fields.get("mfaDelete"), default=False) is True:
            continue
        if split.undecided or contains_unknown(inline):
            yield Unverified(bucket, "mfaDelete of its versioning")
        else:
            yield Violation(bucket, "has no versioning with mfaDelete", _LIMIT)


def without_lifecycle(stack: Stack, context: Context) -> Iterator[Outcome]:
    """Of those, Security Hub's S3.20 judges what has no lifecycle: S3 refuses the two together."""
    split = [one for kept in stack.of_type(VERSIONING) for one in _mfa_delete(kept, context)]
    for outcome in (*split, *_mfa_delete_inside(stack, context)):
        one = outcome.resource
        buckets = targets(stack, one, "bucket", BUCKETS).found if one.type == VERSIONING else (one,)
        if not any(_has_lifecycle(stack, bucket) for bucket in buckets):
            yield outcome


def _has_lifecycle(stack: Stack, bucket: Resource) -> bool:
    if bucket.get("lifecycleRules") not in (None, UNKNOWN, []):
        return True
    return bool(sources(stack, bucket, (LIFECYCLE,), "bucket").found)


RULES: Final = (
    Rule(
        id="s3-mfa-delete",
        title="Versions are deleted with a second factor only",
        what="The versioning of every bucket has mfaDelete. Only the root user can set it, with a "
        "device at hand and never by a program, and S3 refuses it beside a lifecycle, without "
        "which backups would be kept for ever: so this is advice. The object lock, which is "
        "mandatory for backups, holds without it.",
        why="Whoever has the keys of an administrator could delete every version.",
        remediation="enable it as the root user, then set mfa_delete in the versioning.",
        severity=Severity.MEDIUM,
        catalogue=("S3-11",),
        controls=("S3.20", "3.1.2"),
        types=(VERSIONING,),
        enforcement=ADVISORY_EVERYWHERE,
        check_resource=_mfa_delete,
        check_stack=_mfa_delete_inside,
        joined_types=BUCKETS,
    ),
)
