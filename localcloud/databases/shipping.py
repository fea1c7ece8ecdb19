"""What makes LatestRestorableTime move on: marks in the WAL, each followed by a new segment.

PostgreSQL stops a recovery at the first commit after its target, and refuses a target that the
archive does not reach. So a moment is restorable once a commit later than it stands in an archived
segment. As RDS does, an idle server commits too, and its unfinished segments are archived.
"""

import datetime
import time
from typing import cast

from localcloud.databases.node import Mark, Node
from localcloud.databases.server import Server

# RDS does it every five minutes ("Restoring a DB instance to a specified time"); here one waits
# less for a restore.
SHIP_EVERY_SECONDS = 60.0
_ARCHIVED_WITHIN_SECONDS = 30.0
_POLL_SECONDS = 0.05
# A replica's archive is looked up against this many marks of its source.
_MARKS_KEPT = 20


def mark(server: Server) -> Mark:
    """Commit, and begin a new segment, so that the present one is archived."""
    with server.connect() as connection:
        with connection.transaction():
            # The commit's own time is taken later than this.
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            connection.execute("SELECT pg_current_xact_id()")
        named = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    moment = cast(tuple[datetime.datetime], row)[0].astimezone(datetime.UTC)
    return Mark(moment.replace(microsecond=0), cast(tuple[str], named)[0])


def ship(node: Node) -> None:
    """Mark a primary's WAL when it is time to, and see what has reached the archives since."""
    if not node.instance.backed_up_at:
        return
    now = time.monotonic()
    if node.source is None and now - node.marked_at >= SHIP_EVERY_SECONDS:
        _mark(node)
    settle(node)


def ship_now(node: Node) -> None:
    """Make everything up to now restorable, and wait until it is."""
    _mark(node.primary)
    deadline = time.monotonic() + _ARCHIVED_WITHIN_SECONDS
    wanted = node.primary.marks[-1].moment
    while time.monotonic() < deadline:
        settle(node)
        if node.archive.latest is not None and node.archive.latest >= wanted:
            return
        time.sleep(_POLL_SECONDS)


def settle(node: Node) -> None:
    """Move LatestRestorableTime to the newest mark in the instance's own archive."""
    for found in reversed(node.primary.marks):
        if (node.archive.wal / found.segment).exists():
            if node.archive.latest is None or node.archive.latest < found.moment:
                node.archive.latest = found.moment
            break
    for follower in list(node.followers):
        follower.follow(node.archive)


def _mark(node: Node) -> None:
    node.marked_at = time.monotonic()
    node.marks = [*node.marks[1 - _MARKS_KEPT :], mark(node.server)]
