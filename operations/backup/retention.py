"""Which backups may go. Pure: a decision with its reason for every backup.

S3's lifecycle removes only what this has marked, so that a backup which nothing replaced stays,
however old it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class StoredObject(Protocol):
    """An object of the bucket."""

    @property
    def key(self) -> str: ...


class Kept(Protocol):
    """What is judged here: a backup, or the export of a snapshot."""

    @property
    def id(self) -> str: ...
    @property
    def backup_class(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def taken_at(self) -> datetime: ...
    @property
    def keep_until(self) -> str | None: ...
    @property
    def key(self) -> str: ...
    @property
    def objects(self) -> Sequence[StoredObject]: ...


@dataclass(frozen=True)
class Decision:
    """Whether a backup stays, and why."""

    backup: Kept
    keep: bool
    reason: str


def decide(backups: Sequence[Kept], *, proven: Collection[str], now: datetime) -> list[Decision]:
    """One decision for each backup, newest first.

    Args:
        backups: whole backups, of any databases and classes.
        proven: ids of backups that a restore has proven.
        now: with a time zone.
    """
    newest: dict[str, str] = {}
    newest_proven: dict[str, str] = {}
    by_age = sorted(backups, key=lambda one: one.taken_at, reverse=True)
    for backup in by_age:
        newest.setdefault(backup.database, backup.id)
        if backup.id in proven:
            newest_proven.setdefault(backup.database, backup.id)
    return [_decide(backup, newest, newest_proven, now) for backup in by_age]


def _decide(
    backup: Kept, newest: dict[str, str], newest_proven: dict[str, str], now: datetime
) -> Decision:
    if backup.keep_until is None:
        return Decision(
            backup, True, f"{backup.backup_class} backups stay until a person removes them"
        )
    end = datetime.fromisoformat(backup.keep_until)
    if now < end:
        return Decision(backup, True, f"its retention ends on {end:%Y-%m-%d}")
    if newest[backup.database] == backup.id:
        return Decision(backup, True, "it is the last good backup of its database")
    if newest_proven.get(backup.database) == backup.id:
        return Decision(backup, True, "it is the last backup of its database that was proven")
    return Decision(backup, False, f"its retention ended on {end:%Y-%m-%d}")
