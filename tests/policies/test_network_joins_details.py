"""What a network needs as a whole, and its endpoints and routes: what is used, open, allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.inventory import Resource
from tests.policies.good_scenes import document
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made, told

GROUP = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACL = "aws:ec2/networkAcl:NetworkAcl"
VPC = "aws:ec2/vpc:Vpc"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"


def test_flow_logs() -> None:
    rule, flow_log, vpc = "net-flow-logs", "aws:ec2/flowLog:FlowLog", made(VPC, "vpc")
    assert kinds(rule, vpc) == REFUSED
    assert kinds(rule, vpc, made(flow_log, vpcId=(vpc,))) == []
    assert kinds(rule, vpc, made(flow_log, vpcId=UNKNOWN)) == NOTED
    assert kinds(rule, made(flow_log, trafficType=UNKNOWN)) == NOTED
    assert kinds(rule, made(flow_log, trafficType="REJECT")) == []
    assert kinds(rule, made(flow_log)) == []
    assert kinds(rule, made(flow_log, trafficType="ACCEPT")) == REFUSED


def with_database(*services: Any, policy: Any = None) -> list[Resource]:
    vpc = made(VPC, "vpc")
    subnet = made("aws:ec2/subnet:Subnet", "subnet", vpcId=(vpc,))
    group = made("aws:rds/subnetGroup:SubnetGroup", "group", subnetIds=(subnet,))
    names = [one if one == UNKNOWN else f"com.amazonaws.a.{one}" for one in services]
    found = [vpc, subnet, group, *(made(ENDPOINT, n, vpcId=(vpc,), serviceName=n) for n in names)]
    if policy is not None:
        found.append(made("aws:iam/rolePolicy:RolePolicy", "policy", policy=document(policy)))
    return found


def test_endpoints_beside_a_database() -> None:
    rule, three = "net-endpoints-exist", ("s3", "secretsmanager", "logs")
    assert kinds(rule, *with_database(*three)) == []
    (finding,) = told(rule, *with_database(*three[:2]))
    assert "has no endpoint for logs;" in finding
    assert kinds(rule, *with_database(*three[:2], UNKNOWN)) == NOTED
    assert kinds(rule, *with_database(*three, UNKNOWN)) == []
    later = made(ENDPOINT, "later", vpcId=UNKNOWN, serviceName="com.amazonaws.a.logs")
    assert kinds(rule, *with_database(), later) == NOTED
    assert kinds(rule, made(VPC, "vpc")) == []
    odd = with_database(*three[:2])
    odd.append(made(ENDPOINT, "odd", vpcId=(odd[0],), serviceName=["logs"]))
    assert kinds(rule, *odd) == REFUSED


def test_kms_has_an_endpoint_where_it_is_called_directly() -> None:
    rule, three = "net-endpoints-exist", ("s3", "secretsmanager", "logs")
    use = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:a:1:key/b"}
    (finding,) = told(rule, *with_database(*three, policy=use))
    assert "has no endpoint for kms;" in finding
    assert kinds(rule, *with_database(*three, "kms", policy=use)) == []
    for other in (
        {**use, "Effect": "Deny"},
        {**use, "Action": "kms:DescribeKey"},
        {**use, "Action": [5]},
        {**use, "Condition": {"StringEquals": {"kms:ViaService": "s3.a.amazonaws.com"}}},
    ):
        assert kinds(rule, *with_database(*three, policy=other)) == []
    unreadable = made("aws:iam/rolePolicy:RolePolicy", "policy", policy="{")
    assert kinds(rule, *with_database(*three), unreadable) == []


def test_ec2_endpoint() -> None:
    rule = "net-ec2-endpoint"
    assert kinds(rule, *with_database("ec2")) == []
    assert kinds(rule, *with_database("ec2messages")) == REFUSED
    assert kinds(rule, *with_database(UNKNOWN)) == NOTED
    assert kinds(rule, *with_database("ec2", UNKNOWN)) == []
    vpc = made(VPC, "vpc")
    assert kinds(rule, vpc, made(ENDPOINT, vpcId=UNKNOWN, serviceName="a.ec2")) == NOTED
    assert kinds(rule, vpc, made(ENDPOINT, vpcId=(vpc,), serviceName=["a.ec2"])) == REFUSED


def test_acls_stand_before_a_subnet() -> None:
    rule, association = "net-acl-attached", "aws:ec2/networkAclAssociation:NetworkAclAssociation"
    alone = made(ACL, "acl")
    assert kinds(rule, alone) == REFUSED
    assert kinds(rule, made(ACL, subnetIds=["s"])) == []
    assert kinds(rule, made(ACL, subnetIds=[])) == REFUSED
    assert kinds(rule, made(ACL, subnetIds="s")) == REFUSED
    assert kinds(rule, made(ACL, subnetIds=UNKNOWN)) == NOTED
    assert kinds(rule, alone, made(association, networkAclId=(alone,))) == []
    assert kinds(rule, alone, made(association, networkAclId=UNKNOWN)) == NOTED


def test_groups_are_used() -> None:
    rule, group = "net-group-used", made(GROUP, "group", name="web")
    user = "aws:ec2/networkInterface:NetworkInterface"
    assert kinds(rule, group) == REFUSED
    assert kinds(rule, group, made(user, securityGroups=(group,))) == []
    assert kinds(rule, group, made(user, securityGroups=UNKNOWN)) == NOTED
    assert kinds(rule, group, made(user, description=UNKNOWN)) == REFUSED
    assert kinds(rule, group, made(user, securityGroups=["sg-other"])) == REFUSED
    # The engine says what an existing user's property was made of, and no group's id.
    known = made(user, securityGroups=["sg-0123456789abcdef0"])
    assert kinds(rule, group, known) == REFUSED
    depends = {"securityGroups": (group.urn,)}
    assert kinds(rule, group, replace(known, property_dependencies=depends)) == []
    read = replace(group, outputs={"id": "sg-0fedcba9876543210"})
    assert kinds(rule, read, replace(known, property_dependencies=depends)) == REFUSED
    # A rule of the group is no use of it; a rule of another one that names it is.
    for kind in (GROUP_RULE, INGRESS, EGRESS):
        assert kinds(rule, group, made(kind, securityGroupId=(group,))) == REFUSED
        assert kinds(rule, group, made(kind, securityGroupId=UNKNOWN)) == REFUSED
    assert kinds(rule, group, made(INGRESS, referencedSecurityGroupId=(group,))) == []
    # Nor is another group of the same name, or the group itself.
    twin = made(GROUP, "twin", name="web")
    assert kinds(rule, group, twin) == REFUSED * 2
    assert (
        kinds(rule, made(GROUP, "self", name="a", ingress=[{"securityGroups": ["a"]}])) == REFUSED
    )
    naming = made(GROUP, "naming", ingress=(group,))
    assert told(rule, group, naming)[0].startswith(f'{GROUP} "naming"')
    assert kinds(rule, group, naming) == REFUSED


def test_public_addresses_are_used() -> None:
    rule, kind = "net-addresses-used", "aws:ec2/eip:Eip"
    association = "aws:ec2/eipAssociation:EipAssociation"
    address = made(kind, "address")
    assert kinds(rule, address) == REFUSED
    assert kinds(rule, made(kind, instance="i-1")) == []
    assert kinds(rule, made(kind, instance="")) == REFUSED
    gateway = "aws:ec2/natGateway:NatGateway"
    assert kinds(rule, address, made(gateway, allocationId=(address,))) == []
    assert kinds(rule, address, made(gateway, allocationId=UNKNOWN)) == NOTED
    assert kinds(rule, address, made(gateway, "a", allocationId=(address,)),
                 made(gateway, "b", allocationId=UNKNOWN)) == []  # fmt: skip
    held = made(association, allocationId=(address,), instanceId="i-1")
    empty = made(association, allocationId=(address,), instanceId="")
    assert kinds(rule, address, held) == []
    assert kinds(rule, address, empty) == REFUSED
    assert kinds(rule, address, made(association, allocationId=(address,))) == REFUSED


def test_default_groups_are_closed() -> None:
    rule, kind = "net-default-group-closed", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    assert kinds(rule, made(kind)) == []
    assert kinds(rule, made(kind, ingress=[], egress=[])) == []
    assert kinds(rule, made(kind, ingress=[{}])) == REFUSED
    assert kinds(rule, made(kind, egress=[{"self": UNKNOWN}])) == NOTED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Action": "*", "Resource": "*"}, REFUSED),
        ({"NotAction": "s3:*", "Resource": "*"}, REFUSED),
        ({"Action": "*", "NotResource": "arn:x"}, REFUSED),
        ({"Action": ["s3:GetObject", "**"], "Resource": ["arn:x", "*"]}, REFUSED),
        ({"Action": 5, "Resource": 5}, REFUSED),
        ({"Action": "*", "Resource": "*", "Condition": {}}, REFUSED),
        ({"Action": "*", "Resource": "*", "Condition": {"Bool": {"a": "b"}}}, []),
        ({"Action": "*", "Resource": "*", "Condition": UNKNOWN}, NOTED),
        ({"Action": "*", "Resource": "*", "Condition": {"Bool": UNKNOWN}}, []),
        ({"Action": "*", "Resource": "*", "Effect": "Deny"}, REFUSED),
        ({"Action": "s3:GetObject", "Resource": "*"}, []),
        ({"Action": "*", "Resource": "arn:x"}, []),
        ({"Action": "*"}, []),
        ({"Resource": "*"}, []),
        ({"Action": UNKNOWN, "Resource": "*"}, NOTED),
        ({"Action": "*", "Resource": UNKNOWN}, NOTED),
        ({"Effect": UNKNOWN, "Action": "*", "Resource": "*"}, NOTED),
    ],
    ids=str,
)
def test_policies_of_endpoints(fields: dict[str, Any], expected: Any) -> None:
    statement = {"Effect": "Allow", "Principal": "*", **fields}
    found = kinds("net-endpoint-policy", made(ENDPOINT, policy={"Statement": [statement]}))
    assert found == ([] if fields.get("Effect") == "Deny" else expected)


def test_policies_of_endpoints_that_cannot_be_read() -> None:
    rule = "net-endpoint-policy"
    assert kinds(rule, made(ENDPOINT)) == REFUSED
    assert kinds(rule, made(ENDPOINT, policy="{")) == REFUSED
    assert kinds(rule, made(ENDPOINT, policy=UNKNOWN)) == NOTED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"destinationCidrBlock": "0.0.0.0/0"}, REFUSED),
        ({"cidrBlock": "0.0.0.0/0"}, REFUSED),
        ({"ipv6CidrBlock": "::/0"}, REFUSED),
        ({"destinationCidrBlock": "10.0.0.0/8"}, []),
        ({"destinationCidrBlock": ""}, []),
        ({"destinationCidrBlock": UNKNOWN}, NOTED),
        ({"destinationCidrBlock": "0.0.0.0/0", "vpcPeeringConnectionId": None}, []),
        ({"destinationCidrBlock": "0.0.0.0/0", "vpcPeeringConnectionId": ""}, []),
        ({"destinationCidrBlock": "0.0.0.0/0", "vpcPeeringConnectionId": UNKNOWN}, REFUSED),
    ],
    ids=str,
)
def test_routes_into_peered_networks(fields: dict[str, Any], expected: Any) -> None:
    rule, route = "net-peering-least-routes", {"vpcPeeringConnectionId": "pcx-1", **fields}
    assert kinds(rule, made("aws:ec2/route:Route", **route)) == expected
    table = "aws:ec2/routeTable:RouteTable"
    assert kinds(rule, made(table, routes=[route, 5])) == expected
    assert kinds(rule, made(table, **route)) == []
    assert kinds(rule, made(table, routes=[UNKNOWN])) == NOTED
