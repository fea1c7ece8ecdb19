"""Spoilt and other good values for rules over several resources: databases, buckets, backups, keys."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.policies.good_scenes import document
from tests.policies.spec_table_hosts import packed
from tests.policies.spec_table_network import ABSENT, NOT_FALSE, NOT_GIVEN, NOT_TRUE, Spoils

_GITHUB: Final = "token.actions.githubusercontent.com"
_TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:alarms"


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


WEAK: Final[list[Any]] = [
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
    "backup-file-systems": [
        ("files", "tags", [ABSENT, {}, {"backup": "never"}, "x"]),
        ("selection", "selectionTags", [ABSENT, [], "x"]),
        ("selection", "notResources", [["arn:aws:elasticfilesystem:*:*:file-system/*"]]),
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
    "backup-vault-not-emptied": [("vault", "forceDestroy", NOT_FALSE)],
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
        ("connection", "secretString", WEAK),
        ("host", "userData", WEAK[:3]),
        ("function", "environment/variables", [{"PGSSLMODE": "require"}, {"URL": WEAK[0]}]),
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
