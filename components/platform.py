"""The whole stack: every part, in the order in which they need each other.

What a part is made of stands in the module of its name: `platform_network`, `platform_databases`,
`platform_roles`, `platform_backups`, `platform_pooler`; what all of them take is
`platform_foundation`, what others get to know is `platform_exports`.
"""

from __future__ import annotations

from typing import Any

import pulumi

import workloads
from components import existing_database
from components.alarm_topic import AlarmTopic
from components.ca_bundle import read_ca_bundle
from components.database_events import DatabaseEvents
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.monitoring import Monitoring
from components.platform_backups import Backups, make_backups
from components.platform_databases import Databases, make_databases
from components.platform_exports import exports
from components.platform_foundation import Foundation
from components.platform_network import find_existing, make_network
from components.platform_pooler import PlatformPooler, make_pooler
from components.platform_roles import PlatformRoles, make_roles
from components.protection import guard
from components.renames import keep_renamed
from stacks.settings import Settings
from workloads import check_sql


class Platform(pulumi.ComponentResource):
    """Production PostgreSQL. `exports` holds endpoints and names, never a secret."""

    exports: dict[str, Any]

    def __init__(
        self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Check what needs AWS to be checked, then make everything."""
        contract = _contract(settings)
        deployment = Deployment.discover(settings)
        found = find_existing(deployment)
        existing = settings.database.origin.existing
        imported = existing_database.find(existing, settings) if existing else None
        ca_bundle = read_ca_bundle(deployment)

        transformations = [guard(deployment), keep_renamed()]
        super().__init__(
            "pgkeep:components:Platform",
            name,
            None,
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(transformations=transformations)
            ),
        )
        child = pulumi.ResourceOptions(parent=self)

        keys = EncryptionKeys("keys", deployment, child)
        foundation = Foundation(
            deployment=deployment,
            contract=contract,
            ca_bundle=ca_bundle,
            network=make_network(deployment, found, keys, child),
            keys=keys,
            code=FunctionCode("function-code", deployment, ca_bundle=ca_bundle, opts=child),
            alarm_topic=AlarmTopic("alarms", deployment, key_arn=keys.telemetry.arn, opts=child),
            opts=child,
        )
        databases = make_databases(foundation, imported)
        roles = make_roles(foundation, databases.primary)
        backups = make_backups(foundation, databases.primary, roles)
        pooler = make_pooler(foundation, databases, roles.workload)
        _watch(foundation, databases, roles, backups, pooler)
        self.exports = exports(foundation, databases, roles, backups, pooler)
        self.register_outputs(self.exports)


def _watch(
    foundation: Foundation,
    databases: Databases,
    roles: PlatformRoles,
    backups: Backups,
    pooler: PlatformPooler,
) -> None:
    """Alarms, and what RDS itself reports."""
    Monitoring(
        "monitoring",
        foundation.deployment,
        alarm_topic=foundation.alarm_topic,
        primary=databases.primary.identifier,
        replicas={
            replica.identifier: replica.allocated_storage_gib for replica in databases.replicas
        },
        operations=[*roles.operations, *backups.operations, pooler.certificates.operation],
        pooler=pooler.balancer,
        objectives=foundation.contract.objectives,
        opts=foundation.opts,
    )
    DatabaseEvents(
        "database-events",
        foundation.deployment,
        alarm_topic=foundation.alarm_topic,
        instances=[
            databases.primary.instance,
            *(replica.instance for replica in databases.replicas),
        ],
        parameter_group=databases.primary.parameter_group,
        opts=foundation.opts,
    )


def _contract(settings: Settings) -> workloads.WorkloadContract:
    """The workload's contract. That it fits the settings stacks/rules/workload.py has judged.

    Raises:
        pulumi.RunError: when a check of it would do more than read.
    """
    contract = workloads.load(settings.workload)
    refused = check_sql.refusals(contract)
    if refused:
        raise pulumi.RunError(
            f"workloads/{contract.workload}/contract.yaml: " + "; ".join(refused) + "."
        )
    return contract
