"""Small stacks that every rule accepts: balancers and groups, functions, backups, documents."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.policies.good_scenes_accounts import ACCOUNT, ADDRESSES, IMAGES, SSH

Entry = tuple[str, dict[str, Any], dict[str, list[str]]]
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


BALANCED: Final[dict[str, Entry]] = {
    "application-balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "loadBalancerType": "application",
            "internal": True,
            "enableDeletionProtection": True,
            "subnets": ["subnet-1", "subnet-2"],
            "accessLogs": {"enabled": True, "bucket": "logs"},
            "dropInvalidHeaderFields": True,
        },
        {},
    ),
    "listener": (
        "aws:lb/listener:Listener",
        {
            "port": 443,
            "protocol": "HTTPS",
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "loadBalancerArn": _UNKNOWN,
            "defaultActions": [{"type": "forward", "targetGroupArn": _UNKNOWN}],
        },
        {
            "loadBalancerArn": ["application-balancer"],
            "defaultActions": ["http-targets"],
        },
    ),
    "http-targets": (
        "aws:lb/targetGroup:TargetGroup",
        {"protocol": "HTTPS", "healthCheck": {"enabled": True}},
        {},
    ),
    "hosts-group": (
        "aws:autoscaling/group:Group",
        {
            "launchTemplate": {"id": "lt-1", "version": "1"},
            "vpcZoneIdentifiers": ["subnet-1", "subnet-2"],
            "healthCheckType": "ELB",
            "tags": [{"key": "owner", "value": "a", "propagateAtLaunch": True}],
            "targetGroupArns": [_UNKNOWN],
        },
        {"targetGroupArns": ["http-targets"]},
    ),
}

VAULTS: Final[dict[str, Entry]] = {
    "vault": (
        "aws:backup/vault:Vault",
        {"name": "vault-1", "kmsKeyArn": "arn:aws:kms:eu-west-1:1:key/b"},
        {},
    ),
    "vault-lock": (
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        {"backupVaultName": "vault-1", "minRetentionDays": 30},
        {"backupVaultName": ["vault"]},
    ),
    "plan": (
        "aws:backup/plan:Plan",
        {
            "region": "eu-west-1",
            "rules": [
                {
                    "ruleName": "daily",
                    "targetVaultName": "vault-1",
                    "lifecycle": {"deleteAfter": 35},
                    "copyActions": [
                        {"destinationVaultArn": "arn:aws:backup:eu-central-1:1:backup-vault:far"}
                    ],
                }
            ],
        },
        {},
    ),
    "files": ("aws:efs/fileSystem:FileSystem", {"tags": {"backup": "daily"}}, {}),
    "selection": (
        "aws:backup/selection:Selection",
        {"selectionTags": [{"type": "STRINGEQUALS", "key": "backup", "value": "daily"}]},
        {},
    ),
    "replica-of-bucket": (
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        {
            "bucket": "elsewhere",
            "rules": [
                {
                    "status": "Enabled",
                    "destination": {
                        "bucket": "arn:aws:s3:::far",
                        "encryptionConfiguration": {
                            "replicaKmsKeyId": "arn:aws:kms:eu-central-1:1:key/c"
                        },
                    },
                }
            ],
        },
        {},
    ),
    "disk-copy": (
        "aws:ebs/snapshotCopy:SnapshotCopy",
        {"encrypted": True, "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d"},
        {},
    ),
    "snapshot": (
        "aws:rds/snapshot:Snapshot",
        {"dbInstanceIdentifier": "another", "dbSnapshotIdentifier": "s", "encrypted": True},
        {},
    ),
}

CALLED: Final[dict[str, Entry]] = {
    "permission": (
        "aws:lambda/permission:Permission",
        {
            "action": "lambda:InvokeFunction",
            "principal": "events.amazonaws.com",
            "sourceArn": "arn:aws:events:eu-west-1:1:rule/nightly",
        },
        {},
    ),
    "document": (
        "aws:ssm/document:Document",
        {
            "documentType": "Session",
            "permissions": {"type": "Share", "accountIds": "123456789012"},
            "content": json.dumps(
                {
                    "schemaVersion": "1.0",
                    "inputs": {
                        "s3BucketName": "sessions",
                        "s3EncryptionEnabled": True,
                        "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/s",
                    },
                }
            ),
        },
        {},
    ),
    "ci-role": (
        "aws:iam/role:Role",
        {
            "assumeRolePolicy": _document(
                {
                    "Effect": "Allow",
                    "Principal": {
                        "Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"
                    },
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {
                        "StringLike": {
                            "token.actions.githubusercontent.com:sub": "repo:acme/pgkeep:*"
                        }
                    },
                }
            )
        },
        {},
    ),
    "endpoint-service": (
        "aws:ec2/vpcEndpointService:VpcEndpointService",
        {"acceptanceRequired": True},
        {},
    ),
    "connection": (
        "aws:secretsmanager/secretVersion:SecretVersion",
        {"secretString": "postgresql://app@db.internal:5432/app?sslmode=verify-full"},
        {},
    ),
}

PROVIDERS: Final[dict[str, Entry]] = {
    "postgres-provider": (
        "pulumi:providers:postgresql",
        {"host": "db.example.com", "sslmode": "verify-full"},
        {},
    ),
    "subscription": (
        "postgresql:index/subscription:Subscription",
        {"conninfo": "host=db.example.com dbname=shop user=copy sslmode=verify-full"},
        {},
    ),
    "foreign-server": (
        "postgresql:index/server:Server",
        {"fdwName": "postgres_fdw", "options": {"host": "db.example", "sslmode": "verify-full"}},
        {},
    ),
}

SCENES_MORE: Final[dict[str, dict[str, Entry]]] = {
    "balanced": BALANCED,
    "vaults": VAULTS,
    "called": CALLED,
    "providers": PROVIDERS,
    "images": IMAGES,
    "account": ACCOUNT,
    "addresses": ADDRESSES,
    "ssh": SSH,
}
