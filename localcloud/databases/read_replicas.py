"""Read replicas: of an instance or a replica, in its region or another one; and their promotion."""

from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance

from localcloud.databases import backups, creation, standby
from localcloud.databases.instance import LocalDBInstance, new_instance
from localcloud.databases.node import Node
from localcloud.databases.parameters import default_group
from localcloud.databases.regional import Regional
from localcloud.databases.validation import choose_subnet, validate_common, validate_references

# AWS, "Working with DB instance read replicas" and "cascading read replicas" of RDS for PostgreSQL.
_MOST_REPLICAS = 15
_LONGEST_CHAIN = 3

_INHERITED = (
    "allocated_storage",
    "auto_minor_version_upgrade",
    "db_instance_class",
    "iops",
    "port",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "storage_type",
)
# Names of things that only the source's region has.
_INHERITED_IN_REGION = ("db_parameter_group_name", "vpc_security_group_ids")


class ReadReplicas(Regional):
    """The read replicas of one region."""

    def create_db_instance_read_replica(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Answer at once with status creating; pg_basebackup runs in the background."""
        inputs = dict(db_kwargs)
        identifier = self.new_identifier(inputs)
        source = self.instance_anywhere(inputs["source_db_instance_identifier"])
        elsewhere = source.region != self.region_name
        self._check_source(source)
        validate_common(inputs)
        given = {name: value for name, value in inputs.items() if value is not None}
        names = _INHERITED if elsewhere else (*_INHERITED, *_INHERITED_IN_REGION)
        inherited = {name: getattr(source, name) for name in names}
        if not elsewhere:
            inherited["db_subnet_group_name"] = source.subnet_group_name
        inputs = {name: value for name, value in inherited.items() if value is not None} | given
        if "storage_type" in given:
            inputs["iops"] = given.get("iops")
        inputs.setdefault("db_parameter_group_name", default_group(source.family))
        avoided = None if elsewhere else source.availability_zone
        subnet_id, zone, vpc_id = choose_subnet(self, inputs, avoided)
        validate_references(self, inputs, vpc_id, source.family)
        inputs |= {
            "availability_zone": zone,
            "engine": source.engine,
            "engine_version": source.engine_version,
            "master_username": source.master_username,
            "db_name": source.db_name,
            "backup_retention_period": 0,
            "storage_encrypted": source.storage_encrypted,
            "kms_key_id": self._replica_key(source, given.get("kms_key_id")),
            "source_db_instance_identifier": (
                source.arn if elsewhere else source.db_instance_identifier
            ),
        }
        replica = new_instance(self, inputs)
        replica.set_as_replica()
        self.databases[identifier] = replica
        source.add_replica(replica)
        parameters = self.user_parameters(replica)
        creation.create_replica(self.plane, replica, source, subnet_id, parameters)
        return replica

    def promote_read_replica(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """Make a replica an instance of its own: status modifying → available."""
        instance = self.instance(db_kwargs["db_instance_identifier"])
        if not instance.is_replica:
            raise RDSClientError(
                "InvalidDBInstanceState",
                f"DB Instance {instance.db_instance_identifier} is not a read replica.",
            )
        self.require(instance, ("available",))
        validate_common(db_kwargs)
        retention = db_kwargs.get("backup_retention_period")
        if retention is None:
            # AWS, PromoteReadReplica: "Default: 1".
            retention = instance.backup_retention_period or 1
        instance.backup_retention_period = retention
        window = db_kwargs.get("preferred_backup_window")
        instance.preferred_backup_window = window or instance.preferred_backup_window
        self.make_independent(instance)
        return instance

    def make_independent(self, instance: LocalDBInstance) -> None:
        """Promote a replica: its own timeline, archive and backups from then on."""
        self.forget_source(instance)
        instance.is_replica = False
        instance.source_db_instance_identifier = None

        def promote(node: Node) -> None:
            node.server.query("SELECT pg_promote(true, 60)")
            self.plane.leave_source(node)
            # RDS reboots a replica that it promotes.
            self.plane.restart_unchanged(node)
            standby.adapt(self.plane, node)
            instance.record("replication-ended")

        self.plane.change(instance, "modifying", promote)
        if instance.backup_retention_period:
            backups.back_up(self.plane, instance)

    def forget_source(self, replica: LocalDBInstance) -> None:
        """Take a replica out of its source's list, if the source still is."""
        source_name = str(replica.source_db_instance_identifier)
        try:
            source = self.instance_anywhere(source_name)
        except RDSClientError:
            return
        source.remove_replica(replica)

    def end_replicas_of(self, source: LocalDBInstance) -> None:
        """The source is on its way out: RDS promotes its replicas in the region.

        Those in other regions stay as they are, their replication terminated, until somebody
        promotes them.
        """
        for name in list(source.replicas):
            if name.startswith("arn:"):
                self.instance_anywhere(name).replication_terminated = True
            else:
                self.make_independent(self.instance(name))

    def _check_source(self, source: LocalDBInstance) -> None:
        self.require(source, ("available",))
        if not source.backup_retention_period:
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
        if len(self.plane.node_of(source).chain) > _LONGEST_CHAIN:
            raise InvalidParameterCombination(
                f"{source.db_instance_identifier} is the last of a chain of {_LONGEST_CHAIN} "
                "cascading read replicas, the most RDS for PostgreSQL allows."
            )

    def _replica_key(self, source: LocalDBInstance, given: str | None) -> str | None:
        if not source.storage_encrypted:
            if given:
                raise InvalidParameterCombination(
                    "A read replica of an unencrypted instance cannot be encrypted."
                )
            return None
        if source.region == self.region_name:
            # AWS: in one Region a replica is always encrypted with its source's key.
            return source.kms_key_id
        if not given:
            raise InvalidParameterValue(
                f"The source {source.arn} is encrypted: specify a KmsKeyId of {self.region_name}."
            )
        return self._validate_kms_key(given)
