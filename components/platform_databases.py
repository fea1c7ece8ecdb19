"""The primary, and its replicas here and in other regions."""

from __future__ import annotations

from dataclasses import dataclass

from components.database import Database
from components.database_events import DatabaseEvents
from components.existing_database import ExistingDatabase
from components.platform_foundation import Foundation
from components.read_replica import ReadReplica
from components.regional_alarms import RegionalAlarms
from components.regional_replica import DatabaseRegionalReplica
from stacks.replica_shapes import local_plans, regional_plans


@dataclass(frozen=True)
class Databases:
    """What serves SQL; the alarms of another region by its name."""

    primary: Database
    replicas: list[ReadReplica]
    regional_replicas: list[DatabaseRegionalReplica]
    regional_alarms: dict[str, RegionalAlarms]


def make_databases(foundation: Foundation, imported: ExistingDatabase | None) -> Databases:
    """`imported` is the existing instance that becomes the primary."""
    deployment, opts = foundation.deployment, foundation.opts
    settings, groups = deployment.settings, foundation.network.groups
    primary = Database(
        "database",
        deployment,
        placement=foundation.network.placement,
        keys=foundation.keys,
        security_group_id=groups.group_id("database"),
        imported=imported,
        opts=opts,
    )
    replicas = [
        ReadReplica(
            f"replica-{number}",
            deployment,
            number=number,
            plan=plan,
            primary=primary,
            placement=foundation.network.placement,
            keys=foundation.keys,
            security_group_id=groups.group_id("replica"),
            opts=opts,
        )
        for number, plan in enumerate(local_plans(settings), start=1)
    ]
    regional_replicas = [
        DatabaseRegionalReplica(
            f"replica-{replica.region}", deployment, replica, plan, primary=primary, opts=opts
        )
        for replica, plan in regional_plans(settings)
    ]
    regional_alarms = {
        replica.region: RegionalAlarms(
            f"watch-{replica.region}",
            deployment,
            region=replica.region,
            identifier=replica.identifier,
            allocated_storage_gib=replica.allocated_storage_gib,
            opts=opts,
        )
        for replica in regional_replicas
    }
    for replica in regional_replicas:
        DatabaseEvents(
            f"database-events-{replica.region}",
            deployment,
            alarm_topic=regional_alarms[replica.region].topic,
            instances=[replica.instance],
            parameter_group=replica.parameter_group,
            region=replica.region,
            opts=opts,
        )
    return Databases(primary, replicas, regional_replicas, regional_alarms)
