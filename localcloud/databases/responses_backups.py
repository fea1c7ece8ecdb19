"""Actions of the RDS API on snapshots, automated backups and restores that moto lacks."""

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from localcloud.databases.backend import LocalRDSBackend

# AWS: "MaxRecords, default 100".
PAGE_SIZE = 100


def backend_of(response: RDSResponse) -> LocalRDSBackend:
    """The backend of the request's region."""
    return cast(LocalRDSBackend, response.backend)


def page(response: RDSResponse, name: str, items: list[Any]) -> ActionResult:
    """One page of a list; the marker of the next is its position."""
    start = int(response.params.get("Marker") or 0)
    end = start + int(response.params.get("MaxRecords") or PAGE_SIZE)
    marker = str(end) if end < len(items) else None
    return ActionResult({name: items[start:end], "Marker": marker})


def describe_db_snapshots(self: RDSResponse) -> ActionResult:
    """DescribeDBSnapshots, with DbiResourceId, IncludeShared and IncludePublic."""
    backend = backend_of(self)
    params = self.params
    filters = {each["Name"]: list(each["Values"]) for each in params.get("Filters", [])}
    if resource_id := params.get("DbiResourceId"):
        filters["dbi-resource-id"] = [resource_id]
    found: list[Any] = backend.describe_db_snapshots(
        params.get("DBInstanceIdentifier"),
        params.get("DBSnapshotIdentifier"),
        params.get("SnapshotType"),
        filters,
    )
    if params.get("IncludeShared"):
        found += [each for each in backend.get_shared_db_snapshots() if each not in found]
    return page(self, "DBSnapshots", found)


def describe_db_instance_automated_backups(self: RDSResponse) -> ActionResult:
    """DescribeDBInstanceAutomatedBackups."""
    found = backend_of(self).describe_automated_backups(self.params)
    return page(self, "DBInstanceAutomatedBackups", found)


def delete_db_instance_automated_backup(self: RDSResponse) -> ActionResult:
    """DeleteDBInstanceAutomatedBackup."""
    deleted = backend_of(self).delete_automated_backup(self.params)
    return ActionResult({"DBInstanceAutomatedBackup": deleted})


def start_db_instance_automated_backups_replication(self: RDSResponse) -> ActionResult:
    """StartDBInstanceAutomatedBackupsReplication."""
    started = backend_of(self).start_automated_backups_replication(self.params)
    return ActionResult({"DBInstanceAutomatedBackup": started})


def stop_db_instance_automated_backups_replication(self: RDSResponse) -> ActionResult:
    """StopDBInstanceAutomatedBackupsReplication."""
    stopped = backend_of(self).stop_automated_backups_replication(
        str(self.params.get("SourceDBInstanceArn"))
    )
    return ActionResult({"DBInstanceAutomatedBackup": stopped})


ACTIONS = (
    describe_db_snapshots,
    describe_db_instance_automated_backups,
    delete_db_instance_automated_backup,
    start_db_instance_automated_backups_replication,
    stop_db_instance_automated_backups_replication,
)
