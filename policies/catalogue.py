"""Every rule of the pack. A new rule is added to its theme's module and appears here."""

from __future__ import annotations

from typing import Final

from . import (
    alarms,
    bucket_protection,
    buckets,
    database_copies,
    database_grants,
    database_observation,
    databases,
    grants,
    hosts,
    instances,
    keys,
    networks,
    parameters,
    permissions,
    privileges,
    resource_policies,
)
from .rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *databases.RULES,
    *instances.RULES,
    *database_observation.RULES,
    *database_copies.RULES,
    *parameters.RULES,
    *networks.RULES,
    *hosts.RULES,
    *buckets.RULES,
    *bucket_protection.RULES,
    *resource_policies.RULES,
    *keys.RULES,
    *alarms.RULES,
    *permissions.RULES,
    *privileges.RULES,
    *database_grants.with_all_doors(grants.RULES),
    *database_grants.RULES,
)
