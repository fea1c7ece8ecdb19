"""EC2 instances: moto's records on one side, booted machines on the other.

Calls return at once, as on AWS: the instance is `pending` until its machine boots, and
`shutting-down` until nothing of it is left.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models.instances import Instance, InstanceState, StateReason

from localcloud.cloud import Cloud
from localcloud.fabric import NetworkInterface
from localcloud.instances import amis
from localcloud.instances.instance_connect import ManagedKeys
from localcloud.instances.machine import Machine
from localcloud.instances.metadata import MetadataServices, user_data_of
from localcloud.instances.seed import HostIdentity, overlay_files

logger = logging.getLogger(__name__)

# Name -> code ("InstanceState", Amazon EC2 API Reference).
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}

# moto's own versions: they keep its books; ours run the machines around them.
_record_termination = Instance.terminate
_record_start = Instance.start
_record_stop = Instance.stop


@dataclass(eq=False)
class Host:
    """A machine, its network interface and the instance they are."""

    instance: Any
    machine: Machine
    interface: NetworkInterface | None = None
    # One change at a time: a termination waits until the boot is through.
    lock: threading.RLock = field(default_factory=threading.RLock)


class Hosts:
    """All hosts of one local cloud."""

    def __init__(self, cloud: Cloud, ec2: Any) -> None:
        self.cloud = cloud
        self.ec2 = ec2
        self.keys = ManagedKeys(cloud)
        self.metadata = MetadataServices(cloud, ec2, self.find, self.keys)
        # Called after every change of an instance's state, from any thread.
        self.on_change: Callable[[], None] = lambda: None
        self._hosts: dict[str, Host] = {}
        self._closed = False

    def launch(self, instance: Any) -> None:
        """Boot a machine for a new instance."""
        _set_state(instance, "pending")
        home = self.cloud.home
        machine = Machine(
            name=instance.id,
            prefix=home.prefix,
            folder=home.instances / instance.id,
            image=self.cloud.image,
        )
        host = self._hosts[instance.id] = Host(instance, machine)
        self._in_background(host, self._boot)

    def terminate(self, instance: Any) -> InstanceState:
        """Shut the machine down and remove it; returns the state before."""
        previous = InstanceState(instance.state, instance.state_code)
        host = self._hosts.get(instance.id)
        if host is None or instance.state in ("shutting-down", "terminated"):
            if instance.state != "terminated":
                return previous if host else _record_termination(instance)
            return previous
        _set_state(instance, "shutting-down")
        self._in_background(host, self._remove)
        return previous

    def stop(self, instance: Any) -> InstanceState:
        """Shut the machine down; disk and address stay."""
        previous = InstanceState(instance.state, instance.state_code)
        host = self._hosts.get(instance.id)
        if host is not None and instance.state in ("pending", "running"):
            _set_state(instance, "stopping")
            self._in_background(host, self._halt)
        return previous

    def start(self, instance: Any) -> InstanceState:
        """Boot a stopped machine again."""
        previous = InstanceState(instance.state, instance.state_code)
        host = self._hosts.get(instance.id)
        if host is not None and instance.state == "stopped":
            _set_state(instance, "pending")
            self._in_background(host, self._boot_again)
        return previous

    def reboot(self, instance: Any) -> None:
        """Shut the machine down and boot it; the state stays `running`."""
        host = self._hosts.get(instance.id)
        if host is not None and instance.state == "running":
            self._in_background(host, self._reboot)

    def find(self, vpc_id: str, address: str) -> Any:
        """Return the instance that has this address in this VPC, or None."""
        for host in list(self._hosts.values()):
            interface = host.interface
            if interface and interface.vpc_id == vpc_id and address in interface.addresses:
                return host.instance
        return None

    def set_security_groups(self, instance: Any, group_ids: list[str]) -> None:
        """Let the host's interface follow a change of its groups."""
        host = self._hosts.get(instance.id)
        if host is not None and host.interface is not None:
            self.cloud.fabric.set_security_groups(host.interface, group_ids)

    def booted(self, instance_id: str) -> bool:
        """Whether cloud-init went through its last stage, well or not."""
        host = self._hosts.get(instance_id)
        return host is not None and host.machine.has_file(
            f"var/lib/cloud/instances/{instance_id}/boot-finished"
        )

    def console(self, instance_id: str) -> bytes | None:
        """What the host's console printed, or None for an unknown host."""
        host = self._hosts.get(instance_id)
        if host is None or not host.machine.console.exists():
            return None
        return host.machine.console.read_bytes()

    def close(self) -> None:
        """Cut the power of every machine and remove them all."""
        self._closed = True
        for host in list(self._hosts.values()):
            with host.lock:
                host.machine.kill()
                host.machine.destroy()
                self._unplug(host)
        self.metadata.close()

    def _in_background(self, host: Host, work: Callable[[Host], None]) -> None:
        def locked() -> None:
            with host.lock:
                if self._closed:
                    return
                try:
                    work(host)
                except Exception:
                    logger.exception("host %s: %s failed", host.instance.id, work.__name__)
                    self._fail(host)
            self.on_change()

        threading.Thread(target=locked, name=f"host {host.instance.id}", daemon=True).start()

    def _boot(self, host: Host) -> None:
        instance = host.instance
        host.interface = self.cloud.fabric.attach(
            name=instance.id,
            subnet_id=instance.subnet_id,
            security_group_ids=[group.id for group in instance.security_groups],
            address=instance.private_ip,
        )
        self.metadata.serve(host.interface)
        identity = HostIdentity(
            instance_id=instance.id,
            address=host.interface.address,
            region=self.cloud.region,
            user_data=user_data_of(instance),
            public_keys=self._public_keys(instance),
        )
        self.cloud.fabric.register_name(identity.domain_name, [host.interface.address])
        host.machine.prepare(
            overlay_files(
                identity,
                resolv_conf=host.interface.resolv_conf,
                services_ca_pem=self.cloud.services_authority.certificate_pem,
                image=self.cloud.image,
            )
        )
        self._boot_again(host)

    def _boot_again(self, host: Host) -> None:
        assert host.interface is not None  # noqa: S101 (set by `_boot`, which came first)
        host.machine.start(host.interface.namespace_path, lambda: self._ended(host))
        # A termination may have been asked for meanwhile; it runs after this.
        if host.instance.state == "pending":
            _record_start(host.instance)
        logger.info("host %s boots at %s", host.instance.id, host.interface.address)

    def _halt(self, host: Host) -> None:
        host.machine.halt()
        if host.instance.state == "stopping":
            _record_stop(host.instance)

    def _reboot(self, host: Host) -> None:
        host.machine.halt()
        self._boot_again(host)

    def _remove(self, host: Host) -> None:
        host.machine.halt()
        host.machine.destroy()
        self._unplug(host)
        self._record_removal(host.instance)
        del self._hosts[host.instance.id]
        logger.info("host %s is terminated", host.instance.id)

    def _ended(self, host: Host) -> None:
        """Deal with a machine that ended by itself: powered off inside, or killed."""
        if self._closed or host.instance.state != "running":
            return
        logger.warning("host %s ended by itself", host.instance.id)
        if host.instance.instance_initiated_shutdown_behavior == "terminate":
            self.terminate(host.instance)
        else:
            _record_stop(host.instance)
            host.instance.state_reason = StateReason(
                "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
                "Client.InstanceInitiatedShutdown",
            )
        self.on_change()

    def _fail(self, host: Host) -> None:
        """Take away what a failed step left; the instance is terminated, as on AWS."""
        host.machine.kill()
        host.machine.destroy()
        self._unplug(host)
        self._record_removal(host.instance)
        host.instance.state_reason = StateReason(
            "Server.InternalError: Internal error on launch", "Server.InternalError"
        )
        self._hosts.pop(host.instance.id, None)

    def _unplug(self, host: Host) -> None:
        interface, host.interface = host.interface, None
        if interface is not None:
            self.cloud.fabric.unregister_name(host.instance.private_dns_name)
            self.cloud.fabric.detach(interface)

    def _record_removal(self, instance: Any) -> None:
        interfaces = list(instance.nics.values())
        _record_termination(instance)
        for interface in interfaces:
            # AWS deletes the primary interface with its instance, moto keeps it.
            self.ec2.enis.pop(interface.id, None)
            for address in interface.private_ip_addresses:
                interface.subnet.del_subnet_ip(address["PrivateIpAddress"])

    def _public_keys(self, instance: Any) -> tuple[str, ...]:
        key_pair = self.ec2.key_pairs.get(instance.key_name)
        return (key_pair.public_key.strip(),) if key_pair else ()


def _set_state(instance: Any, name: str) -> None:
    instance._state.name = name
    instance._state.code = STATE_CODES[name]


def supports(architecture: str) -> bool:
    """Whether machines of this architecture boot here."""
    return architecture == amis.machine_architecture()
