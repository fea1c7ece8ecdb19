"""Spoilt and other good values for rules of load balancers, hosts and functions."""

from __future__ import annotations

import base64
import gzip
from typing import Any, Final

from tests.policies.spec_table_network import ABSENT, NOT_GIVEN, NOT_TRUE, Spoils

_KEY: Final = "AKIA" + "IOSFODNN7EXAMPLE"


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


SECRETS: Final[list[Any]] = [
    f"export AWS_ACCESS_KEY_ID={_KEY}",
    "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "-----BEGIN RSA PRIVATE KEY-----\nMII",
    "PGPASSWORD=hunter2hunter2 psql",
    "postgresql://app:hunter2@db/app?sslmode=verify-full",
    base64.b64encode(f"key: {_KEY} and some more text".encode()).decode(),
    packed("#cloud-config\npassword: correct-horse-battery\n"),
]
NO_ENTRIES: Final[list[Any]] = [ABSENT, [], "x", ["subnet-1"], ["subnet-1", "subnet-1"]]
HOSTS: Final[dict[str, Spoils]] = {
    "lb-cross-zone": [("balancer", "enableCrossZoneLoadBalancing", NOT_TRUE)],
    "lb-several-zones": [
        ("balancer", "subnets", NO_ENTRIES),
        ("balancer", "subnetMappings", [[{"subnetId": "subnet-1"}]]),
    ],
    "lb-access-logs": [
        ("application-balancer", "accessLogs", [ABSENT, {}, "x", {"enabled": False}]),
        ("application-balancer", "accessLogs/enabled", NOT_TRUE),
        ("pass-through", "protocol", ["TLS"]),
        ("balancer", "loadBalancerType", ["application", ABSENT]),
    ],
    "lb-no-plain-http": [
        ("listener", "protocol", ["HTTP", "http", ABSENT, "", 5]),
        ("pass-through", "protocol", ["HTTP"]),
    ],
    "lb-modern-tls": [
        (
            "listener",
            "sslPolicy",
            [
                *(ABSENT, "", 5, "ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-TLS-1-1-2017-01"),
                *("ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-TLS13-1-1-2021-06"),
            ],
        ),
        ("listener", "protocol", ["HTTP"]),
    ],
    "lb-targets-encrypted": [("targets", "protocol", ["HTTP", "http"])],
    "asg-launch-template": [("hosts-group", "launchTemplate", [ABSENT, {}, "x", {"id": ""}])],
    "asg-several-zones": [("hosts-group", "vpcZoneIdentifiers", NO_ENTRIES)],
    "asg-tags-propagate": [
        ("hosts-group", "tags", [ABSENT, [], "x", [{"key": "a", "value": "b"}]]),
        ("hosts-group", "tags/0/propagateAtLaunch", NOT_TRUE),
    ],
    "asg-targets-checked": [("http-targets", "healthCheck", [ABSENT, {}, "x"])],
    "asg-replaces-hosts": [("hosts-group", "healthCheckType", [ABSENT, "EC2", 5])],
    "ec2-no-secret-user-data": [
        ("host", "userData", [*SECRETS, 5]),
        ("template", "userData", SECRETS[:1]),
    ],
    "ec2-instance-profile": [
        ("host", "iamInstanceProfile", NOT_GIVEN),
        ("template", "iamInstanceProfile", [ABSENT, {}, "x", {"arn": ""}]),
    ],
    "ec2-detailed-monitoring": [
        ("host", "monitoring", NOT_TRUE),
        ("template", "monitoring/enabled", NOT_TRUE),
    ],
    "ec2-ebs-optimized": [
        ("host", "ebsOptimized", NOT_TRUE),
        ("template", "ebsOptimized", NOT_TRUE),
    ],
    "ec2-termination-protected": [("host", "disableApiTermination", NOT_TRUE)],
    "ec2-disk-customer-key": [
        ("host", "rootBlockDevice/kmsKeyId", NOT_GIVEN),
        ("host", "ebsBlockDevices/0/kmsKeyId", NOT_GIVEN),
        ("template", "blockDeviceMappings/0/ebs/kmsKeyId", NOT_GIVEN),
    ],
    "ec2-copies-customer-key": [
        ("disk-copy", "kmsKeyId", NOT_GIVEN),
        ("disk-copy", "encrypted", NOT_TRUE),
    ],
    "lambda-in-vpc": [
        ("function", "vpcConfig", [ABSENT, {}, "x"]),
        ("function", "vpcConfig/subnetIds", [ABSENT, [], "x"]),
    ],
    "lambda-several-zones": [("function", "vpcConfig/subnetIds", [["subnet-1"], []])],
    "lambda-concurrency": [
        ("function", "reservedConcurrentExecutions", [ABSENT, -1, "x", True]),
    ],
    "lambda-tracing": [("function", "tracingConfig", [ABSENT, {}, {"mode": "Off"}, "x"])],
    "lambda-runtime": [("function", "runtime", ["python3.8", "nodejs16.x", "go1.x", 5])],
    "lambda-code-signed": [("function", "codeSigningConfigArn", NOT_GIVEN)],
    "lambda-no-secret-variables": [
        (
            "function",
            "environment/variables",
            [
                *({"A": secret} for secret in SECRETS),
                {"DB_PASSWORD": "hunter2"},
                {"API_TOKEN": "abc"},
                {"AWS_SECRET_ACCESS_KEY": "x"},
                "x",
            ],
        )
    ],
    "lambda-not-public": [("permission", "principal", [ABSENT, "*", "", 5])],
    "lambda-services-bound": [("permission", "sourceArn", [ABSENT, "", "*", 5])],
}
HOSTS_ALSO_GOOD: Final[dict[str, Spoils]] = {
    # What was read back has both lists, one of them empty.
    "lb-several-zones": [("balancer", "subnetMappings", [[]])],
    "lb-access-logs": [("pass-through", "protocol", ["UDP", "TCP_UDP"])],
    "lb-cross-zone": [("application-balancer", "enableCrossZoneLoadBalancing", [False])],
    "lb-no-plain-http": [
        ("listener", "protocol", ["TLS", "tcp"]),
    ],
    "lb-modern-tls": [
        (
            "listener",
            "sslPolicy",
            [
                *("ELBSecurityPolicy-TLS-1-2-2017-01", "ELBSecurityPolicy-TLS-1-2-Ext-2018-06"),
                *("ELBSecurityPolicy-TLS13-1-3-2021-06", "ELBSecurityPolicy-FS-1-2-Res-2020-10"),
            ],
        )
    ],
    "lb-targets-encrypted": [("http-targets", "protocol", ["HTTP"])],
    "asg-launch-template": [
        ("hosts-group", "launchTemplate", [{"name": "t"}]),
        (
            "hosts-group",
            "mixedInstancesPolicy",
            [{"launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": "lt-1"}}}],
        ),
    ],
    "asg-replaces-hosts": [("hosts-group", "healthCheckType", ["ELB"])],
    "ec2-no-secret-user-data": [
        (
            "host",
            "userData",
            [
                "password_file=/run/secrets/app",
                "export SECRET_ARN=arn:aws:secretsmanager:eu-west-1:1:secret:a",
                "password: ${PASSWORD}",
                "-----BEGIN CERTIFICATE-----",
                packed("aws secretsmanager get-secret-value --secret-id app"),
            ],
        )
    ],
    "ec2-ebs-optimized": [("host", "ebsOptimized", [True, "true"])],
    "lambda-concurrency": [("function", "reservedConcurrentExecutions", [0, "5", 10.0])],
    "lambda-tracing": [("function", "tracingConfig", [{"mode": "PassThrough"}])],
    "lambda-runtime": [("function", "runtime", ["python3.14", "nodejs22.x", "provided.al2023"])],
    "lambda-no-secret-variables": [
        (
            "function",
            "environment/variables",
            [
                {"DB_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:a"},
                {"SECRET_NAME": "app", "TOKEN_TTL_SECONDS": "60"},
                {},
            ],
        )
    ],
    "lambda-not-public": [("permission", "principal", ["123456789012"])],
    "lambda-services-bound": [("permission", "principal", ["123456789012"])],
}
