"""One DB instance with all that is real behind it."""

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.databases.archive import Archive
from localcloud.databases.configuration import Recovery
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.server import Server

if TYPE_CHECKING:
    from localcloud.fabric import NetworkInterface


@dataclass
class Standby:
    """The second server of a Multi-AZ instance, in a zone of its own."""

    server: Server
    subnet_id: str
    zone: str
    interface: "NetworkInterface | None" = None


@dataclass(frozen=True)
class Mark:
    """A commit later than `moment` is in the segment `segment`."""

    moment: datetime.datetime
    segment: str


@dataclass
class Node:
    """An instance's server, network interface, archive and the worker that does its jobs."""

    instance: LocalDBInstance
    server: Server
    subnet_id: str
    archive: Archive
    source: "Node | None" = None
    standby: Standby | None = None
    interface: "NetworkInterface | None" = None
    # The parameter group's user-set values that are in postgresql.conf now.
    applied: dict[str, str] = field(default_factory=dict[str, str])
    # What is left to do when the server starts for the first time.
    finish: Callable[[], None] | None = None
    # Of a restore that is under way.
    recovery: Recovery | None = None
    # What was in production before a blue/green switchover: clients that still come may only read.
    read_only: bool = False
    # During a switchover: nobody but the administrator comes in.
    closed: bool = False
    # Follows another server logically.
    subscribed: bool = False
    marks: list[Mark] = field(default_factory=list[Mark])
    marked_at: float = 0.0  # time.monotonic()
    # Archives in other regions that take over what this one gets.
    followers: list[Archive] = field(default_factory=list[Archive])
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "database"))

    @property
    def slot(self) -> str:
        """Name of the physical replication slot on the source, as RDS names it."""
        instance = self.instance
        name = f"rds_{instance.region}_{instance.dbi_resource_id}"
        return name.lower().replace("-", "_")

    @property
    def primary(self) -> "Node":
        """The node at the head of the replication chain; a primary's own."""
        return self.chain[0]

    @property
    def chain(self) -> "list[Node]":
        """The nodes from the primary to this one."""
        return [*(self.source.chain if self.source is not None else ()), self]
