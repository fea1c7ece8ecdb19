"""Rules that span settings. Each gives refusals: field, value, limit, reason, remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.machines import database_memory_gib, is_arm64
from stacks.schema import Refusal
from stacks.windows import MINIMUM_MINUTES, daily_minutes, minutes_long, overlap, weekly_minutes

if TYPE_CHECKING:
    from stacks.settings import Settings

# guide cryptowallet, "Backup Retention": development 3, staging 7, production 30 days.
LEAST_PITR_RETENTION_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
GUARDED = ("staging", "prod")
# RDS computes its default max_connections as memory / 9531392 bytes: more would starve the cache.
# AWS RDS user guide: maximum number of database connections.
BYTES_PER_CONNECTION = 9_531_392
# AWS RDS user guide: the autoscaling threshold must be at least 10 % above the allocated storage.
AUTOSCALING_HEADROOM_PERCENT = 10
# Pools that a host opens: (application, primary), (readonly, primary) and, while a role rotates
# between its two users, one more.
POOLS_PER_HOST = 3


def refusals(settings: Settings) -> list[Refusal]:
    """Everything that the rules refuse in `settings`, in the order of the fields."""
    found: list[Refusal] = []
    for rule in (_network, _guards, _storage, _connections, _timeouts, _windows):
        found.extend(rule(settings))
    for rule in (_machines, _pools, _backup_classes, _secrets):
        found.extend(rule(settings))
    return found


def _network(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    if (network.vpc_cidr is None) == (network.existing is None):
        both = network.vpc_cidr is not None
        yield Refusal(
            "network.vpc_cidr",
            network.vpc_cidr,
            "exactly one of network.vpc_cidr and network.existing",
            "the program either makes a VPC or uses one that is there",
            "Remove one of the two." if both else "Set one of the two.",
        )
    if network.nat_gateway_count > network.availability_zone_count:
        yield Refusal(
            "network.nat_gateway_count",
            network.nat_gateway_count,
            f"at most {network.availability_zone_count} (network.availability_zone_count)",
            "a second gateway in a zone serves nobody",
            "Lower network.nat_gateway_count.",
        )
    # The local cloud's image has PgBouncer; Debian's own image does not.
    closed = network.existing is None and network.nat_gateway_count == 0
    if closed and settings.environment != "local" and settings.pooler.image_id is None:
        yield Refusal(
            "network.nat_gateway_count",
            0,
            "at least 1 unless pooler.image_id names an image",
            "Debian's image has no PgBouncer and hosts could not fetch it",
            "Set it to 1 or name an image that has PgBouncer.",
        )


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


def _connections(settings: Settings) -> Iterator[Refusal]:
    database, pooler = settings.database, settings.pooler
    memory_gib = database_memory_gib(database.instance_class)
    if memory_gib is not None:
        most = memory_gib * 1024**3 // BYTES_PER_CONNECTION
        if database.max_connections > most:
            yield Refusal(
                "database.max_connections",
                database.max_connections,
                f"at most {most} on {database.instance_class} ({memory_gib} GiB)",
                "each connection takes about 9.5 MB of memory by RDS's own formula",
                "Lower it or choose a larger database.instance_class.",
            )
    wanted = pooler.host_count * POOLS_PER_HOST * pooler.default_pool_size
    wanted += pooler.host_count * pooler.reserve_pool_size
    budget = database.max_connections - database.reserved_connections
    if wanted > budget:
        yield Refusal(
            "pooler.default_pool_size",
            pooler.default_pool_size,
            f"{pooler.host_count} hosts may open {wanted} connections, the budget is {budget} "
            f"({database.max_connections} max_connections less "
            f"{database.reserved_connections} reserved)",
            "PostgreSQL refuses connections past the limit, to administrators too",
            "Lower the pool or raise database.max_connections.",
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


def _machines(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    arm64 = is_arm64(pooler.instance_type)
    if arm64 != (pooler.architecture == "arm64"):
        actual = "arm64" if arm64 else "x86_64"
        yield Refusal(
            "pooler.architecture",
            pooler.architecture,
            f"must be {actual!r} for {pooler.instance_type}",
            "an image of another processor does not boot",
            f"Set it to {actual!r} or change pooler.instance_type.",
        )


def _pools(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    if pooler.min_pool_size > pooler.default_pool_size:
        yield Refusal(
            "pooler.min_pool_size",
            pooler.min_pool_size,
            f"at most {pooler.default_pool_size} (pooler.default_pool_size)",
            "a pool cannot keep more connections than it may have",
            "Lower pooler.min_pool_size.",
        )
    if pooler.server_idle_timeout_seconds > pooler.server_lifetime_seconds:
        yield Refusal(
            "pooler.server_idle_timeout_seconds",
            pooler.server_idle_timeout_seconds,
            f"at most {pooler.server_lifetime_seconds} (pooler.server_lifetime_seconds)",
            "a connection is replaced before it could be idle for so long",
            "Lower pooler.server_idle_timeout_seconds.",
        )


def _backup_classes(settings: Settings) -> Iterator[Refusal]:
    backups = settings.backups
    for shorter, longer in (("daily", "weekly"), ("weekly", "monthly")):
        short_days: int = getattr(backups, f"{shorter}_retention_days")
        long_days: int = getattr(backups, f"{longer}_retention_days")
        if long_days <= short_days:
            yield Refusal(
                f"backups.{longer}_retention_days",
                long_days,
                f"more than {short_days} days (backups.{shorter}_retention_days)",
                f"{longer} backups would go before {shorter} ones",
                f"Raise backups.{longer}_retention_days.",
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
