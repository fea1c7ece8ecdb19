"""An existing instance: looked up and compared with the settings before it is imported.

What differs and RDS can change in place is changed by the update that imports. What RDS cannot
change would mean another, empty instance; it is refused here, each with what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.security_groups import POSTGRESQL_PORT
from stacks.origin_settings import ExistingOrigin
from stacks.settings import Settings

_FIELD = "database.origin.existing.identifier"


@dataclass(frozen=True)
class ExistingDatabase:
    """What the instance has and keeps, because RDS does not change it."""

    subnet_group_name: str
    availability_zone: str
    db_name: str | None
    """The database that RDS made with the instance; others may have been made since."""


def find(existing: ExistingOrigin, settings: Settings) -> ExistingDatabase:
    """Look up the instance.

    Raises:
        pulumi.RunError: there is none; or one line for each setting that contradicts it.
    """
    try:
        found = aws.rds.get_instance(db_instance_identifier=existing.identifier)
        vpc_id = aws.rds.get_subnet_group(name=found.db_subnet_group).vpc_id
    except Exception as error:
        # The SDK raises a bare Exception when an invoke fails; its text says what AWS said.
        raise pulumi.RunError(
            f"{_FIELD}: {existing.identifier!r} refused, must be an instance of this region that "
            f"can be looked up: {' '.join(str(error).split())}. Correct the name, or the stack's "
            "region."
        ) from None
    mistakes = [
        *_contradictions(found, existing, settings),
        *_places(found, vpc_id, settings),
        *_replicas(found, settings),
    ]
    if mistakes:
        raise pulumi.RunError("\n".join(mistakes))
    return ExistingDatabase(
        subnet_group_name=found.db_subnet_group,
        availability_zone=found.availability_zone,
        db_name=found.db_name or None,
    )


def _contradictions(
    found: aws.rds.AwaitableGetInstanceResult, existing: ExistingOrigin, settings: Settings
) -> Iterator[str]:
    database = settings.database
    if found.engine != "postgres" or found.db_cluster_identifier:
        yield _line(
            _FIELD,
            existing.identifier,
            "must be an instance of RDS for PostgreSQL",
            f"it is {found.engine}{' of a cluster' if found.db_cluster_identifier else ''}",
            "Name another instance.",
        )
        return
    if found.replicate_source_db:
        yield _line(
            _FIELD,
            existing.identifier,
            "must be a primary",
            f"it is a read replica of {found.replicate_source_db}",
            "Promote it first, or name its source.",
        )
    if not found.storage_encrypted:
        yield _line(
            _FIELD,
            existing.identifier,
            "must have encrypted storage",
            "RDS cannot encrypt an instance in place",
            "Take a snapshot of it and use origin.snapshot: the copy is encrypted.",
        )
    elif found.kms_key_id != existing.kms_key_arn:
        yield _line(
            "database.origin.existing.kms_key_arn",
            existing.kms_key_arn,
            f"must be {found.kms_key_id!r}",
            "the instance is under that key, and RDS cannot change it",
            "Name that key.",
        )
    if found.master_username != database.master_username:
        yield _line(
            "database.master_username",
            database.master_username,
            f"must be {found.master_username!r}",
            "the instance has that master user, and RDS cannot change it",
            "Name that user.",
        )
    major = found.engine_version.partition(".")[0]
    upgrade = database.major_upgrade
    if major != database.engine_version and (upgrade is None or major != upgrade.from_version):
        yield _line(
            "database.engine_version",
            database.engine_version,
            f"must be {major!r}",
            f"the instance runs {found.engine_version}",
            "Import it as it is; upgrade it afterwards with database.major_upgrade.",
        )
    yield from _storage(found.allocated_storage, settings)


def _storage(allocated_gib: int, settings: Settings) -> Iterator[str]:
    # What autoscaling has added is no contradiction: the provider leaves it.
    database = settings.database
    if database.allocated_storage_gib < allocated_gib > database.max_allocated_storage_gib:
        yield _line(
            "database.allocated_storage_gib",
            database.allocated_storage_gib,
            f"at least {allocated_gib} GiB",
            "the instance has that much, and RDS cannot shrink it",
            f"Set it to {allocated_gib}.",
        )


def _places(
    found: aws.rds.AwaitableGetInstanceResult, vpc_id: str, settings: Settings
) -> Iterator[str]:
    network, database = settings.network.existing, settings.database
    if network is not None and vpc_id != network.vpc_id:
        yield _line(
            "network.existing.vpc_id",
            network.vpc_id,
            f"must be {vpc_id!r}",
            "the instance is in that VPC, and poolers and functions have to reach it",
            "Name that VPC and subnets of it.",
        )
    zone = database.availability_zone
    if not database.multi_az and zone not in (None, found.availability_zone):
        yield _line(
            "database.availability_zone",
            zone,
            f"must be {found.availability_zone!r}",
            "the instance is in that zone, and RDS moves none",
            "Remove it.",
        )
    if found.port != POSTGRESQL_PORT:
        yield _line(
            _FIELD,
            settings.database.instance_name(settings.prefix),
            f"must listen on port {POSTGRESQL_PORT}",
            f"it listens on {found.port}, and a change of the port restarts it and cuts every "
            "client off",
            "Change the port first, at a time that suits its clients.",
        )


def _replicas(found: aws.rds.AwaitableGetInstanceResult, settings: Settings) -> Iterator[str]:
    """PostgreSQL 17 documentation, 26.4.3: a standby needs at least its primary's max_connections.

    The instance goes on with the values of its old parameter group until it is restarted, while
    its new replicas would begin with the stack's.
    """
    own = f"{settings.prefix}-postgres"
    if any(group.startswith(own) for group in found.db_parameter_groups):
        return
    wanted = {
        "replicas.count": settings.replicas.count,
        "replicas.other_regions": len(settings.replicas.other_regions),
    }
    for field, count in wanted.items():
        if count:
            yield _line(
                field,
                count,
                "none in the update that imports",
                "the instance takes the stack's parameters at its next restart, and a replica with "
                "fewer max_connections than its primary does not start",
                "Import without replicas, restart the instance, then add them.",
            )


def _line(field: str, value: object, limit: str, reason: str, remedy: str) -> str:
    return f"{field}: {value!r} refused, {limit}: {reason}. {remedy}"
