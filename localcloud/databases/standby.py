"""Multi-AZ: a synchronous standby in another zone, and the failover to it.

On RDS the standby is a copy of the volume, which nobody can see or query. Here it is a server that
streams the WAL: a commit waits for it, so a failover loses nothing, and it takes no connections.
"""

import shutil
from typing import TYPE_CHECKING

from localcloud.databases.engine import bind
from localcloud.databases.node import Node, Standby
from localcloud.databases.server import DATA, Server, StartError
from localcloud.databases.validation import choose_subnet

if TYPE_CHECKING:
    from localcloud.databases.plane import Plane

# The standby's name in pg_stat_replication, and its slot's; no instance can be called so.
NAME = "rds_standby"
_SUFFIX = ".standby"


def adapt(plane: "Plane", node: Node) -> None:
    """Make or remove the standby, as the instance is Multi-AZ or not. On the node's worker."""
    wanted = node.instance.multi_az and node.source is None
    if wanted and node.standby is None:
        _create(plane, node)
    elif not wanted and node.standby is not None:
        remove(plane, node)
        plane.reload(node)
        node.server.drop_slot(NAME)


def remove(plane: "Plane", node: Node) -> None:
    """Take the standby away with all it had but the instance's archive."""
    standby, node.standby = node.standby, None
    if standby is None:
        return
    node.instance.standby_zone = None
    standby.server.stop()
    standby.server.unmount()
    if standby.interface is not None:
        plane.cloud.fabric.detach(standby.interface)
    _discard(node, standby.server)


def watch(plane: "Plane", node: Node) -> None:
    """Start a standby again that ended; one that cannot follow any more is made anew."""
    standby = node.standby
    if standby is None or standby.server.running:
        return
    try:
        plane.start_standby(node)
    except StartError:
        remove(plane, node)
        _create(plane, node)


def fail_over(plane: "Plane", node: Node) -> None:
    """Let the standby take over, address and zone too; the old primary becomes the standby."""
    standby = node.standby
    if standby is None or not standby.server.running:
        watch(plane, node)
        standby = node.standby
    if standby is None:
        return
    node.instance.record("failover-started")
    old = Standby(node.server, node.subnet_id, node.instance.availability_zone, node.interface)
    # An orderly stop ends when everything has reached the standby and the read replicas.
    old.server.stop()
    standby.server.run("pg_ctl", "promote", "--wait", f"--pgdata={DATA}")
    standby.server.stop()
    node.standby = None
    node.server, node.subnet_id, node.interface = (
        standby.server,
        standby.subnet_id,
        standby.interface,
    )
    node.instance.availability_zone = standby.zone
    plane.start_server(node)
    plane.announce(node)
    for replica in plane.replicas_of(node):
        node.server.query("SELECT pg_create_physical_replication_slot(%s, true)", replica.slot)
        replica.server.see_primary(node.server)
    node.instance.record("failover-finished")
    _fill(plane, node, old)


def _create(plane: "Plane", node: Node) -> None:
    instance = node.instance
    placed = {"db_subnet_group_name": instance.subnet_group_name}
    subnet_id, zone, _ = choose_subnet(instance.backend, placed, instance.availability_zone)
    name = node.archive.folder.name
    if not node.server.identifier.endswith(_SUFFIX):
        name += _SUFFIX
    server = Server(node.server.engine, name, node.archive.folder.with_name(name), node.server.port)
    standby = Standby(server, subnet_id, zone)
    standby.interface = plane.cloud.fabric.attach(
        name=f"db-{name}", subnet_id=subnet_id, security_group_ids=instance.vpc_security_group_ids
    )
    server.namespace_path = standby.interface.namespace_path
    _fill(plane, node, standby)


def _fill(plane: "Plane", node: Node, standby: Standby) -> None:
    """Copy the primary, and follow it from then on."""
    server = standby.server
    server.unmount()
    _discard(node, server)
    server.prepare(node.server)
    if server.folder != node.archive.folder:
        # Whichever server is the primary archives into the instance's one archive.
        bind(node.archive.wal, server.root / "rdsdbdata" / node.archive.wal.name)
    node.server.drop_slot(NAME)
    server.copy_primary(node.server, NAME)
    plane.renew_certificate(node)
    for name in ("server.crt", "server.key"):
        content = (node.server.configuration / name).read_bytes()
        server.write(name, content, secret=name.endswith(".key"))
    node.standby = standby
    node.instance.standby_zone = standby.zone
    plane.start_standby(node)
    plane.reload(node)


def _discard(node: Node, server: Server) -> None:
    for path in (server.data, server.configuration, server.logs, server.folder / "socket"):
        shutil.rmtree(path, ignore_errors=True)
    if server.folder != node.archive.folder:
        shutil.rmtree(server.folder, ignore_errors=True)
