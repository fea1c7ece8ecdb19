"""The rule that databases stand in private subnets, read from routes as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .databases import CLUSTER, INSTANCE, is_replica
from .inventory import Resource, Stack
from .links import Links, sources, targets
from .networks import ROUTE, ROUTE_TABLE, SUBNET, VPC
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, boolean, one_or_many

SUBNET_GROUP: Final = "aws:rds/subnetGroup:SubnetGroup"
ASSOCIATION: Final = "aws:ec2/routeTableAssociation:RouteTableAssociation"
MAIN_ASSOCIATION: Final = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
DEFAULT_ROUTE_TABLE: Final = "aws:ec2/defaultRouteTable:DefaultRouteTable"
GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"


def _private(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for database in stack.of_type(INSTANCE, CLUSTER):
        name = database.get("dbSubnetGroupName")
        if name in (None, "") and is_replica(database):
            continue  # In one region a replica takes the group of its source.
        limit = "have a dbSubnetGroupName of private subnets"
        if name in (None, ""):
            found = "has no dbSubnetGroupName: AWS puts it into the default VPC"
            yield Violation(database, found, limit)
            continue
        groups = targets(stack, database, "dbSubnetGroupName", (SUBNET_GROUP,))
        if groups.undecided:
            yield Unverified(database, "dbSubnetGroupName")
        for group in groups.found:
            subnets = targets(stack, group, "subnetIds", (SUBNET,))
            for subnet in subnets.found:
                public = _public(stack, subnet)
                if public is UNKNOWN:
                    yield Unverified(subnet, "the routes of its route table")
                elif public:
                    yield Violation(database, f"is in {subnet.label}, which {public}", limit)


def _public(stack: Stack, subnet: Resource) -> object:
    """Why a subnet is public: a text, or "" if it is not, or `UNKNOWN`."""
    addresses = boolean(subnet.get("mapPublicIpOnLaunch"), default=False)
    if addresses is True:
        return "gives public addresses"
    unknown = addresses is UNKNOWN
    for holder, gateway, gateways in _ways_out(stack, subnet):
        found = _to_internet(gateway, gateways)
        unknown |= found is UNKNOWN
        if found is True:
            return f"{holder.label} connects with the internet"
    return UNKNOWN if unknown else ""


def _ways_out(stack: Stack, subnet: Resource) -> Iterator[tuple[Resource, object, Links]]:
    """The gateway of each of a subnet's routes, with the resource that has it in its text."""
    tables, routes = _routing(stack, subnet)
    for route in routes:
        yield route, route.get("gatewayId"), _gateways(stack, route, "gatewayId")
    for table in tables:
        gateways = _gateways(stack, table, "routes")
        for entry in one_or_many(table.get("routes")):
            fields = cast("dict[str, object]", entry) if isinstance(entry, dict) else None
            yield table, entry if fields is None else fields.get("gatewayId"), gateways


def _routing(stack: Stack, subnet: Resource) -> tuple[list[Resource], list[Resource]]:
    """The subnet's route table, and its routes that are resources of their own.

    The table that is associated with it; without one, its VPC's main one (VPC User Guide, "Subnet
    route tables").
    """
    given = sources(stack, subnet, (ASSOCIATION,), "subnetId")
    vpcs = () if given.found or given.undecided else targets(stack, subnet, "vpcId", (VPC,)).found
    chosen = [*given.found]
    for vpc in vpcs:
        chosen += sources(stack, vpc, (MAIN_ASSOCIATION,), "vpcId").found
    name = "routeTableId"
    tables = [table for one in chosen for table in targets(stack, one, name, (ROUTE_TABLE,)).found]
    routes = [route for table in tables for route in sources(stack, table, (ROUTE,), name).found]
    for vpc in () if chosen else vpcs:
        tables += _at_first_table(stack, vpc, DEFAULT_ROUTE_TABLE, "defaultRouteTableId")
        routes += _at_first_table(stack, vpc, ROUTE, name)
    return tables, routes


def _at_first_table(stack: Stack, vpc: Resource, kind: str, property_name: str) -> list[Resource]:
    """What refers to the route table that AWS makes with a VPC, which is its main one."""
    made = [vpc.outputs.get(name) for name in ("mainRouteTableId", "defaultRouteTableId")]
    referring = sources(stack, vpc, (kind,), property_name).found
    return [
        one
        for one in stack.of_type(kind)
        if one in referring or (one.get(property_name) or UNKNOWN) in made
    ]


def _gateways(stack: Stack, resource: Resource, property_name: str) -> Links:
    return targets(stack, resource, property_name, (GATEWAY,))


def _to_internet(value: object, gateways: Links) -> object:
    if value is UNKNOWN:
        return True if gateways.found else UNKNOWN
    return isinstance(value, str) and (value.startswith("igw-") or bool(gateways.found))


RULES: Final = (
    Rule(
        id="rds-private-subnets",
        title="Databases stand in private subnets",
        what="Every database has a subnet group, and none of its subnets has a route to an "
        "internet gateway or gives public addresses.",
        why="A public subnet leaves one property between the database and the internet.",
        remediation="set network.vpc_cidr, or name private subnets in "
        "network.existing.database_subnet_ids; db_subnet_group_name of aws.rds.Instance elsewhere.",
        severity=Severity.HIGH,
        catalogue=("RDS-18",),
        controls=("RDS.18", "rds-instance-subnet-igw-check"),
        types=(),
        check_stack=_private,
        joined_types=(SUBNET_GROUP, ASSOCIATION, MAIN_ASSOCIATION, DEFAULT_ROUTE_TABLE, GATEWAY),
    ),
)
