"""Marks what retention lets go: S3's lifecycle removes objects with the mark and nothing else.

Nobody who runs this needs the right to delete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from operations.backup import exports, retention
from operations.backup.exports import FoundExports
from operations.backup.retention import Decision, Kept
from operations.backup.store import Found, NoBackup
from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import TagTypeDef

#: The tag that the bucket's lifecycle rules filter on (components/backup_lifecycle.py).
TAG = "pgkeep:expired"
EXPIRED = "true"
#: Of a backup that became the last good one again, because those after it are lost.
KEPT = "false"
#: Objects of runs that never wrote a manifest; their rule goes by this value, in every class.
ABANDONED = "abandoned"
# No run lasts as long; until then it may be at work.
ABANDONED_AFTER = timedelta(days=2)
_THREADS = 8


@dataclass(frozen=True)
class Marking:
    """What retention decided, and what was marked for it now."""

    decisions: tuple[Decision, ...]
    abandoned: tuple[NoBackup, ...]
    marked: tuple[str, ...]
    unmarked: tuple[str, ...]


def decide(
    found: Found,
    proven: Collection[str],
    now: datetime,
    exported: FoundExports = exports.NONE,
) -> Marking:
    """What would be marked: pure, for `--dry-run` and for `apply`.

    The last good export is kept beside the last good backup: it is none. Backups without a
    signature end as well, but in no decision about one that has it they count.
    """
    left = [(one, ABANDONED_AFTER) for one in found.others]
    left += [(one, exports.ABANDONED_AFTER) for one in exported.others]
    unsigned = [one.unsigned for one in found.others if one.unsigned is not None]
    either = retention.decide([*found.backups, *unsigned], proven=proven, now=now)
    return Marking(
        decisions=(
            *retention.decide(found.backups, proven=proven, now=now),
            *(decision for decision in either if decision.backup in unsigned),
            *retention.decide(exported.exports, proven=(), now=now),
        ),
        abandoned=tuple(
            other
            for other, after in left
            if not other.has_manifest and now - other.last_modified > after
        ),
        marked=(),
        unmarked=(),
    )


def apply(marking: Marking, *, s3: S3Client, bucket: str) -> Marking:
    """Mark and unmark as decided; what is already so costs one request a backup.

    The manifest's tag is changed last: it says that all other objects are done. What stays is asked
    for the tag of its first object, which is marked first and unmarked after the manifest: of a
    marking that broke off nothing may remain on what was proven since.
    """
    marked: list[str] = []
    unmarked: list[str] = []
    for decision in marking.decisions:
        backup = decision.backup
        keys = [one.key for one in backup.objects]
        first = keys[:1] or [backup.key]
        telling = first[0] if decision.keep else backup.key
        if _is_marked(s3, bucket, telling) != decision.keep:
            continue
        value = KEPT if decision.keep else EXPIRED
        order = (
            (keys[1:], [backup.key], first) if decision.keep else (first, keys[1:], [backup.key])
        )
        for some in order:
            _tag(s3, bucket, some, value)
        (unmarked if decision.keep else marked).append(backup.id)
        log("backup_kept" if decision.keep else "backup_expired", id=backup.id, why=decision.reason)
    for other in marking.abandoned:
        last = other.keys[-1]
        if _is_marked(s3, bucket, last):
            continue
        _tag(s3, bucket, other.keys[:-1], ABANDONED)
        _tag(s3, bucket, [last], ABANDONED)
        marked.append(other.folder)
        log("backup_abandoned", folder=other.folder, why=other.reason)
    return Marking(marking.decisions, marking.abandoned, tuple(marked), tuple(unmarked))


def kept(marking: Marking) -> list[Kept]:
    """The backups that stay."""
    return [one.backup for one in marking.decisions if one.keep]


def _is_marked(s3: S3Client, bucket: str, key: str) -> bool:
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return any(tag["Key"] == TAG and tag["Value"] != KEPT for tag in tags)


def _tag(s3: S3Client, bucket: str, keys: Iterable[str], value: str) -> None:
    def one(key: str) -> None:
        tags: Sequence[TagTypeDef] = [{"Key": TAG, "Value": value}]
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags})

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="tag") as pool:
        for _ in pool.map(one, keys):
            pass
