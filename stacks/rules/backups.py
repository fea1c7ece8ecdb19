"""Rules of the logical backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Retentions that contradict each other."""
    yield from _backup_classes(settings)


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
