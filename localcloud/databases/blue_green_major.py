"""Blue/green deployments to a later major version: green follows by logical replication.

AWS RDS user guide, "PostgreSQL replication methods for blue/green deployments". Green is a physical
copy at first, is upgraded as an instance in place is, and takes blue's changes from then on.
"""

import time
from typing import TYPE_CHECKING, cast

from localcloud.databases import (
    extension_owners,
    logical_replication,
    pg_upgrade,
    roles,
    standby,
    upgrade,
)
from localcloud.databases.configuration import Recovery
from localcloud.databases.node import Node
from localcloud.databases.plane import Plane

if TYPE_CHECKING:
    from localcloud.databases.regional import Regional

# Replaying what blue wrote since it was copied may take its time.
_RECOVERY_TIMEOUT_SECONDS = 3600.0
_POLL_SECONDS = 0.05


def make_green(plane: Plane, blue: Node, green: Node, version: str, group: str) -> dict[str, str]:
    """Make a streaming copy one of the later version that follows logically. On green's worker.

    Returns blue's slot for each database. Raises LocalCloudError.
    """
    instance, server = green.instance, green.server
    engine = plane.engine_of(version)
    logical_replication.check(blue.server)
    server.stop()  # It must not have replayed more than what the slots begin with.
    slots, begins = logical_replication.publish(blue.server)
    green.recovery = Recovery(position=begins)
    plane.start_server(green, _RECOVERY_TIMEOUT_SECONDS)
    green.recovery = None
    plane.leave_source(green)
    server.stop()
    instance.record("upgrade-started")
    pg_upgrade.prepare(server, engine)
    pg_upgrade.upgrade(server, engine)
    upgrade.describe(instance, version, group)
    green.applied = cast("Regional", instance.backend).values_of_group(group)
    green.subscribed = green.read_only = True
    plane.start_server(green)
    roles.complete_roles(server)
    extension_owners.give_back(server, extension_owners.read(blue.server))
    instance.record("upgrade-finished")
    logical_replication.subscribe(server, blue.server, slots, begins)
    standby.adapt(plane, green)
    return slots


def wait_for(blue: Node, position: str, tolerated_bytes: int, deadline: float) -> int:
    """Wait until green has all but so much of what stood at `position`; how much is missing."""
    while True:
        missing = logical_replication.missing_bytes(blue.server, position)
        if missing <= tolerated_bytes or time.monotonic() > deadline:
            return missing
        time.sleep(_POLL_SECONDS)


def hand_over(plane: Plane, blue: Node, green: Node, slots: dict[str, str], deadline: float) -> int:
    """Let no client write to blue any more, and give green the rest; how much is missing then.

    Blue runs afterwards and nobody can reach it.
    """
    standby.remove(plane, blue)
    # Cuts every client off; in the new server only the administrator is.
    blue.server.stop()
    blue.closed = True
    plane.start_server(blue)
    position = logical_replication.written(blue.server)
    if missing := wait_for(blue, position, 0, deadline):
        return missing
    logical_replication.take_sequences_over(blue.server, green.server, slots)
    logical_replication.unsubscribe(green.server, slots)
    logical_replication.unpublish(blue.server)
    green.subscribed = green.read_only = False
    return 0
