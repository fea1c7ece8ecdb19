"""Restores: a new instance from a snapshot, or from an automated backup at a moment."""

import datetime
from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError
from moto.rds.models import DBInstance

from localcloud.databases import creation
from localcloud.databases.automated_backups import AutomatedBackup, AutomatedBackups
from localcloud.databases.creation import Origin
from localcloud.databases.instance import LocalDBInstance, new_instance
from localcloud.databases.parameters import default_group, family_of
from localcloud.databases.snapshots import Snapshots
from localcloud.databases.validation import choose_subnet, validate_common, validate_references

# AWS, RestoreDBInstanceToPointInTime: "most of the original configuration"; the rest are the
# defaults of a new instance (security group, subnet group, parameter group, single zone).
_INHERITED = (
    "allocated_storage",
    "auto_minor_version_upgrade",
    "backup_retention_period",
    "db_instance_class",
    "db_name",
    "dedicated_log_volume",
    "engine",
    "engine_version",
    "iops",
    "license_model",
    "master_username",
    "port",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "storage_throughput",
    "storage_type",
)
# What a restore cannot choose: it is in the data.
_IN_THE_DATA = ("db_name", "engine", "engine_version", "master_username")


class Restores(Snapshots, AutomatedBackups):
    """Restores in one region."""

    def restore_db_instance_from_db_snapshot(
        self, from_snapshot_id: str, overrides: Mapping[str, Any]
    ) -> DBInstance:
        """Answer at once with status creating; the data is copied in the background."""
        snapshot = self.snapshot(from_snapshot_id)
        if snapshot.region != self.region_name:
            raise RDSClientError(
                "DBSnapshotNotFound",
                f"{from_snapshot_id} is in {snapshot.region}; copy it to {self.region_name} and "
                "restore the copy.",
            )
        self.require_restorable(snapshot)
        source: Any = snapshot.database
        key = snapshot.kms_key_id if snapshot.encrypted else None

        def restored() -> None:
            snapshot.record("snapshot-restored", name=snapshot.db_snapshot_identifier)

        return self._restore(
            dict(overrides), source, key, Origin(snapshot=snapshot.folder), restored
        )

    def restore_db_instance_to_point_in_time(
        self,
        source_db_identifier: str | None,
        target_db_identifier: str,
        overrides: Mapping[str, Any],
    ) -> DBInstance:
        """Answer at once with status creating; the WAL is replayed in the background."""
        inputs = dict(overrides)
        backup = self._source(source_db_identifier, inputs)
        moment = _moment(backup, inputs)
        inputs["db_instance_identifier"] = target_db_identifier
        inputs.pop("source_db_instance_identifier", None)  # of replicas only, in moto's model
        names = {"source": backup.instance.db_instance_identifier, "target": target_db_identifier}
        made: list[LocalDBInstance] = []

        def restored() -> None:
            made[0].record("instance-restored", **names)

        origin = Origin(archive=backup.archive, moment=moment)
        made.append(self._restore(inputs, backup.instance, backup.kms_key_id, origin, restored))
        return made[0]

    def _source(self, identifier: str | None, inputs: Mapping[str, Any]) -> AutomatedBackup:
        resource_id = inputs.get("source_dbi_resource_id")
        arn = inputs.get("source_db_instance_automated_backups_arn")
        given = [each for each in (identifier, resource_id, arn) if each]
        if len(given) != 1:
            raise InvalidParameterCombination(
                "Specify one of SourceDBInstanceIdentifier, SourceDbiResourceId and "
                "SourceDBInstanceAutomatedBackupsArn."
            )
        if identifier is None:
            return self.automated_backup(resource_id=resource_id, arn=arn)
        instance = self.instance(identifier)
        if not instance.backup_retention_period:
            raise RDSClientError(
                "PointInTimeRestoreNotEnabled",
                f"Point-in-time restore is not enabled for {identifier}: its backup retention "
                "period is 0.",
            )
        return self.automated_backup(arn=instance.automated_backup_arn)

    def _restore(
        self,
        inputs: dict[str, Any],
        source: LocalDBInstance,
        kms_key_id: str | None,
        origin: Origin,
        restored: Any,
    ) -> LocalDBInstance:
        identifier = self.new_identifier(inputs)
        given = {name: value for name, value in inputs.items() if value is not None}
        _check(given, source)
        inherited = {name: getattr(source, name) for name in _INHERITED}
        if given.keys() & {"allocated_storage", "iops", "storage_throughput", "storage_type"}:
            inherited |= {"iops": None, "storage_throughput": None}
        inputs = inherited | given
        inputs |= {name: inherited[name] for name in _IN_THE_DATA}
        inputs["engine_version"] = version = self.choose_version(origin.major_version())
        family = family_of(version)
        inputs.setdefault("db_parameter_group_name", default_group(family))
        validate_common(inputs)
        subnet_id, zone, vpc_id = choose_subnet(self, inputs)
        validate_references(self, inputs, vpc_id, family)
        inputs |= {
            "availability_zone": zone,
            "storage_encrypted": kms_key_id is not None,
            "kms_key_id": kms_key_id,
        }
        instance = new_instance(self, inputs)
        parameters = self.user_parameters(instance)
        creation.restore(self.plane, instance, origin, subnet_id, parameters, restored)
        self.databases[identifier] = instance
        return instance


def _check(given: Mapping[str, Any], source: LocalDBInstance) -> None:
    size = given.get("allocated_storage")
    if size is not None and size < source.allocated_storage:
        raise InvalidParameterValue(
            f"The allocated storage size can't be less than the source's "
            f"{source.allocated_storage} GiB; {size} were asked for."
        )
    for name, shown in (("engine", "Engine"), ("db_name", "DBName")):
        if given.get(name) not in (None, getattr(source, name)):
            raise InvalidParameterCombination(
                f"{shown} {given[name]} is not the source's: a restore has the source's data."
            )
    if given.get("multi_az") and given.get("availability_zone"):
        raise InvalidParameterCombination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )


def _moment(backup: AutomatedBackup, inputs: Mapping[str, Any]) -> datetime.datetime:
    """The moment to restore to. Raises InvalidRestoreFault outside the restore window."""
    wanted, latest = inputs.get("restore_time"), bool(inputs.get("use_latest_restorable_time"))
    if (wanted is None) != latest:
        raise InvalidParameterCombination(
            "Specify either RestoreTime or UseLatestRestorableTime, and not both."
        )
    name = backup.instance.db_instance_identifier
    window = backup.window(datetime.datetime.now(datetime.UTC))
    if window is None:
        raise RDSClientError(
            "InvalidRestoreFault",
            f"{name} has no restorable time yet: its first automated backup is not complete.",
        )
    earliest, end = window
    if wanted is None:
        return end
    moment = _parse(wanted)
    if not earliest <= moment <= end:
        side = "earlier than" if moment < earliest else "later than"
        limit = earliest if moment < earliest else end
        raise RDSClientError(
            "InvalidRestoreFault",
            f"The instance {name} cannot be restored to {moment:%Y-%m-%dT%H:%M:%SZ}: it is {side} "
            f"{limit:%Y-%m-%dT%H:%M:%SZ}, the {'first' if limit == earliest else 'latest'} "
            "restorable time.",
        )
    return moment


def _parse(moment: Any) -> datetime.datetime:
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment)
        except ValueError:
            raise InvalidParameterValue(f"Invalid RestoreTime: {moment}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.astimezone(datetime.UTC)
