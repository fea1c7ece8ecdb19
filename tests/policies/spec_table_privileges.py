"""Spoilt and other good values for the rules of IAM, alarms, copies of databases, hosts."""

from __future__ import annotations

from typing import Any, Final

from tests.policies.good_scenes import document
from tests.policies.spec_table_network import (
    ABSENT,
    NOT_FALSE,
    NOT_GIVEN,
    NOT_TRUE,
    Spoils,
)


def _allow(*actions: str, resource: str = "*", **more: Any) -> str:
    return document({"Effect": "Allow", "Action": list(actions), "Resource": resource, **more})


def _on_everything(*actions: str) -> Spoils:
    inline = [{"name": "x", "policy": _allow(actions[0])}]
    return [
        ("permissions", "policy", [_allow(action) for action in actions] + ["{", "[]"]),
        ("role", "inlinePolicies", [inline]),
    ]


def _trust(principal: Any, **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


_OBJECTS: Final = "arn:aws:s3:::backups/*"
_BACKUPS: Final = "arn:aws:s3:::pgkeep-prod-backups-123456789012-eu-west-1"
_USERS: Final = "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-1"

PRIVILEGES: Final[dict[str, Spoils]] = {
    "iam-no-escalation": _on_everything(
        "iam:PassRole", "iam:Put*", "IAM:passrole", "lambda:UpdateFunctionCode", "iam:*", "*"
    ),
    "iam-no-credential-exposure": _on_everything(
        "iam:CreateAccessKey", "sts:AssumeRole", "rds-db:connect", "sts:*"
    ),
    "iam-no-exfiltration": _on_everything(
        "secretsmanager:GetSecretValue", "s3:Get*", "ssm:GetParameters", "rds:CopyDBSnapshot"
    ),
    "iam-no-permission-changes": _on_everything(
        "kms:PutKeyPolicy", "s3:PutBucketPolicy", "lambda:AddPermission", "iam:CreateRole"
    ),
    "iam-no-account-trust": [
        (
            "role",
            "assumeRolePolicy",
            [
                _trust({"AWS": "123456789012"}),
                _trust({"AWS": "arn:aws:iam::123456789012:root"}),
                _trust({"AWS": ["arn:aws:iam::123456789012:role/a", "210987654321"]}),
                _trust({"aws": "arn:aws-cn:iam::123456789012:root"}),
                "{",
            ],
        )
    ],
    "iam-no-user-policies": [("group-attachment", "users", [["anna"], "anna", {"a": 1}])],
    "iam-no-deletion": [
        (
            "permissions",
            "policy",
            [
                _allow("s3:DeleteObject", resource=_OBJECTS),
                _allow("s3:Delete*", resource=_OBJECTS),
                _allow("rds:DeleteDBInstance", resource="arn:aws:rds:eu-west-1:1:db:db-1"),
                _allow("kms:ScheduleKeyDeletion", resource="arn:aws:kms:eu-west-1:1:key/a"),
                _allow("SecretsManager:deletesecret", resource="arn:x"),
                _allow("backup:*", resource="arn:x"),
                _allow("s3:DeleteObject", Condition={"Bool": {"aws:SecureTransport": "true"}}),
                _allow("s3:DeleteObject", resource=f"{_BACKUPS}/*"),
                _allow("s3:DeleteObject", resource=f"{_BACKUPS}/exports*"),
                _allow("s3:DeleteObject", resource=f"{_BACKUPS}/daily/exports/*"),
                _allow("s3:DeleteObject", resource="arn:aws:s3:::backups/exports/*"),
                _allow("s3:DeleteObject", resource="arn:aws:s3:::*-backups-1*-eu-west-1/exports/*"),
                _allow("s3:DeleteObjectVersion", resource=f"{_BACKUPS}/exports/*"),
            ],
        )
    ],
    "iam-connect-names-user": [
        (
            "permissions",
            "policy",
            [
                _allow("rds-db:connect", resource=f"{_USERS}/*"),
                _allow("rds-db:*", resource=f"{_USERS}/app_*"),
                _allow("rds-db:connect"),
            ],
        )
    ],
    "logs-alarm-actions-enabled": [("db-CPUUtilization", "actionsEnabled", [False, "false", 1])],
    "logs-alarm-has-action": [("db-CPUUtilization", "alarmActions", [ABSENT, [], "x", {}])],
    "logs-database-alarms": [
        ("db-CPUUtilization", "metricName", ["ReadIOPS", "", 5]),
        ("db-FreeStorageSpace", "namespace", ["AWS/EC2", ""]),
        ("db-DatabaseConnections", "dimensions", [{"DBInstanceIdentifier": "another"}, {}, "x"]),
        ("replica-ReplicaLag", "metricName", ["CPUUtilization"]),
    ],
    "ec2-metadata-needs-token": [
        ("host", "metadataOptions", [ABSENT, {}, "x", {"httpTokens": "optional"}]),
        ("template", "metadataOptions/httpTokens", [ABSENT, "", "Required", 5]),
    ],
    "ec2-metadata-one-hop": [
        ("host", "metadataOptions/httpPutResponseHopLimit", [2, 0, "x", True]),
        ("template", "metadataOptions/httpPutResponseHopLimit", ["64"]),
    ],
    "ec2-no-public-address": [
        ("host", "associatePublicIpAddress", NOT_FALSE),
        ("template", "networkInterfaces/0/associatePublicIpAddress", NOT_FALSE),
        ("template", "networkInterfaces", ["x", [5]]),
    ],
    "ec2-encrypted-disks": [
        ("host", "rootBlockDevice/encrypted", NOT_TRUE),
        ("host", "rootBlockDevice", [ABSENT, {}, "x"]),
        ("host", "ebsBlockDevices/0/encrypted", NOT_TRUE),
        ("template", "blockDeviceMappings", [ABSENT, [], "x", [5], [{}]]),
        ("template", "blockDeviceMappings/0/ebs/encrypted", NOT_TRUE),
        ("volume", "encrypted", NOT_TRUE),
    ],
    "ec2-volume-customer-key": [("volume", "kmsKeyId", NOT_GIVEN)],
    "ec2-encryption-by-default": [("by-default", "enabled", [False, "false", 0, []])],
    "lb-deletion-protected": [("balancer", "enableDeletionProtection", NOT_TRUE)],
    "lb-internal": [("balancer", "internal", NOT_TRUE)],
    "lb-health-check": [
        ("targets", "healthCheck", [ABSENT, {}, "x"]),
        ("targets", "healthCheck/enabled", NOT_TRUE),
    ],
    "lambda-dead-letters": [
        ("function", "deadLetterConfig", [ABSENT, {}, "x"]),
        ("function", "deadLetterConfig/targetArn", NOT_GIVEN),
    ],
    "lambda-customer-key": [("function", "kmsKeyArn", NOT_GIVEN)],
    "lambda-url-authorized": [("url", "authorizationType", [ABSENT, "NONE", "", 5])],
    "rds-copies-customer-key": [("copy", "kmsKeyId", NOT_GIVEN)],
    "rds-snapshots-not-shared": [
        ("copy", "sharedAccounts", [["all"], "all", ["123456789012", "*"], [None], [{}]])
    ],
    "rds-proxy-tls": [
        ("proxy", "requireTls", NOT_TRUE),
        ("proxy", "debugLogging", NOT_FALSE),
        ("proxy", "auths", [ABSENT, [], "x", [5], [{}]]),
        ("proxy", "auths/0/iamAuth", ["DISABLED", "", ABSENT]),
        ("proxy", "auths/0/secretArn", NOT_GIVEN),
    ],
}

PRIVILEGES_ALSO_GOOD: Final[dict[str, Spoils]] = {
    "iam-no-escalation": [
        ("permissions", "policy", [_allow("iam:PassRole", resource="arn:aws:iam::1:role/a")])
    ],
    "iam-no-account-trust": [
        (
            "role",
            "assumeRolePolicy",
            [
                _trust({"AWS": "arn:aws:iam::123456789012:role/a"}),
                _trust(
                    {"AWS": "123456789012"}, Condition={"StringEquals": {"sts:ExternalId": "a"}}
                ),
            ],
        )
    ],
    "iam-no-deletion": [
        (
            "permissions",
            "policy",
            [
                _allow("s3:AbortMultipartUpload", resource=_OBJECTS),
                # RDS exports a snapshot only with a role that may.
                _allow("s3:DeleteObject", "s3:PutObject", resource=f"{_BACKUPS}/exports/*"),
            ],
        )
    ],
    "iam-connect-names-user": [
        ("permissions", "policy", [_allow("rds-db:connect", resource=f"{_USERS}/reader")])
    ],
    "ec2-metadata-needs-token": [("host", "metadataOptions", [{"httpEndpoint": "disabled"}])],
    "ec2-encrypted-disks": [("host", "ebsBlockDevices", [ABSENT, []])],
    "logs-alarm-actions-enabled": [("db-CPUUtilization", "actionsEnabled", [True, "true"])],
    "rds-snapshots-not-shared": [("copy", "sharedAccounts", [ABSENT, [], [123456789012]])],
}
