"""What security group rules let through, in one form for the four ways to write them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from .inventory import Resource
from .rules import Outcome, Unverified, Violation
from .values import UNKNOWN, Unknown, Wrong, integer, sequence, shown

GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GROUP_TYPES: Final = (GROUP, DEFAULT_GROUP, GROUP_RULE, INGRESS_RULE, EGRESS_RULE)

_LAST_PORT: Final = 65_535
_OPPOSITE: Final = {"ingress": "egress", "egress": "ingress"}
_EVERY: Final = ("-1", -1, "all")
# Networks as wide as this are the world: its halves, written to get past a look for 0.0.0.0/0, and
# all of IPv6 that is routed (2000::/3, RFC 4291).
_WORLD_PREFIX: Final = {4: 1, 6: 3}
_SOURCES: Final = ("referencedSecurityGroupId", "prefixListId", "cidrIpv4", "cidrIpv6")


@dataclass(frozen=True)
class Opening:
    """One rule of a group: a range of ports for a list of networks."""

    resource: Resource
    place: str
    """Where it stands: "" or "ingress[0]."."""
    ports: tuple[int, int] | Unknown | Wrong
    """The first and the last port; (0, 65535) for every protocol or every port."""
    every_protocol: bool
    """Whether it is written for every protocol, or for the port -1."""
    networks: tuple[object, ...] | Unknown | Wrong
    description: object
    prefix_lists: object
    """The networks that it names by a prefix list: nothing, one or several."""

    def reaches(self, *ports: int) -> bool | Unknown:
        """Whether one of `ports` is among its own. What cannot be read counts as all of them."""
        if self.ports is UNKNOWN:
            return UNKNOWN
        if isinstance(self.ports, Wrong):
            return True
        first, last = self.ports
        return any(first <= port <= last for port in ports)

    @property
    def all_ports(self) -> bool | Unknown:
        """Whether every port is open."""
        if self.ports is UNKNOWN:
            return UNKNOWN
        return isinstance(self.ports, Wrong) or self.ports == (0, _LAST_PORT)

    def judged(self, reached: bool | Unknown, limit: str, *, world_only: bool) -> Iterator[Outcome]:
        """A violation for each network (of the world) that gets in, if `reached`."""
        if reached is False:
            return
        if self.networks is UNKNOWN:
            yield Unverified(self.resource, f"{self.place}networks")
            return
        if isinstance(self.networks, Wrong):
            found = f"has {self.place}networks = {shown(self.networks)}"
            yield Violation(self.resource, found, limit)
            return
        for network in self.networks:
            if network is UNKNOWN:
                yield Unverified(self.resource, f"a network of {self.place or 'the rule'}")
            elif world_only and not is_world(network):
                continue
            elif reached is UNKNOWN:
                yield Unverified(self.resource, f"{self.place}ports")
            else:
                found = f"opens {self.place or 'to '}{shown(network)}, {self.ports_shown()}"
                yield Violation(self.resource, found, limit, str(network)[:50])

    def ports_shown(self) -> str:
        """Its ports as messages have them."""
        if isinstance(self.ports, tuple):
            first, last = self.ports
            return f"ports {first} to {last}" if first != last else f"port {first}"
        return f"ports {shown(self.ports)}"


def is_world(network: object) -> bool:
    """Whether `network` is the world, or a half of it. What is no network counts as the world."""
    if not isinstance(network, str):
        return True
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return True
    return found.prefixlen <= _WORLD_PREFIX[found.version]


def openings(resource: Resource, direction: str) -> Iterator[Opening | Outcome]:
    """Every opening of `direction` ("ingress" or "egress") that stands in `resource`."""
    if resource.type in (GROUP, DEFAULT_GROUP):
        rules = sequence(resource.get(direction))
        if rules is UNKNOWN:
            yield Unverified(resource, direction)
        elif isinstance(rules, Wrong):
            found = f"has {direction} = {shown(rules)}"
            yield Violation(resource, found, "be a list of rules")
        else:
            for index, rule in enumerate(rules):
                place = f"{direction}[{index}]"
                if rule is UNKNOWN:
                    yield Unverified(resource, place)
                elif isinstance(rule, dict):
                    fields = cast("dict[str, object]", rule)
                    yield _listed(resource, f"{place}.", fields)
                else:
                    yield Violation(resource, f"has {place} = {shown(rule)}", "be a rule")
    elif resource.type == GROUP_RULE:
        if resource.get("type") is UNKNOWN:
            yield Unverified(resource, "type")
        elif resource.get("type") != _OPPOSITE[direction]:
            yield _listed(resource, "", dict(resource.properties))
    elif resource.type == (INGRESS_RULE if direction == "ingress" else EGRESS_RULE):
        yield _single(resource)


def _listed(resource: Resource, place: str, fields: dict[str, object]) -> Opening:
    networks: list[object] = []
    for name in ("cidrBlocks", "ipv6CidrBlocks"):
        found = sequence(fields.get(name))
        if not isinstance(found, list):
            return _opening(resource, place, fields, "protocol", found)
        networks += found
    return _opening(resource, place, fields, "protocol", tuple(networks))


def _single(resource: Resource) -> Opening:
    fields = dict(resource.properties)
    given = [fields[name] for name in ("cidrIpv4", "cidrIpv6") if fields.get(name) is not None]
    if not any(fields.get(name) for name in _SOURCES):
        given = ["0.0.0.0/0"]  # AWS refuses a rule without a source; until then it is the widest.
    return _opening(resource, "", fields, "ipProtocol", tuple(given))


def _opening(
    resource: Resource,
    place: str,
    fields: dict[str, object],
    protocol_name: str,
    networks: tuple[object, ...] | Unknown | Wrong,
) -> Opening:
    return Opening(
        resource=resource,
        place=place,
        ports=_ports(fields.get(protocol_name), fields.get("fromPort"), fields.get("toPort")),
        every_protocol=fields.get(protocol_name) in _EVERY or fields.get("fromPort") in (-1, "-1"),
        networks=networks,
        description=fields.get("description"),
        prefix_lists=fields.get("prefixListId") or fields.get("prefixListIds"),
    )


def _ports(protocol: object, first: object, last: object) -> tuple[int, int] | Unknown | Wrong:
    if protocol in _EVERY:
        return 0, _LAST_PORT
    if protocol is UNKNOWN:
        return UNKNOWN
    if protocol in ("icmp", "icmpv6", "1", "58", 1, 58):
        return -2, -2  # Types and codes, not ports.
    bounds: Sequence[int | Unknown | Wrong] = (
        integer(_unsigned(first), default=0),
        integer(_unsigned(last), default=0),
    )
    for bound in bounds:
        if not isinstance(bound, int):
            return bound
    lower, upper = cast("tuple[int, int]", tuple(bounds))
    # checkov and people write "every port" as 0 to 0 too, as -1 to -1, or not at all.
    return (0, _LAST_PORT) if upper == 0 else (lower, upper)


def _unsigned(value: object) -> object:
    return 0 if value in (-1, "-1") else value
