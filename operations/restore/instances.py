"""RDS instances made of a snapshot or of a moment: beside the present one, guarded like it.

AWS RDS user guide: restoring a DB instance to a specified time; restoring from a DB snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from operations.errors import OperationError

#: Every instance made here has it; nothing without it is ever deleted here.
SCRATCH_TAG = "pgkeep:scratch"
#: Statuses in which PostgreSQL answers and the restore is over.
_READY = frozenset({"available", "backing-up", "storage-optimization"})
_BROKEN = frozenset(
    {
        "failed",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "restore-error",
        "storage-full",
    }
)
_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Window:
    """The moments that an instance can be restored to."""

    earliest: datetime
    latest: datetime

    def __str__(self) -> str:
        return f"{_stamp(self.earliest)} to {_stamp(self.latest)}"


@dataclass(frozen=True)
class Target:
    """The new instance. `security_group_ids` None: those of the source."""

    identifier: str
    purpose: str
    security_group_ids: Sequence[str] | None = None
    tags: Mapping[str, str] | None = None


def describe(rds: Any, identifier: str) -> dict[str, Any] | None:
    """The instance as RDS describes it; None when there is none."""
    try:
        return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code", "").startswith("DBInstanceNotFound"):
            return None
        raise


def required(rds: Any, identifier: str) -> dict[str, Any]:
    """As `describe`.

    Raises:
        OperationError: there is none.
    """
    instance = describe(rds, identifier)
    if instance is None:
        raise OperationError(f"database instance {identifier} does not exist; check its name")
    return instance


def window(rds: Any, identifier: str) -> Window:
    """The restore window of an instance.

    Raises:
        OperationError: it has no automated backups, or not a whole one yet.
    """
    pages = rds.get_paginator("describe_db_instance_automated_backups").paginate(
        DBInstanceIdentifier=identifier
    )
    for page in pages:
        for backup in page["DBInstanceAutomatedBackups"]:
            limits = backup.get("RestoreWindow") or {}
            if backup.get("Status") == "active" and "EarliestTime" in limits:
                return Window(limits["EarliestTime"], limits["LatestTime"])
    raise OperationError(
        f"{identifier} has no restorable time: it keeps no automated backups, or its first one is "
        "not complete. Wait for it, or restore a snapshot or a dump"
    )


def moment_in(limits: Window, wanted: datetime) -> datetime:
    """`wanted`, in UTC.

    Raises:
        OperationError: it is outside of the window.
    """
    if not limits.earliest <= wanted <= limits.latest:
        side = "before" if wanted < limits.earliest else "after"
        raise OperationError(
            f"{_stamp(wanted)} is {side} the restore window, which is {limits}; choose a moment "
            "inside, or `latest`"
        )
    return wanted.astimezone(UTC)


def restore_to_moment(rds: Any, source: Mapping[str, Any], target: Target, at: datetime) -> None:
    """Ask RDS for a new instance that shows `source` as it was at `at` (whole seconds).

    Raises:
        OperationError: the target is there already.
    """
    _refuse_existing(rds, target)
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=source["DBInstanceIdentifier"],
        TargetDBInstanceIdentifier=target.identifier,
        RestoreTime=at.astimezone(UTC).replace(microsecond=0),
        **_like(source, target),
    )


def restore_snapshot(
    rds: Any, source: Mapping[str, Any], target: Target, snapshot_id: str
) -> dict[str, Any]:
    """Ask RDS for a new instance out of a snapshot of `source`; returns the snapshot.

    Raises:
        OperationError: the target is there already, or the snapshot is not usable.
    """
    snapshot = _snapshot(rds, source, snapshot_id)
    _refuse_existing(rds, target)
    rds.restore_db_instance_from_db_snapshot(
        DBSnapshotIdentifier=snapshot_id,
        DBInstanceIdentifier=target.identifier,
        **_like(source, target),
    )
    return snapshot


def taken_at(snapshot: Mapping[str, Any]) -> datetime:
    """Since when a snapshot lacks what was written: a copy is no newer than what it is a copy of.

    AWS RDS API reference: DBSnapshot, OriginalSnapshotCreateTime.
    """
    found: datetime = snapshot.get("OriginalSnapshotCreateTime") or snapshot["SnapshotCreateTime"]
    return found


def wait_until_ready(
    rds: Any,
    identifier: str,
    *,
    limit_seconds: float,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Wait for the restore's end; `progress` gets status and seconds so far.

    Raises:
        OperationError: RDS could not restore it, or not within `limit_seconds`.
    """
    started = time.monotonic()
    while True:
        instance = required(rds, identifier)
        waited = time.monotonic() - started
        if progress is not None:
            progress(str(instance["DBInstanceStatus"]), waited)
        if is_ready(instance):
            return instance
        if waited > limit_seconds:
            raise OperationError(
                f"instance {identifier} is still {instance['DBInstanceStatus']} after "
                f"{waited:.0f} s; it goes on by itself: look at it again, or delete it"
            )
        time.sleep(_POLL_SECONDS)


def is_ready(instance: Mapping[str, Any]) -> bool:
    """Whether the restored instance can be used.

    Raises:
        OperationError: RDS says that it never will be.
    """
    status = str(instance["DBInstanceStatus"])
    if status in _BROKEN:
        raise OperationError(
            f"RDS could not restore {instance['DBInstanceIdentifier']}: its status is {status}; "
            "see its events in RDS, and try another moment or snapshot"
        )
    return status in _READY and bool((instance.get("Endpoint") or {}).get("Address"))


def tags_of(instance: Mapping[str, Any]) -> dict[str, str]:
    """The instance's tags."""
    return {tag["Key"]: tag["Value"] for tag in instance.get("TagList") or ()}


def delete(rds: Any, identifier: str) -> bool:
    """Delete a scratch instance with all that belongs to it; False when it must be tried later.

    Raises:
        OperationError: the instance was not made by a restore of pgkeep.
    """
    instance = describe(rds, identifier)
    if instance is None or instance["DBInstanceStatus"] == "deleting":
        return True
    if SCRATCH_TAG not in tags_of(instance):
        raise OperationError(
            f"instance {identifier} was not deleted: it has no tag {SCRATCH_TAG}, so pgkeep did "
            "not make it. Delete it by hand if it is not needed"
        )
    try:
        rds.delete_db_instance(
            DBInstanceIdentifier=identifier,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "InvalidDBInstanceState":
            return False
        raise
    return True


def set_master_password(rds: Any, identifier: str, password: str, limit_seconds: float) -> None:
    """Give a scratch instance the present master password: its data has that of its moment.

    Raises:
        OperationError: RDS did not set it within `limit_seconds`.
    """
    rds.modify_db_instance(
        DBInstanceIdentifier=identifier, MasterUserPassword=password, ApplyImmediately=True
    )
    started = time.monotonic()
    while True:
        instance = required(rds, identifier)
        pending = instance.get("PendingModifiedValues") or {}
        if instance["DBInstanceStatus"] in _READY and "MasterUserPassword" not in pending:
            return
        if time.monotonic() - started > limit_seconds:
            raise OperationError(
                f"RDS has not set the master password of {identifier} within "
                f"{limit_seconds:.0f} s; it goes on by itself"
            )
        time.sleep(_POLL_SECONDS)


def _like(source: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """What a restore does not take over by itself: RDS would use the account's defaults."""
    groups = target.security_group_ids
    if groups is None:
        groups = [group["VpcSecurityGroupId"] for group in source["VpcSecurityGroups"]]
    kept = {
        key: value for key, value in tags_of(source).items() if not key.startswith(("aws:", "Name"))
    }
    tags = {
        **kept,
        "Name": target.identifier,
        SCRATCH_TAG: target.purpose,
        **(target.tags or {}),
    }
    inputs: dict[str, Any] = {
        "DBInstanceClass": source["DBInstanceClass"],
        "DBSubnetGroupName": source["DBSubnetGroup"]["DBSubnetGroupName"],
        "DBParameterGroupName": source["DBParameterGroups"][0]["DBParameterGroupName"],
        "VpcSecurityGroupIds": list(groups),
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "DeletionProtection": False,
        "AutoMinorVersionUpgrade": False,
        "CopyTagsToSnapshot": True,
        "EnableIAMDatabaseAuthentication": bool(source.get("IAMDatabaseAuthenticationEnabled")),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    if source.get("CACertificateIdentifier"):
        inputs["CACertificateIdentifier"] = source["CACertificateIdentifier"]
    return inputs


def _snapshot(rds: Any, source: Mapping[str, Any], snapshot_id: str) -> dict[str, Any]:
    try:
        # RDS gives those of AWS Backup only to who asks for them.
        kind = {"SnapshotType": "awsbackup"} if snapshot_id.startswith("awsbackup:") else {}
        found = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot_id, **kind)["DBSnapshots"]
    except ClientError as error:
        if not error.response.get("Error", {}).get("Code", "").startswith("DBSnapshotNotFound"):
            raise
        found = []
    if not found:
        raise OperationError(f"there is no snapshot {snapshot_id} here; {_hint(snapshot_id)}")
    snapshot: dict[str, Any] = found[0]
    identifier = source["DBInstanceIdentifier"]
    if snapshot["DBInstanceIdentifier"] != identifier:
        raise OperationError(
            f"snapshot {snapshot_id} is of {snapshot['DBInstanceIdentifier']}, not of "
            f"{identifier}; use the stack that it belongs to"
        )
    if snapshot.get("Status") != "available":
        raise OperationError(
            f"snapshot {snapshot_id} is {snapshot.get('Status')}; wait until it is available"
        )
    return snapshot


def _hint(snapshot_id: str) -> str:
    """What to do about a snapshot that is not there; the list also has copies elsewhere."""
    if snapshot_id.startswith("awsbackup:copyjob-"):
        return (
            "what AWS Backup has copied to another region or account is brought back first: "
            "docs/backup-storage.md, Bringing a copy back"
        )
    return "`pgkeep backup list` shows those that there are"


def _refuse_existing(rds: Any, target: Target) -> None:
    if describe(rds, target.identifier) is not None:
        raise OperationError(
            f"instance {target.identifier} exists; a restore never replaces one. Choose another "
            "name, or delete it"
        )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
