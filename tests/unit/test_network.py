"""The network: address plan, routes, existing VPCs. Whether packets pass is left to e2e."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from pulumi import RunError

from components.network import TIERS, subnet_cidr
from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import ENVIRONMENTS, Recorder, deploy, raw_settings

SUBNET = "aws:ec2/subnet:Subnet"


def tags(environment: str, name: str) -> dict[str, str]:
    return {
        "Name": name,
        "pgkeep:owner": "platform",
        "pgkeep:data-classification": (
            "internal" if environment in ("local", "dev") else "confidential"
        ),
        "pgkeep:cost-centre": "databases",
        "pgkeep:environment": environment,
        "pgkeep:stack": f"pgkeep-{environment}",
    }


def test_sixteen_blocks_never_meet() -> None:
    blocks = [subnet_cidr("10.20.0.0/16", tier, zone) for tier in TIERS for zone in range(4)]
    assert blocks == [f"10.20.{16 * number}.0/20" for number in range(16)]
    assert subnet_cidr("10.9.0.0/20", "functions", 1) == "10.9.9.0/24"


def test_the_vpc(deployed: Deployed, environment: str) -> None:
    cidr = {"local": 77, "dev": 22, "staging": 21, "prod": 20}[environment]
    assert deployed(environment).inputs("network-vpc") == {
        "cidrBlock": f"10.{cidr}.0.0/16",
        "enableDnsSupport": True,
        "enableDnsHostnames": True,
        "tags": tags(environment, f"pgkeep-{environment}"),
    }


def test_the_default_group_is_closed(deployed: Deployed, environment: str) -> None:
    assert deployed(environment).inputs("network-default") == {
        "vpcId": "network-vpc-id",
        "ingress": [],
        "egress": [],
        "tags": tags(environment, f"pgkeep-{environment}-default-closed"),
    }


def test_the_local_stack_has_private_subnets_and_no_way_out(deployed: Deployed) -> None:
    recorder = deployed("local")
    assert {
        name: (inputs["cidrBlock"], inputs["availabilityZone"], inputs["mapPublicIpOnLaunch"])
        for name, inputs in recorder.of_type(SUBNET).items()
    } == {
        "network-database-1": ("10.77.0.0/20", "eu-west-1a", False),
        "network-database-2": ("10.77.16.0/20", "eu-west-1b", False),
        "network-hosts-1": ("10.77.64.0/20", "eu-west-1a", False),
        "network-hosts-2": ("10.77.80.0/20", "eu-west-1b", False),
        "network-functions-1": ("10.77.128.0/20", "eu-west-1a", False),
        "network-functions-2": ("10.77.144.0/20", "eu-west-1b", False),
    }
    for absent in (
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/eip:Eip",
        "aws:ec2/route:Route",
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
    ):
        assert recorder.of_type(absent) == {}


def test_prod_has_a_gateway_a_zone_and_databases_without_a_route(deployed: Deployed) -> None:
    recorder = deployed("prod")
    assert len(recorder.of_type(SUBNET)) == 12
    assert {
        name: inputs["subnetId"]
        for name, inputs in recorder.of_type("aws:ec2/natGateway:NatGateway").items()
    } == {f"network-nat-{zone}": f"network-public-{zone}-id" for zone in (1, 2, 3)}
    assert recorder.of_type("aws:ec2/route:Route") == {
        "network-public-out": {
            "routeTableId": "network-public-id",
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": "network-internet-id",
        },
        **{
            f"network-private-{zone}-out": {
                "routeTableId": f"network-private-{zone}-id",
                "destinationCidrBlock": "0.0.0.0/0",
                "natGatewayId": f"network-nat-{zone}-id",
            }
            for zone in (1, 2, 3)
        },
    }
    associations = recorder.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation")
    tables = {inputs["subnetId"]: inputs["routeTableId"] for inputs in associations.values()}
    for zone in (1, 2, 3):
        assert tables[f"network-database-{zone}-id"] == "network-database-id"
        assert tables[f"network-hosts-{zone}-id"] == f"network-private-{zone}-id"
        assert tables[f"network-functions-{zone}-id"] == f"network-private-{zone}-id"
        assert tables[f"network-public-{zone}-id"] == "network-public-id"


def test_one_gateway_serves_all_zones_of_staging(deployed: Deployed) -> None:
    recorder = deployed("staging")
    assert list(recorder.of_type("aws:ec2/natGateway:NatGateway")) == ["network-nat-1"]
    associations = recorder.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation")
    for zone in (1, 2):
        association = associations[f"network-hosts-{zone}-routes"]
        assert association["routeTableId"] == "network-private-1-id"


@pytest.mark.parametrize("environment_", ENVIRONMENTS)
def test_endpoints_let_only_this_account_and_this_stack_pass(
    deployed: Deployed, environment_: str
) -> None:
    recorder = deployed(environment_)
    zones = 3 if environment_ == "prod" else 2
    prefix = f"pgkeep-{environment_}"
    account = {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}
    secrets = recorder.document("endpoints-secretsmanager")
    assert recorder.inputs("endpoints-secretsmanager") | {"policy": secrets} == {
        "vpcId": "network-vpc-id",
        "serviceName": "com.amazonaws.eu-west-1.secretsmanager",
        "vpcEndpointType": "Interface",
        "privateDnsEnabled": True,
        "subnetIds": [f"network-functions-{zone}-id" for zone in range(1, zones + 1)],
        "securityGroupIds": ["security-groups-endpoints-id"],
        "tags": tags(environment_, f"{prefix}-secretsmanager"),
        "policy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "CallsOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": [
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetSecretValue",
                        "secretsmanager:PutSecretValue",
                        "secretsmanager:UpdateSecretVersionStage",
                    ],
                    "Resource": [
                        f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{prefix}/*"
                    ],
                    "Condition": account,
                }
            ],
        },
    }
    objects, bucket = recorder.document("endpoints-s3")["Statement"]
    arn = f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1"
    assert objects["Action"] == ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    assert objects["Resource"] == [f"{arn}/*"]
    assert bucket["Action"] == ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    assert bucket["Resource"] == [arn]
    assert objects["Condition"] == bucket["Condition"] == account


def test_a_region_with_too_few_zones_is_refused() -> None:
    with pytest.raises(RunError, match=r"availability_zone_count: 3 zones refused, .* has 2"):
        deploy(load(raw_settings("prod"), "prod"), Recorder(zones=("a", "b")))


EXISTING = {
    "vpc_id": "vpc-0123456789abcdef0",
    "database_subnet_ids": ["subnet-d1", "subnet-d2"],
    "host_subnet_ids": ["subnet-h1", "subnet-h2"],
    "function_subnet_ids": ["subnet-f1", "subnet-f2"],
    "endpoints": {
        "security_group_id": "sg-0123456789abcdef0",
        "s3_prefix_list_id": "pl-0123456789abcdef0",
    },
}


INTERFACE = {
    "state": "available",
    "privateDnsEnabled": True,
    "securityGroupIds": ["sg-0123456789abcdef0", "sg-0aaaaaaaaaaaaaaaa"],
}
ENDPOINTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("secretsmanager", "rds", "kms", "logs", "autoscaling"), INTERFACE),
    "s3": {"state": "available", "prefixListId": "pl-0123456789abcdef0"},
}


def existing(
    endpoints: dict[str, dict[str, Any]] = ENDPOINTS,
    *,
    internet: bool = True,
    **wrong: dict[str, object],
) -> Recorder:
    """Prod in an existing VPC, some of whose subnets are `wrong`."""
    raw = raw_settings("prod")
    raw["network"] = {
        "existing": {**EXISTING, "internet": internet},
        "availability_zone_count": 2,
    }
    if not internet:
        raw["pooler"] |= {"image_id": "ami-0123456789abcdef0", "image_has_packages": True}
    right = {"vpcId": EXISTING["vpc_id"], "mapPublicIpOnLaunch": False}
    subnets = {
        f"subnet-{tier}{zone}": {**right, "availabilityZone": f"eu-west-1{'ab'[zone - 1]}"}
        for tier in "dhf"
        for zone in (1, 2)
    }
    for name, change in wrong.items():
        subnets.setdefault(name.replace("_", "-"), dict(right)).update(change)
    hosts = [name for name in subnets if name.startswith("subnet-h")]
    raw["network"]["existing"]["host_subnet_ids"] = hosts
    return deploy(load(raw, "prod"), Recorder(subnets=subnets, endpoints=endpoints))


def test_an_existing_vpc_is_used_and_not_changed() -> None:
    recorder = existing()
    assert recorder.of_type("aws:ec2/vpc:Vpc") == {}
    assert recorder.of_type(SUBNET) == {}
    assert recorder.of_type("aws:ec2/vpcEndpoint:VpcEndpoint") == {}
    assert recorder.of_type("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup") == {}
    assert recorder.inputs("database-subnets")["subnetIds"] == ["subnet-d1", "subnet-d2"]
    assert recorder.inputs("pooler-load-balancer")["subnets"] == ["subnet-h1", "subnet-h2"]
    function = recorder.inputs("backup-function")
    assert function["vpcConfig"]["subnetIds"] == ["subnet-f1", "subnet-f2"]
    rule = recorder.inputs("security-groups-functions-to-endpoints-out")
    assert rule["referencedSecurityGroupId"] == "sg-0123456789abcdef0"
    assert recorder.inputs("endpoints-functions-to-s3")["prefixListId"] == "pl-0123456789abcdef0"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"subnet_d1": {"vpcId": "vpc-other"}},
            "network.existing.database_subnet_ids: subnet-d1 refused, must be in "
            "vpc-0123456789abcdef0: it is in vpc-other. Name a subnet of vpc-0123456789abcdef0.",
        ),
        (
            {"subnet_h2": {"mapPublicIpOnLaunch": True}},
            "network.existing.host_subnet_ids: subnet-h2 refused, must be private: it gives public "
            "addresses to what is started in it. Name a private subnet.",
        ),
        (
            {"subnet_f2": {"availabilityZone": "eu-west-1a"}},
            "network.existing.function_subnet_ids: subnet-f1, subnet-f2 refused, at least 2 zones: "
            "all are in eu-west-1a. Add a subnet of another zone.",
        ),
        (
            {"subnet_h3": {"availabilityZone": "eu-west-1b"}},
            "network.existing.host_subnet_ids: subnet-h1, subnet-h2, subnet-h3 refused, one subnet a "
            "zone: they are in eu-west-1a, eu-west-1b, and a load balancer takes only one of each "
            "zone. Remove the others.",
        ),
    ],
)
def test_an_unfit_existing_vpc_is_refused_before_anything_is_made(
    wrong: dict[str, dict[str, object]], message: str
) -> None:
    with pytest.raises(RunError) as caught:
        existing(**wrong)
    assert str(caught.value) == message


def test_hosts_know_the_zones_of_their_own_subnets() -> None:
    """The parts of a reboot window are theirs: not of the region's first zones."""
    recorder = existing(subnet_h2={"availabilityZone": "eu-west-1c"})
    packed = base64.b64decode(recorder.inputs("pooler-hosts-template")["userData"])
    assert 'ZONES="eu-west-1a eu-west-1c"\n' in gzip.decompress(packed).decode()


def without(*services: str) -> dict[str, dict[str, Any]]:
    return {name: found for name, found in ENDPOINTS.items() if name not in services}


def test_hosts_may_reach_through_nat_what_functions_never_call() -> None:
    assert "pooler-hosts-group" in existing(without("logs")).resources


@pytest.mark.parametrize(
    ("endpoints", "internet", "messages"),
    [
        (
            without("secretsmanager"),
            True,
            [
                "network.existing.endpoints: vpc-0123456789abcdef0 refused, needs an interface "
                "endpoint of secretsmanager in vpc-0123456789abcdef0: functions and pooler hosts "
                "call secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, "
                "secretsmanager:PutSecretValue, secretsmanager:UpdateSecretVersionStage through "
                "it, and there is none. Have its owner make one, in sg-0123456789abcdef0, with "
                "private DNS names and a policy that lets these calls pass."
            ],
        ),
        (
            without("logs", "autoscaling"),
            False,
            ["endpoint of logs in vpc-", "endpoint of autoscaling in vpc-"],
        ),
        (
            {**ENDPOINTS, "rds": {**INTERFACE, "state": "pendingAcceptance"}},
            True,
            ["endpoint of rds in vpc-0123456789abcdef0"],
        ),
        (
            {**ENDPOINTS, "rds": {**INTERFACE, "privateDnsEnabled": False}},
            True,
            ["network.existing.endpoints: vpce-rds refused, needs private DNS names"],
        ),
        (
            {**ENDPOINTS, "rds": {**INTERFACE, "securityGroupIds": ["sg-0bbbbbbbbbbbbbbbb"]}},
            True,
            [
                "network.existing.endpoints.security_group_id: 'sg-0123456789abcdef0' refused, "
                "must be a group of vpce-rds (rds), which has sg-0bbbbbbbbbbbbbbbb"
            ],
        ),
        (
            without("s3"),
            True,
            ["s3_prefix_list_id: 'pl-0123456789abcdef0' refused, must be of the S3 gateway"],
        ),
        (
            {**ENDPOINTS, "s3": {"state": "available", "prefixListId": "pl-0bbbbbbbbbbbbbbbb"}},
            True,
            ["and its list is pl-0bbbbbbbbbbbbbbbb"],
        ),
    ],
)
def test_a_missing_endpoint_of_an_existing_vpc_is_refused_before_anything_is_made(
    endpoints: dict[str, dict[str, Any]], internet: bool, messages: list[str]
) -> None:
    with pytest.raises(RunError) as caught:
        existing(endpoints, internet=internet)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert message in line
