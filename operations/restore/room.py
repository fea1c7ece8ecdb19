"""Whether the server's disk has room for one more database: a full one stops the present one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from operations.backup.manifest import Manifest
from operations.errors import OperationError
from operations.restore.selection import Selection

# Indexes, and the log of the loading until a checkpoint; a restored table itself has no dead rows.
_BESIDE_ROWS = 1.5
# Large objects are known by what they are as zstd.
_UNPACKED = 2.0
# RDS says it every minute.
_LOOK_BACK = timedelta(minutes=15)
_GIB = 1024**3


def needed_bytes(backup: Manifest, selection: Selection) -> float:
    """What the restored tables and their indexes take; 0 where the manifest does not know."""
    rows = sum(one.length_bytes for table in backup.tables for one in table.segments)
    chosen = sum(one.length_bytes for table in selection.of(backup) for one in table.segments)
    share = chosen / rows if rows else 0.0
    large = sum(one.size_bytes for one in backup.large_objects) if selection.everything else 0
    return (backup.source_bytes * share + large * _UNPACKED) * _BESIDE_ROWS


def free_bytes(cloudwatch: Any, instance: str) -> float | None:
    """The least that was free on the instance's disk of late; None where nobody says it."""
    from botocore.exceptions import ClientError

    now = datetime.now(UTC)
    try:
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="FreeStorageSpace",
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance}],
            StartTime=now - _LOOK_BACK,
            EndTime=now + timedelta(minutes=1),
            Period=int(_LOOK_BACK.total_seconds()),
            Statistics=["Minimum"],
        )["Datapoints"]
    except ClientError:
        # Who may restore may not be one who may read metrics; that ends no restore at night.
        return None
    return min((float(one["Minimum"]) for one in found), default=None)


def refuse_without_room(cloudwatch: Any, instance: str, needed: float) -> None:
    """Before anything is made.

    Raises:
        OperationError: the disk has less than `needed` bytes free.
    """
    free = free_bytes(cloudwatch, instance) if needed else None
    if free is None or free >= needed:
        return
    raise OperationError(
        f"{instance} has {free / _GIB:.1f} GiB of disk free, and the restored database needs about "
        f"{needed / _GIB:.1f} GiB beside the present one: a full disk would stop both; nothing was "
        "changed. Enlarge database.allocated_storage_gib first, drop a database that an earlier "
        "restore left, go by --to instance:NAME; or give --ignore-room if you know better"
    )
