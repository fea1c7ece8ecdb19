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
