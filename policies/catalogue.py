"""Every rule of the pack. A new rule is added to its theme's module and appears here."""

from __future__ import annotations

from typing import Final

from . import (
    bucket_protection,
    buckets,
    database_observation,
    databases,
    grants,
    instances,
    keys,
    networks,
    parameters,
    permissions,
    resource_policies,
)
from .rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *databases.RULES,
    *instances.RULES,
    *database_observation.RULES,
    *parameters.RULES,
    *networks.RULES,
    *buckets.RULES,
    *bucket_protection.RULES,
    *resource_policies.RULES,
    *keys.RULES,
    *permissions.RULES,
    *grants.RULES,
)
