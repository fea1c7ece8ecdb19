"""Every rule of the pack. A new rule is added to its theme's module and appears here."""

from __future__ import annotations

from typing import Final

from . import buckets, databases, grants, permissions
from .rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *databases.RULES,
    *buckets.RULES,
    *permissions.RULES,
    *grants.RULES,
)
