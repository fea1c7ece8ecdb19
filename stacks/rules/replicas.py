"""Rules of read replicas and of copies in another region.

Sources: AWS RDS user guide, "Working with DB instance read replicas", "Replicating automated
backups to another AWS Region", "Password management with AWS Secrets Manager".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.replica_settings import BackupReplication, RegionalReplica
    from stacks.settings import Settings

# Of one source, wherever they are.
MOST_REPLICAS = 15


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Replicas and copies that RDS refuses."""
    yield from _count(settings)
    yield from _overrides(settings)
    yield from _other_regions(settings)
    if settings.database.backup_replication is not None:
        yield from _copy(
            settings, "database.backup_replication", settings.database.backup_replication
        )


def _count(settings: Settings) -> Iterator[Refusal]:
    replicas, database = settings.replicas, settings.database
    total = replicas.count + len(replicas.other_regions)
    if total > MOST_REPLICAS:
        yield Refusal(
            "replicas.count",
            replicas.count,
            f"at most {MOST_REPLICAS} together with {len(replicas.other_regions)} in other regions",
            "RDS makes no more replicas of one source",
            "Lower it.",
        )
    if total and database.master_password == "managed_by_rds":  # noqa: S105
        yield Refusal(
            "database.master_password",
            database.master_password,
            f"not with {total} read replica{'s' if total > 1 else ''}",
            "RDS makes no read replica of an instance whose master password it manages",
            "Set it to rotated_by_function, or replicas.count to 0.",
        )


def _overrides(settings: Settings) -> Iterator[Refusal]:
    replicas = settings.replicas
    seen: set[int] = set()
    for index, override in enumerate(replicas.overrides):
        field = f"replicas.overrides[{index}].number"
        if override.number > replicas.count:
            yield Refusal(
                field,
                override.number,
                f"at most {replicas.count} (replicas.count)",
                "there is no such replica",
                "Raise replicas.count or remove the override.",
            )
        elif override.number in seen:
            yield Refusal(
                field,
                override.number,
                "once",
                "one replica cannot differ in two ways",
                "Merge the overrides.",
            )
        seen.add(override.number)
        zone = override.availability_zone
        if zone is not None and override.multi_az:
            yield Refusal(
                f"replicas.overrides[{index}].availability_zone",
                zone,
                "not with multi_az",
                "RDS chooses both zones of a Multi-AZ instance",
                "Leave out one of the two.",
            )
        if zone is not None and settings.region is not None and zone[:-1] != settings.region:
            yield Refusal(
                f"replicas.overrides[{index}].availability_zone",
                zone,
                f"a zone of {settings.region}",
                "these replicas are in the stack's region",
                "Name a zone of it, or use replicas.other_regions.",
            )


def _other_regions(settings: Settings) -> Iterator[Refusal]:
    seen: set[str] = set()
    for index, replica in enumerate(settings.replicas.other_regions):
        path = f"replicas.other_regions[{index}]"
        yield from _copy(settings, path, replica)
        if replica.region in seen:
            yield Refusal(
                f"{path}.region",
                replica.region,
                "one replica a region",
                "their names and security groups would meet",
                "Remove one of the two.",
            )
        seen.add(replica.region)


def _copy(
    settings: Settings, path: str, copy: RegionalReplica | BackupReplication
) -> Iterator[Refusal]:
    if copy.region == settings.region:
        yield Refusal(
            f"{path}.region",
            copy.region,
            "another region than the stack's",
            "a copy in the same region is lost with it",
            "Name another region.",
        )
    if (copy.kms_key_arn is None) == (not copy.create_kms_key):
        yield Refusal(
            f"{path}.kms_key_arn",
            copy.kms_key_arn,
            f"exactly one of kms_key_arn (a key in {copy.region}) and create_kms_key",
            "KMS keys belong to one region, and an encrypted copy needs one where it goes",
            "Name the key, or set create_kms_key to true.",
        )
    elif copy.kms_key_arn is not None and copy.kms_key_arn.split(":")[3] != copy.region:
        yield Refusal(
            f"{path}.kms_key_arn",
            copy.kms_key_arn,
            f"a key in {copy.region}",
            "a key of another region cannot encrypt the copy",
            "Name a key of that region.",
        )
