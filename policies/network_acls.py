"""Rules for network ACLs: read in the order of their numbers, as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .inventory import Resource
from .openings import is_world
from .rules import Context, Outcome, ResourceCheck, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, Unknown, Wrong, boolean, integer, sequence, shown

ACLS: Final = (
    "aws:ec2/networkAcl:NetworkAcl",
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
)
ACL_RULE: Final = "aws:ec2/networkAclRule:NetworkAclRule"
_LAST_PORT: Final = 65_535


def _entries(resource: Resource) -> Iterator[dict[str, object] | Outcome]:
    """The ingress entries of an ACL in the order in which AWS reads them."""
    if resource.type == ACL_RULE:
        egress = boolean(resource.get("egress"), default=False)
        if egress is UNKNOWN:
            yield Unverified(resource, "egress")
        elif egress is not True:
            renamed = {"action": resource.get("ruleAction"), "ruleNo": resource.get("ruleNumber")}
            yield {**resource.properties, **renamed}
        return
    entries = sequence(resource.get("ingress"))
    if entries is UNKNOWN:
        yield Unverified(resource, "ingress")
        return
    if isinstance(entries, Wrong):
        yield Violation(resource, f"has ingress = {shown(entries)}", "be a list of rules")
        return
    objects: list[dict[str, object]] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, dict):
            objects.append(cast("dict[str, object]", entry))
        elif entry is UNKNOWN:
            yield Unverified(resource, f"ingress[{index}]")
        else:
            yield Violation(resource, f"has ingress[{index}] = {shown(entry)}", "be a rule")
    # An unreadable number is read first: an allowance must not hide behind a denial.
    yield from sorted(objects, key=_number)


def _number(entry: dict[str, object]) -> int:
    number = integer(entry.get("ruleNo"), default=0)
    return number if isinstance(number, int) else 0


def _is_for_world(entry: dict[str, object]) -> bool | Unknown:
    networks = [entry[name] for name in ("cidrBlock", "ipv6CidrBlock") if entry.get(name)]
    if UNKNOWN in networks:
        return UNKNOWN
    return any(is_world(network) for network in networks)


def _has_port(entry: dict[str, object], port: int | None) -> bool | Unknown:
    """Whether the entry is for `port`; for `None`, whether it is for every port."""
    first, last = entry.get("fromPort"), entry.get("toPort")
    every_protocol = entry.get("protocol") in ("-1", -1, "all")
    if every_protocol and (port is not None or first in (None, 0)):
        return True
    if UNKNOWN in (entry.get("protocol"), first, last):
        return UNKNOWN
    lower, upper = integer(first, default=0), integer(last, default=_LAST_PORT)
    if not isinstance(lower, int) or not isinstance(upper, int):
        return True
    return lower <= port <= upper if port is not None else (lower, upper) == (0, _LAST_PORT)


def _not_reached_by_world(port: int | None) -> ResourceCheck:
    limit = f"not allow port {port} from every address" if port else "not allow every port"

    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for entry in _entries(resource):
            if not isinstance(entry, dict):
                yield entry
                continue
            meant = (_is_for_world(entry), _has_port(entry, port))
            if False in meant:
                continue
            action = entry.get("action")
            if UNKNOWN in (*meant, action):
                yield Unverified(resource, "ingress")
            elif isinstance(action, str) and action.lower() == "deny":
                return  # Later rules are not read for these addresses.
            else:
                number = shown(entry.get("ruleNo"))
                yield Violation(resource, f"allows the world in by its rule {number}", limit)

    return check


def _rule(service: str, port: int | None, what: str, *controls: str) -> Rule:
    return Rule(
        id=f"net-acl-no-world-{service}",
        title=f"Network ACLs do not let the world in to {service}",
        what=what,
        why="The ACL is what is left when a security group is opened by mistake.",
        remediation="name the networks that may connect in the ACL's ingress rules.",
        severity=Severity.HIGH,
        catalogue=("NET-09",),
        controls=controls,
        types=(*ACLS, ACL_RULE),
        check_resource=_not_reached_by_world(port),
    )


RULES: Final = (
    _rule("ssh", 22, "No ACL allows port 22 from every address.", "CKV_AWS_232", "EC2.21", "6.2"),
    _rule(
        "rdp", 3389, "No ACL allows port 3389 from every address.", "CKV_AWS_231", "EC2.21", "6.2"
    ),
    _rule("ftp", 21, "No ACL allows port 21 from every address.", "CKV_AWS_229"),
    _rule("ftp-data", 20, "No ACL allows port 20 from every address.", "CKV_AWS_230"),
    _rule("all", None, "No ACL allows every port from every address.", "CKV_AWS_352"),
)
