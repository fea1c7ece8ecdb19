"""Rules of the databases: storage, timeouts and windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal
from stacks.windows import MINIMUM_MINUTES, daily_minutes, minutes_long, overlap, weekly_minutes

if TYPE_CHECKING:
    from stacks.settings import Settings

# AWS RDS user guide: the autoscaling threshold must be at least 10 % above the allocated storage.
AUTOSCALING_HEADROOM_PERCENT = 10


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What RDS would refuse after minutes, or what cannot work."""
    yield from _storage(settings)
    yield from _timeouts(settings)
    yield from _windows(settings)


def _storage(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    # Whole GiB, rounded up.
    least = -(-database.allocated_storage_gib * (100 + AUTOSCALING_HEADROOM_PERCENT) // 100)
    if database.max_allocated_storage_gib < least:
        yield Refusal(
            "database.max_allocated_storage_gib",
            database.max_allocated_storage_gib,
            f"at least {least} GiB (10 % above database.allocated_storage_gib)",
            "RDS refuses a lower autoscaling ceiling",
            f"Set it to {least} or more.",
        )


def _timeouts(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    if database.lock_timeout_seconds >= database.statement_timeout_seconds:
        yield Refusal(
            "database.lock_timeout_seconds",
            database.lock_timeout_seconds,
            f"below {database.statement_timeout_seconds} (database.statement_timeout_seconds)",
            "a lock wait longer than the statement itself can never time out",
            "Lower database.lock_timeout_seconds.",
        )


def _windows(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    backup = daily_minutes(database.backup_window)
    maintenance = weekly_minutes(database.maintenance_window)
    for field, text, window in (
        ("database.backup_window", database.backup_window, backup),
        ("database.maintenance_window", database.maintenance_window, maintenance),
    ):
        if minutes_long(window) < MINIMUM_MINUTES:
            yield Refusal(
                field,
                text,
                f"at least {MINIMUM_MINUTES} minutes",
                "RDS refuses shorter windows",
                "Move its end.",
            )
    if overlap(backup, maintenance):
        yield Refusal(
            "database.maintenance_window",
            database.maintenance_window,
            f"outside database.backup_window ({database.backup_window})",
            "RDS refuses windows that overlap",
            "Move one of the two.",
        )
