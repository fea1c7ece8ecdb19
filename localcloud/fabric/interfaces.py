"""The elastic network interface (ENI): what a host, a database or a function sees of the VPC."""

import hashlib
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.fabric import namespaces

# AWS's default inside a VPC: jumbo frames of 9001 bytes ("Network MTU for your EC2 instance").
MTU_BYTES = 9001


@dataclass(eq=False)
class NetworkInterface:
    """One ENI: a network namespace whose `eth0` is on the VPC's bridge."""

    name: str
    namespace: str
    address: str
    subnet_id: str
    vpc_id: str
    security_group_ids: tuple[str, ...]
    resolver: str
    search_domain: str
    # More private addresses of the same interface (a load balancer's, one a subnet).
    secondary_addresses: tuple[str, ...] = ()
    # The firewall as it was last loaded, so that an unchanged one is not loaded again.
    loaded_rules: str = field(default="", repr=False)

    @property
    def namespace_path(self) -> Path:
        """What systemd-nspawn, nsenter and `run_in_namespace` take."""
        return namespaces.path_of(self.namespace)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All private addresses, the primary one first."""
        return (self.address, *self.secondary_addresses)

    @property
    def resolv_conf(self) -> str:
        """What DHCP gives on AWS: the VPC's resolver and the region's search domain."""
        # One short try more instead of the 5 s default: the resolver is one bridge away.
        return (
            f"nameserver {self.resolver}\nsearch {self.search_domain}\n"
            "options timeout:1 attempts:3\n"
        )


def peer_name(prefix: str, name: str) -> str:
    """Name of the bridge's end of an interface: the prefix and as much hash as Linux allows."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return (prefix + "v" + digest)[: namespaces.LONGEST_INTERFACE_NAME]


def hardware_address(address: str) -> str:
    """MAC that follows from the IP address.

    An address given to a new interface keeps its MAC, so no neighbour has a stale ARP entry.
    """
    packed = ipaddress.IPv4Address(address).packed
    return ":".join(f"{byte:02x}" for byte in b"\x02\x00" + packed)


def plug(interface: NetworkInterface, *, bridge_namespace: str, peer: str, router: str) -> None:
    """Make the interface's namespace and link and connect it to the VPC's bridge.

    `router` is the VPC router with its prefix length, such as `10.77.0.1/16`.
    """
    length = ipaddress.IPv4Interface(router).network.prefixlen
    gateway = ipaddress.IPv4Interface(router).ip
    namespaces.create(interface.namespace)
    try:
        namespaces.configure(
            bridge_namespace,
            [
                f"link add name {peer} mtu {MTU_BYTES} type veth peer name eth0 mtu {MTU_BYTES} "
                f"address {hardware_address(interface.address)} netns {interface.namespace}",
                # The network has no IPv6: no link-local address either.
                f"link set dev {peer} addrgenmode none",
                f"link set dev {peer} master br0 up",
            ],
        )
        namespaces.configure(
            interface.namespace,
            [
                "link set dev eth0 addrgenmode none",
                *(f"addr add {each}/{length} dev eth0" for each in interface.addresses),
                "link set dev eth0 up",
                f"route add default via {gateway} src {interface.address}",
            ],
        )
    except BaseException:
        unplug(interface, bridge_namespace=bridge_namespace, peer=peer)
        raise


def unplug(interface: NetworkInterface, *, bridge_namespace: str, peer: str) -> None:
    """Take the interface away at once, also from processes that still run in its namespace."""
    namespaces.delete_link(bridge_namespace, peer)
    namespaces.delete(interface.namespace)
