"""A VPC: one bridge in a namespace of its own, with the VPC's router and DNS resolver on it.

Nothing is forwarded out of the namespace: the network ends here, as a VPC without gateways does.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.fabric import namespaces
from localcloud.fabric.interfaces import MTU_BYTES, hardware_address
from localcloud.fabric.resolver import Records, Resolver

# Where Amazon S3 is, beyond the router, for subnets whose route table has the gateway endpoint.
# 198.18.0.0/15 is for tests of network devices (RFC 2544), so it is nobody's network.
S3_ADDRESS = "198.18.0.1"
S3_CIDR = f"{S3_ADDRESS}/32"
# Instance metadata service of EC2.
METADATA_ADDRESS = "169.254.169.254"


@dataclass(eq=False)
class Network:
    """The running network of one VPC."""

    vpc_id: str
    namespace: str
    cidr: ipaddress.IPv4Network
    resolver: Resolver
    # Names that only this VPC knows: private DNS of its service endpoints.
    records: Records
    loaded_rules: str = field(default="", repr=False)

    @property
    def router(self) -> str:
        """VPC router: base + 1, with the VPC's prefix length."""
        return f"{self.cidr.network_address + 1}/{self.cidr.prefixlen}"

    @property
    def router_mac(self) -> str:
        """Fixed: a bridge otherwise takes its lowest port's, so that a new interface could change
        it and hosts would lose router, DNS and metadata for the seconds that ARP takes to notice.
        """
        return hardware_address(str(self.cidr.network_address + 1))

    @property
    def resolver_address(self) -> str:
        """DNS: base + 2 ("DNS attributes in your VPC")."""
        return str(self.cidr.network_address + 2)

    def start(self, *, table: str) -> None:
        """Make the namespace, its bridge and the resolver."""
        namespaces.create(self.namespace)
        try:
            namespaces.configure(
                self.namespace,
                [
                    f"link add name br0 address {self.router_mac} mtu {MTU_BYTES}"
                    " type bridge stp_state 0 mcast_snooping 0",
                    "link set dev br0 addrgenmode none",
                    f"addr add {self.router} dev br0",
                    f"addr add {self.resolver_address}/32 dev br0",
                    f"addr add {S3_CIDR} dev lo",
                    f"addr add {METADATA_ADDRESS}/32 dev lo",
                    "link set dev br0 up",
                ],
            )
            namespaces.run_in_namespace(namespaces.path_of(self.namespace), _only_switch)
            self.allow_gateway_from((), table=table)
            self.resolver.start(namespaces.path_of(self.namespace), self.resolver_address)
        except BaseException:
            self.stop()
            raise

    def allow_gateway_from(self, cidrs: Iterable[str], *, table: str) -> None:
        """Let these subnets reach S3 through the router; everything else there is dropped."""
        listed = ", ".join(sorted(set(cidrs)))
        gateway = f"ip saddr {{ {listed} }} ip daddr {S3_ADDRESS} tcp dport 443 accept"
        rules = "\n".join(
            [
                f"table inet {table} {{}}",
                f"delete table inet {table}",
                f"table inet {table} {{",
                "chain ingress { type filter hook input priority filter; policy drop;",
                "iif lo accept",
                "ct state established,related accept",
                f"ip daddr {self.resolver_address} meta l4proto {{ tcp, udp }} th dport 53 accept",
                "ip daddr 169.254.169.254 tcp dport 80 accept",  # instance metadata
                # The data plane of instances serves their metadata here.
                f"ip daddr {METADATA_ADDRESS} tcp dport 80 accept",
                gateway if listed else "",
                "}",
                "}",
            ]
        )
        if rules != self.loaded_rules:
            namespaces.load_rules(self.namespace, rules + "\n")
            self.loaded_rules = rules

    def stop(self) -> None:
        """Take the resolver, the bridge and the namespace away."""
        self.resolver.stop()
        namespaces.delete_link(self.namespace, "br0")
        namespaces.delete(self.namespace)


def _only_switch() -> None:
    """Set the namespace's kernel parameters; a new one inherits the machine's for IPv4.

    It routes nothing, and frames on the bridge do not pass its IP firewall (they would where
    br_netfilter is loaded, as on machines with Docker).
    """
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
    for switch in ("iptables", "ip6tables", "arptables"):
        parameter = Path(f"/proc/sys/net/bridge/bridge-nf-call-{switch}")
        if parameter.exists():
            parameter.write_text("0")


def cidr_of(vpc_id: str, block: str) -> ipaddress.IPv4Network:
    """A VPC's address block; /16 to /28 as on AWS ("VPC CIDR blocks")."""
    cidr = ipaddress.IPv4Network(block)
    if not 16 <= cidr.prefixlen <= 28:
        raise LocalCloudError(
            f"VPC {vpc_id} refused: its block {block} is not between /16 and /28; choose another."
        )
    return cidr


def namespace_of(prefix: str, vpc_id: str) -> str:
    """`pk3fa2-vpc-1a2b3c4d` for `vpc-...1a2b3c4d`."""
    return f"{prefix}-vpc-{vpc_id[-8:]}"
