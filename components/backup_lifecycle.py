"""How long backups and what surrounds them are kept, as S3's lifecycle rules.

Age alone removes no backup: the rules ask for a tag as well, which the retention function puts on
backups that are not the last good or the last proven one of their database.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.bucket import LifecycleRule
from stacks.backup_settings import BackupClass, BackupSettings

# Parts of an upload that broke off; a backup lasts 15 minutes at most.
_ABORT_UPLOADS_AFTER_DAYS = 1
# Who was asked for a backup and how it ended: a few hundred bytes (operations/handover).
_REQUESTS_DAYS = 90
#: Where RDS writes exported snapshots, by class as well (operations/backup/exports.py).
EXPORTS = "exports/"
# As operations/backup/expiry.py puts it.
_TAG, _EXPIRED, _ABANDONED = "pgkeep:expired", "true", "abandoned"


def lifecycle(backups: BackupSettings, *, transitions: bool = True) -> list[LifecycleRule]:
    """Rules for each class, by the first part of its keys, and some for what is left behind.

    Args:
        transitions: whether backups move to the storage class of their class; copies are written
            to theirs at once.
    """
    rules: list[LifecycleRule] = []
    for name, class_ in backups.classes.items():
        rules.extend(_class_rules(name, name, class_, transitions))
        if backups.exports_snapshots:
            prefix = f"{EXPORTS}{name}"
            rules.extend(_class_rules(f"export-{name}", prefix, class_, transitions))
    return [
        *rules,
        {
            "id": "expire-abandoned",
            "status": "Enabled",
            "filter": {"tag": {"key": _TAG, "value": _ABANDONED}},
            "expiration": {"days": 1},
        },
        {
            "id": "expire-handover",
            "status": "Enabled",
            "filter": {"prefix": "handover/"},
            "expiration": {"days": _REQUESTS_DAYS},
        },
        *leftovers(backups.noncurrent_retention_days),
    ]


def leftovers(noncurrent_days: int) -> list[LifecycleRule]:
    """Ends what nobody lists: earlier versions, their last markers, parts of broken uploads."""
    return [
        {
            "id": "expire-noncurrent-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": noncurrent_days},
            "abort_incomplete_multipart_upload": {
                "days_after_initiation": _ABORT_UPLOADS_AFTER_DAYS
            },
        },
        # S3 takes a delete marker's removal only in a rule without an age.
        {
            "id": "remove-last-markers",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "expiration": {"expired_object_delete_marker": True},
        },
    ]


def _class_rules(
    name: str, prefix: str, class_: BackupClass, transitions: bool
) -> Iterator[LifecycleRule]:
    if class_.retention_days is not None:
        yield {
            "id": f"expire-{name}",
            "status": "Enabled",
            "filter": {"and_": {"prefix": f"{prefix}/", "tags": {_TAG: _EXPIRED}}},
            "expiration": {"days": class_.retention_days},
        }
    if transitions and class_.storage_class != "STANDARD":
        yield {
            "id": f"move-{name}",
            "status": "Enabled",
            "filter": {"prefix": f"{prefix}/"},
            "transitions": [
                {"days": class_.transition_after_days, "storage_class": class_.storage_class}
            ],
        }
