"""What RDS does by itself: recovery, metrics, log exports, backups, the maintenance window."""

import datetime
import logging
import threading
from pathlib import Path
from typing import Any, cast

from moto.rds.models import rds_backends

from localcloud.databases import backups, shipping, standby
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.log_export import Exporter
from localcloud.databases.metrics import Meter, publish
from localcloud.databases.modification import apply_pending
from localcloud.databases.node import Node
from localcloud.databases.plane import Plane

_LOG = logging.getLogger(__name__)
_LOGS_EVERY_SECONDS = 5
# RDS publishes a data point a minute.
METRICS_EVERY_SECONDS = 60
_BACKUP_NOT_AGAIN_WITHIN = datetime.timedelta(hours=20)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DEFAULT_LOG_RETENTION_MINUTES = 4320


class Housekeeping:
    """One thread over all instances of a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="databases", daemon=True)
        self._meters: dict[str, Meter] = {}
        self._exporters: dict[str, Exporter] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until nothing is under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        ticks = 0
        while not self._stopping.wait(_LOGS_EVERY_SECONDS):
            ticks += 1
            if ticks * _LOGS_EVERY_SECONDS % METRICS_EVERY_SECONDS == 0:
                self.prune_kept(datetime.datetime.now(datetime.UTC))
            for node in self._plane.nodes():
                try:
                    self.watch(node)
                    self.ship_wal(node)
                    self.export_logs(node)
                    if ticks * _LOGS_EVERY_SECONDS % METRICS_EVERY_SECONDS == 0:
                        self.measure(node)
                        self.maintain(node, datetime.datetime.now(datetime.UTC))
                except Exception:
                    _LOG.exception("housekeeping of %s", node.instance.db_instance_identifier)

    def prune_kept(self, now: datetime.datetime) -> None:
        """Remove automated backups without an instance that are past their time."""
        for account in rds_backends.values():
            for backend in account.values():
                cast(Any, backend).prune_kept(now)

    def watch(self, node: Node) -> None:
        """Start a server again that should run and does not."""
        if node.instance.status == "available" and not node.server.running:
            self._plane.recover(node)
        elif node.instance.status == "available" and node.standby is not None:
            self._plane.in_background(node.instance, lambda node: standby.watch(self._plane, node))

    def ship_wal(self, node: Node) -> None:
        """Let LatestRestorableTime move on."""
        if node.instance.status == "available" and node.server.running:
            shipping.ship(node)

    def export_logs(self, node: Node) -> None:
        """Send new log entries to CloudWatch Logs."""
        key = node.instance.dbi_resource_id
        self._exporters.setdefault(key, Exporter(node)).export()

    def measure(self, node: Node) -> None:
        """Publish the metrics of a running instance."""
        key = node.instance.dbi_resource_id
        if node.instance.status in ("available", "backing-up", "modifying") and node.server.running:
            publish(node, self._meters.setdefault(key, Meter(node)).measure())

    def maintain(self, node: Node, now: datetime.datetime) -> None:
        """Do what is due at `now`: pending changes, the daily backup, what is past its time."""
        instance = node.instance
        if instance.status != "available":
            return
        if instance.pending_modified_values and in_weekly_window(
            instance.preferred_maintenance_window, now
        ):
            apply_pending(self._plane, instance)
        if _backup_due(instance, now):
            backups.back_up(self._plane, instance)
        self._plane.in_background(instance, lambda node: prune(node, now))


def prune(node: Node, now: datetime.datetime) -> None:
    """Remove backups and WAL that no restorable time needs, and logs past their retention."""
    instance, server = node.instance, node.server
    minutes = int(node.applied.get("rds.log_retention_period", _DEFAULT_LOG_RETENTION_MINUTES))
    for path in (server.logs / "error").glob("postgresql.log.*"):
        if _modified(path) < now - datetime.timedelta(minutes=minutes):
            path.unlink(missing_ok=True)
    if instance.backup_retention_period:
        oldest = now - datetime.timedelta(days=instance.backup_retention_period)
        node.archive.prune(oldest, now)
        instance.forget_automated_snapshots(oldest)


def in_daily_window(window: str, now: datetime.datetime) -> bool:
    """Whether `now` (UTC) lies in a window such as "23:30-00:30"."""
    begin, end = window.split("-")
    return _within(_minutes(begin), _minutes(end), now.hour * 60 + now.minute, 24 * 60)


def in_weekly_window(window: str, now: datetime.datetime) -> bool:
    """Whether `now` (UTC) lies in a window such as "sun:03:00-sun:04:00"."""
    begin, end = (
        _WEEKDAYS.index(part[:3]) * 24 * 60 + _minutes(part[4:]) for part in window.split("-")
    )
    moment = now.weekday() * 24 * 60 + now.hour * 60 + now.minute
    return _within(begin, end, moment, 7 * 24 * 60)


def _within(begin: int, end: int, moment: int, cycle: int) -> bool:
    return (moment - begin) % cycle < (end - begin) % cycle


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _backup_due(instance: LocalDBInstance, now: datetime.datetime) -> bool:
    if not instance.backup_retention_period:
        return False
    last = instance.backed_up_at
    recent = last is not None and now - last < _BACKUP_NOT_AGAIN_WITHIN
    return not recent and in_daily_window(instance.preferred_backup_window, now)


def _modified(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
