"""The data plane: what happens to servers, interfaces and names when the API has said yes.

The API answers at once; each instance has one worker that does its jobs in order, and the
instance's status tells how far it is.
"""

import contextlib
import datetime
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from moto.rds.exceptions import DBSnapshotAlreadyExistsError

from localcloud.cloud import Cloud
from localcloud.databases import instance_classes, roles
from localcloud.databases.configuration import (
    Configuration,
    IncompatibleParametersError,
    Upstream,
)
from localcloud.databases.engine import Engine
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.server import Server, StartError

if TYPE_CHECKING:
    from localcloud.fabric import NetworkInterface

_LOG = logging.getLogger(__name__)
# The part of an endpoint that on AWS is the account's own identifier in the region.
ENDPOINT_LABEL = "cpkeeplocal"


@dataclass
class Node:
    """One instance with all that is real behind it."""

    instance: LocalDBInstance
    server: Server
    subnet_id: str
    source: "Node | None" = None
    interface: "NetworkInterface | None" = None
    # The parameter group's user-set values that are in postgresql.conf now.
    applied: dict[str, str] = field(default_factory=dict[str, str])
    # What is left to do when the server starts for the first time.
    finish: Callable[[], None] | None = None
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "database"))

    @property
    def slot(self) -> str:
        """Name of the physical replication slot on the source, as RDS names it."""
        instance = self.instance
        name = f"rds_{instance.region}_{instance.dbi_resource_id}"
        return name.lower().replace("-", "_")


class Plane:
    """All database instances of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.engine = Engine(cloud.image, cloud.home.databases / ".engine")
        self._nodes: dict[str, Node] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Prepare the engine. Raises LocalCloudError where databases cannot run."""
        self.cloud.home.databases.mkdir(parents=True, exist_ok=True)
        # The servers' user number may be another user's on this machine.
        self.cloud.home.databases.chmod(0o700)
        self.engine.install()

    def shutdown(self) -> None:
        """Stop every server, replicas first, and give back interfaces and mounts."""
        with self._lock:
            nodes = sorted(self._nodes.values(), key=lambda node: node.source is None)
            self._nodes.clear()
        for node in nodes:
            node.worker.shutdown(wait=True, cancel_futures=True)
            node.server.stop()
            node.server.unmount()
            self._detach(node)

    def nodes(self) -> list[Node]:
        """Every instance's node."""
        with self._lock:
            return list(self._nodes.values())

    def node(self, identifier: str) -> Node:
        """The node of an existing instance."""
        return self._nodes[identifier]

    def endpoint_name(self, identifier: str, region: str) -> str:
        """DNS name of an instance's endpoint."""
        return f"{identifier}.{ENDPOINT_LABEL}.{region}.rds.amazonaws.com"

    def create(
        self, instance: LocalDBInstance, subnet_id: str, parameters: Mapping[str, str]
    ) -> None:
        """Boot a new primary: status creating → available."""
        node = self._add(instance, subnet_id, None, parameters)
        password, instance.initial_password = instance.initial_password, None
        username = str(instance.master_username)

        def boot() -> None:
            node.server.prepare()
            node.server.initialize()
            self._attach(node)
            self._start(node)

        def finish() -> None:
            roles.create_roles(node.server, username, str(password), instance.db_name)
            self._announce(node)

        node.finish = finish
        self._run(node, "creating", boot)
        if instance.backup_retention_period:
            self.back_up(instance)

    def create_replica(
        self,
        instance: LocalDBInstance,
        source: LocalDBInstance,
        subnet_id: str,
        parameters: Mapping[str, str],
    ) -> None:
        """Boot a streaming replica of `source`: status creating → available."""
        primary = self._nodes[source.db_instance_identifier]
        node = self._add(instance, subnet_id, primary, parameters)

        def boot() -> None:
            node.server.prepare(primary.server)
            node.server.copy_primary(primary.server, node.slot)
            self._attach(node)
            self._start(node)

        node.finish = lambda: self._announce(node)
        self._run(node, "creating", boot)

    def change(
        self, instance: LocalDBInstance, status: str, action: Callable[[Node], None]
    ) -> None:
        """Run `action` on the instance's worker: status `status` → available."""
        node = self._nodes[instance.db_instance_identifier]
        self._run(node, status, lambda: action(node))

    def in_background(self, instance: LocalDBInstance, action: Callable[[Node], None]) -> None:
        """Run `action` on the instance's worker; its status stays as it is."""
        node = self._nodes[instance.db_instance_identifier]
        self._submit(node, lambda: action(node))

    def restart(self, node: Node, parameters: Mapping[str, str]) -> None:
        """Stop, take the parameter group's values over, start. Called on the node's worker."""
        node.server.stop()
        node.applied = dict(parameters)
        node.server.port = node.instance.port or 5432
        node.instance.parameter_apply_status = "in-sync"
        self._start(node)

    def recover(self, node: Node) -> None:
        """Start a server again that ended by itself, as RDS's host manager does."""
        _LOG.warning("%s ended by itself, starting it", node.instance.db_instance_identifier)
        self.change(node.instance, "rebooting", self._start)

    def restart_unchanged(self, node: Node) -> None:
        """Restart for a new class or port: the parameters in effect stay."""
        status = node.instance.parameter_apply_status
        self.restart(node, node.applied)
        node.instance.parameter_apply_status = status

    def reload_replicas(self, node: Node) -> None:
        """Tell the replicas of a restarted primary its port."""
        with self._lock:
            replicas = [replica for replica in self._nodes.values() if replica.source is node]
        for replica in replicas:
            self._submit(replica, lambda replica=replica: self.reload(replica))

    def reload(self, node: Node) -> None:
        """Write the configuration again and make the server read it. On the node's worker."""
        self._configure(node)
        node.server.reload()

    def renew_certificate(self, node: Node) -> None:
        """Issue a new server certificate for the endpoint."""
        name = node.instance.dns_name
        certificate, key = self.cloud.rds_authority.issue(name, [name])
        node.server.write("server.crt", certificate)
        node.server.write("server.key", key, secret=True)
        valid_till = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
        node.instance.certificate_valid_till = valid_till

    def set_security_groups(self, node: Node) -> None:
        """Enforce the instance's security groups on its interface."""
        if node.interface is not None:
            groups = node.instance.vpc_security_group_ids
            self.cloud.fabric.set_security_groups(node.interface, groups)

    def promote(self, node: Node) -> None:
        """Make a replica a primary of its own. Called on the node's worker."""
        node.server.query("SELECT pg_promote(true, 60)")
        self._leave_source(node)
        self.reload(node)

    def back_up(self, instance: LocalDBInstance) -> None:
        """Take a base backup in the background: what point-in-time recovery starts from."""
        node = self._nodes[instance.db_instance_identifier]

        def take() -> None:
            started = datetime.datetime.now(datetime.UTC)
            name = started.strftime("%Y%m%dT%H%M%SZ")
            node.server.back_up(node.server.folder / "base_backups" / name)
            instance.backed_up_at = datetime.datetime.now(datetime.UTC)
            # One automated snapshot a minute, its name says which.
            with contextlib.suppress(DBSnapshotAlreadyExistsError):
                instance.save_automated_backup()

        self._submit(node, take)

    def snapshot(self, instance: LocalDBInstance, folder: Path, done: Callable[[], None]) -> None:
        """Copy the instance to `folder` in the background, then call `done`."""
        node = self._nodes[instance.db_instance_identifier]

        def take() -> None:
            node.server.back_up(folder)
            done()

        self._submit(node, take)

    def snapshot_folder(self, name: str) -> Path:
        """Where a DB snapshot's data stands."""
        return self.cloud.home.databases / ".snapshots" / name.replace(":", "_")

    def delete(self, instance: LocalDBInstance, done: Callable[[], None]) -> None:
        """Stop the server and remove all it had, then call `done`."""
        node = self._nodes[instance.db_instance_identifier]

        def remove() -> None:
            node.server.remove()
            self._detach(node)
            self._leave_source(node)
            with self._lock:
                self._nodes.pop(instance.db_instance_identifier, None)
            done()
            node.worker.shutdown(wait=False)

        self._submit(node, remove)

    def _add(
        self,
        instance: LocalDBInstance,
        subnet_id: str,
        source: Node | None,
        parameters: Mapping[str, str],
    ) -> Node:
        identifier = instance.db_instance_identifier
        instance.dns_name = self.endpoint_name(identifier, instance.region)
        folder = self.cloud.home.databases / identifier
        server = Server(self.engine, identifier, folder, instance.port or 5432)
        node = Node(instance, server, subnet_id, source, applied=dict(parameters))
        if folder.exists():  # Of an earlier daemon: the control plane has no memory of it.
            server.remove()
        instance.wal_archive = server.wal_archive
        with self._lock:
            self._nodes[identifier] = node
        return node

    def _attach(self, node: Node) -> None:
        node.interface = self.cloud.fabric.attach(
            name=f"db-{node.instance.db_instance_identifier}",
            subnet_id=node.subnet_id,
            security_group_ids=node.instance.vpc_security_group_ids,
        )
        node.server.namespace_path = node.interface.namespace_path
        self.renew_certificate(node)

    def _detach(self, node: Node) -> None:
        if node.interface is not None:
            self.cloud.fabric.unregister_name(node.instance.dns_name)
            self.cloud.fabric.detach(node.interface)
            node.interface = None

    def _leave_source(self, node: Node) -> None:
        source, node.source = node.source, None
        # The slots of a source on its way out go with it.
        if source is not None and source.instance.status != "deleting":
            source.server.drop_slot(node.slot)

    def _announce(self, node: Node) -> None:
        if node.interface is not None:
            name = node.instance.dns_name
            self.cloud.fabric.register_name(name, [node.interface.address])
        node.instance.listening = True

    def _start(self, node: Node) -> None:
        self._configure(node)
        node.server.start()
        if node.finish is not None:
            node.finish()
            node.finish = None

    def _configure(self, node: Node) -> None:
        instance = node.instance
        # The API has refused an unknown class.
        instance_class = instance_classes.by_name(instance.db_instance_class)
        configuration = Configuration(
            identifier=instance.db_instance_identifier,
            instance_class=instance_class,
            storage_gibibytes=instance.allocated_storage,
            port=instance.port or 5432,
            address=node.interface.address if node.interface else "",
            master_username=str(instance.master_username),
            parameters=node.applied,
            archiving=bool(instance.backup_retention_period),
            upstream=Upstream(node.source.server.port, node.slot) if node.source else None,
        )
        for name, content in configuration.files().items():
            node.server.write(name, content)

    def _run(self, node: Node, status: str, job: Callable[[], None]) -> None:
        node.instance.status = status
        identifier = node.instance.db_instance_identifier

        def work() -> None:
            try:
                job()
            except (IncompatibleParametersError, StartError) as error:
                # What RDS shows when the engine does not start with the group's values.
                _LOG.error("%s is incompatible-parameters: %s", identifier, error)
                node.instance.status = "incompatible-parameters"
            except Exception:
                _LOG.exception("%s of %s failed", status, identifier)
                node.instance.status = "failed"
            else:
                node.instance.status = "available"

        node.worker.submit(work)

    def _submit(self, node: Node, job: Callable[[], None]) -> None:
        future = node.worker.submit(job)
        identifier = node.instance.db_instance_identifier

        def report(finished: Future[None]) -> None:
            if not finished.cancelled() and (error := finished.exception()) is not None:
                _LOG.error("a job of %s failed", identifier, exc_info=error)

        future.add_done_callback(report)
