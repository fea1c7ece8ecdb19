"""An existing VPC by id: looked up and checked, never changed."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.network import Placement
from stacks.network_settings import ExistingNetwork

_LEAST_ZONES = 2


def find(existing: ExistingNetwork) -> Placement:
    """Look up the VPC and its subnets.

    Raises:
        pulumi.RunError: one line for each subnet of another VPC, for each that hands out public
            addresses, for each tier in one zone only, and for hosts with two subnets in a zone.
    """
    mistakes: list[str] = []
    vpc_id = aws.ec2.get_vpc(id=existing.vpc_id).id
    zones: dict[str, set[str]] = {}
    for tier in ("database", "host", "function"):
        subnet_ids: tuple[str, ...] = getattr(existing, f"{tier}_subnet_ids")
        field = f"network.existing.{tier}_subnet_ids"
        tier_zones: set[str] = set()
        for subnet_id in subnet_ids:
            subnet = aws.ec2.get_subnet(id=subnet_id)
            tier_zones.add(subnet.availability_zone)
            if subnet.vpc_id != existing.vpc_id:
                mistakes.append(
                    f"{field}: {subnet_id} refused, must be in {existing.vpc_id}: it is in "
                    f"{subnet.vpc_id}. Name a subnet of {existing.vpc_id}."
                )
            if subnet.map_public_ip_on_launch:
                mistakes.append(
                    f"{field}: {subnet_id} refused, must be private: it gives public addresses "
                    "to what is started in it. Name a private subnet."
                )
        if len(tier_zones) < _LEAST_ZONES:
            mistakes.append(
                f"{field}: {', '.join(subnet_ids)} refused, at least {_LEAST_ZONES} zones: all are "
                f"in {', '.join(sorted(tier_zones))}. Add a subnet of another zone."
            )
        if tier == "host" and len(tier_zones) < len(subnet_ids):
            # CreateLoadBalancer, ELB API reference: one subnet for each zone.
            mistakes.append(
                f"{field}: {', '.join(subnet_ids)} refused, one subnet a zone: they are in "
                f"{', '.join(sorted(tier_zones))}, and a load balancer takes only one of each "
                "zone. Remove the others."
            )
        zones[tier] = tier_zones
    if mistakes:
        raise pulumi.RunError("\n".join(mistakes))
    return Placement(
        vpc_id=vpc_id,
        database_subnet_ids=list(existing.database_subnet_ids),
        host_subnet_ids=list(existing.host_subnet_ids),
        function_subnet_ids=list(existing.function_subnet_ids),
        route_table_ids=[],
        zones=tuple(sorted(zones["database"])),
        host_zones=tuple(sorted(zones["host"])),
    )
