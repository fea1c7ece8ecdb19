"""What staging and prod must have, and what every environment must keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# guide cryptowallet, "Backup Retention": development 3, staging 7, production 30 days.
LEAST_PITR_RETENTION_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
GUARDED = ("staging", "prod")


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Fewer guards than the environment's guide asks for."""
    yield from _guards(settings)
    yield from _secrets(settings)


def _guards(settings: Settings) -> Iterator[Refusal]:
    environment, database = settings.environment, settings.database
    least = LEAST_PITR_RETENTION_DAYS[environment]
    if database.pitr_retention_days < least:
        yield Refusal(
            "database.pitr_retention_days",
            database.pitr_retention_days,
            f"at least {least} days in {environment}",
            "point-in-time recovery is the first answer to a disaster",
            f"Set it to {least} to 35.",
        )
    if environment not in GUARDED:
        return
    required = {
        "database.multi_az": (database.multi_az, "a lost zone must not lose the database"),
        "database.deletion_protection": (
            database.deletion_protection,
            "one wrong destroy must not end the database",
        ),
        "database.final_snapshot": (
            database.final_snapshot,
            "a deletion must be possible to undo",
        ),
        "backups.keep_bucket": (
            settings.backups.keep_bucket,
            "deleting the stack must not delete its backups",
        ),
    }
    for field, (value, reason) in required.items():
        if not value:
            yield Refusal(
                field, value, f"must be true in {environment}", reason, f"Set {field} to true."
            )
    if database.monitoring_interval_seconds == 0:
        yield Refusal(
            "database.monitoring_interval_seconds",
            0,
            f"at least 1 second in {environment}",
            "without enhanced monitoring a slow host cannot be told from a slow query",
            "Set it to 60.",
        )


def _secrets(settings: Settings) -> Iterator[Refusal]:
    days = settings.secrets.recovery_window_days
    guarded = settings.environment in GUARDED
    if 0 < days < 7 or (guarded and days < 7):
        yield Refusal(
            "secrets.recovery_window_days",
            days,
            "7 to 30 days" if guarded else "0 or 7 to 30 days",
            "Secrets Manager refuses other windows, and staging and prod need one",
            "Set it to 7 to 30.",
        )
