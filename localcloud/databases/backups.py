"""Base backups of a running instance, for its archive and for snapshots."""

import datetime
import time
from collections.abc import Callable
from pathlib import Path

from localcloud.databases import shipping
from localcloud.databases.archive import name_of
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.plane import Plane


def back_up(plane: Plane, instance: LocalDBInstance) -> None:
    """Take an automated backup in the background: a base backup and its automated snapshot."""

    def take(node: Node) -> None:
        if not instance.backup_retention_period:
            return
        started = datetime.datetime.now(datetime.UTC)
        instance.record("backup-started")
        target = node.archive.base_backups / name_of(started)
        node.server.back_up(target)
        ended = datetime.datetime.now(datetime.UTC)
        instance.backed_up_at = ended
        # The restore window begins with the next whole second.
        time.sleep(1 - ended.microsecond / 1e6)
        shipping.ship_now(node)
        instance.automated_snapshot(target, started)
        instance.record("backup-finished")

    plane.in_background(instance, take)


def snapshot(
    plane: Plane, instance: LocalDBInstance, folder: Path, done: Callable[[bool], None]
) -> None:
    """Copy the running instance to `folder` in the background; `done` hears whether it worked."""

    def take(node: Node) -> None:
        try:
            node.server.back_up(folder)
        except Exception:
            done(False)
            raise
        done(True)

    plane.in_background(instance, take)


def forget(node: Node) -> None:
    """Remove all automated backups, as RDS does when the retention period becomes 0."""
    now = datetime.datetime.now(datetime.UTC)
    node.archive.latest = None
    node.instance.backed_up_at = None
    node.archive.prune(None, now)
    node.instance.forget_automated_snapshots(now)
