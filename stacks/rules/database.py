"""Rules of the databases: timeouts, windows, insights and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal
from stacks.windows import MINIMUM_MINUTES, daily_minutes, minutes_long, overlap, weekly_minutes

if TYPE_CHECKING:
    from stacks.settings import Settings

# AWS RDS user guide: turning on the advanced mode of Database Insights (15 months of 31 days).
ADVANCED_INSIGHTS_DAYS = 465
# Parameters that have a setting of their own, so that one place decides.
SETTING_OF_PARAMETER = {
    "max_connections": "database.max_connections",
    "statement_timeout": "database.statement_timeout_seconds",
    "lock_timeout": "database.lock_timeout_seconds",
    "idle_in_transaction_session_timeout": "database.idle_in_transaction_timeout_seconds",
    "log_min_duration_statement": "database.slow_query_milliseconds",
}
# Libraries without which the program's own statistics and audit do not work.
PRELOADED = ("pg_stat_statements", "pgaudit")
# As YAML and people write it; RDS's own form is 1.
_ON = ("1", "true", "on", "yes")


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What RDS would refuse after minutes, or what cannot work."""
    yield from _timeouts(settings)
    yield from _windows(settings)
    yield from _insights(settings)
    yield from _parameters(settings)
    yield from _zone(settings)


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


def _insights(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    if database.database_insights_mode == "advanced":
        days = database.performance_insights_retention_days
        if not database.performance_insights or days < ADVANCED_INSIGHTS_DAYS:
            on = database.performance_insights
            yield Refusal(
                "database.database_insights_mode",
                "advanced",
                f"needs database.performance_insights with {ADVANCED_INSIGHTS_DAYS} days or more "
                f"({f'it keeps {days}' if on else 'it is off'})",
                "RDS refuses the advanced mode with a shorter retention",
                f"Set {'' if on else 'database.performance_insights to true and '}"
                f"database.performance_insights_retention_days to {ADVANCED_INSIGHTS_DAYS}.",
            )


def _parameters(settings: Settings) -> Iterator[Refusal]:
    seen: set[str] = set()
    for name, value in settings.database.parameters.items():
        field, lower = f"database.parameters.{name}", name.lower()
        if lower in SETTING_OF_PARAMETER:
            owner = SETTING_OF_PARAMETER[lower]
            yield Refusal(
                field,
                value,
                f"must be given as {owner}",
                "other rules depend on that setting",
                f"Move the value to {owner}.",
            )
        if lower in seen:
            yield Refusal(
                field,
                value,
                "once",
                "RDS does not regard the case of names",
                "Keep one of the two.",
            )
        seen.add(lower)
        if lower == "rds.force_ssl" and str(value).strip().lower() not in _ON:
            yield Refusal(
                field,
                value,
                "must be 1",
                "a client could log in without TLS; rds-ssl-enforced is mandatory in every "
                "environment and has no exemption in prod",
                "Remove it: the program sets it.",
            )
        if lower == "shared_preload_libraries":
            given = {item.strip() for item in str(value).split(",")}
            if not given.issuperset(PRELOADED):
                yield Refusal(
                    field,
                    value,
                    f"a list with {' and '.join(PRELOADED)}",
                    "statistics and audit need their libraries",
                    f"Write {','.join(PRELOADED)} and your own behind them.",
                )


def _zone(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    zone = database.availability_zone
    if zone is not None and database.multi_az:
        yield Refusal(
            "database.availability_zone",
            zone,
            "not with database.multi_az",
            "RDS chooses both zones of a Multi-AZ instance",
            "Leave out one of the two.",
        )
    if zone is not None and settings.region is not None and zone[:-1] != settings.region:
        yield Refusal(
            "database.availability_zone",
            zone,
            f"a zone of {settings.region}",
            "the database is in the stack's region",
            "Name a zone of it.",
        )
