"""Where the database's data comes from: nothing, a snapshot, a point in time, or an instance."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stacks import forms
from stacks.schema import SettingsGroup, setting

SecurityGroupId = Annotated[str, Field(pattern=forms.SECURITY_GROUP.pattern)]
_INSTANCE_NAME_WHY = "RDS takes 1 to 63 lower-case letters, digits and single hyphens"
_RDS_CREATE = "AWS RDS API reference: CreateDBInstance"
_SOURCE_KEY_WHY = (
    "RDS keeps the source's key; without its name the program would ask for another, "
    "and that replaces the instance"
)


class SnapshotOrigin(SettingsGroup):
    """A snapshot to restore from."""

    identifier: str = setting(
        "Name or ARN of the DB snapshot, manual or automated",
        form=forms.SNAPSHOT,
        why="a DB snapshot of this region; one of another region has to be copied here first",
        source="AWS RDS API reference: RestoreDBInstanceFromDBSnapshot",
    )
    kms_key_arn: str | None = setting(
        "Key that the snapshot is under; left out, a copy under this stack's key is restored",
        default=None,
        form=forms.KEY_ARN,
        why="RDS restores under the snapshot's key; a snapshot without encryption must be copied",
        source="AWS RDS API reference: CopyDBSnapshot, KmsKeyId",
    )


class PointInTimeOrigin(SettingsGroup):
    """A source instance, or its retained or replicated backups, and a time."""

    source_identifier: str | None = setting(
        "Instance to recover, by name, while it exists",
        default=None,
        form=forms.INSTANCE_NAME,
        why="exactly one source",
        source="AWS RDS API reference: RestoreDBInstanceToPointInTime",
    )
    source_resource_id: str | None = setting(
        "Instance to recover, by resource id, also after its deletion",
        default=None,
        form=forms.RESOURCE_ID,
        why="exactly one source; names are used again, resource ids never",
        source="AWS RDS API reference: RestoreDBInstanceToPointInTime",
    )
    automated_backups_arn: str | None = setting(
        "Automated backups to recover from, such as those replicated to this region",
        default=None,
        form=forms.AUTOMATED_BACKUPS_ARN,
        why="exactly one source",
        source="AWS RDS API reference: RestoreDBInstanceToPointInTime",
    )
    time: str | None = setting(
        "UTC time to recover to; the latest that can be recovered when left out",
        default=None,
        form=forms.UTC_TIME,
        why="RDS takes UTC times only, before the latest restorable time",
        source="AWS RDS API reference: RestoreDBInstanceToPointInTime, RestoreTime",
    )
    kms_key_arn: str = setting(
        "Key that the source is under; the restored instance is under it too",
        form=forms.KEY_ARN,
        why=_SOURCE_KEY_WHY,
        source="AWS RDS user guide: encrypting Amazon RDS resources",
    )


class ExistingOrigin(SettingsGroup):
    """An instance that is there already and comes under this program's control. Leave it in the
    settings for as long as the stack has the instance."""

    identifier: str = setting(
        "Name of the instance; it keeps it",
        form=forms.INSTANCE_NAME,
        why=_INSTANCE_NAME_WHY,
        source=_RDS_CREATE,
    )
    kms_key_arn: str = setting(
        "Key that the instance is under",
        form=forms.KEY_ARN,
        why=_SOURCE_KEY_WHY,
        source="AWS RDS user guide: encrypting Amazon RDS resources",
    )
    keep_security_group_ids: tuple[SecurityGroupId, ...] = setting(
        "Security groups of the instance that stay beside the stack's own",
        default=(),
        max_length=4,
        each=forms.SECURITY_GROUP,
        why="an import takes every other group off, and clients that came through it lose their "
        "way; RDS takes five groups an instance",
        source="Amazon VPC quotas: security groups per network interface",
    )


class OriginSettings(SettingsGroup):
    """At most one; without any the database is new. Counts only when the instance is made."""

    snapshot: SnapshotOrigin | None = setting(
        "Restore a snapshot", default=None, why="at most one origin"
    )
    point_in_time: PointInTimeOrigin | None = setting(
        "Recover to a point in time", default=None, why="at most one origin"
    )
    existing: ExistingOrigin | None = setting(
        "Import an instance", default=None, why="at most one origin"
    )

    @property
    def kms_key_arn(self) -> str | None:
        """The key that the instance has from its origin; None where it is under the stack's."""
        origin = self.snapshot or self.point_in_time or self.existing
        return None if origin is None else origin.kms_key_arn


class MajorUpgrade(SettingsGroup):
    """One change of the major version, by name. With the next version it no longer counts."""

    from_version: str = setting(
        "Major version that the instance has",
        form=forms.MAJOR_VERSION,
        why="the upgrade is allowed for this change and no other",
        source="AWS RDS user guide: upgrading the PostgreSQL DB engine",
    )
    to_version: str = setting(
        "Major version that it gets: database.engine_version",
        form=forms.MAJOR_VERSION,
        why="the upgrade is allowed for this change and no other",
        source="AWS RDS user guide: upgrading the PostgreSQL DB engine",
    )
