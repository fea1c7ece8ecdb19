"""PgBouncer's metrics and log as events of CloudWatch Logs.

Metrics are events in the embedded metric format: so the host needs the permission to write into one
log group, and none for CloudWatch itself, which knows no narrower resource than everything.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterable
from typing import Any

from hosts import pooler

NAMESPACE = "pgkeep/pooler"
UNITS = {
    "ClientsActive": "Count",
    "ClientsWaiting": "Count",
    "ServersActive": "Count",
    "ServersIdle": "Count",
    "MaxWaitSeconds": "Seconds",
    "AverageWaitMilliseconds": "Milliseconds",
    "PoolUsePercent": "Percent",
}
_OWN_DATABASES = ("pgbouncer", pooler.HEALTH_DATABASE)
# PutLogEvents takes 10,000 events and 1 MiB; lines of PgBouncer's are short.
_MOST_LINES = 500
_LONGEST_LINE = 1_000


def samples() -> dict[str, dict[str, float]]:
    """Metrics of each database: sums over its users, worst wait and fullest pool."""
    pools = pooler.console("SHOW POOLS")
    sizes = {row["name"]: int(row["pool_size"]) for row in pooler.console("SHOW DATABASES")}
    own_sizes = {row["name"]: row.get("pool_size") for row in pooler.console("SHOW USERS")}
    waits = {row["database"]: int(row["avg_wait_time"]) for row in pooler.console("SHOW STATS")}
    found: dict[str, dict[str, float]] = {
        database: dict.fromkeys(UNITS, 0.0) for database in sizes if database not in _OWN_DATABASES
    }
    for row in pools:
        database = row["database"]
        if database not in found:
            continue
        sample = found[database]
        sample["ClientsActive"] += int(row["cl_active"])
        sample["ClientsWaiting"] += int(row["cl_waiting"])
        sample["ServersActive"] += int(row["sv_active"])
        sample["ServersIdle"] += int(row["sv_idle"]) + int(row["sv_used"])
        wait = int(row["maxwait"]) + int(row["maxwait_us"]) / 1e6
        sample["MaxWaitSeconds"] = max(sample["MaxWaitSeconds"], wait)
        sample["AverageWaitMilliseconds"] = waits.get(database, 0) / 1e3
        size = int(own_sizes.get(row["user"]) or sizes[database])
        use = 100 * int(row["sv_active"]) / max(size, 1)
        sample["PoolUsePercent"] = max(sample["PoolUsePercent"], use)
    return found


def metric_events(
    values: dict[str, dict[str, float]], *, name: str, instance_id: str, now_ms: int
) -> list[dict[str, Any]]:
    """One event a database; `name` is the dimension that all hosts of the pooler share."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Pooler"], ["Pooler", "Database"]],
        "Metrics": [{"Name": metric, "Unit": unit} for metric, unit in UNITS.items()],
    }
    return [
        {
            "timestamp": now_ms,
            "message": json.dumps(
                {
                    "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
                    "Pooler": name,
                    "Database": database,
                    "InstanceId": instance_id,
                    **sample,
                }
            ),
        }
        for database, sample in sorted(values.items())
    ]


class Journal:
    """Lines of the journal since the last look."""

    def __init__(self, units: Iterable[str]) -> None:
        """Begin with this boot's first line."""
        # What the services say, not what systemd says of them.
        self._units = [f"_SYSTEMD_UNIT={unit}" for unit in units]
        self._cursor = ""

    def read(self) -> tuple[list[dict[str, Any]], str]:
        """The next events, oldest first, and the cursor behind them."""
        where = [f"--after-cursor={self._cursor}"] if self._cursor else []
        shown = subprocess.run(
            [
                "journalctl",
                "--boot",
                "--output=json",
                "--no-pager",
                "--quiet",
                *where,
                *self._units,
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        events: list[dict[str, Any]] = []
        cursor = self._cursor
        for line in shown.stdout.splitlines()[:_MOST_LINES]:
            entry = json.loads(line)
            cursor = entry["__CURSOR"]
            message = f"{entry.get('SYSLOG_IDENTIFIER', '')}: {entry.get('MESSAGE', '')}"
            moment = int(entry["__REALTIME_TIMESTAMP"]) // 1000
            events.append({"timestamp": moment, "message": message[:_LONGEST_LINE]})
        return events, cursor

    def done(self, cursor: str) -> None:
        """What lies before the cursor has been delivered."""
        self._cursor = cursor


class LogStream:
    """One stream of a log group, made when it is first written to."""

    def __init__(self, client: Any, group: str, stream: str) -> None:
        """Remember where."""
        self._client, self._group, self._stream = client, group, stream
        self._made = False

    def write(self, events: list[dict[str, Any]]) -> None:
        """Write events; raises botocore's errors."""
        if not events:
            return
        where = {"logGroupName": self._group, "logStreamName": self._stream}
        if not self._made:
            with contextlib.suppress(self._client.exceptions.ResourceAlreadyExistsException):
                self._client.create_log_stream(**where)
            self._made = True
        # The service wants them in order.
        ordered = sorted(events, key=lambda event: event["timestamp"])
        self._client.put_log_events(**where, logEvents=ordered)


def now_ms() -> int:
    """The time as CloudWatch wants it."""
    return int(time.time() * 1000)
