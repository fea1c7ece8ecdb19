"""The DB instance as the API shows it: moto's model, with every input kept and read back."""

import datetime
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from moto.rds.exceptions import InvalidParameterCombination
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend

from localcloud.databases.archive import Archive
from localcloud.databases.parameters import default_group, family_of

ENGINE = "postgres"
DEFAULT_CA = "rds-ca-rsa2048-g1"

# gp3 below 400 GiB comes with fixed figures (AWS, "Amazon RDS DB instance storage").
_GP3_STRIPING_GIB = 400
_GP3_BASE = (3000, 125)
_GP3_STRIPED = (12000, 500)

# Input of Create/Modify -> attribute that moto's serializer reads for DescribeDBInstances, for
# what moto's model drops.
_KEPT_INPUTS = {
    "backup_target": "backup_target",
    "ca_certificate_identifier": "ca_certificate_identifier",
    "custom_iam_instance_profile": "custom_iam_instance_profile",
    "database_insights_mode": "database_insights_mode",
    "dedicated_log_volume": "dedicated_log_volume",
    "enable_customer_owned_ip": "customer_owned_ip_enabled",
    "enable_iam_database_authentication": "enable_iam_database_authentication",
    "enable_performance_insights": "performance_insights_enabled",
    "engine_lifecycle_support": "engine_lifecycle_support",
    "monitoring_interval": "monitoring_interval",
    "monitoring_role_arn": "monitoring_role_arn",
    "multi_tenant": "multi_tenant",
    "nchar_character_set_name": "nchar_character_set_name",
    "network_type": "network_type",
    "performance_insights_kms_key_id": "performance_insights_kms_key_id",
    "performance_insights_retention_period": "performance_insights_retention_period",
    "processor_features": "processor_features",
    "publicly_accessible": "publicly_accessible",
    "promotion_tier": "promotion_tier",
    "timezone": "timezone",
}


KEPT_ATTRIBUTES = tuple(_KEPT_INPUTS.values())


class LocalDBInstance(DBInstance):
    """A DB instance backed by a real PostgreSQL server."""

    def __init__(self, backend: RDSBackend, **inputs: Any) -> None:
        inputs.setdefault("license_model", "postgresql-license")
        inputs.setdefault("ca_certificate_identifier", DEFAULT_CA)
        inputs.setdefault("storage_type", "gp2" if not inputs.get("iops") else "io1")
        password = inputs.pop("master_user_password", None)
        managed = bool(inputs.pop("manage_master_user_password", False))
        secret_key = inputs.pop("master_user_secret_kms_key_id", None)
        maximum_storage = inputs.pop("max_allocated_storage", None)
        super().__init__(backend, **inputs)
        # Kept by the server as a SCRAM verifier only.
        self._master_user_password = None
        self.initial_password: str | None = password
        self.manage_master_user_password = managed
        if managed:
            # moto's own secret holds the same password for every instance.
            self.initial_password = secrets.token_urlsafe(24)
            self.master_user_secret = _ManagedSecret(self, secret_key)
        # Equal to the storage means "no autoscaling", and is not shown.
        self._max_allocated_storage = maximum_storage or self.allocated_storage
        if not inputs.get("option_group_name"):
            self.option_group_name = default_option_group(str(self.engine_version))
        self.dbi_resource_id = "db-" + _base32(26)
        self.db_parameter_group_name = self.db_parameter_group_name or default_group(self.family)
        self.publicly_accessible = bool(inputs.get("publicly_accessible", False))
        self.read_replica_db_cluster_identifiers: list[str] = []
        self.backup_target = "region"
        self.custom_iam_instance_profile: str | None = None
        self.database_insights_mode = "standard"
        self.dedicated_log_volume = False
        self.customer_owned_ip_enabled = False
        self.engine_lifecycle_support = "open-source-rds-extended-support"
        self.multi_tenant = False
        self.nchar_character_set_name: str | None = None
        self.network_type = "IPV4"
        self.performance_insights_enabled = False
        self.performance_insights_kms_key_id: str | None = None
        self.performance_insights_retention_period: int | None = None
        self.processor_features: list[dict[str, str]] = []
        self.activity_stream_status = "stopped"
        self.parameter_apply_status = "in-sync"
        self.pending_modified_values: dict[str, Any] = {}
        self.certificate_valid_till: datetime.datetime | None = None
        # When the newest base backup was complete.
        self.backed_up_at: datetime.datetime | None = None
        self.archive: Archive | None = None
        self.automated_backup_arn = (
            f"arn:{self.partition}:rds:{self.region}:{self.account_id}:auto-backup:ab-"
            + _base32(26).lower()
        )
        # ARNs of its automated backups in other regions.
        self.automated_backup_replications: list[str] = []
        self.standby_zone: str | None = None
        # A replica whose source, in another region, is gone.
        self.replication_terminated = False
        # The parameter group of an upgrade that waits for the maintenance window.
        self.pending_parameter_group: str | None = None
        self.dns_name = ""
        self.listening = False
        self.keep(inputs)
        self._complete_storage(inputs)

    def keep(self, inputs: Mapping[str, Any]) -> None:
        """Store what moto's model has no place for."""
        for name, attribute in _KEPT_INPUTS.items():
            if inputs.get(name) is not None:
                setattr(self, attribute, inputs[name])
        if self.performance_insights_enabled:
            self.performance_insights_retention_period = (
                self.performance_insights_retention_period or 7
            )
        else:
            self.performance_insights_kms_key_id = None
            self.performance_insights_retention_period = None

    def update_storage(self, inputs: Mapping[str, Any]) -> None:
        """Change size, type, IOPS and throughput together."""
        self.storage_type = inputs.get("storage_type") or self.storage_type
        if size := inputs.get("allocated_storage"):
            autoscaled = self.max_allocated_storage
            self.allocated_storage = size
            self._max_allocated_storage = autoscaled or size
        if limit := inputs.get("max_allocated_storage"):
            self.max_allocated_storage = limit
        if iops := inputs.get("iops"):
            self.iops = iops
        if throughput := inputs.get("storage_throughput"):
            self.storage_throughput = throughput
        self._complete_storage(inputs)

    def _complete_storage(self, inputs: Mapping[str, Any]) -> None:
        if self.storage_type != "gp3":
            return
        striped = self.allocated_storage >= _GP3_STRIPING_GIB
        base_iops, base_throughput = _GP3_STRIPED if striped else _GP3_BASE
        given = {name: inputs.get(name) for name in ("iops", "storage_throughput")}
        if not striped and (
            given["iops"] not in (None, base_iops)
            or given["storage_throughput"] not in (None, base_throughput)
        ):
            raise InvalidParameterCombination(
                "You can't specify IOPS or storage throughput for engine postgres and a storage "
                f"size less than {_GP3_STRIPING_GIB}."
            )
        self.iops = given["iops"] or (self.iops if striped and self.iops else base_iops)
        kept = self.storage_throughput if striped else None
        self.storage_throughput = given["storage_throughput"] or kept or base_throughput

    def record(self, kind: str, **details: str) -> None:
        """Record an event of the instance, and tell its subscribers."""
        cast(Any, self.backend).record(kind, self, **details)

    def automated_snapshot(
        self, data: Path, started: datetime.datetime, name: str | None = None
    ) -> None:
        """Make the automated snapshot of a base backup, by RDS's usual name if none is given."""
        cast(Any, self.backend).create_automated_snapshot(self, data, started, name)

    def forget_automated_snapshots(self, before: datetime.datetime) -> None:
        """Remove the automated snapshots that began before a moment."""
        cast(Any, self.backend).forget_automated_snapshots(self.dbi_resource_id, before)

    @property
    def address(self) -> str:
        return self.dns_name

    @property
    def endpoint(self) -> dict[str, Any] | None:  # type: ignore[override]
        # AWS shows no endpoint while the instance is being created.
        return {**super().endpoint, "HostedZoneId": "ZPGKEEPLOCAL"} if self.listening else None

    @property
    def certificate_details(self) -> dict[str, Any]:
        return {
            "CAIdentifier": self.ca_certificate_identifier,
            "ValidTill": self.certificate_valid_till,
        }

    @property
    def db_parameter_group_status_list(self) -> Any:
        return [
            {
                "DBParameterGroupName": self.db_parameter_group_name,
                "ParameterApplyStatus": self.parameter_apply_status,
            }
        ]

    def default_db_parameter_group_details(self) -> tuple[str, str]:
        return self.family, default_group(self.family)

    @property
    def family(self) -> str:
        """Parameter group family of its engine version."""
        return family_of(str(self.engine_version))

    @property
    def latest_restorable_time(self) -> Any:
        """Up to when every commit is in the archive; None before the first base backup."""
        if not self.backup_retention_period or self.archive is None:
            return None
        return self.archive.latest

    @property
    def db_instance_automated_backups_replications(self) -> list[dict[str, str]]:
        return [
            {"DBInstanceAutomatedBackupsArn": arn} for arn in self.automated_backup_replications
        ]

    @property
    def vpc_id(self) -> str | None:
        """VPC of the DB subnet group."""
        group = getattr(self, "db_subnet_group", None)
        return group.vpc_id if group is not None else None

    @property
    def db_instance_port(self) -> int:
        return 0  # As on AWS: the port stands in the endpoint.

    @property
    def enhanced_monitoring_resource_arn(self) -> str | None:
        if not self.monitoring_interval:
            return None
        return (
            f"arn:aws:logs:{self.region}:{self.account_id}:log-group:RDSOSMetrics:"
            f"log-stream:{self.dbi_resource_id}"
        )

    @property
    def secondary_availability_zone(self) -> str | None:
        if not self.multi_az:
            return None
        if self.standby_zone is not None:
            return self.standby_zone
        zones = [s["SubnetAvailabilityZone"]["Name"] for s in self.subnets]
        return next((zone for zone in zones if zone != self.availability_zone), None)

    @property
    def subnet_group_name(self) -> str | None:
        """Name of the DB subnet group, which moto's model only lets one write."""
        return self._db_subnet_group_name

    @property
    def subnets(self) -> list[dict[str, Any]]:
        """Subnets of the DB subnet group."""
        group = getattr(self, "db_subnet_group", None)
        return list(group.subnets) if group is not None else []

    @property
    def status_infos(self) -> list[dict[str, Any]]:
        if not self.is_replica:
            return []
        normal = self.status == "available" and not self.replication_terminated
        ended = "terminated" if self.replication_terminated else "stopped"
        return [
            {
                "StatusType": "read replication",
                "Normal": normal,
                "Status": "replicating" if normal else ended,
            }
        ]

    def remove_replica(self, replica: DBInstance) -> None:
        names = {replica.db_instance_identifier, replica.db_instance_arn}
        self.replicas = [name for name in self.replicas if name not in names]


class _ManagedSecret(MasterUserSecret):
    """The secret of a password that RDS manages."""

    def _generate_secret_string(self) -> str:
        instance = cast(LocalDBInstance, self.resource)
        return json.dumps(
            {"username": instance.master_username, "password": instance.initial_password}
        )


def default_option_group(version: str) -> str:
    """RDS's own option group of an engine version."""
    return f"default:{ENGINE}-{version.partition('.')[0]}"


def new_instance(backend: RDSBackend, inputs: Mapping[str, Any]) -> LocalDBInstance:
    """Make the model (moto's constructors are typed as their base class)."""
    return cast(LocalDBInstance, LocalDBInstance(backend, **inputs))


def _base32(length: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "".join(secrets.choice(alphabet) for _ in range(length))
