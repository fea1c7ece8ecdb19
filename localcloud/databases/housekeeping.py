"""What RDS does by itself: recovery, metrics, log exports, backups, the maintenance window."""

import datetime
import logging
import shutil
import threading
from pathlib import Path

from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.log_export import Exporter
from localcloud.databases.metrics import Meter, publish
from localcloud.databases.modification import apply_pending
from localcloud.databases.plane import Node, Plane

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
            for node in self._plane.nodes():
                try:
                    self.watch(node)
                    self.export_logs(node)
                    if ticks * _LOGS_EVERY_SECONDS % METRICS_EVERY_SECONDS == 0:
                        self.measure(node)
                        self.maintain(node, datetime.datetime.now(datetime.UTC))
                except Exception:
                    _LOG.exception("housekeeping of %s", node.instance.db_instance_identifier)

    def watch(self, node: Node) -> None:
        """Start a server again that should run and does not."""
        if node.instance.status == "available" and not node.server.running:
            self._plane.recover(node)

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
            self._plane.back_up(instance)
        self._plane.in_background(instance, lambda node: prune(node, now))


def prune(node: Node, now: datetime.datetime) -> None:
    """Remove backups and WAL that no restorable time needs, and logs past their retention."""
    instance, server = node.instance, node.server
    minutes = int(node.applied.get("rds.log_retention_period", _DEFAULT_LOG_RETENTION_MINUTES))
    for path in (server.logs / "error").glob("postgresql.log.*"):
        if _modified(path) < now - datetime.timedelta(minutes=minutes):
            path.unlink(missing_ok=True)
    backups = sorted((server.folder / "base_backups").glob("*Z"), key=lambda path: path.name)
    if not instance.backup_retention_period:
        instance.backed_up_at = None
        needed: list[Path] = []
    else:
        oldest = now - datetime.timedelta(days=instance.backup_retention_period)
        earlier = [path for path in backups if backup_time(path) <= oldest]
        # The last one before the window is where its first moments are restored from.
        needed = backups[max(len(earlier) - 1, 0) :]
    for path in backups:
        if path not in needed:
            shutil.rmtree(path)
    if backups:
        # A segment archived before a backup began holds nothing that backup needs.
        first = backup_time(needed[0]) if needed else now
        for path in server.wal_archive.iterdir():
            if _modified(path) < first:
                path.unlink(missing_ok=True)
        instance.forget_automated_snapshots(first)


def backup_time(path: Path) -> datetime.datetime:
    """When a base backup began: its folder's name."""
    moment = datetime.datetime.strptime(path.name, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    return moment.replace(tzinfo=datetime.UTC)


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
