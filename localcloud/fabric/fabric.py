"""The VPC network data plane: what moto's EC2 only writes down, made of Linux namespaces."""

import ipaddress
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from localcloud.authorities import Authority
from localcloud.errors import LocalCloudError
from localcloud.fabric import interfaces, namespaces, networks, security_groups
from localcloud.fabric.interfaces import NetworkInterface
from localcloud.fabric.networks import Network
from localcloud.fabric.resolver import Records, Resolver
from localcloud.home import ACCOUNT_ID, Home

# The first four addresses of a subnet and its last one are AWS's ("Subnet CIDR blocks").
RESERVED_ADDRESSES = 4


class Fabric:
    """All networks of one local cloud, and the interfaces in them.

    Methods may be called from any thread. What they refuse is a LocalCloudError of one line.
    """

    def __init__(self, home: Home, services_authority: Authority, region: str) -> None:
        self.home = home
        self.services_authority = services_authority
        self.region = region
        # Root folder of the base image, whose haproxy serves endpoints and load balancers.
        self.image: Path | None = None
        self.records = Records()
        self._networks: dict[str, Network] = {}
        self._interfaces: dict[str, NetworkInterface] = {}
        self._lock = threading.RLock()

    @property
    def table(self) -> str:
        """Name of the nftables table in every namespace."""
        return f"{self.home.prefix}_security_groups"

    @property
    def ec2(self) -> Any:
        """moto's EC2 backend of this cloud: the truth about subnets and security groups."""
        from moto.ec2.models import ec2_backends

        return ec2_backends[ACCOUNT_ID][self.region]

    def ec2_of(self, vpc_id: str) -> Any:
        """moto's EC2 backend of a VPC's region. Raises LocalCloudError for an unknown VPC."""
        for backend in self._ec2_backends():
            if vpc_id in backend.vpcs:
                return backend
        raise LocalCloudError(f"VPC {vpc_id} refused: it does not exist; create it first.")

    def _ec2_backends(self) -> list[Any]:
        """Of every region that is in use, the cloud's own first."""
        from moto.ec2.models import ec2_backends

        others = [
            backend
            for region, backend in list(ec2_backends[ACCOUNT_ID].items())
            if region != self.region
        ]
        return [self.ec2, *others]

    def image_root(self) -> Path:
        """The base image; raises LocalCloudError where none was given."""
        if self.image is None:
            raise LocalCloudError(
                "Load balancers and VPC endpoints refused: they run HAProxy of the base image, "
                "and there is none; build it with `make up`."
            )
        return self.image

    def start(self) -> None:
        """Make the fabric's folder. Networks come up with their first interface."""
        self.home.fabric.mkdir(parents=True, exist_ok=True)

    def stop(self) -> None:
        """Remove every interface and network. Doing it twice is no error."""
        with self._lock:
            for vpc_id in list(self._networks):
                self.remove_network(vpc_id)

    # Interfaces

    def attach(
        self,
        *,
        name: str,
        subnet_id: str,
        security_group_ids: Sequence[str],
        address: str | None = None,
        more_subnet_ids: Sequence[str] = (),
        filtered: bool = True,
    ) -> NetworkInterface:
        """Make an interface `<prefix>-<name>` in a subnet; it is usable when this returns.

        Without an address the subnet's next free one is taken; without security groups the VPC's
        default group applies, as on AWS. The interface gets one more address in each of
        `more_subnet_ids`. Not `filtered`, it is in no group and everything may pass.
        """
        with self._lock:
            if name in self._interfaces:
                raise LocalCloudError(
                    f"Network interface {name!r} refused: one of that name is attached; detach it."
                )
            subnet = self._subnet(subnet_id)
            groups = self._groups(subnet.vpc_id, security_group_ids) if filtered else ()
            network = self.network(subnet.vpc_id)
            more_subnets = [self._subnet(each) for each in more_subnet_ids]
            chosen = self._take_address(subnet, address)
            interface = NetworkInterface(
                name=name,
                namespace=f"{self.home.prefix}-{name}",
                address=chosen,
                subnet_id=subnet_id,
                vpc_id=subnet.vpc_id,
                security_group_ids=groups,
                resolver=network.resolver_address,
                search_domain=f"{self.ec2_of(subnet.vpc_id).region_name}.compute.internal",
            )
            self._interfaces[name] = interface
            try:
                for each in more_subnets:
                    interface.secondary_addresses += (self._take_address(each, None),)
                self._plug(interface, network)
                self.refresh_security_groups(*groups)
            except BaseException:
                self._unplug(interface)
                raise
            return interface

    def _plug(self, interface: NetworkInterface, network: Network) -> None:
        peer = interfaces.peer_name(self.home.prefix, interface.name)
        if interface.namespace_path.exists():
            # What a crash left under this name is nobody's: the registry is the truth.
            interfaces.unplug(interface, bridge_namespace=network.namespace, peer=peer)
        interfaces.plug(
            interface, bridge_namespace=network.namespace, peer=peer, router=network.router
        )

    def detach(self, interface: NetworkInterface) -> None:
        """Remove an interface and free its addresses; once detached it may be detached again."""
        with self._lock:
            if self._interfaces.get(interface.name) is interface:
                self._unplug(interface)
                self.refresh_security_groups(*interface.security_group_ids)

    def _unplug(self, interface: NetworkInterface) -> None:
        del self._interfaces[interface.name]
        network = self._networks[interface.vpc_id]
        peer = interfaces.peer_name(self.home.prefix, interface.name)
        interfaces.unplug(interface, bridge_namespace=network.namespace, peer=peer)
        for address in interface.addresses:
            self._free_address(interface.vpc_id, address)

    def set_security_groups(
        self, interface: NetworkInterface, security_group_ids: Sequence[str]
    ) -> None:
        """Replace an interface's security groups; connections that stand are kept."""
        with self._lock:
            groups = self._groups(interface.vpc_id, security_group_ids)
            before = interface.security_group_ids
            interface.security_group_ids = groups
            self.refresh_security_groups(*before, *groups)

    def interface(self, name: str) -> NetworkInterface | None:
        """The attached interface of that name."""
        return self._interfaces.get(name)

    def interfaces_of(self, *, security_group_id: str) -> list[NetworkInterface]:
        """All attached interfaces in a security group."""
        return [i for i in self._attached() if security_group_id in i.security_group_ids]

    def interfaces_in(self, subnet_id: str) -> list[NetworkInterface]:
        """All attached interfaces with an address in a subnet."""
        subnet = self._subnet(subnet_id)
        return [
            interface
            for interface in self._attached()
            if interface.vpc_id == subnet.vpc_id
            and any(ipaddress.IPv4Address(each) in subnet.cidr for each in interface.addresses)
        ]

    def interface_at(self, vpc_id: str, address: str) -> NetworkInterface | None:
        """The attached interface with this address."""
        for interface in self._attached():
            if interface.vpc_id == vpc_id and address in interface.addresses:
                return interface
        return None

    # Security groups

    def refresh_security_groups(self, *changed_group_ids: str) -> None:
        """Load the rules of every interface again whose rules are no longer the loaded ones.

        With group ids only interfaces in them, or with rules that refer to them, are looked at.
        """
        with self._lock:
            changed = set(changed_group_ids)
            outdated: list[tuple[NetworkInterface, str]] = []
            for interface in self._attached():
                text = self._rules(interface, changed)
                if text is not None and text != interface.loaded_rules:
                    outdated.append((interface, text))
            if outdated:
                # The kernel lets each transaction wait some 10 ms: they wait together.
                with ThreadPoolExecutor(max_workers=min(16, len(outdated))) as pool:
                    list(pool.map(_load, outdated))

    def _rules(self, interface: NetworkInterface, changed: set[str]) -> str | None:
        """The interface's rules as they have to be; None if no changed group is in them."""
        if not interface.security_group_ids:
            return None
        ec2 = self.ec2_of(interface.vpc_id)
        groups = [
            security_groups.read_group(ec2, group_id) for group_id in interface.security_group_ids
        ]
        rules = [rule for group in groups for rule in (*group.ingress, *group.egress)]
        referred = {rule.group_id for rule in rules if rule.group_id}
        if changed and not changed & (referred | set(interface.security_group_ids)):
            return None
        lists = {rule.prefix_list_id for rule in rules if rule.prefix_list_id}
        return security_groups.render(
            interface,
            self.table,
            groups,
            {group_id: self._members(group_id) for group_id in referred},
            {each: security_groups.read_prefix_list(ec2, each) for each in lists},
        )

    def _members(self, group_id: str) -> list[str]:
        members = self.interfaces_of(security_group_id=group_id)
        return [address for each in members for address in each.addresses]

    def _attached(self) -> list[NetworkInterface]:
        return list(self._interfaces.values())

    # Names

    def register_name(self, dns_name: str, addresses: Sequence[str]) -> None:
        """Let every VPC's resolver answer with these addresses; replaces earlier ones."""
        self.records.register(dns_name, addresses)

    def unregister_name(self, dns_name: str) -> None:
        """Forget a name; an unknown one is no error."""
        self.records.unregister(dns_name)

    # Networks

    def network(self, vpc_id: str) -> Network:
        """The network of a VPC, started at its first use."""
        with self._lock:
            if vpc_id not in self._networks:
                ec2 = self.ec2_of(vpc_id)
                vpc = ec2.get_vpc(vpc_id)
                own = Records()
                network = Network(
                    vpc_id=vpc_id,
                    namespace=networks.namespace_of(self.home.prefix, vpc_id),
                    cidr=networks.cidr_of(vpc_id, vpc.cidr_block),
                    # The VPC's private names go before the public ones, as with private DNS.
                    resolver=Resolver((own, self.records), ec2.region_name),
                    records=own,
                )
                namespaces.delete(network.namespace)
                network.start(table=self.table)
                self._networks[vpc_id] = network
            return self._networks[vpc_id]

    def remove_network(self, vpc_id: str) -> None:
        """Remove a VPC's network with everything attached to it; without one nothing happens."""
        with self._lock:
            for interface in self._attached():
                if interface.vpc_id == vpc_id:
                    # Nobody is left whose rules would have to follow.
                    self._unplug(interface)
            network = self._networks.pop(vpc_id, None)
            if network is not None:
                network.stop()

    def _subnet(self, subnet_id: str) -> Any:
        for backend in self._ec2_backends():
            for subnet in backend.describe_subnets():
                if subnet.id == subnet_id:
                    return subnet
        raise LocalCloudError(f"Subnet {subnet_id} refused: it does not exist; create it first.")

    def _groups(self, vpc_id: str, security_group_ids: Sequence[str]) -> tuple[str, ...]:
        """The groups that apply, which must exist in the VPC."""
        ec2 = self.ec2_of(vpc_id)
        if not security_group_ids:
            default = ec2.get_default_security_group(vpc_id)
            return (default.id,) if default is not None else ()
        for group_id in security_group_ids:
            group = ec2.get_security_group_from_id(group_id)
            if group is None or group.vpc_id != vpc_id:
                where = "it does not exist" if group is None else f"it is in {group.vpc_id}"
                raise LocalCloudError(
                    f"Security group {group_id} refused in {vpc_id}: {where}; give one of the VPC."
                )
        return tuple(dict.fromkeys(security_group_ids))

    def _take_address(self, subnet: Any, address: str | None) -> str:
        """Reserve an address in moto too, so that moto gives it to no instance."""
        cidr: ipaddress.IPv4Network = subnet.cidr
        used = {
            each
            for interface in self._attached()
            if interface.vpc_id == subnet.vpc_id
            for each in interface.addresses
        }
        if address is not None:
            if ipaddress.IPv4Address(address) not in cidr or address in used:
                why = f"in use in subnet {subnet.id}" if address in used else f"outside {cidr}"
                raise LocalCloudError(
                    f"Address {address} refused: it is {why}; give a free address of the subnet."
                )
            # An instance's address is moto's already.
            subnet._subnet_ips.setdefault(address, self)
            return address
        taken = used | set(subnet._subnet_ips)
        first = int(cidr.network_address) + RESERVED_ADDRESSES
        for number in range(first, int(cidr.broadcast_address)):
            candidate = str(ipaddress.IPv4Address(number))
            if candidate not in taken:
                subnet._unused_ips.discard(candidate)
                subnet._subnet_ips[candidate] = self
                return candidate
        raise LocalCloudError(
            f"Subnet {subnet.id} has no free address left: all of {cidr} less five are in use; "
            "use a larger subnet."
        )

    def _free_address(self, vpc_id: str, address: str) -> None:
        # The VPC itself may be gone by now.
        subnets = [s for backend in self._ec2_backends() for s in backend.describe_subnets()]
        for subnet in subnets:
            # Only what was reserved here: an instance's address is given back by moto.
            if subnet.vpc_id == vpc_id and subnet._subnet_ips.get(address) is self:
                subnet.del_subnet_ip(address)


def _load(outdated: tuple[NetworkInterface, str]) -> None:
    interface, rules = outdated
    namespaces.load_rules(interface.namespace, rules)
    interface.loaded_rules = rules
