"""What staging and prod must have, and what every environment must keep."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# guide cryptowallet, "Backup Retention": development 3, staging 7, production 30 days.
LEAST_PITR_RETENTION_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
GUARDED = ("staging", "prod")


class Guard(NamedTuple):
    """A setting that staging and prod must not have off, unless a reason is stated."""

    field: str
    reason: str
    remedy: str
    limit: str = "must be true"


def _switch(field: str, reason: str) -> Guard:
    return Guard(field, reason, f"Set {field} to true")


_GUARDS = (
    _switch("database.multi_az", "a lost zone must not lose the database"),
    _switch("database.deletion_protection", "one wrong destroy must not end the database"),
    _switch("database.final_snapshot", "a deletion must be possible to undo"),
    _switch(
        "database.keep_automated_backups",
        "a deletion must be possible to undo to the second",
    ),
    _switch("database.keep_kms_key", "snapshots cannot be restored without their key"),
    Guard(
        "database.event_categories",
        "RDS says only there that it failed over or could not back up",
        "Leave the setting out",
        "at least one",
    ),
    Guard(
        "replicas.count",
        "reads and a lost zone's recovery need a second copy",
        "Set it to 1 or more",
        "at least 1 replica",
    ),
    _switch("backups.keep_bucket", "deleting the stack must not delete its backups"),
    Guard(
        "database.monitoring_interval_seconds",
        "without enhanced monitoring a slow host cannot be told from a slow query",
        "Set it to 60",
        "at least 1 second",
    ),
)


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Fewer guards than the environment's guide asks for."""
    yield from _guards(settings)
    yield from _exceptions(settings)
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
    stated = {exception.field for exception in settings.stated_exceptions}
    for guard in _GUARDS:
        value: object = attrgetter(guard.field)(settings)
        if not value and guard.field not in stated:
            yield Refusal(
                guard.field,
                value,
                f"{guard.limit} in {environment}",
                guard.reason,
                f"{guard.remedy} or state the reason in stated_exceptions.",
            )


def _exceptions(settings: Settings) -> Iterator[Refusal]:
    known = [guard.field for guard in _GUARDS]
    for number, exception in enumerate(settings.stated_exceptions):
        field = f"stated_exceptions[{number}].field"
        if exception.field not in known:
            yield Refusal(
                field,
                exception.field,
                f"must be one of {', '.join(known)}",
                "other settings have no guard that could be left out",
                "Remove the exception or name the setting that is meant.",
            )
        elif attrgetter(exception.field)(settings):
            yield Refusal(
                field,
                exception.field,
                "must be a guard that is left out",
                "an exception that nothing needs would hide the next mistake",
                "Remove the exception.",
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
