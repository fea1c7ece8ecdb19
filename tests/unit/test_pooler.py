"""Load balancer and hosts of the pooler. That they serve PostgreSQL is left to e2e."""

from __future__ import annotations

import base64
from typing import Any

from tests.unit.conftest import Deployed
from tests.unit.test_functions import secrets
from tests.unit.test_network import tags

HOSTS = {"local": 2, "dev": 2, "staging": 2, "prod": 3}
INSTANCE_TYPES = {
    "local": "t3.small",
    "dev": "t4g.micro",
    "staging": "t4g.small",
    "prod": "t4g.small",
}


def subnets(environment: str) -> list[str]:
    return [f"network-hosts-{zone}-id" for zone in range(1, 4 if environment == "prod" else 3)]


def test_the_load_balancer(deployed: Deployed, environment: str) -> None:
    recorder, name = deployed(environment), f"pgkeep-{environment}-pooler"
    assert recorder.inputs("pooler-load-balancer") == {
        "name": name,
        "loadBalancerType": "network",
        "internal": True,
        "subnets": subnets(environment),
        "securityGroups": ["security-groups-load-balancer-id"],
        "enableCrossZoneLoadBalancing": True,
        "enableDeletionProtection": environment in ("staging", "prod"),
        "tags": tags(environment, name),
    }
    assert recorder.inputs("pooler-targets") == {
        "name": name,
        "vpcId": "network-vpc-id",
        "targetType": "instance",
        "protocol": "TCP",
        "port": 6543,
        "deregistrationDelay": 120,
        "connectionTermination": True,
        "healthCheck": {
            "enabled": True,
            "protocol": "TCP",
            "port": "traffic-port",
            "interval": 10,
            "healthyThreshold": 2,
            "unhealthyThreshold": 2,
        },
        "tags": tags(environment, name),
    }
    assert recorder.inputs("pooler-listener") == {
        "loadBalancerArn": "arn:lb/pooler-load-balancer",
        "protocol": "TCP",
        "port": 6543,
        "defaultActions": [{"type": "forward", "targetGroupArn": "arn:targets/pooler-targets"}],
        "tags": tags(environment, name),
    }


def test_the_launch_template(deployed: Deployed, environment: str) -> None:
    name = f"pgkeep-{environment}-pooler"
    inputs = dict(deployed(environment).inputs("pooler-hosts-template"))
    assert base64.b64decode(inputs.pop("userData")).startswith(b"#cloud-config\n")
    key: dict[str, Any] = {"keyName": "pgkeep-local"} if environment == "local" else {}
    assert inputs == {
        **key,
        "name": name,
        "description": "PgBouncer on Debian 13",
        "imageId": "ami-0123456789abcdef0",
        "instanceType": INSTANCE_TYPES[environment],
        "updateDefaultVersion": True,
        "ebsOptimized": "true",
        "iamInstanceProfile": {
            "arn": "arn:aws:iam/instanceProfile:InstanceProfile/pooler-hosts-profile"
        },
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
            "instanceMetadataTags": "disabled",
        },
        "monitoring": {"enabled": True},
        "networkInterfaces": [
            {
                "associatePublicIpAddress": "false",
                "deleteOnTermination": "true",
                "securityGroups": ["security-groups-pooler-id"],
            }
        ],
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": 10,
                    "deleteOnTermination": "true",
                    "encrypted": "true",
                },
            }
        ],
        "tagSpecifications": [
            {"resourceType": kind, "tags": tags(environment, name)}
            for kind in ("instance", "volume")
        ],
        "tags": tags(environment, name),
    }


def test_the_group(deployed: Deployed, environment: str) -> None:
    name, hosts = f"pgkeep-{environment}-pooler", HOSTS[environment]
    assert deployed(environment).inputs("pooler-hosts-group") == {
        "name": name,
        "minSize": hosts,
        "desiredCapacity": hosts,
        "maxSize": hosts + 1,
        "vpcZoneIdentifiers": subnets(environment),
        "launchTemplate": {"id": "pooler-hosts-template-id", "version": "1"},
        "targetGroupArns": ["arn:targets/pooler-targets"],
        "healthCheckType": "ELB",
        "healthCheckGracePeriod": 300,
        "waitForElbCapacity": hosts,
        "waitForCapacityTimeout": "15m",
        "instanceRefresh": {
            "strategy": "Rolling",
            "preferences": {"minHealthyPercentage": 100, "maxHealthyPercentage": 150},
        },
        "tags": [
            {"key": key, "value": value, "propagateAtLaunch": True}
            for key, value in tags(environment, name).items()
        ],
    }


def test_hosts_read_two_secrets_and_nothing_else(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    assert recorder.document("pooler-hosts-policy")["Statement"] == secrets(
        "Read", "roles-pooler-users", "pooler-certificates-server"
    )
    (statement,) = recorder.document("pooler-hosts-role", "assumeRolePolicy")["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_administrators_come_through_instance_connect(deployed: Deployed, environment: str) -> None:
    type_ = "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint"
    found = deployed(environment).of_type(type_)
    if environment == "local":
        assert found == {}
        return
    assert found == {
        "administration": {
            "subnetId": "network-hosts-1-id",
            "securityGroupIds": ["security-groups-administration-id"],
            "preserveClientIp": False,
            "tags": tags(environment, f"pgkeep-{environment}-administration"),
        }
    }
