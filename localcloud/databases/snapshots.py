"""DB snapshots: taken of a running instance, copied, shared, deleted."""

import datetime
import shutil
from pathlib import Path
from typing import Any, cast

from moto.rds.exceptions import (
    DBSnapshotAlreadyExistsError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
    SnapshotQuotaExceededFault,
)
from moto.rds.models import DBSnapshot

from localcloud.databases import backups
from localcloud.databases.archive import link_tree
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.regional import Regional

# AWS, DescribeDBSnapshots: what is shown when no SnapshotType is given.
_SHOWN_TYPES = ("automated", "manual")


class LocalDBSnapshot(DBSnapshot):
    """A snapshot with a base backup behind it, and what moto's model leaves out."""

    def __init__(self, *arguments: Any, folder: Path, **inputs: Any) -> None:
        super().__init__(*arguments, **inputs)
        instance = cast(LocalDBInstance, self.database)
        self.folder = folder
        self.percent_progress = 0
        self.availability_zone = instance.availability_zone
        self.vpc_id = instance.vpc_id
        self.license_model = instance.license_model
        self.storage_type = instance.storage_type
        self.iops = instance.iops
        self.storage_throughput = instance.storage_throughput
        self.option_group_name = instance.option_group_name
        self.backup_retention_period = instance.backup_retention_period
        self.preferred_backup_window = instance.preferred_backup_window
        self.dedicated_log_volume = instance.dedicated_log_volume
        self.multi_tenant = False
        self.snapshot_target = "region"
        self.source_region: str | None = None
        self.source_db_snapshot_identifier: str | None = None

    @property
    def snapshot_database_time(self) -> datetime.datetime:
        return self.created

    def finish(self, worked: bool) -> None:
        """Set the status that the snapshot ends in."""
        self.status = "available" if worked else "failed"
        self.percent_progress = 100 if worked else self.percent_progress

    def record(self, kind: str, **details: str) -> None:
        """Record an event of the snapshot, and tell its subscribers."""
        cast(Any, self.backend).record(kind, self, **details)


class Snapshots(Regional):
    """The snapshots of one region."""

    def create_db_snapshot(  # noqa: PLR0917 - moto's signature
        self,
        db_instance_identifier: str,
        db_snapshot_identifier: str,
        snapshot_type: str = "manual",
        tags: list[dict[str, str]] | None = None,
        original_created_at: Any = None,  # noqa: ARG002 - moto's signature
        kms_key_id: str | None = None,
        **_: Any,
    ) -> DBSnapshot:
        """Copy the data in the background: status creating → available."""
        instance = self.instance(db_instance_identifier)
        self.require(instance, ("available",))
        snapshot = self._add(instance, db_snapshot_identifier, snapshot_type, tags, kms_key_id)
        snapshot.record("manual-snapshot-started")

        def done(worked: bool) -> None:
            snapshot.finish(worked)
            if worked:
                snapshot.record("manual-snapshot-finished")

        backups.snapshot(self.plane, instance, snapshot.folder, done)
        return snapshot

    def create_automated_snapshot(
        self,
        instance: LocalDBInstance,
        data: Path,
        started: datetime.datetime,
        name: str | None = None,
    ) -> None:
        """Make the snapshot of a base backup, named as RDS names it; one a minute."""
        name = name or f"rds:{instance.db_instance_identifier}-{started:%Y-%m-%d-%H-%M}"
        if name in self.database_snapshots:
            return
        snapshot = self._add(instance, name, "automated", None, None)
        snapshot.record("automated-snapshot-started")
        link_tree(data, snapshot.folder)
        snapshot.finish(True)
        snapshot.record("automated-snapshot-finished")

    def copy_db_snapshot(
        self,
        source_db_snapshot_identifier: str,
        target_db_snapshot_identifier: str,
        kms_key_id: str | None = None,
        tags: list[dict[str, str]] | None = None,
        copy_tags: bool | None = False,
        **_: Any,
    ) -> DBSnapshot:
        """Copy within the region, or into it from another region by the snapshot's ARN."""
        source = self.snapshot(source_db_snapshot_identifier)
        self._require_available(source)
        elsewhere = source.region != self.region_name
        if elsewhere and source.encrypted and kms_key_id is None:
            raise InvalidParameterCombination(
                f"The snapshot {source_db_snapshot_identifier} is encrypted and in another Region: "
                f"specify a KmsKeyId of {self.region_name}."
            )
        if kms_key_id is not None:
            kms_key_id = self._validate_kms_key(kms_key_id)
        instance = cast(LocalDBInstance, source.database)
        if copy_tags and not tags:
            tags = source.tags
        copied = self._add(
            instance,
            target_db_snapshot_identifier,
            "manual",
            tags or [],
            kms_key_id or source.kms_key_id,
        )
        copied.original_snapshot_create_time = source.original_snapshot_create_time
        if elsewhere or source.account_id != self.account_id:
            copied.source_region = source.region
            copied.source_db_snapshot_identifier = source.arn
        names = {"name": source.db_snapshot_identifier, "region": source.region}
        copied.record("snapshot-copy-started", **names)
        link_tree(source.folder, copied.folder)
        copied.finish(True)
        copied.record("snapshot-copy-finished", **names)
        return copied

    def delete_db_snapshot(self, db_snapshot_identifier: str) -> DBSnapshot:
        """Delete a manual snapshot; RDS itself deletes the automated ones."""
        snapshot = self.own_snapshot(db_snapshot_identifier)
        if snapshot.snapshot_type != "manual":
            raise RDSClientError(
                "InvalidDBSnapshotState",
                f"Only manual snapshots can be deleted; {db_snapshot_identifier} is "
                f"{snapshot.snapshot_type}.",
            )
        self._require_available(snapshot, "available", "failed")
        self._remove(snapshot)
        snapshot.record("snapshot-deleted")
        snapshot.status = "deleted"
        return snapshot

    def forget_automated_snapshots(self, resource_id: str, before: datetime.datetime) -> None:
        """Remove an instance's automated snapshots that were made before a moment."""
        for snapshot in list(self.database_snapshots.values()):
            if (
                isinstance(snapshot, LocalDBSnapshot)
                and snapshot.snapshot_type == "automated"
                and snapshot.dbi_resource_id == resource_id
                and snapshot.created.replace(tzinfo=datetime.UTC) < before
            ):
                self._remove(snapshot)

    def describe_db_snapshots(
        self,
        db_instance_identifier: str | None,
        db_snapshot_identifier: str | None = None,
        snapshot_type: str | None = None,
        filters: dict[str, Any] | None = None,
    ) -> list[DBSnapshot]:
        """As moto, with AWS's error code and, without a type, no snapshots of AWS Backup."""
        name = db_snapshot_identifier
        if name is not None and name.startswith("arn:"):
            return [self.snapshot(name)]
        if snapshot_type is None and name is None and not (filters or {}).get("snapshot-type"):
            filters = {**(filters or {}), "snapshot-type": list(_SHOWN_TYPES)}
        if name is not None and db_instance_identifier is None:
            self.own_snapshot(name)
        return super().describe_db_snapshots(db_instance_identifier, name, snapshot_type, filters)

    def modify_db_snapshot_attribute(
        self,
        db_snapshot_identifier: str,
        attribute_name: str,
        values_to_add: list[str] | None = None,
        values_to_remove: list[str] | None = None,
    ) -> dict[str, list[str]]:
        """Share a manual snapshot with other accounts, or no longer."""
        snapshot = self.own_snapshot(db_snapshot_identifier)
        if snapshot.snapshot_type != "manual":
            raise InvalidParameterValue(
                "The parameter DBSnapshotIdentifier is not a valid identifier: only manual "
                f"snapshots can be shared, {db_snapshot_identifier} is {snapshot.snapshot_type}."
            )
        if values_to_add and snapshot.encrypted:
            if "all" in values_to_add:
                raise RDSClientError(
                    "InvalidDBSnapshotState", "An encrypted snapshot cannot be made public."
                )
            if snapshot.kms_key_id == self.default_key:
                raise RDSClientError(
                    "InvalidDBSnapshotState",
                    f"{db_snapshot_identifier} is encrypted with the account's default key for "
                    "RDS, which other accounts cannot use; copy it with a KmsKeyId of your own "
                    "and share the copy.",
                )
        snapshot.modify_attribute(attribute_name, values_to_add, values_to_remove)
        return snapshot.attributes

    def own_snapshot(self, name: str) -> LocalDBSnapshot:
        """The snapshot of that name in this region. Raises DBSnapshotNotFound."""
        found = self.database_snapshots.get(name)
        if not isinstance(found, LocalDBSnapshot):
            raise RDSClientError("DBSnapshotNotFound", f"DBSnapshot not found: {name}")
        return found

    def snapshot(self, name_or_arn: str) -> LocalDBSnapshot:
        """A snapshot of this region, or by ARN one of another region or one that is shared.

        Raises DBSnapshotNotFound.
        """
        if not name_or_arn.startswith("arn:"):
            return self.own_snapshot(name_or_arn)
        parts = name_or_arn.split(":", 6)
        if len(parts) != 7 or parts[5] != "snapshot":
            raise InvalidParameterValue(f"Invalid DB snapshot ARN: {name_or_arn}")
        owner = cast("Snapshots", self.get_backend("rds", parts[3], parts[4]))
        found = owner.own_snapshot(parts[6])
        allowed = {*found.attributes["restore"]} & {self.account_id, "all"}
        if found.account_id != self.account_id and not allowed:
            raise RDSClientError("DBSnapshotNotFound", f"DBSnapshot not found: {name_or_arn}")
        return found

    def require_restorable(self, snapshot: LocalDBSnapshot) -> None:
        """Refuse a snapshot that is not whole yet. Raises InvalidDBSnapshotState."""
        self._require_available(snapshot)

    def _require_available(self, snapshot: LocalDBSnapshot, *statuses: str) -> None:
        if snapshot.status not in (statuses or ("available",)):
            raise RDSClientError(
                "InvalidDBSnapshotState",
                f"DB snapshot {snapshot.db_snapshot_identifier} is not in available state: it is "
                f"{snapshot.status}.",
            )

    def _add(
        self,
        instance: LocalDBInstance,
        name: str,
        snapshot_type: str,
        tags: list[dict[str, str]] | None,
        kms_key_id: str | None,
    ) -> LocalDBSnapshot:
        if name in self.database_snapshots:
            raise DBSnapshotAlreadyExistsError(name)
        if snapshot_type == "manual" and len(self.database_snapshots) >= self.SNAPSHOT_QUOTA:
            raise SnapshotQuotaExceededFault
        region = "" if self.region_name == self.plane.cloud.region else f"{self.region_name}."
        folder = self.plane.cloud.home.databases / ".snapshots"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder /= region + name.lower().replace(":", "_")
        shutil.rmtree(folder, ignore_errors=True)  # Of an earlier daemon.
        snapshot = cast(
            LocalDBSnapshot,
            LocalDBSnapshot(
                self, instance, name, snapshot_type, tags, None, kms_key_id, folder=folder
            ),
        )
        snapshot.status = "creating"
        self.database_snapshots[name] = snapshot
        return snapshot

    def remove_snapshot(self, snapshot: LocalDBSnapshot) -> None:
        """Remove a snapshot of any type, for the service that made it."""
        self._remove(snapshot)

    def _remove(self, snapshot: LocalDBSnapshot) -> None:
        del self.database_snapshots[snapshot.db_snapshot_identifier]
        shutil.rmtree(snapshot.folder, ignore_errors=True)
