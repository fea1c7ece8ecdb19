"""What a workload asks of its restores, and whether a measured one keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Objectives:
    """Seconds; None where the workload asks for nothing."""

    rto_seconds: float | None = None
    rpo_seconds: float | None = None

    @classmethod
    def of(cls, document: dict[str, Any] | None) -> Objectives:
        """Out of the contract's `objectives`."""
        given = document or {}
        return cls(given.get("rto_seconds"), given.get("rpo_seconds"))

    def compare(self, rto_seconds: float, rpo_seconds: float) -> dict[str, dict[str, Any]]:
        """By `rto` and `rpo`: objective, measured (seconds), met."""
        pairs = {
            "rto": (self.rto_seconds, rto_seconds),
            "rpo": (self.rpo_seconds, rpo_seconds),
        }
        return {
            name: {
                "objective_seconds": objective,
                "measured_seconds": measured,
                "met": measured <= objective,
            }
            for name, (objective, measured) in pairs.items()
            if objective is not None
        }


#: A workload that asks for nothing.
NONE = Objectives()
