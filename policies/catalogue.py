"""Every rule of the pack. A new rule is added to its theme's module and appears here."""

from __future__ import annotations

from typing import Final

from . import buckets, database_observation, databases, grants, instances, parameters, permissions
from .rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *databases.RULES,
    *instances.RULES,
    *database_observation.RULES,
    *parameters.RULES,
    *buckets.RULES,
    *permissions.RULES,
    *grants.RULES,
)
