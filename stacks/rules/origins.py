"""Rules of where the data comes from, how the version changes, and how the instance ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.rules.environments import GUARDED
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# AWS RDS API reference: CreateBlueGreenDeployment, BlueGreenDeploymentName.
_LONGEST_DEPLOYMENT_NAME = 60


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Contradictory origins, upgrades, updates and deletions."""
    yield from _origin(settings)
    yield from _upgrade(settings)
    yield from _blue_green(settings)
    yield from _deletion(settings)


def _origin(settings: Settings) -> Iterator[Refusal]:
    origin = settings.database.origin
    given = [
        name
        for name in ("snapshot", "point_in_time", "existing")
        if getattr(origin, name) is not None
    ]
    if len(given) > 1:
        yield Refusal(
            "database.origin",
            ", ".join(given),
            "at most one of snapshot, point_in_time and existing",
            "an instance has one origin",
            "Keep one; without any the database is new.",
        )
    point = origin.point_in_time
    if point is not None:
        sources = {
            name: getattr(point, name)
            for name in ("source_identifier", "source_resource_id", "automated_backups_arn")
        }
        if sum(value is not None for value in sources.values()) != 1:
            yield Refusal(
                "database.origin.point_in_time",
                ", ".join(name for name, value in sources.items() if value) or None,
                f"exactly one of {', '.join(sources)}",
                "RDS recovers one source",
                "Give exactly one of them.",
            )
        name = settings.database.instance_name(settings.prefix)
        if point.source_identifier == name:
            yield Refusal(
                "database.origin.point_in_time.source_identifier",
                name,
                "must not be this stack's own instance",
                "RDS recovers into another instance, and names are unique in a region",
                "Give database.identifier another name, or name the source by its resource id.",
            )
    existing = origin.existing
    if existing is not None and settings.network.existing is None:
        yield Refusal(
            "database.origin.existing",
            existing.identifier,
            "needs network.existing",
            "the instance is in a VPC already, and poolers and functions have to reach it",
            "Name its VPC and private subnets in network.existing.",
        )
    if existing is not None and settings.database.identifier not in (None, existing.identifier):
        yield Refusal(
            "database.identifier",
            settings.database.identifier,
            f"must be {existing.identifier!r} (database.origin.existing.identifier)",
            "an imported instance keeps its name",
            "Remove database.identifier.",
        )


def _upgrade(settings: Settings) -> Iterator[Refusal]:
    upgrade, version = settings.database.major_upgrade, settings.database.engine_version
    if upgrade is None:
        return
    if int(upgrade.from_version) >= int(upgrade.to_version):
        yield Refusal(
            "database.major_upgrade",
            f"{upgrade.from_version} to {upgrade.to_version}",
            "must go to a later version",
            "RDS has no way back but a restore",
            "Correct the two versions.",
        )
    elif upgrade.to_version != version:
        yield Refusal(
            "database.major_upgrade.to_version",
            upgrade.to_version,
            f"must be {version!r} (database.engine_version)",
            "an upgrade is allowed for one change by name, and this one is over or not yet asked",
            "Remove database.major_upgrade, or set database.engine_version to its to_version.",
        )
    elif not (settings.database.apply_changes_immediately or settings.database.blue_green_updates):
        yield Refusal(
            "database.apply_changes_immediately",
            False,
            "must be true with database.major_upgrade",
            "an upgrade that waits for the maintenance window still uses the old parameter group, "
            "which the same update deletes, and refuses the new one for replicas",
            "Set it to true and deploy at a time that suits, or use database.blue_green_updates.",
        )
    elif settings.replicas.other_regions:
        yield Refusal(
            "database.major_upgrade",
            f"{upgrade.from_version} to {upgrade.to_version}",
            "not with replicas.other_regions",
            "RDS upgrades replicas of its own region with the primary, others lose replication",
            "Remove them, upgrade, and make them anew.",
        )


def _blue_green(settings: Settings) -> Iterator[Refusal]:
    """AWS RDS user guide: limitations and considerations for blue/green deployments."""
    database, field = settings.database, "database.blue_green_updates"
    if not database.blue_green_updates:
        return
    if settings.replicas.count or settings.replicas.other_regions:
        replicas = settings.replicas.count + len(settings.replicas.other_regions)
        yield Refusal(
            field,
            True,
            f"not with {replicas} read replica{'s' if replicas > 1 else ''}",
            "the provider's blue/green update refuses an instance with replicas",
            "Set it to false, or replicas.count to 0 for the time of the change.",
        )
    name = database.instance_name(settings.prefix)
    if len(name) > _LONGEST_DEPLOYMENT_NAME:
        yield Refusal(
            field,
            True,
            f"needs an instance name of at most {_LONGEST_DEPLOYMENT_NAME} characters",
            f"{name} has {len(name)}, and the provider gives the deployment the instance's name",
            "Set it to false.",
        )
    parameters = {name.lower(): value for name, value in database.parameters.items()}
    if str(parameters.get("rds.logical_replication", "0")).lower() not in ("1", "true", "on"):
        yield Refusal(
            field,
            True,
            "needs database.parameters rds.logical_replication: 1",
            "RDS keeps the copy of another version in step with logical replication",
            "Set the parameter, restart the database, then turn blue/green updates on.",
        )
    if database.master_password == "managed_by_rds":  # noqa: S105
        yield Refusal(
            field,
            True,
            "not with database.master_password managed_by_rds",
            "RDS makes no blue/green deployment of an instance whose password it manages",
            "Set database.master_password to rotated_by_function.",
        )


def _deletion(settings: Settings) -> Iterator[Refusal]:
    """What is kept on deletion must stay readable, and what is protected must be kept."""
    database = settings.database
    kept = [
        name
        for name in ("final_snapshot", "keep_automated_backups")
        if getattr(database, name)
        and settings.keys.database_arn is None
        and not database.keep_kms_key
    ]
    if kept:
        yield Refusal(
            "database.keep_kms_key",
            False,
            f"must be true with database.{kept[0]}",
            "what is kept would be lost with its key after secrets.key_deletion_window_days",
            f"Set it to true, or database.{kept[0]} to false.",
        )
    stated = {exception.field for exception in settings.stated_exceptions}
    # In staging and prod the missing snapshot itself is refused, unless a reason is stated.
    judged = settings.environment in GUARDED and "database.final_snapshot" not in stated
    if database.deletion_protection and not database.final_snapshot and not judged:
        yield Refusal(
            "database.deletion_protection",
            True,
            "needs database.final_snapshot",
            "deletion takes two steps: first deletion_protection: false and `pulumi up`, then "
            "`pulumi destroy`; a database worth the first is worth a snapshot in the second",
            "Set database.final_snapshot to true (docs/database.md, deletion in two steps).",
        )
