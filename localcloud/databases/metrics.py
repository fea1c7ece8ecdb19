"""The AWS/RDS metrics of an instance, measured on its server.

Names and units: AWS, "Amazon CloudWatch instance-level metrics for Amazon RDS". What cannot be
measured here (disk queues, IOPS of a volume that is no volume) is not reported at all.
"""

import datetime
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from moto.cloudwatch.models import cloudwatch_backends

from localcloud.databases import instance_classes
from localcloud.databases.node import Node

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

# As RDS computes it; a replica that has replayed all it received has no lag, however old the last
# transaction is.
_REPLICA_LAG = """
SELECT CASE
    WHEN NOT pg_is_in_recovery() THEN NULL
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
        AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 0
    ELSE greatest(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)
END::float8
"""
_DATABASE = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
            AND usename <> 'rdsadmin')::float8,
    (SELECT max(age(datfrozenxid)) FROM pg_database)::float8,
    (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir())::float8,
    (SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots
        WHERE NOT pg_is_in_recovery())::float8
"""


@dataclass(frozen=True)
class _Usage:
    measured_at: float
    processor_seconds: float


class Meter:
    """Measures one instance; processor use is counted between two measurements."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before: _Usage | None = None

    def measure(self) -> dict[str, tuple[float, str]]:
        """Metric name to value and unit."""
        found = self._database() | self._storage() | self._memory()
        found |= self._processors()
        return found

    def _database(self) -> dict[str, tuple[float, str]]:
        server = self._node.server
        (row,) = server.query(_DATABASE)
        connections, transaction_ids, wal_bytes, slot_lag = cast(tuple[float | None, ...], row)
        lag = cast(float | None, server.query(_REPLICA_LAG)[0][0])
        values = {
            "DatabaseConnections": (connections, "Count"),
            "MaximumUsedTransactionIDs": (transaction_ids, "Count"),
            "TransactionLogsDiskUsage": (wal_bytes, "Bytes"),
            "OldestReplicationSlotLag": (slot_lag, "Bytes"),
            "ReplicaLag": (lag, "Seconds"),
        }
        return {n: (value, unit) for n, (value, unit) in values.items() if value is not None}

    def _storage(self) -> dict[str, tuple[float, str]]:
        used = sum(
            _size(Path(folder) / name)
            for folder, _, names in os.walk(self._node.server.data)
            for name in names
        )
        allocated = self._node.instance.allocated_storage * 1024**3
        return {"FreeStorageSpace": (float(max(allocated - used, 0)), "Bytes")}

    def _memory(self) -> dict[str, tuple[float, str]]:
        name = self._node.instance.db_instance_class
        resident, shared = 0, 0
        for process in self._processes():
            status = _fields(process / "status")
            resident += _kibibytes(status.get("RssAnon"))
            # Shared buffers are one memory, seen by every process.
            shared = max(shared, _kibibytes(status.get("RssShmem")))
        free = instance_classes.by_name(name).memory_bytes - (resident + shared) * 1024
        return {"FreeableMemory": (float(max(free, 0)), "Bytes")}

    def _processors(self) -> dict[str, tuple[float, str]]:
        ticks = 0
        for process in self._processes():
            fields = _stat(process)
            # utime and stime; of the postmaster also those of its ended children.
            count = 4 if process.name == str(self._node.server.process_id) else 2
            ticks += sum(map(int, fields[11 : 11 + count]))
        now = _Usage(time.monotonic(), ticks / _TICKS_A_SECOND)
        before, self._before = self._before, now
        if before is None:
            return {}
        name = self._node.instance.db_instance_class
        capacity = instance_classes.by_name(name).processors
        capacity_seconds = (now.measured_at - before.measured_at) * capacity
        used = max(now.processor_seconds - before.processor_seconds, 0)
        return {"CPUUtilization": (min(100 * used / capacity_seconds, 100.0), "Percent")}

    def _processes(self) -> list[Path]:
        postmaster = self._node.server.process_id
        if postmaster is None:
            return []
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [Path("/proc", number) for number in (str(postmaster), *children)]


def publish(node: Node, values: Mapping[str, tuple[float, str]]) -> None:
    """Put the metrics into CloudWatch."""
    instance = node.instance
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    data = [
        {
            "MetricName": name,
            "Value": value,
            "Unit": unit,
            "Timestamp": now,
            "Dimensions": [
                {"Name": "DBInstanceIdentifier", "Value": instance.db_instance_identifier}
            ],
        }
        for name, (value, unit) in values.items()
    ]
    backend: Any = cloudwatch_backends[instance.account_id][instance.region]
    backend.put_metric_data("AWS/RDS", data)


def _size(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:  # PostgreSQL has just removed it.
        return 0


def _stat(process: Path) -> list[str]:
    try:
        # The name, in brackets, may hold blanks; the fields after it count from 3 (proc(5)).
        return (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _fields(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _kibibytes(text: str | None) -> int:
    return int(text.split()[0]) if text else 0
