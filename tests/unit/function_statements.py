"""What the functions are, and what their roles may do, statement by statement."""

from __future__ import annotations

from typing import Any

KEYS = "arn:aws:kms:eu-west-1:123456789012:key/keys-"

HERE = "eu-west-1:123456789012"

FUNCTIONS = (
    "master-credentials", "roles", "role-rotation", "migrations", "backup", "backup-retention",
    "pooler-certificates",
)  # fmt: skip

CLASSES = ("daily", "weekly", "monthly", "pre-migration", "manual")

IN_VPC = ("roles", "role-rotation", "migrations", "backup")

LOGINS = ("migrator", "app", "readonly", "backup", "health")

ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def via(service: str) -> dict[str, Any]:
    return {"StringEquals": {"kms:ViaService": f"{service}.eu-west-1.amazonaws.com"}}


def allow(sid: str, actions: list[str], resources: list[str], **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **more}


def secret(name: str) -> str:
    return f"arn:aws:secretsmanager/secret:Secret/{name}"


def secrets(verb: str, *names: str) -> list[dict[str, Any]]:
    actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    key_actions = ["kms:Decrypt"]
    if verb == "Write":
        actions += ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
        key_actions += ["kms:GenerateDataKey"]
    return [
        allow(f"{verb}Secrets", actions, [secret(name) for name in names]),
        allow(
            f"{verb}SecretsKey", key_actions, [f"{KEYS}secrets"], Condition=via("secretsmanager")
        ),
    ]


def own_statements(function: str) -> list[dict[str, Any]]:
    return [
        allow(
            "WriteOwnLog",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"arn:aws:logs:{HERE}:log-group:/aws/lambda/{function}:*"],
        ),
        allow("ReportFailedEvents", ["sqs:SendMessage"], [f"arn:aws:sqs:{HERE}:{function}-failed"]),
        allow(
            "ReportFailedEventsKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"{KEYS}telemetry"],
            Condition=via("sqs"),
        ),
        *(
            [
                allow(
                    "WriteTraces",
                    ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
                    ["*"],
                    Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
                )
            ]
            if function.startswith(("pgkeep-staging-", "pgkeep-prod-"))
            else []
        ),
    ]


def network_statements(function: str) -> list[dict[str, Any]]:
    changes = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    ]
    reads = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    return [
        allow(
            "AttachToVpc",
            changes,
            [
                f"arn:aws:ec2:{HERE}:{kind}/*"
                for kind in ("network-interface", "security-group", "subnet")
            ],
        ),
        allow(
            "SeeNetworkInterfaces",
            reads,
            ["*"],
            Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        ),
        {
            "Sid": "NotFromTheCode",
            "Effect": "Deny",
            "Action": [*changes, *reads],
            "Resource": "*",
            "Condition": {
                "ArnEquals": {
                    "lambda:SourceFunctionArn": f"arn:aws:lambda:{HERE}:function:{function}"
                }
            },
        },
    ]


def make_backups(environment: str) -> list[dict[str, Any]]:
    """What the backup function may do, and the worker in its place."""
    prefix = f"pgkeep-{environment}"
    return [
        allow(
            "AddBackups",
            ["s3:AbortMultipartUpload", "s3:PutObject"],
            [f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1/*"],
        ),
        allow(
            "FindUploads",
            ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            [f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1"],
        ),
        allow(
            "ReadManifests",
            ["s3:GetObject"],
            [
                f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1/{class_}/*/manifest.json"
                for class_ in CLASSES
            ],
        ),
        allow(
            "AddBackupsKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"{KEYS}backups"],
            Condition=via("s3"),
        ),
        *signatures(environment, "SignManifests", "kms:GenerateMac"),
        *secrets("Read", "roles-backup"),
    ]


def signatures(environment: str, sid: str, action: str) -> list[dict[str, Any]]:
    return [] if environment == "dev" else [allow(sid, [action], [f"{KEYS}manifests"])]
