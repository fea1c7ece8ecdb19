"""What AWS does not offer: regions, machines in a region, engine versions, parameters.

Judged by data that others keep (facts/): a region that the data does not know is not judged.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from facts import ec2, postgresql_parameters, rds, regions
from stacks.replica_shapes import local_plans, regional_plans
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

_REPOSITORY = Path(__file__).parents[2]
_SHIPPED_ROOTS = "stacks/rds_ca/{region}.pem"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What AWS would refuse because it does not have it."""
    yield from _region(settings)
    yield from _zones(settings)
    yield from _other_partition(settings)
    yield from _engine_version(settings)
    yield from _instance_classes(settings)
    yield from _instance_types(settings)
    yield from _parameters(settings)


# AWS general reference: AWS service endpoints.
def _region(settings: Settings) -> Iterator[Refusal]:
    region = settings.region
    if region is not None and not regions.exists(region):
        yield Refusal(
            "aws:region",
            region,
            "a region of AWS",
            "AWS has no region of this name",
            _instead(region, (name for each in regions.partitions() for name in each.regions)),
        )


# AWS documentation: AWS regions and availability zones.
def _zones(settings: Settings) -> Iterator[Refusal]:
    network, region = settings.network, settings.region
    known = regions.zones(region) if region is not None else ()
    if network.existing is not None or network.availability_zones or not known:
        return
    if network.availability_zone_count > len(known):
        yield Refusal(
            "network.availability_zone_count",
            network.availability_zone_count,
            f"at most {len(known)} in {region}",
            f"it has {', '.join(known)}",
            f"Set it to {len(known)} or choose another region.",
        )


# AWS EC2 user guide: find an AMI. AWS RDS user guide: using SSL/TLS, certificate bundles by region.
def _other_partition(settings: Settings) -> Iterator[Refusal]:
    partition = regions.partition_of(settings.region) if settings.region is not None else None
    if partition is None or partition.name == "aws":
        return
    path = settings.database.ca_bundle_path
    shipped = _REPOSITORY / path.replace("{region}", str(settings.region))
    if path == _SHIPPED_ROOTS and not shipped.is_file():
        yield Refusal(
            "database.ca_bundle_path",
            path,
            f"a file with RDS's roots of {settings.region}",
            f"pgkeep ships those of the commercial partition, and {settings.region} is of "
            f"{partition.name}",
            "Fetch the region's bundle from AWS (stacks/rds_ca/README.md) and put it there.",
        )
    if settings.pooler.image_id is None:
        yield Refusal(
            "pooler.image_id",
            None,
            f"required in partition {partition.name}",
            "only in the commercial partition is the account known that publishes Debian's images",
            "Set it to an image of Debian 13.",
        )


# AWS RDS for PostgreSQL release notes: release calendars.
def _engine_version(settings: Settings) -> Iterator[Refusal]:
    version = settings.database.engine_version
    if version in rds.known_versions() - rds.deprecated_versions():
        yield from _end_of_support(settings, version)
        return
    major = version.split(".", 1)[0]
    supported = rds.supported_versions(major)
    ends = rds.STANDARD_SUPPORT_ENDS.get(major)
    yield Refusal(
        "database.engine_version",
        version,
        f"one of {', '.join(supported)}" if supported else "a version that RDS offers",
        f"RDS does not create it any more (standard support of {major} ends {ends})"
        if version in rds.deprecated_versions() and ends is not None
        else "RDS does not offer it",
        f"Set it to {major!r} for the newest minor version, {supported[-1]} today."
        if supported
        else f"Set it to {max(rds.STANDARD_SUPPORT_ENDS)!r} or another supported major version.",
    )


# AWS RDS user guide: RDS Extended Support, "creating a DB instance".
def _end_of_support(settings: Settings, version: str) -> Iterator[Refusal]:
    ends = rds.STANDARD_SUPPORT_ENDS.get(version.split(".", 1)[0])
    today = datetime.datetime.now(datetime.UTC).date()
    if ends is not None and ends < today and not settings.database.extended_support:
        yield Refusal(
            "database.engine_version",
            version,
            f"standard support ended on {ends}",
            "without database.extended_support RDS makes no instance of it and upgrades old ones",
            "Choose a later version, or pay for database.extended_support.",
        )


# AWS RDS user guide: DB instance class availability by region and engine.
def _instance_classes(settings: Settings) -> Iterator[Refusal]:
    database, region = settings.database, settings.region
    version = database.engine_version
    yield from _instance_class("database.instance_class", database.instance_class, region, version)
    plans = [(plan, region) for plan in local_plans(settings)]
    plans += [(plan, replica.region) for replica, plan in regional_plans(settings)]
    seen = {(database.instance_class, region)}
    for plan, where in plans:
        # Replicas that are alike, or like the primary, are one mistake.
        if (plan.instance_class, where) not in seen:
            seen.add((plan.instance_class, where))
            field = f"{plan.path}.instance_class"
            yield from _instance_class(field, plan.instance_class, where, version)


def _instance_class(
    field: str, instance_class: str, region: str | None, version: str
) -> Iterator[Refusal]:
    of_version = rds.instance_classes_of_version(version)
    in_region = rds.instance_classes(region) if region is not None else None
    offered = of_version if in_region is None else in_region & of_version
    # An unknown version is refused by a rule of its own.
    if not of_version or instance_class in offered:
        return
    yield Refusal(
        field,
        instance_class,
        f"a class that RDS offers for PostgreSQL {version}" + (f" in {region}" if region else ""),
        f"{region} does not have it"
        if instance_class in of_version
        else f"RDS has no such class for PostgreSQL {version}",
        _instead(instance_class, offered),
    )


# AWS EC2 user guide: find an instance type; on-demand availability by region.
def _instance_types(settings: Settings) -> Iterator[Refusal]:
    region, worker = settings.region, settings.backups.worker
    offered = ec2.instance_types(region) if region is not None else None
    chosen = {"pooler.instance_type": settings.pooler.instance_type}
    if worker.enabled and worker.instance_type is not None:
        chosen["backups.worker.instance_type"] = worker.instance_type
    for field, instance_type in chosen.items():
        if offered is not None and instance_type not in offered:
            yield Refusal(
                field,
                instance_type,
                f"a type that EC2 offers in {region}",
                f"EC2 has no such type in {region}",
                _instead(instance_type, offered),
            )


# AWS RDS user guide: working with parameters on your RDS for PostgreSQL DB instance.
def _parameters(settings: Settings) -> Iterator[Refusal]:
    family = f"postgres{settings.database.engine_version.split('.', 1)[0]}"
    for name, value in settings.database.parameters.items():
        text = str(int(value)) if isinstance(value, bool) else str(value)
        found = postgresql_parameters.problem(name, text, family)
        if found is not None:
            yield Refusal(
                f"database.parameters.{name}", value, found.limit, found.reason, found.remedy
            )


def _instead(value: str, offered: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, sorted(offered), n=3)
    return f"Use {', '.join(close)} or another one." if close else "Use another one."
