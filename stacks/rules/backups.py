"""Rules of the logical backups: retention by class, storage classes, Object Lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from facts import ec2, regions
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.backup_settings import BackupClass
    from stacks.settings import Settings

# guide cryptowallet, "Backup Retention": development 3, staging 7, production 30 days.
LEAST_RETENTION_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
# AWS S3 user guide, "Comparing the Amazon S3 storage classes": less is charged as if it were this.
MINIMUM_STORAGE_DAYS = {
    "STANDARD": 0,
    "INTELLIGENT_TIERING": 0,
    "STANDARD_IA": 30,
    "ONEZONE_IA": 30,
    "GLACIER_IR": 90,
    "GLACIER": 90,
    "DEEP_ARCHIVE": 180,
}
# AWS S3 user guide, "Transitioning objects using Amazon S3 Lifecycle".
_INFREQUENT_ACCESS = ("STANDARD_IA", "ONEZONE_IA")
_INFREQUENT_ACCESS_DAYS = 30
# RDS exports snapshots everywhere but in China and GovCloud, of all classes and of every version
# that can still be created (PostgreSQL 9.6 and later), not from magnetic storage.
_EXPORTING_PARTITION = "aws"
# Objects in these have to be restored for hours before they can be read.
_OFFLINE = ("GLACIER", "DEEP_ARCHIVE")
_MAY_BE_OFFLINE = ("monthly", "manual")


def field_of(class_name: str) -> str:
    """`backups.pre_migration` for the class whose keys begin with `pre-migration/`."""
    return f"backups.{class_name.replace('-', '_')}"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What would lose a backup early, keep it too long, or be refused by S3."""
    yield from _order(settings)
    yield from _promises(settings)
    yield from _age_alarm(settings)
    for name, class_ in settings.backups.classes.items():
        yield from _storage_class(field_of(name), name, class_)
    yield from _object_lock(settings)
    yield from _worker(settings)
    yield from _snapshot_export(settings)


def _order(settings: Settings) -> Iterator[Refusal]:
    days = settings.backups.retention_days
    for shorter, longer in (("daily", "weekly"), ("weekly", "monthly")):
        if days[longer] <= days[shorter]:
            yield Refusal(
                f"backups.{longer}.retention_days",
                days[longer],
                f"more than {days[shorter]} days (backups.{shorter}.retention_days)",
                f"{longer} backups would go before {shorter} ones",
                f"Raise backups.{longer}.retention_days.",
            )


def _promises(settings: Settings) -> Iterator[Refusal]:
    backups, environment = settings.backups, settings.environment
    least = LEAST_RETENTION_DAYS[environment]
    if backups.daily.retention_days < least:
        yield Refusal(
            "backups.daily.retention_days",
            backups.daily.retention_days,
            f"at least {least} days in {environment}",
            f"the lifecycle would delete backups before the {least} days that are promised",
            f"Set it to {least} or more.",
        )
    if backups.noncurrent_retention_days < least:
        yield Refusal(
            "backups.noncurrent_retention_days",
            backups.noncurrent_retention_days,
            f"at least {least} days in {environment}",
            "the lifecycle would end a backup that was deleted by mistake before its promised "
            "retention",
            f"Set it to {least} or more.",
        )


def _age_alarm(settings: Settings) -> Iterator[Refusal]:
    hours = settings.monitoring.backup_age_hours
    pause_hours = _pause_hours(settings.backups.daily.schedule)
    if pause_hours is not None and hours <= pause_hours:
        yield Refusal(
            "monitoring.backup_age_hours",
            hours,
            f"more than {pause_hours:g} hours (backups.daily.schedule)",
            "the alarm would go off before each backup although none is late",
            "Raise it, or have backups.daily.schedule run more often.",
        )


def _pause_hours(expression: str) -> float | None:
    """From one run to the next; None for a schedule whose runs are not a day or less apart."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return int(rate[1]) * {"minute": 1 / 60, "hour": 1.0, "day": 24.0}[rate[2]]
    fields = expression.removeprefix("cron(").removesuffix(")").split()
    # minutes hours day-of-month month day-of-week year
    if len(fields) != 6 or any(field not in ("*", "?") for field in fields[2:]):
        return None
    if fields[1] == "*":
        return 1.0
    every = re.fullmatch(r"(?:\*|0)/(\d+)", fields[1])
    return float(every[1]) if every else 24.0


def _storage_class(field: str, name: str, class_: BackupClass) -> Iterator[Refusal]:
    storage = class_.storage_class
    if storage == "STANDARD":
        return
    after, kept = class_.transition_after_days, class_.retention_days
    if storage in _INFREQUENT_ACCESS and after < _INFREQUENT_ACCESS_DAYS:
        yield Refusal(
            f"{field}.transition_after_days",
            after,
            f"at least {_INFREQUENT_ACCESS_DAYS} days for {storage}",
            "S3 refuses a lifecycle rule that moves younger objects to infrequent access",
            f"Set it to {_INFREQUENT_ACCESS_DAYS} or choose INTELLIGENT_TIERING or GLACIER_IR.",
        )
    least = after + MINIMUM_STORAGE_DAYS[storage]
    # At 0 days of minimum the move itself still has to come before the end.
    if kept is not None and (kept < least or kept <= after):
        yield Refusal(
            f"{field}.storage_class",
            storage,
            f"retention of at least {max(least, after + 1)} days ({after} before the move, "
            f"{MINIMUM_STORAGE_DAYS[storage]} minimum in {storage}), it is {kept}",
            "S3 charges the minimum time even for objects that are gone, so the move costs more "
            "than it saves",
            f"Set {field}.storage_class to STANDARD or raise {field}.retention_days.",
        )
    if storage in _OFFLINE and name not in _MAY_BE_OFFLINE:
        yield Refusal(
            f"{field}.storage_class",
            storage,
            f"a class that can be read at once for {name} backups",
            "objects in it take hours to become readable, and a restore has minutes",
            "Choose STANDARD, or GLACIER_IR.",
        )


def _object_lock(settings: Settings) -> Iterator[Refusal]:
    backups, environment = settings.backups, settings.environment
    lock = backups.object_lock
    if lock.mode == "off":
        return
    for name, days in backups.retention_days.items():
        if lock.retention_days > days:
            yield Refusal(
                "backups.object_lock.retention_days",
                lock.retention_days,
                f"at most {days} days ({field_of(name)}.retention_days)",
                "S3 does not expire a locked version, so it would outlive its retention",
                f"Lower it, or raise {field_of(name)}.retention_days.",
            )
    if lock.mode != "compliance":
        return
    if environment != "prod" and lock.reason is None:
        yield Refusal(
            "backups.object_lock.mode",
            lock.mode,
            f"needs a reason in {environment}",
            "nobody, the account's root user included, can delete the objects before their time",
            "Set it to governance, or state backups.object_lock.reason.",
        )
    if not backups.keep_bucket:
        yield Refusal(
            "backups.object_lock.mode",
            lock.mode,
            "needs backups.keep_bucket",
            "a bucket with objects under compliance cannot be emptied, so destroy would fail",
            "Set it to governance, or backups.keep_bucket to true.",
        )


def _worker(settings: Settings) -> Iterator[Refusal]:
    worker, architecture = settings.backups.worker, settings.functions.architecture
    chosen = worker.instance_type
    if worker.enabled and chosen is not None and ec2.architecture(chosen) != architecture:
        yield Refusal(
            "backups.worker.instance_type",
            chosen,
            f"a type of {architecture} (functions.architecture)",
            "the worker runs the functions' archive, which is built for that processor",
            "Choose another type, or leave it out.",
        )


# AWS RDS user guide: exporting DB snapshot data to Amazon S3, region availability.
def _snapshot_export(settings: Settings) -> Iterator[Refusal]:
    if not settings.backups.exports_snapshots or settings.region is None:
        return
    partition = regions.partition_of(settings.region)
    if partition is not None and partition.name != _EXPORTING_PARTITION:
        yield Refusal(
            "backups.snapshot_export.enabled",
            True,
            f"false in {settings.region}",
            f"RDS exports no snapshots in partition {partition.name}",
            "Set it to false, or backups.worker.enabled to true.",
        )
