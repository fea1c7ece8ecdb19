"""A replica's machine and storage: its own settings over its group's over the primary's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stacks.replica_settings import RegionalReplica, ReplicaShape

if TYPE_CHECKING:
    from stacks.database_settings import DatabaseSettings
    from stacks.settings import Settings


@dataclass(frozen=True)
class ReplicaPlan:
    """Machine and storage of one replica.

    Attributes:
        path: the settings that it comes from, for messages.
        instance_class: machine.
        multi_az: whether it has a standby.
        storage_type: gp3 or io2.
        allocated_storage_gib: its storage; None takes the primary's.
        iops: provisioned IOPS; None is the baseline.
        storage_throughput_mibps: provisioned MiB/s; None is the baseline.
        dedicated_log_volume: as the primary, where the storage has it.
        availability_zone: its zone; None leaves it to the program.
    """

    path: str
    instance_class: str
    multi_az: bool
    storage_type: str
    allocated_storage_gib: int | None
    iops: int | None
    storage_throughput_mibps: int | None
    dedicated_log_volume: bool
    availability_zone: str | None = None


def local_plans(settings: Settings) -> list[ReplicaPlan]:
    """The replicas of the stack's region, in their order."""
    replicas = settings.replicas
    overrides = {override.number: override for override in replicas.overrides}
    plans: list[ReplicaPlan] = []
    for number in range(1, replicas.count + 1):
        override = overrides.get(number)
        shapes = (replicas,) if override is None else (override, replicas)
        path = "replicas"
        if override is not None:
            path = f"replicas.overrides[{replicas.overrides.index(override)}]"
        zone = override.availability_zone if override is not None else None
        plans.append(_plan(path, settings.database, shapes, zone))
    return plans


def regional_plans(settings: Settings) -> Iterator[tuple[RegionalReplica, ReplicaPlan]]:
    """The replicas of other regions with their settings, in their order."""
    for index, replica in enumerate(settings.replicas.other_regions):
        path = f"replicas.other_regions[{index}]"
        yield replica, _plan(path, settings.database, (replica,), None)


def _plan(
    path: str, database: DatabaseSettings, shapes: tuple[ReplicaShape, ...], zone: str | None
) -> ReplicaPlan:
    def first(name: str) -> Any:
        return next(
            (value for shape in shapes if (value := getattr(shape, name)) is not None), None
        )

    storage_type = first("storage_type")
    # IOPS and throughput of the primary fit its own kind of storage only.
    alike = storage_type in (None, database.storage_type)
    iops, throughput_mibps = first("iops"), first("storage_throughput_mibps")
    if alike:
        iops = iops if iops is not None else database.iops
        if throughput_mibps is None:
            throughput_mibps = database.storage_throughput_mibps
    return ReplicaPlan(
        path=path,
        instance_class=first("instance_class") or database.instance_class,
        multi_az=bool(first("multi_az")),
        storage_type=storage_type or database.storage_type,
        allocated_storage_gib=first("allocated_storage_gib"),
        iops=iops,
        storage_throughput_mibps=throughput_mibps,
        dedicated_log_volume=database.dedicated_log_volume and storage_type in (None, "io2"),
        availability_zone=zone,
    )
