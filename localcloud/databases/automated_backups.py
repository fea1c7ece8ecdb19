"""Automated backups as the API shows them: of running instances, retained, in other regions."""

import datetime
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from moto.rds.exceptions import InvalidParameterValue, RDSClientError

from localcloud.databases import shipping
from localcloud.databases.archive import Archive
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.regional import Regional

# AWS, StartDBInstanceAutomatedBackupsReplication: "Default: 7".
_DEFAULT_REPLICATED_DAYS = 7
_FILTERS: Mapping[str, str] = {
    "status": "Status",
    "db-instance-id": "DBInstanceIdentifier",
    "dbi-resource-id": "DbiResourceId",
}


@dataclass
class AutomatedBackup:
    """An automated backup in one region. `instance` is as it is now, or was at its end."""

    arn: str
    instance: LocalDBInstance
    archive: Archive
    region: str
    retention_days: int
    kms_key_id: str | None
    # "active", "retained" or "replicating", as AWS names them.
    status: str

    def window(self, now: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime] | None:
        """First and last restorable moment."""
        earliest = self.archive.earliest(self.retention_days, now)
        latest = self.archive.latest
        if earliest is None or latest is None or latest < earliest:
            return None
        return earliest, latest

    def describe(self) -> dict[str, Any]:
        """The DBInstanceAutomatedBackup of the API."""
        instance = self.instance
        window = self.window(datetime.datetime.now(datetime.UTC))
        described: dict[str, Any] = {
            "DBInstanceArn": instance.arn,
            "DbiResourceId": instance.dbi_resource_id,
            "Region": instance.region,
            "DBInstanceIdentifier": instance.db_instance_identifier,
            "AllocatedStorage": instance.allocated_storage,
            "Status": self.status if window else "creating",
            "Port": instance.port,
            "AvailabilityZone": instance.availability_zone,
            "VpcId": instance.vpc_id,
            "InstanceCreateTime": instance.created,
            "MasterUsername": instance.master_username,
            "Engine": instance.engine,
            "EngineVersion": instance.engine_version,
            "LicenseModel": instance.license_model,
            "Iops": instance.iops,
            "StorageThroughput": instance.storage_throughput,
            "OptionGroupName": instance.option_group_name,
            "Encrypted": instance.storage_encrypted,
            "StorageType": instance.storage_type,
            "KmsKeyId": self.kms_key_id,
            "IAMDatabaseAuthenticationEnabled": instance.enable_iam_database_authentication,
            "BackupRetentionPeriod": self.retention_days,
            "PreferredBackupWindow": instance.preferred_backup_window,
            "DBInstanceAutomatedBackupsArn": self.arn,
            "BackupTarget": "region",
            "MultiTenant": False,
            "DedicatedLogVolume": instance.dedicated_log_volume,
        }
        if self.status == "active":
            replications = instance.db_instance_automated_backups_replications
            described["DBInstanceAutomatedBackupsReplications"] = replications
        if window:
            described["RestoreWindow"] = {"EarliestTime": window[0], "LatestTime": window[1]}
        return described


class AutomatedBackups(Regional):
    """The automated backups of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        # Those that no instance of this region stands for: retained and replicated ones.
        self.kept_backups: dict[str, AutomatedBackup] = {}

    def automated_backups(self) -> list[AutomatedBackup]:
        """Of the region's instances, and those kept without one."""
        active = [
            AutomatedBackup(
                arn=instance.automated_backup_arn,
                instance=instance,
                archive=instance.archive,
                region=self.region_name,
                retention_days=instance.backup_retention_period,
                kms_key_id=instance.kms_key_id,
                status="active",
            )
            for instance in self.databases.values()
            if isinstance(instance, LocalDBInstance)
            and instance.archive is not None
            and instance.backup_retention_period
            and instance.status != "deleting"
        ]
        return [*active, *self.kept_backups.values()]

    def automated_backup(
        self, *, resource_id: str | None = None, arn: str | None = None
    ) -> AutomatedBackup:
        """The one of a DbiResourceId or ARN. Raises DBInstanceAutomatedBackupNotFound."""
        for backup in self.automated_backups():
            if arn == backup.arn or (
                resource_id and resource_id == backup.instance.dbi_resource_id
            ):
                return backup
        raise RDSClientError(
            "DBInstanceAutomatedBackupNotFound",
            f"DB instance automated backup {arn or resource_id} not found.",
        )

    def describe_automated_backups(self, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """DescribeDBInstanceAutomatedBackups. Raises DBInstanceAutomatedBackupNotFound."""
        resource_id = inputs.get("DbiResourceId")
        arn = inputs.get("DBInstanceAutomatedBackupsArn")
        if resource_id or arn:
            found = [self.automated_backup(resource_id=resource_id, arn=arn)]
        else:
            found = self.automated_backups()
        described = [backup.describe() for backup in found]
        wanted = {each["Name"]: set(each["Values"]) for each in inputs.get("Filters") or ()}
        if identifier := inputs.get("DBInstanceIdentifier"):
            wanted["db-instance-id"] = {str(identifier).lower()}
        for name, values in wanted.items():
            if name not in _FILTERS:
                raise InvalidParameterValue(f"Unrecognized filter name: {name}")
            described = [each for each in described if each[_FILTERS[name]] in values]
        return described

    def retain_automated_backup(self, node: Node) -> None:
        """Keep the backups of an instance that ends, up to its last moment. On its worker."""
        instance = node.instance
        if node.server.running:
            shipping.ship_now(node)
        node.server.stop()
        archive = self._archive(instance.dbi_resource_id)
        archive.follow(node.archive)
        self.kept_backups[instance.automated_backup_arn] = AutomatedBackup(
            arn=instance.automated_backup_arn,
            instance=instance,
            archive=archive,
            region=self.region_name,
            retention_days=instance.backup_retention_period,
            kms_key_id=instance.kms_key_id,
            status="retained",
        )

    def delete_automated_backup(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteDBInstanceAutomatedBackup: of a deleted instance, or a replication's that ended."""
        backup = self.automated_backup(
            resource_id=inputs.get("DbiResourceId"), arn=inputs.get("DBInstanceAutomatedBackupsArn")
        )
        if backup.status != "retained":
            raise RDSClientError(
                "InvalidDBInstanceAutomatedBackupState",
                f"The automated backup {backup.arn} is {backup.status}; only a retained one can "
                "be deleted.",
            )
        described = backup.describe()
        self._remove_kept(backup)
        return {**described, "Status": "deleting"}

    def start_automated_backups_replication(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """StartDBInstanceAutomatedBackupsReplication, called in the destination region."""
        source = self.instance_anywhere(str(inputs.get("SourceDBInstanceArn")))
        if source.region == self.region_name:
            raise InvalidParameterValue(
                f"{source.arn} is in {self.region_name} itself; backups are replicated to another "
                "Region."
            )
        if not source.backup_retention_period:
            raise RDSClientError(
                "InvalidDBInstanceState",
                f"Automated backups are not enabled for {source.db_instance_identifier}.",
            )
        if source.automated_backup_replications:
            # AWS, "Considerations for cross-Region automated backups": one destination a source.
            raise RDSClientError(
                "InvalidDBInstanceAutomatedBackupState",
                f"The automated backups of {source.db_instance_identifier} are replicated already.",
            )
        key = inputs.get("KmsKeyId")
        if source.storage_encrypted and not key:
            raise InvalidParameterValue(
                f"{source.db_instance_identifier} is encrypted: specify a KmsKeyId of "
                f"{self.region_name}."
            )
        days = int(inputs.get("BackupRetentionPeriod") or _DEFAULT_REPLICATED_DAYS)
        if not 1 <= days <= 35:
            raise InvalidParameterValue(
                f"Invalid backup retention period: {days}. Must be between 1 and 35."
            )
        backup = AutomatedBackup(
            arn=source.automated_backup_arn.replace(
                f":rds:{source.region}:", f":rds:{self.region_name}:"
            ),
            instance=source,
            archive=self._archive(source.dbi_resource_id),
            region=self.region_name,
            retention_days=days,
            kms_key_id=self._validate_kms_key(key) if key else None,
            status="replicating",
        )
        node = self.plane.node_of(source)
        backup.archive.follow(node.archive)
        node.followers.append(backup.archive)
        self.kept_backups[backup.arn] = backup
        source.automated_backup_replications.append(backup.arn)
        return backup.describe()

    def stop_automated_backups_replication(self, source_arn: str) -> dict[str, Any]:
        """StopDBInstanceAutomatedBackupsReplication; what was replicated is retained."""
        for backup in self.kept_backups.values():
            if backup.status == "replicating" and backup.instance.arn == source_arn:
                self.end_replication(backup)
                return backup.describe()
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"No automated backups of {source_arn} are replicated to {self.region_name}.",
        )

    def end_replication(self, backup: AutomatedBackup) -> None:
        """Follow the source no longer."""
        backup.status = "retained"
        backup.instance.automated_backup_replications.remove(backup.arn)
        for node in self.plane.nodes():
            if backup.archive in node.followers:
                node.followers.remove(backup.archive)

    def end_replications_of(self, instance: LocalDBInstance) -> None:
        """For an instance that ends: what other regions have of it is retained there."""
        for arn in list(instance.automated_backup_replications):
            region = arn.split(":")[3]
            other = cast(AutomatedBackups, self.get_backend("rds", region, self.account_id))
            other.end_replication(other.kept_backups[arn])

    def prune_kept(self, now: datetime.datetime) -> None:
        """Remove what is past its retention period, the whole backup at last."""
        for backup in list(self.kept_backups.values()):
            oldest = now - datetime.timedelta(days=backup.retention_days)
            latest = backup.archive.latest
            if backup.status == "retained" and (latest is None or latest < oldest):
                self._remove_kept(backup)
            else:
                backup.archive.prune(oldest, now)

    def _remove_kept(self, backup: AutomatedBackup) -> None:
        del self.kept_backups[backup.arn]
        shutil.rmtree(backup.archive.folder, ignore_errors=True)
        everything = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        if backup.instance.region == self.region_name:
            forget: Any = self
            forget.forget_automated_snapshots(backup.instance.dbi_resource_id, everything)

    def _archive(self, resource_id: str) -> Archive:
        folder = self.plane.cloud.home.databases / ".automated"
        folder = folder / f"{self.region_name}.{resource_id}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        return Archive(folder)
