"""Choices of the network: NAT, endpoints, zones, flow logs, and who else may connect."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pulumi import RunError

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import ACCOUNT, ENVIRONMENTS, REGION, Recorder, deploy, raw_settings
from tests.unit.test_network import tags

EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
NAT = "aws:ec2/natGateway:NatGateway"
EXPIRES = "2027-01-31"


def changed(environment: str, network: dict[str, Any], **others: Any) -> Recorder:
    raw = copy.deepcopy(raw_settings(environment))
    raw["network"] |= network
    raw |= others
    return deploy(load(raw, environment, REGION))


@pytest.mark.parametrize(
    ("nat", "gateways"),
    [("none", []), ("single", [1]), ("one_per_zone", [1, 2])],
)
def test_nat_gateways(nat: str, gateways: list[int]) -> None:
    baked = {"image_id": "ami-0123456789abcdef0", "image_has_packages": True}
    pooler = baked if nat == "none" else {}
    recorder = changed("dev", {"nat": nat}, pooler=raw_settings("dev")["pooler"] | pooler)
    assert sorted(recorder.of_type(NAT)) == [f"network-nat-{number}" for number in gateways]
    # A host's way to the Debian mirror is open only where there is one.
    assert ("security-groups-pooler-to-debian" in recorder.resources) == (nat != "none")
    routes = recorder.of_type("aws:ec2/route:Route")
    assert len(routes) == (len(gateways) + 1 if gateways else 0)


def test_without_endpoints_functions_reach_aws_through_nat() -> None:
    recorder = changed("dev", {"interface_endpoints": False})
    # The gateway endpoint of S3 costs nothing and stays.
    assert list(recorder.of_type(ENDPOINT)) == ["endpoints-s3"]
    assert "security-groups-endpoints" not in recorder.resources
    assert recorder.inputs("security-groups-functions-to-aws") == {
        "securityGroupId": "security-groups-functions-id",
        "description": "AWS services over HTTPS through NAT",
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "cidrIpv4": "0.0.0.0/0",
        "tags": tags("dev", "pgkeep-dev-functions-to-aws"),
    }
    for rules in (recorder.of_type(EGRESS), recorder.of_type(INGRESS)):
        assert not any("endpoints" in name and "s3" not in name for name in rules)


# What a role allows for another service that acts in its name, or outside of the VPC.
ELSEWHERE = {
    "AttachToVpc",
    "SeeNetworkInterfaces",
    "NotFromTheCode",
    "WriteOwnLog",
    "ReportFailedEvents",
    "WriteTraces",
}


@pytest.mark.parametrize("environment_", ENVIRONMENTS)
def test_endpoints_are_those_of_the_services_that_are_called(
    deployed: Deployed, environment_: str
) -> None:
    recorder = deployed(environment_)
    inside = {
        inputs["role"].removeprefix("arn:aws:iam/role:Role/").removesuffix("-role")
        for inputs in recorder.of_type("aws:lambda/function:Function").values()
        if inputs.get("vpcConfig")
    } | {"pooler-hosts"}
    assert {"roles", "backup", "migrations"} <= inside
    called: dict[str, set[str]] = {}
    for name in inside:
        for statement in recorder.document(f"{name}-policy")["Statement"]:
            if statement["Sid"] in ELSEWHERE:
                continue
            for action in statement["Action"]:
                service, _ = action.split(":")
                # A service decrypts for its caller.
                if service == "kms" and "kms:ViaService" in json.dumps(statement.get("Condition")):
                    continue
                called.setdefault(service, set()).add(action)
    # CloudWatch's endpoint is called by its older name.
    endpoint_names = {"cloudwatch": "monitoring"}
    wanted = {f"endpoints-{endpoint_names.get(service, service)}" for service in called}
    assert set(recorder.of_type(ENDPOINT)) == wanted
    for service, actions in called.items():
        endpoint = f"endpoints-{endpoint_names.get(service, service)}"
        passed: set[str] = set()
        for statement in recorder.document(endpoint)["Statement"]:
            passed.update(statement["Action"])
        assert actions <= passed, (endpoint, actions - passed)


def test_the_endpoint_lets_the_roles_function_read_the_masters_secret_of_rds() -> None:
    database = raw_settings("dev")["database"] | {"master_password": "managed_by_rds"}
    recorder = changed("dev", {}, database=database, replicas={"count": 0})
    (statement,) = recorder.document("endpoints-secretsmanager")["Statement"]
    secrets = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
    assert statement["Resource"] == [f"{secrets}pgkeep-dev/*", f"{secrets}rds!db-*"]


@pytest.mark.parametrize("environment_", ENVIRONMENTS)
def test_flow_logs(deployed: Deployed, environment_: str) -> None:
    recorder = deployed(environment_)
    label = f"pgkeep-{environment_}-flow-logs"
    days = {"local": 7, "dev": 30, "staging": 90, "prod": 365}[environment_]
    assert recorder.inputs("flow-logs-log") == {
        "name": f"/aws/vpc/{label}",
        "kmsKeyId": recorder.inputs("flow-logs-log")["kmsKeyId"],
        "retentionInDays": days,
        "deletionProtectionEnabled": environment_ in ("staging", "prod"),
        "tags": tags(environment_, f"/aws/vpc/{label}"),
    }
    assert recorder.inputs("flow-logs-log")["kmsKeyId"].endswith("key/keys-telemetry")
    assert recorder.inputs("flow-logs-vpc") == {
        "vpcId": "network-vpc-id",
        "trafficType": "REJECT" if environment_ == "dev" else "ALL",
        "logDestinationType": "cloud-watch-logs",
        "logDestination": "arn:aws:cloudwatch/logGroup:LogGroup/flow-logs-log",
        "iamRoleArn": "arn:aws:iam/role:Role/flow-logs-role",
        "maxAggregationInterval": 600,
        "tags": tags(environment_, label),
    }
    (trust,) = recorder.document("flow-logs-role", "assumeRolePolicy")["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-flow-log/*"},
        },
    }
    assert recorder.document("flow-logs-policy")["Statement"] == [
        {
            "Sid": "WriteFlowLogs",
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogStream",
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            "Resource": [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vpc/{label}:*"],
        }
    ]


def test_flow_logs_can_be_off_in_dev() -> None:
    recorder = changed("dev", {"flow_logs": {"enabled": False}})
    assert recorder.of_type("aws:ec2/flowLog:FlowLog") == {}
    assert "flow-logs-role" not in recorder.resources


def test_groups_of_others_are_let_in_at_their_doors() -> None:
    recorder = changed(
        "prod",
        {
            "allowed_security_groups": [
                {"id": "sg-0123456789abcdef0", "reason": "billing service"},
                {
                    "id": "210987654321/sg-0fedcba9876543210",
                    "doors": ["database", "replica"],
                    "reason": "warehouse loader",
                },
            ]
        },
    )
    added = {
        name.removeprefix("security-groups-"): (
            inputs["securityGroupId"],
            inputs["referencedSecurityGroupId"],
            inputs["fromPort"],
            inputs["toPort"],
            inputs["description"],
        )
        for name, inputs in recorder.of_type(INGRESS).items()
        if "sg-0" in name
    }
    other = "210987654321/sg-0fedcba9876543210"
    assert added == {
        "sg-0123456789abcdef0-to-load-balancer": (
            "security-groups-load-balancer-id",
            "sg-0123456789abcdef0",
            6543,
            6543,
            "pooler: billing service",
        ),
        "210987654321-sg-0fedcba9876543210-to-database": (
            "security-groups-database-id",
            other,
            5432,
            5432,
            "database: warehouse loader",
        ),
        "210987654321-sg-0fedcba9876543210-to-replica": (
            "security-groups-replica-id",
            other,
            5432,
            5432,
            "replica: warehouse loader",
        ),
    }


def test_a_range_is_let_in_with_its_exemption() -> None:
    exemption = {
        "rule": "net-database-from-groups-only",
        "resource": "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::"
        "security-groups-10.200.0.0-24-to-load-balancer",
        "reason": "the office VPN has no security groups",
        "owner": "platform@example.com",
        "expires": EXPIRES,
    }
    recorder = changed(
        "dev",
        {"allowed_cidrs": [{"cidr": "10.200.0.0/24", "reason": "office VPN"}]},
        policy_exemptions=[exemption],
    )
    assert recorder.inputs("security-groups-10.200.0.0-24-to-load-balancer") == {
        "securityGroupId": "security-groups-load-balancer-id",
        "cidrIpv4": "10.200.0.0/24",
        "description": "pooler: office VPN",
        "ipProtocol": "tcp",
        "fromPort": 6543,
        "toPort": 6543,
        "tags": tags("dev", "pgkeep-dev-10.200.0.0-24-to-load-balancer"),
    }


@pytest.mark.parametrize("chosen", [["eu-west-1c", "eu-west-1a"], ["euw1-az3", "euw1-az1"]])
def test_zones_by_name_and_by_id(chosen: list[str]) -> None:
    recorder = changed("prod", {"availability_zones": chosen})
    subnets = recorder.of_type("aws:ec2/subnet:Subnet")
    assert {name: inputs["availabilityZone"] for name, inputs in subnets.items()} == {
        f"network-{tier}-{number}": zone
        for tier in ("database", "hosts", "functions", "public")
        for number, zone in ((1, "eu-west-1c"), (2, "eu-west-1a"))
    }
    assert len(recorder.of_type(NAT)) == 2


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            ["eu-west-1a", "eu-west-1d"],
            r"availability_zones: 'eu-west-1d' refused, eu-west-1 has eu-west-1a \(euw1-az1\), .*"
            r"Name some of these\.",
        ),
        (
            ["eu-west-1a", "euw1-az1"],
            r"availability_zones: .* refused, they are eu-west-1a, eu-west-1a: a zone named twice",
        ),
    ],
)
def test_zones_that_are_not_there(chosen: list[str], message: str) -> None:
    with pytest.raises(RunError, match=message):
        changed("prod", {"availability_zones": chosen})


def test_a_region_with_two_zones_is_enough() -> None:
    raw = copy.deepcopy(raw_settings("prod"))
    raw["network"]["availability_zone_count"] = 2
    recorder = deploy(load(raw, "prod"), Recorder(zones=("eu-west-1a", "eu-west-1b")))
    assert len(recorder.of_type(NAT)) == 2


def test_an_existing_network_without_endpoints() -> None:
    existing = {
        "vpc_id": "vpc-0123456789abcdef0",
        "database_subnet_ids": ["subnet-d1", "subnet-d2"],
        "host_subnet_ids": ["subnet-h1", "subnet-h2"],
        "function_subnet_ids": ["subnet-f1", "subnet-f2"],
    }
    raw = copy.deepcopy(raw_settings("prod"))
    raw["network"] = {"existing": existing}
    subnets = {
        f"subnet-{tier}{zone}": {
            "vpcId": existing["vpc_id"],
            "mapPublicIpOnLaunch": False,
            "availabilityZone": f"eu-west-1{'ab'[zone - 1]}",
        }
        for tier in "dhf"
        for zone in (1, 2)
    }
    # The region's number of zones counts only where subnets are made.
    recorder = deploy(
        load(raw, "prod"), Recorder(subnets=subnets, zones=("eu-west-1a", "eu-west-1b"))
    )
    assert recorder.of_type(ENDPOINT) == {}
    assert recorder.of_type("aws:ec2/flowLog:FlowLog") == {}
    assert recorder.inputs("security-groups-functions-to-aws")["cidrIpv4"] == "0.0.0.0/0"
    assert "endpoints-functions-to-s3" not in recorder.resources
