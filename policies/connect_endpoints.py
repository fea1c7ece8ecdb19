"""Rules for EC2 Instance Connect endpoints: SSH into a VPC, bounded by the groups they stand in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .inventory import Resource, Stack
from .links import sources, targets
from .openings import DEFAULT_GROUP, EGRESS_RULE, GROUP, GROUP_RULE, Opening, openings
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many, sequence, shown

CONNECT_ENDPOINT: Final = "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint"
_SSH: Final = (22, 22)
_OWN_GROUP: Final = "stand in a security group of its own"
_TO_HOSTS: Final = "lead to port 22 of a security group of hosts, as all of an SSH endpoint's rules"


def _groups_given(endpoint: Resource, _context: Context) -> Iterator[Outcome]:
    """Without a group AWS takes the VPC's default one (CreateInstanceConnectEndpoint)."""
    groups = sequence(endpoint.get("securityGroupIds"))
    if groups is UNKNOWN:
        yield Unverified(endpoint, "securityGroupIds")
    elif not isinstance(groups, list) or not groups or not all(_is_id(one) for one in groups):
        found = f"has securityGroupIds = {shown(endpoint.get('securityGroupIds'))}"
        yield Violation(endpoint, found, _OWN_GROUP)


def _is_id(value: object) -> bool:
    """Whether a value is an id, or will be one."""
    return value is UNKNOWN or (isinstance(value, str) and bool(value.strip()))


def _own_groups(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for endpoint in stack.of_type(CONNECT_ENDPOINT):
        groups = targets(stack, endpoint, "securityGroupIds", (GROUP, DEFAULT_GROUP)).found
        if any(group.type == DEFAULT_GROUP for group in groups):
            yield Violation(endpoint, "stands in its VPC's default group", _OWN_GROUP)
        given = endpoint.get("securityGroupIds")
        listed = one_or_many(given)
        count = len({one for one in listed if isinstance(one, str)}) + listed.count(UNKNOWN)
        if count <= len(groups):
            continue
        if UNKNOWN in listed:
            yield Unverified(endpoint, "securityGroupIds")
        else:
            # A VPC's default group is not in a stack either, unless the stack has taken it over.
            found = f"has securityGroupIds = {shown(given)}, of which one is not in this stack"
            yield Violation(endpoint, found, _OWN_GROUP)


def _leads_to_hosts(stack: Stack, _context: Context) -> Iterator[Outcome]:
    groups = {
        group: None
        for endpoint in stack.of_type(CONNECT_ENDPOINT)
        for group in targets(stack, endpoint, "securityGroupIds", (GROUP,)).found
    }
    for group in groups:
        rules = sources(stack, group, (GROUP_RULE, EGRESS_RULE), "securityGroupId")
        if rules.undecided:
            yield Unverified(group, "the securityGroupId of a rule")
        for resource in (group, *rules.found):
            for opening in openings(resource, "egress"):
                if isinstance(opening, Opening):
                    yield from _leads_to_ssh(opening)
                else:
                    yield opening


def _leads_to_ssh(opening: Opening) -> Iterator[Outcome]:
    resource, place = opening.resource, opening.place or "its "
    if opening.ports is UNKNOWN:
        yield Unverified(resource, f"{place}ports")
    elif opening.ports != _SSH:
        yield Violation(resource, f"opens {opening.ports_shown()}", _TO_HOSTS)
    if contains_unknown(opening.prefix_lists):
        yield Unverified(resource, f"{place}prefix lists")
    elif opening.prefix_lists:
        yield Violation(resource, f"opens to {shown(opening.prefix_lists)}", _TO_HOSTS)
    yield from opening.judged(True, _TO_HOSTS, world_only=False)


RULES: Final = (
    Rule(
        id="net-connect-endpoint-group",
        title="SSH endpoints stand in a security group of their own",
        what="Every EC2 Instance Connect endpoint has securityGroupIds, each of a group in this "
        "stack that is not the default group of its VPC.",
        why="Without a group AWS takes the VPC's default one, which is everybody's: whatever that "
        "group may reach, SSH reaches.",
        remediation="set security_group_ids on the aws.ec2transitgateway.InstanceConnectEndpoint "
        "(components/platform_network.py).",
        severity=Severity.HIGH,
        catalogue=("NET-06",),
        controls=(),
        types=(CONNECT_ENDPOINT,),
        check_resource=_groups_given,
        check_stack=_own_groups,
        joined_types=(DEFAULT_GROUP, GROUP),
    ),
    Rule(
        id="net-connect-endpoint-reaches-hosts",
        title="SSH endpoints reach port 22 of the hosts, and nothing else",
        what="The outgoing rules of the groups of every EC2 Instance Connect endpoint are for port "
        "22 of a security group: of no network, no prefix list and no other port.",
        why="Whoever may open a tunnel would get to every machine of the network, the database "
        "among them.",
        remediation="name the hosts' group (referencedSecurityGroupId) and port 22 in the rules of "
        "the endpoint's group (components/security_groups.py).",
        severity=Severity.HIGH,
        catalogue=("NET-04",),
        controls=(),
        types=(),
        check_stack=_leads_to_hosts,
        joined_types=(CONNECT_ENDPOINT, GROUP, GROUP_RULE, EGRESS_RULE),
    ),
)
