"""Rules for what AWS Backup takes: databases, and file systems beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, cast

from .database_copies import BACKUP_REPLICATION
from .databases import CLUSTER, INSTANCE, is_replica
from .documents import matches
from .inventory import Resource, Stack
from .links import sources
from .requirements import ADVISORY_BELOW_PROD, ADVISORY_BELOW_STAGING
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many

SELECTION: Final = "aws:backup/selection:Selection"
FILE_SYSTEM: Final = "aws:efs/fileSystem:FileSystem"
FILE_SYSTEM_BACKUPS: Final = "aws:efs/backupPolicy:BackupPolicy"
_TAG: Final = "aws:ResourceTag/"
# What stands in an ARN before the name, and the property that has the name.
_IN_ARN: Final = {
    INSTANCE: ("rds", "db:", "identifier"),
    CLUSTER: ("rds", "cluster:", "clusterIdentifier"),
    FILE_SYSTEM: ("elasticfilesystem", "file-system/", "id"),
}
# Each kind of condition of a selection: whether a tag must, or must not, have its value, and
# whether that may have wildcards. Source: AWS Backup's API reference, Conditions.
_CONDITIONS: Final = {
    "stringEquals": (True, False),
    "stringLikes": (True, True),
    "stringNotEquals": (False, False),
    "stringNotLikes": (False, True),
}


def _backed_up_elsewhere(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for database in stack.of_type(INSTANCE, CLUSTER):
        if is_replica(database):
            continue
        copied = sources(stack, database, (BACKUP_REPLICATION,), "sourceDbInstanceArn")
        taken = True if copied.found else _taken(stack, database)
        if taken is UNKNOWN or (copied.undecided and not taken):
            yield Unverified(database, "what a backup selection or replication names")
        elif not taken:
            yield Violation(
                database,
                "is in no AWS Backup selection, and its backups are not replicated",
                "have a second copy of its backups, out of reach of what destroys the first",
            )


def _file_systems_backed_up(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for system in stack.of_type(FILE_SYSTEM):
        own = sources(stack, system, (FILE_SYSTEM_BACKUPS,), "fileSystemId")
        states = [_status(one) for one in own.found]
        taken = True if "ENABLED" in states else _taken(stack, system)
        if taken is UNKNOWN or (not taken and (own.undecided or UNKNOWN in states)):
            yield Unverified(system, "what a backup selection or policy names")
        elif not taken:
            yield Violation(system, "is in no AWS Backup selection", "be backed up")


def _status(policy: Resource) -> object:
    value = policy.get("backupPolicy")
    return cast("dict[str, object]", value).get("status") if isinstance(value, dict) else value


def _taken(stack: Stack, resource: Resource) -> object:
    """Whether a selection takes the resource: true, false, or `UNKNOWN`."""
    selected = sources(stack, resource, (SELECTION,), "resources")
    answers = [
        _selects(one, resource, linked=one in selected.found) for one in stack.of_type(SELECTION)
    ]
    if True in answers:
        return True
    return UNKNOWN if selected.undecided or UNKNOWN in answers else False


def _selects(selection: Resource, resource: Resource, *, linked: bool) -> object:
    """Whether a selection, which may be `linked` to the resource, takes it; or `UNKNOWN`."""
    excluded = selection.get("notResources")
    if _is_among(resource, one_or_many(excluded)):
        return False
    answer = _names(selection, resource, linked=linked)
    return UNKNOWN if answer is True and contains_unknown(excluded) else answer


def _names(selection: Resource, resource: Resource, *, linked: bool) -> object:
    """Whether a selection's resources or tags, before its exceptions, take the resource."""
    tags = _tags(resource)
    named = selection.get("resources")
    # Databases of two regions may have one name: a link by it counts until the ARNs are known.
    may_be_meant = linked and (contains_unknown(named) or not _has_arn(resource))
    if may_be_meant or _is_among(resource, one_or_many(named)):
        return _conditions_hold(selection.get("conditions"), tags)
    for entry in one_or_many(selection.get("selectionTags")):
        if contains_unknown([entry, tags]):
            return UNKNOWN
        if _has_tag(entry, tags, like=False):
            return True
    return False


def _has_arn(resource: Resource) -> bool:
    return str(resource.identity("arn")).startswith("arn:")


def _is_among(resource: Resource, patterns: Sequence[object]) -> bool:
    """Whether a pattern covers the resource's ARN; before it has one, that of any region."""
    service, before, key = _IN_ARN[resource.type]
    known, name = resource.identity("arn"), resource.identity(key)
    for pattern in patterns:
        if not isinstance(pattern, str):
            continue
        arn = str(known)
        if not _has_arn(resource):
            parts = pattern.split(":", 5) if pattern.startswith("arn:") else [""] * 6
            place = [*parts[:2], service, *parts[3:5]]
            own = name if isinstance(name, str) else resource.name
            arn = ":".join([*place, f"{before}{own}"])
        if matches(pattern, arn):
            return True
    return False


def _tags(resource: Resource) -> dict[str, object] | object:
    """The resource's tags, with those that the provider gives to all."""
    own, everybodys = resource.get("tags"), resource.outputs.get("tagsAll")
    if own is UNKNOWN or everybodys is UNKNOWN:
        return UNKNOWN
    found: dict[str, object] = {}
    for one in (everybodys, own):
        if isinstance(one, dict):
            found |= cast("dict[str, object]", one)
    return found


def _has_tag(wanted: object, tags: object, *, like: bool) -> bool | None:
    """Whether a tag has the value of `wanted`, case included; `None` if `wanted` names no tag."""
    fields = cast("dict[str, object]", wanted) if isinstance(wanted, dict) else {}
    key, value = fields.get("key"), fields.get("value")
    if not isinstance(key, str) or value is None:
        return None
    found = cast("dict[str, object]", tags) if isinstance(tags, dict) else {}
    tag = found.get(key.removeprefix(_TAG))
    if like and isinstance(tag, str) and isinstance(value, str):
        return re.fullmatch(".*".join(map(re.escape, value.split("*"))), tag, re.DOTALL) is not None
    return tag == value


def _conditions_hold(conditions: object, tags: object) -> object:
    """Whether all conditions of a selection hold: true, false, or `UNKNOWN`.

    One that cannot be read does not.
    """
    if conditions in (None, [], {}):
        return True
    if contains_unknown([conditions, tags]):
        return UNKNOWN
    for one in one_or_many(conditions):
        if not isinstance(one, dict):
            return False
        for kind, entries in cast("dict[str, object]", one).items():
            must, like = _CONDITIONS.get(kind, (None, False))
            for entry in one_or_many(entries):
                has = _has_tag(entry, tags, like=like)
                if has is None or has != must:
                    return False
    return True


RULES: Final = (
    Rule(
        id="rds-backed-up-elsewhere",
        title="A second copy of the database's backups is out of reach of the first",
        what="An AWS Backup selection names every primary, or its automated backups are replicated "
        "to another region.",
        why="Whoever deletes the instance in its region deletes its automated backups with it.",
        remediation="set database.backup_replication in stacks/Pulumi.<environment>.yaml, or add "
        "an aws.backup.Selection that names the database.",
        severity=Severity.HIGH,
        catalogue=("RDS-20",),
        controls=("CKV2_AWS_8", "RDS.26"),
        types=(),
        enforcement=ADVISORY_BELOW_PROD,
        check_stack=_backed_up_elsewhere,
        joined_types=(SELECTION, BACKUP_REPLICATION),
    ),
    Rule(
        id="backup-file-systems",
        title="File systems are backed up",
        what="An AWS Backup selection takes every file system, or its own backup policy is "
        "ENABLED. What else a file system needs no rule judges: it stays listed as not covered.",
        why="What a database keeps beside itself (files of large objects, exports) would be lost "
        "alone.",
        remediation="add an aws.backup.Selection that names the aws.efs.FileSystem, or an "
        "aws.efs.BackupPolicy.",
        severity=Severity.MEDIUM,
        catalogue=("BKP-01",),
        controls=("CKV2_AWS_18",),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_file_systems_backed_up,
        joined_types=(SELECTION,),
    ),
)
