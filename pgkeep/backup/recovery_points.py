"""All that a database can be brought back from, with what each would lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from operations.backup.exports import PREFIX, FoundExports
from operations.backup.store import Found, NoBackup
from operations.errors import OperationError
from operations.restore import instances
from operations.restore.report import POINT_IN_TIME

_GIB = 1024**3


@dataclass(frozen=True)
class RecoveryPoint:
    """One way back. `rpo_seconds` is how much would be lost by going it now."""

    kind: str
    id: str
    backup_class: str
    taken_at: datetime
    rpo_seconds: float
    size_bytes: int | None
    proven_at: datetime | None
    note: str = ""
    #: Of a window: its first moment. `taken_at` is the last.
    since: datetime | None = None

    def document(self) -> dict[str, Any]:
        """As JSON: times are ISO 8601 in UTC."""
        return {
            "kind": self.kind,
            "id": self.id,
            "class": self.backup_class,
            "taken_at": self.taken_at.astimezone(UTC).isoformat(),
            "since": self.since.astimezone(UTC).isoformat() if self.since else None,
            "age_seconds": round(self.rpo_seconds),
            "rpo_seconds": round(self.rpo_seconds),
            "size_bytes": self.size_bytes,
            "proven": self.proven_at is not None,
            "proven_at": self.proven_at.astimezone(UTC).isoformat() if self.proven_at else None,
            "note": self.note,
        }


def dumps(found: Found, proven: Mapping[str, datetime], now: datetime) -> Iterator[RecoveryPoint]:
    """The logical backups."""
    for backup in found.backups:
        yield RecoveryPoint(
            kind="dump",
            id=backup.id,
            backup_class=backup.backup_class,
            taken_at=backup.taken_at,
            rpo_seconds=(now - backup.taken_at).total_seconds(),
            size_bytes=backup.size_bytes,
            proven_at=proven.get(backup.id),
            note=f"kept until {backup.keep_until[:10]}" if backup.keep_until else "kept",
        )


_NOT_RESTORABLE = "Parquet for Athena; pgkeep and pg_restore cannot restore it"


def exports(found: FoundExports, now: datetime) -> Iterator[RecoveryPoint]:
    """Snapshots that RDS has exported; nothing restores them, so that nothing proves them."""
    for export in found.exports:
        kept = f"kept until {export.keep_until[:10]}" if export.keep_until else "kept"
        yield RecoveryPoint(
            kind="export",
            id=export.id,
            backup_class=export.backup_class,
            taken_at=export.taken_at,
            rpo_seconds=(now - export.taken_at).total_seconds(),
            size_bytes=export.size_bytes,
            proven_at=None,
            note=f"{_NOT_RESTORABLE}; of snapshot {export.record.snapshot}, {kept}",
        )


def unfinished_exports(found: FoundExports, rds: Any, bucket: str) -> Iterator[NoBackup]:
    """Exports that are at work or failed, as RDS says, and what only looks like an export."""
    pages = rds.get_paginator("describe_export_tasks").paginate(
        Filters=[{"Name": "s3-bucket", "Values": [bucket]}]
    )
    tasks = {task["ExportTaskIdentifier"]: task for page in pages for task in page["ExportTasks"]}
    for export in found.exports:
        tasks.pop(export.id, None)
    for other in found.others:
        if other.folder.rpartition("/")[2] not in tasks:
            yield other
    for identifier, task in tasks.items():
        folder = f"{task.get('S3Prefix', PREFIX.rstrip('/'))}/{identifier}"
        since = task.get("TaskEndTime") or task.get("TaskStartTime") or datetime.now(UTC)
        yield NoBackup(folder, _state(task), (), since, False)


def _state(task: Mapping[str, Any]) -> str:
    status = str(task["Status"]).upper()
    if status == "COMPLETE":
        return "RDS has exported it; the function backup notes that within ten minutes"
    if cause := task.get("FailureCause"):
        return f"its export {status.lower()}: {cause}"
    return f"its export is {status.lower().replace('_', ' ')}, {task.get('PercentProgress', 0)} %"


def of_instance(
    rds: Any, identifier: str, proven: Mapping[str, datetime], now: datetime
) -> Iterator[RecoveryPoint]:
    """Point-in-time recovery and snapshots of an RDS instance."""
    # Before its first backup is whole an instance has none.
    with suppress(OperationError):
        limits = instances.window(rds, identifier)
        yield RecoveryPoint(
            kind="point-in-time",
            id=identifier,
            backup_class="continuous",
            taken_at=limits.latest,
            rpo_seconds=(now - limits.latest).total_seconds(),
            size_bytes=None,
            proven_at=proven.get(POINT_IN_TIME),
            note=_any_moment(limits.earliest),
            since=limits.earliest,
        )
    pages = rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=identifier)
    for page in pages:
        for snapshot in page["DBSnapshots"]:
            if snapshot.get("Status") != "available":
                continue
            taken_at = instances.taken_at(snapshot)
            yield RecoveryPoint(
                kind="snapshot",
                id=snapshot["DBSnapshotIdentifier"],
                backup_class=snapshot.get("SnapshotType", ""),
                taken_at=taken_at,
                rpo_seconds=(now - taken_at).total_seconds(),
                size_bytes=snapshot.get("AllocatedStorage", 0) * _GIB,
                proven_at=proven.get(snapshot["DBSnapshotIdentifier"]),
                note="size is the allocated storage",
            )


def _any_moment(since: datetime) -> str:
    return f"any moment since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def arn(rds: Any, identifier: str) -> str:
    """ARN of an instance."""
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    return str(instance["DBInstanceArn"])


def replications(rds: Any, identifier: str) -> dict[str, str]:
    """Regions that an instance's automated backups are replicated to, and what they are there."""
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    found = instance.get("DBInstanceAutomatedBackupsReplications", ())
    # arn:aws:rds:REGION:ACCOUNT:auto-backup:ab-…
    arns = [str(one["DBInstanceAutomatedBackupsArn"]) for one in found]
    return {one.split(":")[3]: one for one in arns}


def of_replication(
    rds: Any, backups_arn: str, region: str, proven: Mapping[str, datetime], now: datetime
) -> Iterator[RecoveryPoint]:
    """Point-in-time recovery in another `region`, whose `rds` is asked; none before it begins."""
    answer = rds.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=backups_arn)
    for backups in answer["DBInstanceAutomatedBackups"]:
        limits = backups.get("RestoreWindow") or {}
        if not limits.keys() >= {"EarliestTime", "LatestTime"}:
            continue
        since, latest = limits["EarliestTime"], limits["LatestTime"]
        yield RecoveryPoint(
            kind="point-in-time copy",
            # As database.origin.point_in_time.automated_backups_arn takes it.
            id=backups_arn,
            backup_class="continuous",
            taken_at=latest,
            rpo_seconds=(now - latest).total_seconds(),
            size_bytes=None,
            proven_at=proven.get(backups_arn),
            note=f"in {region}, {_any_moment(since)}",
            since=since,
        )


def of_vault(
    backup: Any,
    vault: str,
    instance_arn: str,
    proven: Mapping[str, datetime],
    now: datetime,
    *,
    region: str = "",
) -> Iterator[RecoveryPoint]:
    """The recovery points of an instance in a vault of AWS Backup; `region` is another one's."""
    pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(
        BackupVaultName=vault, ByResourceArn=instance_arn
    )
    for page in pages:
        for point in page["RecoveryPoints"]:
            if point.get("Status") not in ("COMPLETED", "AVAILABLE"):
                continue
            # arn:aws:rds:REGION:ACCOUNT:snapshot:awsbackup:job-…: what RDS calls the snapshot.
            snapshot = point["RecoveryPointArn"].partition(":snapshot:")[2]
            taken_at = point["CreationDate"]
            delete_at = point.get("CalculatedLifecycle", {}).get("DeleteAt")
            notes = [
                f"in {region}" if region else "",
                f"kept until {delete_at:%Y-%m-%d}" if delete_at else "kept",
            ]
            yield RecoveryPoint(
                kind="aws-backup copy" if region else "aws-backup",
                id=snapshot,
                # A job that no plan has started has no rule.
                backup_class=point.get("CreatedBy", {}).get("BackupRuleName", "manual"),
                taken_at=taken_at,
                rpo_seconds=(now - taken_at).total_seconds(),
                size_bytes=point.get("BackupSizeInBytes"),
                proven_at=proven.get(snapshot),
                note=", ".join(note for note in notes if note),
            )
