"""The RDS API's behaviour: moto's backend with instances that are real."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.rds.exceptions import (
    DBSnapshotAlreadyExistsError,
    InvalidParameterCombination,
    RDSClientError,
)
from moto.rds.models import DBInstance, DBSubnetGroup

from localcloud.databases import backups, creation, standby
from localcloud.databases.blue_green import BlueGreenDeployments
from localcloud.databases.events import Events
from localcloud.databases.exports import Exports
from localcloud.databases.instance import LocalDBInstance, new_instance
from localcloud.databases.modification import modify
from localcloud.databases.node import Node
from localcloud.databases.not_emulated import NotEmulated
from localcloud.databases.parameters import family_of
from localcloud.databases.restores import Restores
from localcloud.databases.validation import (
    choose_subnet,
    validate_create,
    validate_references,
)


class LocalRDSBackend(Restores, Exports, BlueGreenDeployments, Events, NotEmulated):
    """RDS of one region."""

    def create_db_instance(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Answer at once with status creating; the server boots in the background."""
        inputs = dict(db_kwargs)
        identifier = self.new_identifier(inputs)
        validate_create(inputs)
        inputs["engine_version"] = version = self.choose_version(inputs.get("engine_version"))
        subnet_id, zone, vpc_id = choose_subnet(self, inputs)
        validate_references(self, inputs, vpc_id, family_of(version))
        inputs["availability_zone"] = zone
        if inputs.get("storage_encrypted"):
            inputs["kms_key_id"] = self.storage_key(inputs.get("kms_key_id"))
        instance = new_instance(self, inputs)
        self.databases[identifier] = instance
        creation.create(self.plane, instance, subnet_id, self.user_parameters(instance))
        return instance

    def modify_db_instance(
        self, db_instance_identifier: str, db_kwargs: Mapping[str, Any]
    ) -> DBInstance:
        """Change an instance: status modifying → available."""
        instance = self.instance(db_instance_identifier)
        modify(self, instance, dict(db_kwargs))
        return instance

    def reboot_db_instance(
        self, db_instance_identifier: str, force_failover: bool = False
    ) -> DBInstance:
        """Restart with the parameter group's present values."""
        instance = self.instance(db_instance_identifier)
        if force_failover and (not instance.multi_az or instance.is_replica):
            raise InvalidParameterCombination(
                f"Cannot force a failover of {instance.db_instance_identifier}: it has no Multi-AZ "
                "standby."
            )
        self.require(instance, ("available", "incompatible-parameters"))
        parameters = self.user_parameters(instance)

        def restart(node: Node) -> None:
            if force_failover:
                node.applied = parameters
                standby.fail_over(self.plane, node)
                instance.parameter_apply_status = "in-sync"
            else:
                self.plane.restart(node, parameters)
            instance.record("instance-restarted")

        self.plane.change(instance, "rebooting", restart)
        return instance

    def delete_db_instance(
        self,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        skip_final_snapshot: bool | None = False,
        delete_automated_backups: bool | None = True,
    ) -> DBInstance:
        """Delete: status deleting until its server and interface are gone."""
        instance = self.instance(db_instance_identifier)
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
        self.end_replicas_of(instance)
        retained = bool(instance.backup_retention_period and delete_automated_backups is False)

        def keep(node: Node) -> None:
            if retained:
                self.retain_automated_backup(node)
            else:
                backups.forget(node)
            self.end_replications_of(instance)

        self.plane.delete(instance, keep, lambda: self._forget(instance))
        return instance

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
        return self.plane.node_of(self.instance(identifier)).server.logs

    def _forget(self, instance: LocalDBInstance) -> None:
        self.databases.pop(instance.db_instance_identifier, None)
        if instance.manage_master_user_password:
            instance.master_user_secret.delete_secret()
        if instance.is_replica:
            self.forget_source(instance)
        instance.record("instance-deleted")

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


# moto finds a backend's routes by the module of its class.
LocalRDSBackend.__module__ = "moto.rds.models"
