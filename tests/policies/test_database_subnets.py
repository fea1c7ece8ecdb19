"""Public subnets, told by their addresses and by the routes of their tables."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, made

RULE = "rds-private-subnets"
INSTANCE = "aws:rds/instance:Instance"
GATEWAY = made("aws:ec2/internetGateway:InternetGateway", "gateway", id="gw")


def judged(
    route: dict[str, Any] | None = None, routes: Any = None, **subnet: Any
) -> list[tuple[Kind, str]]:
    """What is said of a database in a subnet whose table has a route beside it, or inside."""
    one = made("aws:ec2/subnet:Subnet", "subnet", **subnet)
    group = made("aws:rds/subnetGroup:SubnetGroup", "group", subnetIds=(one,))
    database = made(INSTANCE, "db", dbSubnetGroupName=(group,))
    table = made("aws:ec2/routeTable:RouteTable", "table", routes=routes)
    kind = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    association = made(kind, "association", subnetId=(one,), routeTableId=(table,))
    stack = [GATEWAY, one, group, database, table, association]
    if route is not None:
        stack.append(made("aws:ec2/route:Route", "route", routeTableId=(table,), **route))
    return found(RULE, *stack)


OPEN, UNDECIDED = [(REFUSAL, "db")], [(NOTE, "subnet")]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, []),
        ({"mapPublicIpOnLaunch": True}, OPEN),
        ({"mapPublicIpOnLaunch": False}, []),
        ({"mapPublicIpOnLaunch": UNKNOWN}, UNDECIDED),
        ({"route": {}}, []),
        ({"route": {"gatewayId": "local"}}, []),
        ({"route": {"gatewayId": "igw-1"}}, OPEN),
        ({"route": {"gatewayId": "gw"}}, OPEN),
        ({"route": {"gatewayId": (GATEWAY,)}}, OPEN),
        ({"route": {"gatewayId": UNKNOWN}}, UNDECIDED),
        ({"route": {"gatewayId": UNKNOWN}, "routes": [{"gatewayId": "igw-1"}]}, OPEN),
        ({"routes": [{"gatewayId": "local"}, {"gatewayId": "igw-1"}]}, OPEN),
        ({"routes": [{"gatewayId": "local"}, {"natGatewayId": "nat-1"}]}, []),
        ({"routes": {"gatewayId": "igw-1"}}, OPEN),
        ({"routes": (GATEWAY,)}, OPEN),
        ({"routes": [{"gatewayId": UNKNOWN}]}, UNDECIDED),
        ({"routes": [UNKNOWN, {"gatewayId": "local"}]}, UNDECIDED),
        ({"routes": UNKNOWN}, UNDECIDED),
        ({"routes": ["x", 5]}, []),
    ],
    ids=str,
)
def test_no_way_to_the_internet(
    properties: dict[str, Any], expected: list[tuple[Kind, str]]
) -> None:
    assert judged(**properties) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, [REFUSAL]),
        ({"dbSubnetGroupName": ""}, [REFUSAL]),
        ({"dbSubnetGroupName": "elsewhere"}, []),
        ({"dbSubnetGroupName": UNKNOWN}, [NOTE]),
        ({"replicateSourceDb": "main"}, []),
        ({"replicateSourceDb": "main", "dbSubnetGroupName": UNKNOWN}, [NOTE]),
    ],
    ids=str,
)
def test_a_database_names_its_subnets(properties: Any, expected: list[Kind]) -> None:
    database: Resource = made(INSTANCE, "db", **properties)
    assert found(RULE, database) == [(kind, "db") for kind in expected]


VPC = made("aws:ec2/vpc:Vpc", "vpc")
OPEN_ROUTE = {"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}
TABLE = made("aws:ec2/routeTable:RouteTable", "table", routes=[OPEN_ROUTE])
CLOSED_TABLE = made("aws:ec2/routeTable:RouteTable", "closed", routes=[])


def main_association(table: Resource, vpc: Resource = VPC) -> Resource:
    kind = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
    return made(kind, "main", vpcId=(vpc,), routeTableId=(table,))


def default_table(**properties: Any) -> Resource:
    return made("aws:ec2/defaultRouteTable:DefaultRouteTable", "default", **properties)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([TABLE], []),
        ([TABLE, main_association(TABLE)], OPEN),
        ([CLOSED_TABLE, main_association(CLOSED_TABLE)], []),
        ([TABLE, main_association(TABLE, made("aws:ec2/vpc:Vpc", "other"))], []),
        ([default_table(defaultRouteTableId=(VPC,), routes=[OPEN_ROUTE])], OPEN),
        ([default_table(defaultRouteTableId="rtb-2", routes=[OPEN_ROUTE])], []),
        ([default_table(defaultRouteTableId=(VPC,), routes=[])], []),
        ([default_table(routes=[OPEN_ROUTE])], []),
        ([made("aws:ec2/route:Route", "r", routeTableId=(VPC,), gatewayId="igw-1")], OPEN),
        ([made("aws:ec2/route:Route", "r", routeTableId="rtb-2", gatewayId="igw-1")], []),
        ([made("aws:ec2/route:Route", "r", gatewayId="igw-1")], []),
        # Another table has been made the main one.
        (
            [
                *(CLOSED_TABLE, main_association(CLOSED_TABLE)),
                default_table(defaultRouteTableId=(VPC,), routes=[OPEN_ROUTE]),
            ],
            [],
        ),
    ],
    ids=lambda one: ",".join(each.name for each in one if isinstance(each, Resource)),
)
@pytest.mark.parametrize("associated", [None, CLOSED_TABLE, UNKNOWN], ids=["main", "own", "?"])
def test_a_subnet_without_an_association_has_its_network_s_main_table(
    others: list[Resource], expected: list[tuple[Kind, str]], associated: Any
) -> None:
    subnet = made("aws:ec2/subnet:Subnet", "subnet", vpcId=(VPC,))
    group = made("aws:rds/subnetGroup:SubnetGroup", "group", subnetIds=(subnet,))
    database = made(INSTANCE, "db", dbSubnetGroupName=(group,))
    stack = {one.name: one for one in (VPC, subnet, group, database, *others)}
    if associated is not None:
        kind = "aws:ec2/routeTableAssociation:RouteTableAssociation"
        of = UNKNOWN if associated is UNKNOWN else (subnet,)
        stack["association"] = made(kind, "association", subnetId=of, routeTableId=(CLOSED_TABLE,))
        stack["closed"] = CLOSED_TABLE
    assert found(RULE, *stack.values()) == (expected if associated is None else [])


@pytest.mark.parametrize("output", ["mainRouteTableId", "defaultRouteTableId"])
def test_a_state_tells_which_table_came_with_the_network(output: str) -> None:
    vpc = Resource.of(
        type="aws:ec2/vpc:Vpc", name="vpc", properties={}, outputs={"id": "vpc-1", output: "rtb-1"}
    )
    subnet = made("aws:ec2/subnet:Subnet", "subnet", vpcId="vpc-1", id="subnet-1")
    group = made("aws:rds/subnetGroup:SubnetGroup", "group", name="g", subnetIds=["subnet-1"])
    database = made(INSTANCE, "db", dbSubnetGroupName="g")
    for table, expected in (("rtb-1", OPEN), ("rtb-2", [])):
        own = default_table(defaultRouteTableId=table, routes=[OPEN_ROUTE])
        assert found(RULE, vpc, subnet, group, database, own) == expected
        route = made("aws:ec2/route:Route", "route", routeTableId=table, gatewayId="igw-1")
        assert found(RULE, vpc, subnet, group, database, route) == expected
