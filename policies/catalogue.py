"""Every rule of the pack. A new rule is added to its theme's module and appears here."""

from __future__ import annotations

from typing import Final

from . import (
    account_settings,
    accounts,
    alarms,
    balancers,
    bucket_copies,
    bucket_protection,
    buckets,
    connections,
    database_copies,
    database_events,
    database_grants,
    database_joins,
    database_observation,
    database_providers,
    database_subnets,
    databases,
    functions,
    grants,
    hosts,
    images,
    instances,
    keys,
    machines,
    network_joins,
    networks,
    other_engines,
    parameters,
    permissions,
    privileges,
    resource_policies,
    stored_secrets,
    vaults,
)
from .exact import with_sources
from .rules import Rule

_THEMES: Final[tuple[Rule, ...]] = (
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
    *accounts.RULES,
    *balancers.RULES,
    *bucket_copies.RULES,
    *connections.RULES,
    *database_providers.RULES,
    *database_joins.RULES,
    *database_events.RULES,
    *database_subnets.RULES,
    *other_engines.RULES,
    *functions.RULES,
    *machines.RULES,
    *network_joins.RULES,
    *stored_secrets.RULES,
    *vaults.RULES,
    *images.RULES,
    *account_settings.RULES,
)

RULES: Final = with_sources(_THEMES)
