"""The data plane: what happens to servers, interfaces and names when the API has said yes.

The API answers at once; each instance has one worker that does its jobs in order, and the
instance's status tells how far it is.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

from cryptography import x509

from localcloud.cloud import Cloud
from localcloud.databases import instance_classes, standby
from localcloud.databases.archive import Archive
from localcloud.databases.configuration import (
    Configuration,
    IncompatibleParametersError,
    Upstream,
    preloaded,
)
from localcloud.databases.earlier_engine import EarlierEngine
from localcloud.databases.engine import Engine
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node, Standby
from localcloud.databases.server import START_TIMEOUT_SECONDS, Server, StartError

_LOG = logging.getLogger(__name__)
# The part of an endpoint that on AWS is the account's own identifier in the region.
ENDPOINT_LABEL = "cpkeeplocal"


class Plane:
    """All database instances of one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        folder = cloud.home.databases / ".engine"
        self.engine = Engine(cloud.image, folder)
        self._earlier = EarlierEngine(cloud.image, folder, self.engine)
        self._nodes: dict[str, Node] = {}  # by `_key`
        # Servers of RDS's own that nobody reaches, such as those of exports.
        self.helpers: dict[str, Server] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Prepare the engine. Raises LocalCloudError where databases cannot run."""
        self.cloud.home.databases.mkdir(parents=True, exist_ok=True)
        # The servers' user number may be another user's on this machine.
        self.cloud.home.databases.chmod(0o700)
        self.engine.install()
        self._earlier.discard()

    @property
    def versions(self) -> tuple[str, ...]:
        """The engine versions there are, such as "17.6", the earliest first."""
        return self._earlier.version, self.engine.version

    def engine_of(self, version: str) -> Engine:
        """The engine of a version of `versions`; the earlier one is downloaded at its first use.

        Raises LocalCloudError when that fails.
        """
        if version != self._earlier.version:
            return self.engine
        self._earlier.install()
        return self._earlier

    def shutdown(self) -> None:
        """Stop every server, replicas first, and give back interfaces and mounts."""
        with self._lock:
            nodes = sorted(self._nodes.values(), key=lambda node: node.source is None)
            self._nodes.clear()
        for server in list(self.helpers.values()):
            server.remove()
        for node in nodes:
            node.worker.shutdown(wait=True, cancel_futures=True)
            standby.remove(self, node)
            node.server.stop()
            node.server.unmount()
            self.detach(node)

    def nodes(self) -> list[Node]:
        """Every instance's node."""
        with self._lock:
            return list(self._nodes.values())

    def node(self, identifier: str, region: str | None = None) -> Node:
        """The node of an existing instance, of the cloud's own region if none is given."""
        return self._nodes[self._key(identifier, region or self.cloud.region)]

    def node_of(self, instance: LocalDBInstance) -> Node:
        """The node of an existing instance."""
        return self.node(instance.db_instance_identifier, instance.region)

    def _key(self, identifier: str, region: str) -> str:
        """Unique over all regions; no identifier has a dot."""
        return identifier if region == self.cloud.region else f"{region}.{identifier}"

    def rename(self, instance: LocalDBInstance, identifier: str) -> None:
        """Give an instance another name and endpoint; its folder keeps the first one.

        The certificate and the endpoint's address are the caller's to renew.
        """
        old = self._key(instance.db_instance_identifier, instance.region)
        with self._lock:
            self._nodes[self._key(identifier, instance.region)] = self._nodes.pop(old)
        self.cloud.fabric.unregister_name(instance.dns_name)
        instance.db_instance_identifier = identifier
        instance.dns_name = self.endpoint_name(identifier, instance.region)

    def endpoint_name(self, identifier: str, region: str) -> str:
        """DNS name of an instance's endpoint."""
        return f"{identifier}.{ENDPOINT_LABEL}.{region}.rds.amazonaws.com"

    def change(
        self, instance: LocalDBInstance, status: str, action: Callable[[Node], None]
    ) -> None:
        """Run `action` on the instance's worker: status `status` → available."""
        node = self.node_of(instance)
        self.run(node, status, lambda: action(node))

    def in_background(self, instance: LocalDBInstance, action: Callable[[Node], None]) -> None:
        """Run `action` on the instance's worker; its status stays as it is."""
        node = self.node_of(instance)
        self.submit(node, lambda: action(node))

    def restart(self, node: Node, parameters: Mapping[str, str]) -> None:
        """Stop, take the parameter group's values over, start. Called on the node's worker."""
        node.server.stop()
        node.applied = dict(parameters)
        node.server.port = node.instance.port or 5432
        node.instance.parameter_apply_status = "in-sync"
        if node.standby is not None:
            node.standby.server.stop()
        self.start_server(node)
        self.start_standby(node)

    def recover(self, node: Node) -> None:
        """Start a server again that ended by itself, as RDS's host manager does."""
        _LOG.warning("%s ended by itself, starting it", node.instance.db_instance_identifier)
        self.change(node.instance, "rebooting", self.start_server)

    def restart_unchanged(self, node: Node) -> None:
        """Restart for a new class or port: the parameters in effect stay."""
        status = node.instance.parameter_apply_status
        self.restart(node, node.applied)
        node.instance.parameter_apply_status = status

    def replicas_of(self, node: Node) -> list[Node]:
        """The read replicas that follow a node."""
        with self._lock:
            return [replica for replica in self._nodes.values() if replica.source is node]

    def start_standby(self, node: Node) -> None:
        """Start the standby of a Multi-AZ instance. On the node's worker."""
        if node.standby is not None:
            self.configure(node)
            node.standby.server.port = node.server.port
            node.standby.server.start(hidden=True)

    def reload_replicas(self, node: Node) -> None:
        """Tell the replicas of a restarted primary its port."""
        for replica in self.replicas_of(node):
            self.submit(replica, lambda replica=replica: self.reload(replica))

    def reload(self, node: Node) -> None:
        """Write the configuration again and make the server read it. On the node's worker."""
        self.configure(node)
        node.server.reload()
        if node.standby is not None:
            node.standby.server.reload()

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
        for interface in (node.interface, node.standby.interface if node.standby else None):
            if interface is not None:
                groups = node.instance.vpc_security_group_ids
                self.cloud.fabric.set_security_groups(interface, groups)

    def delete(
        self, instance: LocalDBInstance, retain: Callable[[Node], None], done: Callable[[], None]
    ) -> None:
        """Stop the server, call `retain`, remove all it had, then call `done`."""
        node = self.node_of(instance)

        def remove() -> None:
            retain(node)
            standby.remove(self, node)
            node.server.remove()
            shutil.rmtree(node.archive.folder, ignore_errors=True)
            self.detach(node)
            self.leave_source(node)
            with self._lock:
                self._nodes.pop(self._key(instance.db_instance_identifier, instance.region), None)
            done()
            node.worker.shutdown(wait=False)

        self.submit(node, remove)

    def add(
        self,
        instance: LocalDBInstance,
        subnet_id: str,
        source: Node | None,
        parameters: Mapping[str, str],
    ) -> Node:
        """Take a new instance in: it has a folder and a name, and nothing runs."""
        identifier = instance.db_instance_identifier
        instance.dns_name = self.endpoint_name(identifier, instance.region)
        key = self._key(identifier, instance.region)
        folder = self.cloud.home.databases / key
        engine = self.engine_of(str(instance.engine_version))
        server = Server(engine, key, folder, instance.port or 5432)
        node = Node(instance, server, subnet_id, Archive(folder), source, applied=dict(parameters))
        if folder.exists():  # Of an earlier daemon: the control plane has no memory of it.
            server.remove()
        instance.archive = node.archive
        with self._lock:
            self._nodes[key] = node
        return node

    def attach(self, node: Node) -> None:
        """Give the instance its interface and the certificate of its endpoint."""
        node.interface = self.cloud.fabric.attach(
            name=f"db-{node.server.identifier}",
            subnet_id=node.subnet_id,
            security_group_ids=node.instance.vpc_security_group_ids,
        )
        node.server.namespace_path = node.interface.namespace_path
        self.renew_certificate(node)

    def detach(self, node: Node) -> None:
        """Take the interface and the endpoint's name away."""
        if node.interface is not None:
            self.cloud.fabric.unregister_name(node.instance.dns_name)
            self.cloud.fabric.detach(node.interface)
            node.interface = None

    def leave_source(self, node: Node) -> None:
        """Make a replica independent; its slot on the source goes."""
        source, node.source = node.source, None
        # The slots of a source on its way out go with it.
        if source is not None and source.instance.status != "deleting":
            source.server.drop_slot(node.slot)

    def announce(self, node: Node) -> None:
        """Let the endpoint's name be found."""
        if node.interface is not None:
            name = node.instance.dns_name
            self.cloud.fabric.register_name(name, [node.interface.address])
        node.instance.listening = True

    def start_server(self, node: Node, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Configure and start; the first time also do what is left of the creation."""
        self.configure(node)
        self._tell_what_lacks(node)
        node.server.start(timeout_seconds)
        if node.recovery is not None:
            return  # Not yet the configuration that the server is to run with.
        if node.finish is not None:
            node.finish()
            node.finish = None

    def configure(self, node: Node) -> None:
        """Write the server's configuration. Raises IncompatibleParametersError."""
        self._write(node.server, self._configuration(node))
        if node.standby is not None:
            self._write(node.standby.server, self._standby_configuration(node, node.standby))

    def _configuration(self, node: Node) -> Configuration:
        instance = node.instance
        engine = node.server.engine
        return Configuration(
            identifier=instance.db_instance_identifier,
            major=engine.major,
            lacking_libraries=self.engine.preload_libraries - engine.preload_libraries,
            # The API has refused an unknown class.
            instance_class=instance_classes.by_name(instance.db_instance_class),
            storage_gibibytes=instance.allocated_storage,
            port=instance.port or 5432,
            address=node.interface.address if node.interface and not node.closed else "",
            master_username=str(instance.master_username),
            parameters=node.applied,
            archiving=bool(instance.backup_retention_period),
            upstream=Upstream(node.source.server.port, node.slot) if node.source else None,
            recovery=node.recovery,
            synchronous_standby=standby.NAME if node.standby else None,
            read_only=node.read_only,
            subscribed=node.subscribed,
        )

    def _tell_what_lacks(self, node: Node) -> None:
        configuration = self._configuration(node)
        wanted = preloaded(configuration.resolved())
        if lacking := sorted(configuration.lacking_libraries.intersection(wanted)):
            _LOG.warning(
                "%s starts without %s: the local cloud's PostgreSQL %s does not have it, RDS has",
                configuration.identifier,
                ", ".join(lacking),
                node.server.engine.version,
            )

    def _standby_configuration(self, node: Node, second: Standby) -> Configuration:
        return replace(
            self._configuration(node),
            identifier=standby.NAME,
            address=second.interface.address if second.interface else "",
            upstream=Upstream(node.server.port, standby.NAME),
            synchronous_standby=None,
            hidden=True,
        )

    def _write(self, server: Server, configuration: Configuration) -> None:
        for name, content in configuration.files().items():
            server.write(name, content)

    def run(
        self,
        node: Node,
        status: str,
        job: Callable[[], None],
        when_not_started: str = "incompatible-parameters",
    ) -> None:
        """Run `job` on the worker: status `status`, then available or what went wrong."""
        node.instance.status = status
        identifier = node.instance.db_instance_identifier

        def work() -> None:
            try:
                job()
            except IncompatibleParametersError as error:
                _LOG.error("%s is incompatible-parameters: %s", identifier, error)
                end("incompatible-parameters")
            except StartError as error:
                _LOG.error("%s is %s: %s", identifier, when_not_started, error)
                end(when_not_started)
            except Exception:
                _LOG.exception("%s of %s failed", status, identifier)
                end("failed")
            else:
                end("available")

        def end(ended: str) -> None:
            if node.instance.status != "deleting":
                node.instance.status = ended

        node.worker.submit(work)

    def submit(self, node: Node, job: Callable[[], None]) -> None:
        """Run `job` on the worker; what fails is logged."""
        future = node.worker.submit(job)
        identifier = node.instance.db_instance_identifier

        def report(finished: Future[None]) -> None:
            if not finished.cancelled() and (error := finished.exception()) is not None:
                _LOG.error("a job of %s failed", identifier, exc_info=error)

        future.add_done_callback(report)
