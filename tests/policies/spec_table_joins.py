"""Spoilt and other good values for rules over several resources, hosts, functions, backups."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, Final

from tests.policies.good_scenes import document
from tests.policies.spec_table_network import ABSENT, NOT_GIVEN, NOT_TRUE, Spoils

_KEY: Final = "AKIA" + "IOSFODNN7EXAMPLE"
_GITHUB: Final = "token.actions.githubusercontent.com"
_TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:alarms"


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def _subject(*subjects: str, operator: str = "StringLike", key: str = f"{_GITHUB}:sub") -> str:
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::1:oidc-provider/{_GITHUB}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {operator: {key: list(subjects)}},
        }
    )


def _permit(action: str, resource: Any = "*", **more: Any) -> str:
    return document({"Effect": "Allow", "Action": action, "Resource": resource, **more})


def _topic(account: str, **more: Any) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:role/a"}
    return document(
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sns:Publish",
            "Resource": _TOPIC,
            **more,
        }
    )


_SECRETS: Final[list[Any]] = [
    f"export AWS_ACCESS_KEY_ID={_KEY}",
    "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "-----BEGIN RSA PRIVATE KEY-----\nMII",
    "PGPASSWORD=hunter2hunter2 psql",
    "postgresql://app:hunter2@db/app?sslmode=verify-full",
    base64.b64encode(f"key: {_KEY} and some more text".encode()).decode(),
    packed("#cloud-config\npassword: correct-horse-battery\n"),
]
_WEAK: Final[list[Any]] = [
    "postgresql://app@db.internal/app",
    "postgres://app@db.internal/app?sslmode=require",
    "jdbc:postgresql://db.internal:5432/app?user=a&sslmode=verify-ca",
    "host=db.internal dbname=app user=app",
    "host=db.internal dbname=app user=app sslmode=prefer",
    "sslmode: disable",
    "PGSSLMODE=allow",
    "server_tls_sslmode = verify-ca",
    "[pgbouncer]\nclient_tls_sslmode = prefer\nserver_tls_sslmode = verify-full",
    "[pgbouncer]\nclient_tls_sslmode = require",
    "[pgbouncer]\nserver_tls_sslmode = verify-full",
    "[pgbouncer]\nserver_tls_sslmode=verify-full\nclient_tls_sslmode=require\nauth_type = md5",
    packed("[pgbouncer]\nserver_tls_sslmode = require\n"),
    '{"name": "PGSSLMODE", "value": "require"}',
]
_LOCKED: Final = "rule/defaultRetention"
_NO_ENTRIES: Final[list[Any]] = [ABSENT, [], "x", ["subnet-1"], ["subnet-1", "subnet-1"]]

JOINS: Final[dict[str, Spoils]] = {
    "rds-other-port": [("db", "port", [ABSENT, 5432, "5432", "x", True])],
    "rds-own-parameter-group": [
        ("db", "engineVersion", ["16", "16.4", "9.6.24"]),
        ("db", "parameterGroupName", ["default.postgres17"]),
        ("group", "family", ["postgres16", "postgres9.6", "aurora-postgresql16"]),
    ],
    "rds-backed-up-elsewhere": [
        ("backup-replication", "sourceDbInstanceArn", ["arn:aws:rds:a:1:db:other", ABSENT]),
    ],
    "rds-replica-like-source": [
        ("replica", "availabilityZone", [ABSENT, "eu-west-1a", "", 5]),
        ("replica", "storageEncrypted", [False]),
        ("replica", "performanceInsightsEnabled", [False, ABSENT, "x"]),
        ("replica", "iamDatabaseAuthenticationEnabled", [False, ABSENT]),
        ("replica", "enabledCloudwatchLogsExports", [["upgrade"], ABSENT]),
    ],
    "rds-private-subnets": [
        ("db", "dbSubnetGroupName", [ABSENT, ""]),
        ("private-subnet", "mapPublicIpOnLaunch", [True, "true"]),
        ("route", "gatewayId", ["igw-1"]),
        ("private-routes", "routes", [[{"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}]]),
    ],
    **{
        f"rds-{name}-events": [
            ("events", "enabled", [False, "false"]),
            ("events", "sourceType", ["db-snapshot"]),
            ("events", "eventCategories", [["creation"]]),
        ]
        for name in ("instance", "parameter-group", "security-group")
    },
    "rds-snapshots-encrypted": [
        ("snapshot", "encrypted", [False, "false", 5]),
        ("copy", "kmsKeyId", [ABSENT, ""]),
    ],
    "lb-cross-zone": [("balancer", "enableCrossZoneLoadBalancing", NOT_TRUE)],
    "lb-several-zones": [
        ("balancer", "subnets", _NO_ENTRIES),
        ("balancer", "subnetMappings", [[], [{"subnetId": "subnet-1"}]]),
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
    "asg-several-zones": [("hosts-group", "vpcZoneIdentifiers", _NO_ENTRIES)],
    "asg-tags-propagate": [
        ("hosts-group", "tags", [ABSENT, [], "x", [{"key": "a", "value": "b"}]]),
        ("hosts-group", "tags/0/propagateAtLaunch", NOT_TRUE),
    ],
    "asg-targets-checked": [("http-targets", "healthCheck", [ABSENT, {}, "x"])],
    "asg-replaces-hosts": [("hosts-group", "healthCheckType", [ABSENT, "EC2", 5])],
    "ec2-no-secret-user-data": [
        ("host", "userData", [*_SECRETS, 5]),
        ("template", "userData", _SECRETS[:1]),
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
                *({"A": secret} for secret in _SECRETS),
                {"DB_PASSWORD": "hunter2"},
                {"API_TOKEN": "abc"},
                {"AWS_SECRET_ACCESS_KEY": "x"},
                "x",
            ],
        )
    ],
    "lambda-not-public": [("permission", "principal", [ABSENT, "*", "", 5])],
    "lambda-services-bound": [("permission", "sourceArn", [ABSENT, "", "*", 5])],
    "s3-lock-enabled": [
        ("backups", "objectLockConfiguration", [{}, {"objectLockEnabled": "Disabled"}, "x"])
    ],
    "s3-object-lock": [
        ("lock", "bucket", ["another"]),
        ("lock", "rule", [ABSENT, {}, "x"]),
        ("lock", f"{_LOCKED}/mode", [ABSENT, "", "NONE"]),
        ("lock", f"{_LOCKED}/days", [ABSENT, 0, 29, "x"]),
    ],
    "s3-replicated": [("replication", "bucket", ["another"])],
    "s3-replica-encrypted": [
        ("replication", "rules", [ABSENT, [], "x", [5], [{}]]),
        ("replication", "rules/0/status", ["Disabled", ABSENT]),
        (
            "replication",
            "rules/0/destination/encryptionConfiguration/replicaKmsKeyId",
            NOT_GIVEN,
        ),
    ],
    "s3-access-logged": [("access-logs", "bucket", ["another"])],
    "s3-notifies": [("notification", "bucket", ["another"])],
    "s3-no-foreign-administration": [
        (
            "tls",
            "policy",
            [
                document(
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "arn:aws:iam::2:root"},
                        "Action": action,
                        "Resource": "arn:aws:s3:::backups",
                    }
                )
                for action in ("s3:PutBucketPolicy", "s3:*", "s3:Put*", "S3:deletebucketpolicy")
            ],
        )
    ],
    "s3-no-acl-control": [
        (
            "acl-of-bucket",
            "accessControlPolicy",
            [
                {
                    "grants": [
                        {
                            "grantee": {"uri": f"http://acs.amazonaws.com/groups/global/{group}"},
                            "permission": permission,
                        }
                    ]
                }
                for group in ("AllUsers", "AuthenticatedUsers")
                for permission in ("FULL_CONTROL", "READ_ACP", "WRITE_ACP")
            ],
        )
    ],
    "s3-mfa-delete": [
        ("versioning", "versioningConfiguration/mfaDelete", [ABSENT, "Disabled", "", 5])
    ],
    "backup-vault-key": [("vault", "kmsKeyArn", NOT_GIVEN)],
    "backup-vault-locked": [
        ("vault-lock", "minRetentionDays", [ABSENT, 0, 29, "x"]),
        ("vault-lock", "backupVaultName", ["another"]),
    ],
    "backup-plan-keeps": [
        ("plan", "rules/0/lifecycle/deleteAfter", [1, 29, "x"]),
        ("plan", "rules", [ABSENT, [], "x", [5]]),
    ],
    "backup-plan-copies": [
        ("plan", "rules/0/copyActions", [ABSENT, []]),
        (
            "plan",
            "rules/0/copyActions/0/destinationVaultArn",
            ["arn:aws:backup:eu-west-1:1:backup-vault:near"],
        ),
    ],
    "net-flow-logs": [
        ("flow-log", "trafficType", ["ACCEPT", "", 5]),
        ("flow-log", "vpcId", [ABSENT]),
    ],
    "net-endpoint-service-asks": [("endpoint-service", "acceptanceRequired", NOT_TRUE)],
    "net-acl-attached": [("acl", "subnetIds", [ABSENT, [], "x"])],
    "net-group-used": [("attached", "securityGroups", [ABSENT, []])],
    "secrets-rotated": [("rotation", "secretId", ["another", ABSENT])],
    "secrets-parameters-secure": [("parameter", "type", ["String", "StringList", ABSENT, 5])],
    "secrets-documents-private": [
        ("document", "permissions/accountIds", ["All", "all", "123456789012,All", ["*"]])
    ],
    "secrets-sessions-encrypted": [
        ("document", "content", ['{"inputs": {"kmsKeyId": ""}}', "{}", "inputs:\n  kmsKeyId: ''\n"])
    ],
    "secrets-sessions-logged": [
        (
            "document",
            "content",
            [
                "{}",
                json.dumps({"inputs": {"s3BucketName": "a", "s3EncryptionEnabled": False}}),
                "inputs:\n  cloudWatchLogGroupName: a\n  cloudWatchEncryptionEnabled: false\n",
            ],
        )
    ],
    "logs-deletion-protected": [("log", "deletionProtectionEnabled", NOT_TRUE)],
    "logs-backup-age-alarm": [("backup-age", "metricName", ["Errors", ABSENT, 5])],
    "iam-oidc-subject": [
        (
            "ci-role",
            "assumeRolePolicy",
            [
                _subject("*"),
                _subject("repo:*"),
                _subject("repo:acme*"),
                _subject("repo:acme/pgkeep:*", "*"),
                _subject("workflow:a:repo:acme/pgkeep:ref:refs/heads/main"),
                _subject("repo:acme/pgkeep:*", operator="StringLikeIfExists"),
                _subject("repo:acme/pgkeep:*", operator="StringNotLike"),
                _subject("sts.amazonaws.com", key=f"{_GITHUB}:aud"),
                _subject(),
                "{",
            ],
        )
    ],
    "iam-no-decrypt-all-keys": [
        (
            "permissions",
            "policy",
            [
                _permit("kms:Decrypt"),
                _permit("kms:*"),
                _permit("kms:ReEncrypt*"),
                _permit("kms:decrypt", "arn:aws:kms:*:*:key/*"),
                _permit("kms:Decrypt", ["arn:aws:kms:eu-west-1:1:key/a", "*"]),
                document(
                    {"Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:aws:kms:::a"}
                ),
                "{",
            ],
        )
    ],
    "sns-own-account": [
        (
            "topic-policy",
            "policy",
            [_topic("444455556666"), _topic("444455556666", Condition={"Bool": {"a": "true"}})],
        )
    ],
    "db-provider-verify-full": [
        ("postgres-provider", "sslmode", ("require", "verify-ca", "disable", 5, "", ABSENT)),
        (
            "subscription",
            "conninfo",
            (
                "host=db.example.com dbname=shop user=copy",
                "host=db.example.com dbname=shop user=copy sslmode=require",
                "host=db.example.com",
                "postgresql://copy@db.example.com/shop",
                5,
                ABSENT,
            ),
        ),
        ("foreign-server", "options/sslmode", ("require", "prefer", 5, ABSENT)),
        ("foreign-server", "options", ({}, [], ABSENT)),
    ],
    "db-verify-full": [
        ("connection", "secretString", _WEAK),
        ("host", "userData", _WEAK[:3]),
        ("function", "environment/variables", [{"PGSSLMODE": "require"}, {"URL": _WEAK[0]}]),
    ],
}

JOINS_ALSO_GOOD: Final[dict[str, Spoils]] = {
    "rds-other-port": [("db", "port", [5433, "6000"]), ("replica", "identifier", ["db-2"])],
    "rds-own-parameter-group": [("db", "engineVersion", ["17.4", "17", ABSENT])],
    "rds-private-subnets": [("route", "gatewayId", ["vgw-1", "local"])],
    "rds-instance-events": [
        ("events", "sourceType", ["db-instance"]),
        ("events", "eventCategories", [[], ["failure", "maintenance", "configuration change"]]),
    ],
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
    "s3-lock-enabled": [("backups", "objectLockConfiguration", [{"objectLockEnabled": "Enabled"}])],
    "s3-object-lock": [
        ("lock", "rule", [{"defaultRetention": {"mode": "COMPLIANCE", "years": 1}}])
    ],
    "s3-no-foreign-administration": [("tls", "policy", [_permit("s3:GetObject", Principal="*")])],
    "backup-plan-keeps": [("plan", "rules/0/lifecycle", [ABSENT, {"deleteAfter": "30"}])],
    "net-flow-logs": [("flow-log", "trafficType", ["REJECT", ABSENT])],
    "secrets-parameters-secure": [("parameter", "name", ["/app/ca-certificate"])],
    "secrets-sessions-logged": [
        (
            "document",
            "content",
            ["inputs:\n  s3BucketName: 'a'\n  s3EncryptionEnabled: true\n  kmsKeyId: k\n"],
        )
    ],
    "iam-oidc-subject": [
        (
            "ci-role",
            "assumeRolePolicy",
            [
                _subject("repo:acme/*"),
                _subject("repo:acme/pgkeep:ref:refs/heads/main", operator="StringEquals"),
                _subject("repo:acme/pgkeep:environment:prod", key=f"{_GITHUB}/acme:sub"),
            ],
        )
    ],
    "iam-no-decrypt-all-keys": [
        (
            "permissions",
            "policy",
            [
                _permit("kms:Decrypt", "arn:aws:kms:eu-west-1:1:key/a"),
                _permit("kms:DescribeKey", "arn:aws:kms:eu-west-1:1:key/*"),
            ],
        )
    ],
    "sns-own-account": [
        (
            "topic-policy",
            "policy",
            [
                _topic("111122223333"),
                _topic(
                    "444455556666",
                    Condition={
                        "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/a"}
                    },
                ),
            ],
        )
    ],
    "db-provider-verify-full": [
        ("postgres-provider", "host", ("db.other.example.com",)),
        ("subscription", "conninfo", ("host=/run/postgresql dbname=shop", "service=shop")),
        ("foreign-server", "fdwName", ("file_fdw", ABSENT)),
        ("foreign-server", "options", ({"host": "localhost"}, {"host": "/run/postgresql"})),
    ],
    "db-verify-full": [
        (
            "connection",
            "secretString",
            [
                "host=db.internal dbname=app user=app sslmode=verify-full",
                "postgres://localhost:6432/app",
                "host=/run/postgresql dbname=app user=app",
                "[databases]\n* = host=db dbname=app user=a\n[pgbouncer]\n"
                "server_tls_sslmode = verify-full\nclient_tls_sslmode = require\n"
                "auth_type = scram-sha-256",
                "https://example.com",
            ],
        )
    ],
}
