"""Rules of the network: ways out, addresses, zones and who may connect."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from stacks.neighbours import vpc_cidr_of
from stacks.network_access_settings import is_private
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# The policy pack's rule about ranges that reach PostgreSQL; in prod it knows no exemption.
RANGES_RULE = "net-database-from-groups-only"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What AWS or a host's boot would refuse later, or what would cut the stack off."""
    yield from _which(settings)
    yield from _ways_out(settings)
    yield from _zones(settings)
    yield from _overlaps(settings)
    yield from _clients(settings)


def _which(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    if (network.vpc_cidr is None) == (network.existing is None):
        both = network.vpc_cidr is not None
        yield Refusal(
            "network.vpc_cidr",
            network.vpc_cidr,
            "exactly one of network.vpc_cidr and network.existing",
            "the program either makes a VPC or uses one that is there",
            "Remove one of the two." if both else "Set one of the two.",
        )


def _ways_out(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    field, value = (
        ("network.nat", network.nat)
        if network.existing is None
        else ("network.existing.internet", network.existing.internet)
    )
    # The local cloud's image has PgBouncer; Debian's own image does not.
    if (
        not network.internet
        and settings.environment != "local"
        and not settings.pooler.image_has_packages
    ):
        yield Refusal(
            field,
            value,
            "a way out unless pooler.image_has_packages is true",
            "Debian's image has no PgBouncer and hosts could not fetch it",
            "Give the network NAT, or bake an image (docs/pooler.md), name it in pooler.image_id "
            "and set pooler.image_has_packages.",
        )
    if not network.internet and not network.uses_endpoints:
        yield Refusal(
            field,
            value,
            "a way out, or interface endpoints",
            "without either hosts and functions cannot read their secrets",
            "Give the network NAT, or give it interface endpoints "
            "(network.interface_endpoints, or network.existing.endpoints).",
        )


def _zones(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    if settings.region is None:
        return
    for zone in network.availability_zones or ():
        # Ids have names of their own (euw1-az1), which only AWS can tell apart.
        if "-az" not in zone and not zone.startswith(settings.region):
            yield Refusal(
                "network.availability_zones",
                zone,
                f"must be a zone of {settings.region} (aws:region)",
                "a stack is in one region",
                f"Name zones of {settings.region}.",
            )


def _overlaps(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    if network.vpc_cidr is None:
        return
    own = IPv4Network(network.vpc_cidr)
    others = [(reserved.cidr, reserved.name) for reserved in network.reserved_cidrs]
    for environment in network.peered_environments:
        if environment == settings.environment:
            yield Refusal(
                "network.peered_environments",
                environment,
                "must be other environments than the stack's own",
                "a VPC cannot be peered with itself",
                f"Remove {environment}.",
            )
            continue
        cidr = vpc_cidr_of(environment)
        if cidr is not None:
            others.append((cidr, f"environment {environment}"))
    for cidr, name in others:
        if own.overlaps(IPv4Network(cidr)):
            yield Refusal(
                "network.vpc_cidr",
                network.vpc_cidr,
                f"must not overlap {cidr} ({name})",
                "connected networks cannot share addresses, and a VPC's cannot be changed later",
                "Choose another range.",
            )


def _clients(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    seen: set[str] = set()
    for kind, key in [
        *(("allowed_security_groups", group.id) for group in network.allowed_security_groups),
        *(("allowed_cidrs", allowed.cidr) for allowed in network.allowed_cidrs),
    ]:
        if key in seen:
            yield Refusal(
                f"network.{kind}",
                key,
                "must be named once",
                "AWS refuses the same security group rule twice",
                "Join the entries' doors.",
            )
        seen.add(key)
    exempted = {exemption.rule for exemption in settings.policy_exemptions}
    for allowed in network.allowed_cidrs:
        if not is_private(IPv4Network(allowed.cidr)) and not allowed.outside_private_ranges:
            yield Refusal(
                "network.allowed_cidrs",
                allowed.cidr,
                "a private range of RFC 1918 or RFC 6598",
                "nothing of the stack has a public address that such clients could reach",
                "Correct the range, or set outside_private_ranges where the organisation uses "
                "it inside.",
            )
        if settings.environment == "prod":
            yield Refusal(
                "network.allowed_cidrs",
                allowed.cidr,
                "no ranges in prod",
                f"the policy pack's {RANGES_RULE} knows no exemption there: an address says "
                "nothing about who uses it",
                "Name the clients' group in network.allowed_security_groups; groups of peered VPCs "
                "and transit gateways work too.",
            )
        elif RANGES_RULE not in exempted:
            yield Refusal(
                "network.allowed_cidrs",
                allowed.cidr,
                f"needs an entry of policy_exemptions for {RANGES_RULE}",
                "the policy pack refuses ranges, and its exemptions have an owner and an end",
                "Add the exemption, or name a group in network.allowed_security_groups.",
            )
