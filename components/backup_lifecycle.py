"""How long backups and what surrounds them are kept, as S3's lifecycle rules."""

from __future__ import annotations

from components.bucket import LifecycleRule
from stacks.backup_settings import BackupClass, BackupSettings

# Parts of an upload that broke off; a backup lasts 15 minutes at most.
_ABORT_UPLOADS_AFTER_DAYS = 1


def lifecycle(backups: BackupSettings, *, transitions: bool = True) -> list[LifecycleRule]:
    """A rule for each class, by the first part of its keys, and one for what is left behind.

    Args:
        transitions: whether backups move to the storage class of their class; copies are written
            to theirs at once.
    """
    rules: list[LifecycleRule] = []
    for name, class_ in backups.classes.items():
        rule = _class_rule(name, class_, transitions)
        if "expiration" in rule or "transitions" in rule:
            rules.append(rule)
    return [
        *rules,
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


def _class_rule(name: str, class_: BackupClass, transitions: bool) -> LifecycleRule:
    rule: LifecycleRule = {
        "id": f"expire-{name}" if class_.retention_days else f"move-{name}",
        "status": "Enabled",
        "filter": {"prefix": f"{name}/"},
    }
    if class_.retention_days is not None:
        rule["expiration"] = {"days": class_.retention_days}
    if transitions and class_.storage_class != "STANDARD":
        rule["transitions"] = [
            {"days": class_.transition_after_days, "storage_class": class_.storage_class}
        ]
    return rule
