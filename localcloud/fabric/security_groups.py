"""Security groups as nftables rules in each interface's own namespace.

As on AWS ("Security group rules", "Security group connection tracking"): stateful, allow rules
only, everything else dropped without a word in both directions; a changed rule does not cut the
connections it once allowed; the VPC's resolver and 169.254.169.254 are always reachable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.fabric.interfaces import NetworkInterface

# Instance metadata and time service, which security groups do not filter.
LINK_LOCAL_SERVICES = "{ 169.254.169.254, 169.254.169.123 }"
ANY_PORT = range(65536)


@dataclass(frozen=True)
class Rule:
    """One allow rule. Exactly one of `cidr`, `group_id` and `prefix_list_id` is set."""

    # "-1" for all, "tcp", "udp", "icmp", or an IANA protocol number.
    protocol: str
    # Ports for TCP and UDP; type and code for ICMP, -1 for any; None for other protocols.
    from_port: int | None
    to_port: int | None
    cidr: str | None = None
    group_id: str | None = None
    prefix_list_id: str | None = None


@dataclass(frozen=True)
class SecurityGroup:
    """A group's rules as the firewall needs them."""

    id: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


def read_group(ec2: Any, group_id: str) -> SecurityGroup:
    """Read a group from moto's EC2 backend; one that is gone allows nothing."""
    group = ec2.get_security_group_from_id(group_id)
    if group is None:
        return SecurityGroup(group_id, (), ())
    return SecurityGroup(group_id, _read(group.ingress_rules), _read(group.egress_rules))


def read_prefix_list(ec2: Any, prefix_list_id: str) -> tuple[str, ...]:
    """The CIDR blocks of a prefix list in its newest version; none if it does not exist."""
    prefix_list = ec2.managed_prefix_lists.get(prefix_list_id)
    if prefix_list is None or not prefix_list.entries:
        return ()
    # AWS's own lists carry no version in moto; their entries then stand under the first.
    entries = prefix_list.entries.get(prefix_list.version) or [*prefix_list.entries.values()][-1]
    return tuple(entry["Cidr"] for entry in entries)


def _read(rules: Iterable[Any]) -> tuple[Rule, ...]:
    read: list[Rule] = []
    for rule in rules:
        cidr, group_id = rule.ip_range.get("CidrIp"), rule.source_group.get("GroupId")
        # IPv6 rules allow nothing: the network has no IPv6.
        if cidr or group_id or rule.prefix_list_id:
            ports = [None if p is None else int(p) for p in (rule.from_port, rule.to_port)]
            protocol = str(rule.ip_protocol)
            read.append(Rule(protocol, ports[0], ports[1], cidr, group_id, rule.prefix_list_id))
    return tuple(read)


def render(
    interface: NetworkInterface,
    table: str,
    groups: Sequence[SecurityGroup],
    members: Mapping[str, Iterable[str]],
    prefix_lists: Mapping[str, Iterable[str]],
) -> str:
    """The nftables text of one interface; loading it replaces the interface's rules at once.

    `members` are the addresses of each group that a rule refers to, `prefix_lists` the CIDR
    blocks of each list.
    """
    ingress = sorted({_match(rule, "saddr") for group in groups for rule in group.ingress})
    egress = sorted({_match(rule, "daddr") for group in groups for rule in group.egress})
    rules = [rule for group in groups for rule in (*group.ingress, *group.egress)]
    lines = [f"table inet {table} {{}}", f"delete table inet {table}", f"table inet {table} {{"]
    for group_id in sorted({rule.group_id for rule in rules if rule.group_id}):
        lines += _set(_name(group_id), members.get(group_id, ()), "")
    for list_id in sorted({rule.prefix_list_id for rule in rules if rule.prefix_list_id}):
        lines += _set(_name(list_id), prefix_lists.get(list_id, ()), "flags interval; auto-merge;")
    resolver = interface.resolver
    lines += [
        "chain ingress { type filter hook input priority filter; policy drop;",
        "iif lo accept",
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        *ingress,
        "}",
        "chain egress { type filter hook output priority filter; policy drop;",
        "oif lo accept",
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        f"ip daddr {resolver} meta l4proto {{ tcp, udp }} th dport 53 accept",
        f"ip daddr {LINK_LOCAL_SERVICES} accept",
        *egress,
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _match(rule: Rule, side: str) -> str:
    """One nftables rule; `side` is the address that is not the interface's own."""
    if rule.cidr:
        who = "" if rule.cidr == "0.0.0.0/0" else f"ip {side} {rule.cidr} "
    else:
        who = f"ip {side} @{_name(rule.group_id or rule.prefix_list_id or '')} "
    first, last = rule.from_port, rule.to_port
    if rule.protocol in ("-1", "all"):
        return f"{who}meta nfproto ipv4 accept"
    if rule.protocol in ("tcp", "udp"):
        if first is None or last is None or (first <= 0 and last in (-1, ANY_PORT[-1])):
            return f"{who}meta nfproto ipv4 meta l4proto {rule.protocol} accept"
        ports = f"{first}" if first == last else f"{first}-{last}"
        return f"{who}meta nfproto ipv4 {rule.protocol} dport {ports} accept"
    if rule.protocol == "icmp":
        kind = "" if first in (None, -1) else f" icmp type {first}"
        code = "" if last in (None, -1) or not kind else f" icmp code {last}"
        return f"{who}meta nfproto ipv4 meta l4proto icmp{kind}{code} accept"
    return f"{who}meta nfproto ipv4 meta l4proto {rule.protocol} accept"


def _set(name: str, elements: Iterable[str], flags: str) -> list[str]:
    listed = ", ".join(sorted(set(elements)))
    inner = f" elements = {{ {listed} }};" if listed else ""
    return [f"set {name} {{ type ipv4_addr; {flags}{inner} }}"]


def _name(identifier: str) -> str:
    """sg-0ab1 and pl-0ab1 as nftables identifiers."""
    return identifier.replace("-", "_")
