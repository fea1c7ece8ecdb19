"""Load balancer and hosts of the pooler. That they serve PostgreSQL is left to e2e."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.function_statements import secrets
from tests.unit.recorder import Recorder, deploy, raw_settings
from tests.unit.test_network import tags

HOSTS = {"local": 2, "dev": 2, "staging": 2, "prod": 3}
HEALTH_SECONDS = {"local": 5, "dev": 10, "staging": 10, "prod": 10}
WARMUP_SECONDS = {"local": 20, "dev": 90, "staging": 90, "prod": 90}
DRAIN_SECONDS = {"local": 10, "dev": 60, "staging": 60, "prod": 60}
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
        "deregistrationDelay": DRAIN_SECONDS[environment],
        "connectionTermination": False,
        "targetHealthStates": [{"enableUnhealthyConnectionTermination": False}],
        "healthCheck": {
            "enabled": True,
            "protocol": "HTTP",
            "path": "/health",
            "matcher": "200",
            "port": "8008",
            "interval": HEALTH_SECONDS[environment],
            "timeout": 4 if environment == "local" else 5,
            "healthyThreshold": 2,
            "unhealthyThreshold": 2,
        },
        "tags": tags(environment, name),
    }
    assert recorder.inputs("pooler-listener") == {
        "loadBalancerArn": "arn:lb/pooler-load-balancer",
        "protocol": "TCP",
        "port": 6543,
        "tcpIdleTimeoutSeconds": 350,
        "defaultActions": [{"type": "forward", "targetGroupArn": "arn:targets/pooler-targets"}],
        "tags": tags(environment, name),
    }


def test_the_launch_template(deployed: Deployed, environment: str) -> None:
    name = f"pgkeep-{environment}-pooler"
    inputs = dict(deployed(environment).inputs("pooler-hosts-template"))
    user_data = gzip.decompress(base64.b64decode(inputs.pop("userData")))
    assert user_data.startswith(b"#cloud-config\n")
    assert inputs == {
        "name": name,
        "description": "PgBouncer on Debian 13",
        "imageId": "ami-0123456789abcdef0",
        "instanceType": INSTANCE_TYPES[environment],
        "instanceInitiatedShutdownBehavior": "terminate",
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
                    "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-hosts",
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
    healthy = {
        "minHealthyPercentage": 100,
        "maxHealthyPercentage": 134 if environment == "prod" else 150,
    }
    assert deployed(environment).inputs("pooler-hosts-group") == {
        "name": name,
        "minSize": hosts,
        "desiredCapacity": hosts,
        "maxSize": hosts + 1,
        "vpcZoneIdentifiers": subnets(environment),
        "launchTemplate": {"id": "pooler-hosts-template-id", "version": "1"},
        "targetGroupArns": ["arn:targets/pooler-targets"],
        "healthCheckType": "EC2",
        "healthCheckGracePeriod": 300,
        "waitForElbCapacity": hosts,
        "waitForCapacityTimeout": "15m",
        "instanceRefresh": {
            "strategy": "Rolling",
            "preferences": {
                **healthy,
                "instanceWarmup": str(WARMUP_SECONDS[environment]),
            },
        },
        "instanceMaintenancePolicy": healthy,
        "initialLifecycleHooks": [
            {
                "name": f"{name}-launch",
                "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "heartbeatTimeout": 900,
                "defaultResult": "ABANDON",
            },
            {
                "name": f"{name}-termination",
                "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                "heartbeatTimeout": DRAIN_SECONDS[environment] + 120 + 60,
                "defaultResult": "CONTINUE",
            },
        ],
        **({} if environment == "local" else {"maxInstanceLifetime": 30 * 86_400}),
        "tags": [
            {"key": key, "value": value, "propagateAtLaunch": True}
            for key, value in tags(environment, name).items()
        ],
    }


def test_hosts_may_read_four_secrets_log_and_leave_and_nothing_else(
    deployed: Deployed, environment: str
) -> None:
    recorder = deployed(environment)
    assert recorder.document("pooler-hosts-policy")["Statement"] == [
        *secrets(
            "Read",
            "roles-pooler-users",
            "pooler-certificates-server",
            "roles-health",
            "pooler-pause",
        ),
        {
            "Sid": "WritePoolerLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [
                "arn:aws:logs:eu-west-1:123456789012:log-group:"
                f"/pgkeep/pgkeep-{environment}/pooler:*"
            ],
        },
        {
            "Sid": "CompleteOwnLifecycleActions",
            "Effect": "Allow",
            "Action": ["autoscaling:CompleteLifecycleAction"],
            "Resource": [
                "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:"
                f"autoScalingGroupName/pgkeep-{environment}-pooler"
            ],
        },
    ]
    (statement,) = recorder.document("pooler-hosts-role", "assumeRolePolicy")["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_a_restores_wish_for_a_pause_is_a_secret_that_the_stack_leaves_empty(
    deployed: Deployed, environment: str
) -> None:
    name = f"pgkeep-{environment}/pooler/pause"
    recorder = deployed(environment)
    assert recorder.inputs("pooler-pause") == {
        "name": name,
        "description": "A restore's wish that the pooler hosts hold their clients back",
        "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-secrets",
        "recoveryWindowInDays": recorder.inputs("roles-health")["recoveryWindowInDays"],
        "tags": {**tags(environment, name), "pgkeep:credential": "none"},
    }
    text = user_data(recorder)
    assert "PAUSE_SECRET_ARN=arn:aws:secretsmanager/secret:Secret/pooler-pause" in text
    assert "DATABASE_NAME=node_pass\n" in text


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


def test_the_hooks_as_resources_are_those_that_the_group_begins_with(
    deployed: Deployed, environment: str
) -> None:
    recorder, name = deployed(environment), f"pgkeep-{environment}-pooler"
    found = recorder.of_type("aws:autoscaling/lifecycleHook:LifecycleHook")
    assert found == {
        f"pooler-hosts-{hook['name'].removeprefix(f'{name}-')}": {
            **hook,
            "autoscalingGroupName": name,
        }
        for hook in recorder.inputs("pooler-hosts-group")["initialLifecycleHooks"]
    }


def test_the_log_group(deployed: Deployed, environment: str) -> None:
    path = f"/pgkeep/pgkeep-{environment}/pooler"
    assert deployed(environment).inputs("pooler-log") == {
        "name": path,
        "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-telemetry",
        "retentionInDays": {"local": 7, "dev": 30, "staging": 90, "prod": 365}[environment],
        "deletionProtectionEnabled": environment in ("staging", "prod"),
        "tags": tags(environment, path),
    }


def changed(**pooler: Any) -> Recorder:
    raw = raw_settings("prod")
    raw["pooler"] = {**raw["pooler"], **pooler}
    return deploy(load(raw, "prod"))


def user_data(recorder: Recorder) -> str:
    encoded = recorder.inputs("pooler-hosts-template")["userData"]
    return gzip.decompress(base64.b64decode(encoded)).decode()


def test_a_pinned_image_with_packages_and_one_host_a_zone_more() -> None:
    recorder = changed(
        image_id="ami-0fedcba9876543210",
        image_has_packages=True,
        hosts_per_zone=2,
        default_pool_size=10,
    )
    template = recorder.inputs("pooler-hosts-template")
    assert template["imageId"] == "ami-0fedcba9876543210"
    assert template["description"] == "PgBouncer on a pinned image"
    assert "if [ 'yes' = yes ]" in user_data(recorder)
    group = recorder.inputs("pooler-hosts-group")
    assert (group["minSize"], group["maxSize"]) == (6, 7)
    assert group["instanceMaintenancePolicy"]["maxHealthyPercentage"] == 117


def test_pool_settings_reach_pgbouncer_with_the_budget_as_a_limit() -> None:
    text = user_data(
        changed(
            pool_mode="session",
            databases=[{"name": "node_pass", "pool_size": 7, "pool_mode": "transaction"}],
            roles=[{"name": "node_pass_app", "pool_size": 9}],
        )
    )
    assert "dbname=node_pass pool_size=7 pool_mode=transaction max_db_connections=75" in text
    assert "node_pass_app_2 = pool_size=9" in text
    assert "\n    pool_mode = session\n" in text
    assert "load_balance_hosts=round-robin max_db_connections=78" in text


def test_without_a_read_pool_replicas_are_not_offered() -> None:
    assert "node_pass_readonly = " not in user_data(changed(read_pool=False))


def test_several_replicas_are_one_database() -> None:
    raw = raw_settings("prod")
    raw["replicas"] = {"count": 2}
    text = user_data(deploy(load(raw, "prod")))
    assert (
        "node_pass_readonly = host=replica-1-instance.example.eu-west-1.rds.amazonaws.com,"
        "replica-2-instance.example.eu-west-1.rds.amazonaws.com port=5432"
    ) in text
