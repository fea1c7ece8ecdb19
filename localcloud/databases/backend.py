"""The RDS API's behaviour: moto's backend with instances that are real."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBInstanceNotFoundError,
    DBSnapshotAlreadyExistsError,
    InvalidParameterCombination,
    RDSClientError,
)
from moto.rds.models import DBInstance, DBSnapshot, DBSubnetGroup

from localcloud.databases.instance import LocalDBInstance, new_instance
from localcloud.databases.modification import modify
from localcloud.databases.not_emulated import NotEmulated
from localcloud.databases.parameter_groups import ParameterGroups
from localcloud.databases.validation import (
    choose_subnet,
    validate_common,
    validate_create,
    validate_references,
)

# AWS, "Working with DB instance read replicas": RDS for PostgreSQL.
_MOST_REPLICAS = 15


class LocalRDSBackend(NotEmulated, ParameterGroups):
    """RDS of one region."""

    def create_db_instance(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Answer at once with status creating; the server boots in the background."""
        inputs = dict(db_kwargs)
        identifier = self._new_identifier(inputs)
        validate_create(inputs, self.plane.engine.version)
        subnet_id, zone, vpc_id = choose_subnet(self, inputs)
        validate_references(self, inputs, vpc_id)
        inputs |= {"availability_zone": zone, "engine_version": self.plane.engine.version}
        if inputs.get("storage_encrypted"):
            inputs["kms_key_id"] = self._storage_key(inputs.get("kms_key_id"))
        instance = new_instance(self, inputs)
        self.databases[identifier] = instance
        instance.add_event("DB_INSTANCE_CREATE")
        self.plane.create(instance, subnet_id, self.user_parameters(instance))
        return instance

    def create_db_instance_read_replica(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Answer at once with status creating; pg_basebackup runs in the background."""
        inputs = dict(db_kwargs)
        identifier = self._new_identifier(inputs)
        source = self._instance(inputs["source_db_instance_identifier"].rpartition(":")[2])
        self._check_replica_source(source)
        validate_common(inputs)
        inherited = {
            "db_subnet_group_name": source.subnet_group_name,
            "db_instance_class": source.db_instance_class,
            "allocated_storage": source.allocated_storage,
            "storage_type": source.storage_type,
            "iops": source.iops,
            "port": source.port,
            "db_parameter_group_name": source.db_parameter_group_name,
            "auto_minor_version_upgrade": source.auto_minor_version_upgrade,
            "preferred_backup_window": source.preferred_backup_window,
            "preferred_maintenance_window": source.preferred_maintenance_window,
            "kms_key_id": source.kms_key_id,
            "vpc_security_group_ids": list(source.vpc_security_group_ids),
        }
        given = {name: value for name, value in inputs.items() if value is not None}
        inputs = {name: value for name, value in inherited.items() if value is not None} | given
        if "storage_type" in given:
            inputs["iops"] = given.get("iops")
        subnet_id, zone, vpc_id = choose_subnet(self, inputs, source.availability_zone)
        validate_references(self, inputs, vpc_id)
        inputs |= {
            "availability_zone": zone,
            "engine": source.engine,
            "engine_version": source.engine_version,
            "master_username": source.master_username,
            "db_name": source.db_name,
            "backup_retention_period": 0,
            "storage_encrypted": source.storage_encrypted,
            "source_db_instance_identifier": source.db_instance_identifier,
        }
        replica = new_instance(self, inputs)
        replica.set_as_replica()
        self.databases[identifier] = replica
        source.add_replica(replica)
        self.plane.create_replica(replica, source, subnet_id, self.user_parameters(replica))
        return replica

    def modify_db_instance(
        self, db_instance_identifier: str, db_kwargs: Mapping[str, Any]
    ) -> DBInstance:
        """Change an instance: status modifying → available."""
        instance = self._instance(db_instance_identifier)
        modify(self, instance, dict(db_kwargs))
        return instance

    def reboot_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Restart with the parameter group's present values."""
        instance = self._instance(db_instance_identifier)
        self.require(instance, ("available", "incompatible-parameters"))
        parameters = self.user_parameters(instance)
        self.plane.change(instance, "rebooting", lambda node: self.plane.restart(node, parameters))
        return instance

    def delete_db_instance(
        self,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        skip_final_snapshot: bool | None = False,
        delete_automated_backups: bool | None = True,
    ) -> DBInstance:
        """Delete: status deleting until its server and interface are gone."""
        instance = self._instance(db_instance_identifier)
        if instance.status == "deleting":
            self.require(instance, ("available",))
        if instance.deletion_protection:
            raise InvalidParameterCombination(
                "Cannot delete protected DB Instance, please disable deletion protection and try "
                "again."
            )
        self._check_final_snapshot(instance, final_db_snapshot_identifier, skip_final_snapshot)
        if final_db_snapshot_identifier:
            self.create_db_snapshot(db_instance_identifier, final_db_snapshot_identifier)
        instance.status = "deleting"
        # RDS promotes the replicas of a deleted source.
        for replica_id in list(instance.replicas):
            self._promote(self._instance(replica_id))
        self.plane.delete(instance, lambda: self._forget(instance, bool(delete_automated_backups)))
        return instance

    def promote_read_replica(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Make a replica an instance of its own: status modifying → available."""
        instance = self._instance(db_kwargs["db_instance_identifier"])
        if not instance.is_replica:
            raise RDSClientError(
                "InvalidDBInstanceState",
                f"DB Instance {instance.db_instance_identifier} is not a read replica.",
            )
        self.require(instance, ("available",))
        retention = db_kwargs.get("backup_retention_period")
        instance.backup_retention_period = 1 if retention is None else retention
        window = db_kwargs.get("preferred_backup_window")
        instance.preferred_backup_window = window or instance.preferred_backup_window
        self._promote(instance)
        return instance

    def create_db_snapshot(  # noqa: PLR0917 - moto's signature
        self,
        db_instance_identifier: str,
        db_snapshot_identifier: str,
        snapshot_type: str = "manual",
        tags: list[dict[str, str]] | None = None,
        original_created_at: Any = None,
        kms_key_id: str | None = None,
    ) -> DBSnapshot:
        """Copy the data in the background: status creating → available."""
        instance = self._instance(db_instance_identifier)
        if snapshot_type == "manual":
            self.require(instance, ("available",))
        snapshot = super().create_db_snapshot(
            db_instance_identifier,
            db_snapshot_identifier,
            snapshot_type,
            tags,
            original_created_at,
            kms_key_id,
        )
        if snapshot_type == "manual":
            snapshot.status = "creating"
            folder = self.plane.snapshot_folder(db_snapshot_identifier)
            self.plane.snapshot(instance, folder, lambda: setattr(snapshot, "status", "available"))
        return snapshot

    def delete_db_snapshot(self, db_snapshot_identifier: str) -> DBSnapshot:
        snapshot = super().delete_db_snapshot(db_snapshot_identifier)
        shutil.rmtree(self.plane.snapshot_folder(db_snapshot_identifier), ignore_errors=True)
        return snapshot

    def modify_db_subnet_group(
        self, subnet_name: str, description: str, subnets: list[Any]
    ) -> DBSubnetGroup:
        """Change the group; moto takes it out of its groups and forgets to put it back."""
        self.describe_db_subnet_groups(subnet_name)  # refuses an unknown name
        group = super().modify_db_subnet_group(subnet_name, description, subnets)
        self.subnet_groups[subnet_name] = group
        return group

    def delete_subnet_group(self, subnet_name: str) -> Any:
        for instance in self.databases.values():
            if isinstance(instance, LocalDBInstance) and instance.subnet_group_name == subnet_name:
                raise RDSClientError(
                    "InvalidDBSubnetGroupStateFault",
                    f"Cannot delete the subnet group '{subnet_name}' because at least one database "
                    f"instance: {instance.db_instance_identifier} is still using it.",
                )
        return super().delete_subnet_group(subnet_name)

    def log_folder(self, identifier: str) -> Path:
        """Folder of an instance's log files."""
        return self.plane.node(self._instance(identifier).db_instance_identifier).server.logs

    def require(self, instance: LocalDBInstance, statuses: tuple[str, ...]) -> None:
        """Refuse the action in any other status."""
        if instance.status not in statuses:
            raise RDSClientError(
                "InvalidDBInstanceState",
                f"Database instance {instance.db_instance_identifier} is not in "
                f"{' or '.join(statuses)} state: it is {instance.status}.",
            )

    def _promote(self, instance: LocalDBInstance) -> None:
        source = self.find_db_from_id(str(instance.source_db_instance_identifier))
        source.remove_replica(instance)
        instance.is_replica = False
        instance.source_db_instance_identifier = None
        self.plane.change(instance, "modifying", self.plane.promote)
        if instance.backup_retention_period:
            self.plane.back_up(instance)

    def _forget(self, instance: LocalDBInstance, delete_automated_backups: bool) -> None:
        identifier = instance.db_instance_identifier
        self.databases.pop(identifier, None)
        if instance.manage_master_user_password:
            instance.master_user_secret.delete_secret()
        if instance.is_replica:
            source = self.databases.get(str(instance.source_db_instance_identifier))
            if source is not None:
                source.remove_replica(instance)
        if delete_automated_backups:
            for snapshot in self.describe_db_snapshots(identifier, snapshot_type="automated"):
                self.delete_db_snapshot(snapshot.db_snapshot_identifier)

    def _new_identifier(self, inputs: dict[str, Any]) -> str:
        identifier = str(inputs["db_instance_identifier"]).lower()
        self._validate_db_identifier(identifier)
        if identifier in self.databases:
            raise DBInstanceAlreadyExists
        inputs["db_instance_identifier"] = identifier
        return identifier

    def _instance(self, identifier: str) -> LocalDBInstance:
        instance = self.databases.get(identifier)
        if not isinstance(instance, LocalDBInstance):
            raise DBInstanceNotFoundError(identifier)
        return instance

    def _check_replica_source(self, source: LocalDBInstance) -> None:
        self.require(source, ("available",))
        if not source.backup_retention_period and not source.is_replica:
            raise RDSClientError(
                "InvalidDBInstanceState",
                "Automated backups are not enabled for this database instance. To enable automated "
                "backups, use ModifyDBInstance to set the backup retention period to a non-zero "
                "value.",
            )
        if source.manage_master_user_password:
            raise InvalidParameterCombination(
                "You can't create a read replica of a DB instance whose master user password is "
                "managed with Secrets Manager."
            )
        if len(source.replicas) >= _MOST_REPLICAS:
            raise RDSClientError(
                "InstanceQuotaExceeded",
                f"{source.db_instance_identifier} has {_MOST_REPLICAS} read replicas, the most "
                "RDS for PostgreSQL allows.",
            )

    def _check_final_snapshot(
        self, instance: LocalDBInstance, name: str | None, skip: bool | None
    ) -> None:
        if skip and name:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier cannot be specified when deleting a cluster and "
                "SkipFinalSnapshot is specified."
            )
        if skip:
            return
        if instance.is_replica:
            if name:
                raise InvalidParameterCombination(
                    "FinalDBSnapshotIdentifier can not be specified when deleting a replica "
                    "instance; set SkipFinalSnapshot."
                )
            return
        if not name:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        if name in self.database_snapshots:
            raise DBSnapshotAlreadyExistsError(name)
        self.require(instance, ("available",))

    def _storage_key(self, key_id: str | None) -> str:
        if key_id:
            return self._validate_kms_key(key_id)
        return f"arn:aws:kms:{self.region_name}:{self.account_id}:alias/aws/rds"


# moto finds a backend's routes by the module of its class.
LocalRDSBackend.__module__ = "moto.rds.models"
