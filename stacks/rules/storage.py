"""Rules of storage: what RDS provisions on gp3 and io2.

Source of the numbers: AWS RDS user guide, "Amazon RDS DB instance storage" (tables for MariaDB,
MySQL and PostgreSQL), and "Managing capacity automatically with storage autoscaling".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stacks.replica_shapes import local_plans, regional_plans
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

AUTOSCALING_HEADROOM_PERCENT = 10
# Below this size gp3 has its baseline of 3000 IOPS and 125 MiB/s and nothing else.
GP3_PROVISIONED_FROM_GIB = 400
GP3_LEAST_IOPS, GP3_MOST_IOPS = 12_000, 64_000
# MiB/s for each provisioned IOPS. AWS RDS API reference: ValidStorageOptions.
GP3_MOST_THROUGHPUT_PER_IOPS = 0.25
IO2_LEAST_GIB = 100
IO2_MOST_IOPS_PER_GIB = 1_000


@dataclass(frozen=True)
class Volume:
    """Storage of one instance; `path` names the group that its settings stand in."""

    path: str
    storage_type: str
    allocated_gib: int
    iops: int | None
    throughput_mibps: int | None


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Sizes and speeds that RDS refuses, for the primary and every replica."""
    yield from _autoscaling(settings)
    for volume in volumes(settings):
        yield from _provisioned(volume)
    database = settings.database
    if database.dedicated_log_volume and database.storage_type != "io2":
        yield Refusal(
            "database.dedicated_log_volume",
            True,
            "needs database.storage_type io2",
            "RDS gives a dedicated log volume to provisioned IOPS storage only",
            "Set database.storage_type to io2 or leave it out.",
        )


def volumes(settings: Settings) -> list[Volume]:
    """The primary's storage, and that of every replica that differs from it, each once."""
    database = settings.database
    found = [
        Volume(
            "database",
            database.storage_type,
            database.allocated_storage_gib,
            database.iops,
            database.storage_throughput_mibps,
        )
    ]
    plans = [*local_plans(settings), *(plan for _, plan in regional_plans(settings))]
    for plan in plans:
        allocated_gib = plan.allocated_storage_gib or database.allocated_storage_gib
        volume = Volume(
            plan.path, plan.storage_type, allocated_gib, plan.iops, plan.storage_throughput_mibps
        )
        if volume not in found and replace(volume, path="database") != found[0]:
            found.append(volume)
    return found


def _autoscaling(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    # Whole GiB, rounded up.
    least = -(-database.allocated_storage_gib * (100 + AUTOSCALING_HEADROOM_PERCENT) // 100)
    if 0 < database.max_allocated_storage_gib < least:
        yield Refusal(
            "database.max_allocated_storage_gib",
            database.max_allocated_storage_gib,
            f"at least {least} GiB (10 % above database.allocated_storage_gib)",
            "RDS refuses a lower autoscaling ceiling",
            f"Set it to {least} or more.",
        )
    for volume in volumes(settings)[1:]:
        if volume.allocated_gib < database.allocated_storage_gib:
            yield Refusal(
                f"{volume.path}.allocated_storage_gib",
                volume.allocated_gib,
                f"at least {database.allocated_storage_gib} GiB (database.allocated_storage_gib)",
                "a replica holds all of the primary's data",
                "Raise it or leave it out.",
            )


def _provisioned(volume: Volume) -> Iterator[Refusal]:
    if volume.storage_type == "gp3":
        yield from _gp3(volume)
    else:
        yield from _io2(volume)


def _gp3(volume: Volume) -> Iterator[Refusal]:
    for field, value in (
        ("iops", volume.iops),
        ("storage_throughput_mibps", volume.throughput_mibps),
    ):
        if value is not None and volume.allocated_gib < GP3_PROVISIONED_FROM_GIB:
            yield Refusal(
                f"{volume.path}.{field}",
                value,
                f"only from {GP3_PROVISIONED_FROM_GIB} GiB of gp3 "
                f"({volume.path} has {volume.allocated_gib})",
                "RDS gives smaller gp3 volumes 3000 IOPS and 125 MiB/s and refuses other values",
                f"Leave it out or raise {volume.path}.allocated_storage_gib.",
            )
            return
    if volume.iops is not None and not GP3_LEAST_IOPS <= volume.iops <= GP3_MOST_IOPS:
        yield Refusal(
            f"{volume.path}.iops",
            volume.iops,
            f"{GP3_LEAST_IOPS} to {GP3_MOST_IOPS} IOPS on gp3",
            f"from {GP3_PROVISIONED_FROM_GIB} GiB on RDS stripes four volumes of 3000 to 16000",
            f"Leave it out ({GP3_LEAST_IOPS} is the baseline) or set it within the range.",
        )
        return
    most = int((volume.iops or GP3_LEAST_IOPS) * GP3_MOST_THROUGHPUT_PER_IOPS)
    if volume.throughput_mibps is not None and volume.throughput_mibps > most:
        yield Refusal(
            f"{volume.path}.storage_throughput_mibps",
            volume.throughput_mibps,
            f"at most {most} MiB/s with {volume.iops or GP3_LEAST_IOPS} IOPS",
            "gp3 moves at most 0.25 MiB/s for each provisioned IOPS",
            f"Lower it or raise {volume.path}.iops.",
        )


def _io2(volume: Volume) -> Iterator[Refusal]:
    if volume.allocated_gib < IO2_LEAST_GIB:
        yield Refusal(
            f"{volume.path}.allocated_storage_gib",
            volume.allocated_gib,
            f"at least {IO2_LEAST_GIB} GiB on io2",
            "RDS offers no smaller io2 volume",
            f"Set it to {IO2_LEAST_GIB} or more, or take gp3.",
        )
    if volume.iops is None:
        yield Refusal(
            f"{volume.path}.iops",
            None,
            "1000 to 256000 IOPS on io2",
            "io2 has no baseline: RDS wants the number",
            f"Set {volume.path}.iops.",
        )
    elif volume.iops > volume.allocated_gib * IO2_MOST_IOPS_PER_GIB:
        yield Refusal(
            f"{volume.path}.iops",
            volume.iops,
            f"at most {volume.allocated_gib * IO2_MOST_IOPS_PER_GIB} IOPS on "
            f"{volume.allocated_gib} GiB",
            "RDS provisions at most 1000 IOPS for each GiB of io2",
            f"Lower it or raise {volume.path}.allocated_storage_gib.",
        )
    if volume.throughput_mibps is not None:
        yield Refusal(
            f"{volume.path}.storage_throughput_mibps",
            volume.throughput_mibps,
            "only on gp3",
            "io2's throughput follows its IOPS",
            "Leave it out.",
        )
