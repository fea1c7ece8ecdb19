"""Functions, their roles, queues and schedules: exact statements, no wildcard, nothing shared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import deploy, raw_settings
from tests.unit.test_network import tags

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


def expected_statements(environment: str, purpose: str) -> list[dict[str, Any]]:
    prefix = f"pgkeep-{environment}"
    if purpose == "master-credentials":
        return [
            allow(
                "SetMasterPassword",
                ["rds:DescribeDBInstances", "rds:ModifyDBInstance"],
                [f"arn:aws:rds:{HERE}:db:{prefix}"],
            ),
            *secrets("Write", "master-credentials-secret"),
        ]
    if purpose in ("roles", "role-rotation"):
        written = [*(f"roles-{kind}" for kind in LOGINS), "roles-pooler-users"]
        return [*secrets("Read", "master-credentials-secret"), *secrets("Write", *written)]
    if purpose == "migrations":
        return secrets("Read", "roles-migrator")
    if purpose == "backup":
        group = f"autoScalingGroup:*:autoScalingGroupName/{prefix}-backup-worker"
        return [
            *make_backups(environment),
            allow(
                "SeeWorkers",
                ["autoscaling:DescribeAutoScalingGroups"],
                ["*"],
                Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
            ),
            allow(
                "StartWorker",
                ["autoscaling:SetDesiredCapacity"],
                [f"arn:aws:autoscaling:{HERE}:{group}"],
            ),
        ]
    if purpose == "backup-retention":
        bucket = f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1"
        return [
            allow("FindBackups", ["s3:ListBucket"], [bucket]),
            allow(
                "ReadManifests",
                ["s3:GetObject"],
                [
                    *(f"{bucket}/{class_}/*/manifest.json" for class_ in CLASSES),
                    f"{bucket}/reports/restore/*.json",
                ],
            ),
            allow(
                "MarkBackups",
                ["s3:GetObjectTagging", "s3:PutObjectTagging"],
                [f"{bucket}/{class_}/*" for class_ in CLASSES],
            ),
            allow("ReadManifestsKey", ["kms:Decrypt"], [f"{KEYS}backups"], Condition=via("s3")),
            *signatures(environment, "VerifyManifests", "kms:VerifyMac"),
        ]
    return [
        allow(
            "PublishAuthority",
            ["ssm:GetParameter", "ssm:PutParameter"],
            [f"arn:aws:ssm:{HERE}:parameter/{prefix}/pooler/ca-certificate"],
        ),
        *secrets("Write", "pooler-certificates-authority", "pooler-certificates-server"),
    ]


@pytest.mark.parametrize("purpose", FUNCTIONS)
def test_a_role_may_do_exactly_this(deployed: Deployed, environment: str, purpose: str) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    assert recorder.document(f"{purpose}-policy") == {
        "Version": "2012-10-17",
        "Statement": [
            *own_statements(function),
            *(network_statements(function) if purpose in IN_VPC else []),
            *expected_statements(environment, purpose),
        ],
    }
    assert recorder.document(f"{purpose}-role", "assumeRolePolicy")["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": ACCOUNT,
        }
    ]
    assert "managedPolicyArns" not in recorder.inputs(f"{purpose}-role")


DATABASE = {
    "DB_HOST": "database-instance.example.eu-west-1.rds.amazonaws.com",
    "DB_PORT": "5432",
    "DB_NAME": "node_pass",
}
DAILY_DAYS = {"local": 3, "dev": 3, "staging": 7, "prod": 30}
CA = {"RDS_CA_BUNDLE": "/opt/rds-ca-bundle.pem"}


def expected_environment(environment: str, purpose: str) -> dict[str, str]:
    prefix = f"pgkeep-{environment}"
    manifests = {} if environment == "dev" else {"MANIFEST_KEY_ARN": f"{KEYS}manifests"}
    return {
        "master-credentials": {
            **DATABASE,
            "DB_INSTANCE_IDENTIFIER": prefix,
            "MASTER_SECRET_ARN": secret("master-credentials-secret"),
        },
        "roles": {
            **DATABASE,
            **CA,
            "MASTER_SECRET_ARN": secret("master-credentials-secret"),
            "POOLER_USERS_SECRET_ARN": secret("roles-pooler-users"),
        },
        "role-rotation": {
            **DATABASE,
            **CA,
            "MASTER_SECRET_ARN": secret("master-credentials-secret"),
            "POOLER_USERS_SECRET_ARN": secret("roles-pooler-users"),
            "POOLERS_SETTLE_SECONDS": "15" if environment == "local" else "76",
            "ROTATED_ROLES": json.dumps(
                {f"node_pass_{kind}": secret(f"roles-{kind}") for kind in LOGINS}
            ),
            "ROTATION_DAYS": "30",
            "MASTER_ROTATION_DAYS": "93",
            "WORKLOAD": "node_pass",
        },
        "migrations": {**DATABASE, **CA, "MIGRATOR_SECRET_ARN": secret("roles-migrator")},
        "backup": {
            **DATABASE,
            **CA,
            "BACKUP_SECRET_ARN": secret("roles-backup"),
            "BACKUP_BUCKET": f"{prefix}-backups-123456789012-eu-west-1",
            "KMS_KEY_ARN": f"{KEYS}backups",
            "RETENTION_DAYS": json.dumps(
                {"daily": DAILY_DAYS[environment], "weekly": 84, "monthly": 365, "manual": 90}
            ),
            "WORKER_GROUP": f"{prefix}-backup-worker",
            **manifests,
        },
        "backup-retention": {
            "BACKUP_BUCKET": f"{prefix}-backups-123456789012-eu-west-1",
            "DB_NAME": "node_pass",
            **manifests,
        },
        "pooler-certificates": {
            "AUTHORITY_SECRET_ARN": secret("pooler-certificates-authority"),
            "SERVER_SECRET_ARN": secret("pooler-certificates-server"),
            "CA_PARAMETER_NAME": f"/{prefix}/pooler/ca-certificate",
        },
    }[purpose]


@pytest.mark.parametrize("purpose", FUNCTIONS)
def test_a_function(deployed: Deployed, environment: str, purpose: str) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    inputs = dict(recorder.inputs(f"{purpose}-function"))
    assert inputs.pop("code") is not None
    assert inputs.pop("description")
    zones = range(1, 4 if environment == "prod" else 3)
    vpc = {
        "vpcConfig": {
            "subnetIds": [f"network-functions-{zone}-id" for zone in zones],
            "securityGroupIds": ["security-groups-functions-id"],
        }
    }
    layer = "arn:aws:lambda/layerVersion:LayerVersion/function-code-"
    layers = {
        "backup": [f"{layer}rds-ca", f"{layer}postgresql-client"],
        "roles": [f"{layer}rds-ca"],
        "role-rotation": [f"{layer}rds-ca"],
        "migrations": [f"{layer}rds-ca"],
    }
    memory = {"backup": 1024 if environment == "local" else 2048}
    seconds = dict.fromkeys(("master-credentials", "migrations", "backup"), 900)
    seconds["role-rotation"] = 215 if environment == "local" else 276
    assert inputs == {
        "name": function,
        "runtime": "python3.13",
        "architectures": ["x86_64" if environment == "local" else "arm64"],
        "handler": f"operations.functions.{purpose.replace('-', '_')}.handler",
        "layers": layers.get(purpose, []),
        "role": f"arn:aws:iam/role:Role/{purpose}-role",
        "memorySize": memory.get(purpose, 256),
        "timeout": seconds.get(purpose, 300),
        # All secrets are rotated in the same window, and their age is told meanwhile.
        "reservedConcurrentExecutions": len(LOGINS) + 1 if purpose == "role-rotation" else 1,
        "environment": {"variables": expected_environment(environment, purpose)},
        "kmsKeyArn": f"{KEYS}secrets",
        "deadLetterConfig": {"targetArn": f"arn:aws:sqs/queue:Queue/{purpose}-failed"},
        "tracingConfig": {
            "mode": "Active" if environment in ("staging", "prod") else "PassThrough"
        },
        "tags": tags(environment, function),
        **(vpc if purpose in IN_VPC else {}),
    }


@pytest.mark.parametrize("purpose", FUNCTIONS)
def test_what_stands_around_a_function(deployed: Deployed, environment: str, purpose: str) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    path = f"/aws/lambda/{function}"
    assert recorder.inputs(f"{purpose}-log") == {
        "name": path,
        "kmsKeyId": f"{KEYS}telemetry",
        "retentionInDays": {"local": 7, "dev": 30, "staging": 90, "prod": 365}[environment],
        "deletionProtectionEnabled": environment in ("staging", "prod"),
        "tags": tags(environment, path),
    }
    assert recorder.inputs(f"{purpose}-failed") == {
        "name": f"{function}-failed",
        "kmsMasterKeyId": f"{KEYS}telemetry",
        "messageRetentionSeconds": 1_209_600,
        "tags": tags(environment, f"{function}-failed"),
    }
    assert recorder.inputs(f"{purpose}-retries") == {
        "functionName": function,
        "maximumRetryAttempts": 1,
        "maximumEventAgeInSeconds": 3600,
    }


SCHEDULES = [
    ("backup", "daily", "cron(0 2 * * ? *)", '{"class": "daily"}'),
    ("backup", "weekly", "cron(30 2 ? * SUN *)", '{"class": "weekly"}'),
    ("backup", "monthly", "cron(0 3 1 * ? *)", '{"class": "monthly"}'),
    ("backup-retention", "daily", "cron(0 6 * * ? *)", '{"action": "mark"}'),
    ("backup-retention", "age", "cron(5/15 * * * ? *)", '{"action": "age"}'),
    ("master-credentials", "rotate", "cron(0 5 1 1/3 ? *)", '{"action": "rotate"}'),
    ("role-rotation", "age", "cron(10/15 * * * ? *)", '{"action": "age"}'),
    (
        "pooler-certificates",
        "renew",
        "cron(0 5 * * ? *)",
        '{"dns_names": ["pooler-load-balancer.elb.eu-west-1.amazonaws.com"], '
        '"server_valid_days": 90, "authority_valid_days": 3650}',
    ),
]


def test_schedules(deployed: Deployed, environment: str) -> None:
    prefix = f"pgkeep-{environment}"
    # The restore test's are in test_restore_test.py.
    schedules = {
        name: inputs
        for name, inputs in deployed(environment).of_type("aws:scheduler/schedule:Schedule").items()
        if not name.startswith("restore-test-")
    }
    assert schedules == {
        f"{purpose}-schedule-{label}": {
            "name": f"{prefix}-{purpose}-{label}",
            "description": f"{prefix}-{purpose}: {label}",
            "scheduleExpression": expression,
            "scheduleExpressionTimezone": "UTC",
            "flexibleTimeWindow": {"mode": "OFF"},
            "state": "ENABLED",
            "target": {
                "arn": f"arn:aws:lambda/function:Function/{purpose}-function",
                "roleArn": f"arn:aws:iam/role:Role/{purpose}-schedule-role",
                "input": event,
                "deadLetterConfig": {"arn": f"arn:aws:sqs/queue:Queue/{purpose}-failed"},
                "retryPolicy": {"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 3600},
            },
        }
        for purpose, label, expression, event in SCHEDULES
    }


@pytest.mark.parametrize("purpose", ["backup", "master-credentials", "pooler-certificates"])
def test_a_timer_may_invoke_its_function_only(
    deployed: Deployed, environment: str, purpose: str
) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    assert recorder.document(f"{purpose}-schedule-policy")["Statement"] == [
        allow(
            "InvokeFunction",
            ["lambda:InvokeFunction"],
            [f"arn:aws:lambda:{HERE}:function:{function}"],
        ),
        allow("ReportUndelivered", ["sqs:SendMessage"], [f"arn:aws:sqs:{HERE}:{function}-failed"]),
        allow(
            "ReportUndeliveredKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [f"{KEYS}telemetry"],
            Condition=via("sqs"),
        ),
    ]


def test_layers(deployed: Deployed, environment: str) -> None:
    architecture = "x86_64" if environment == "local" else "arm64"
    layers = deployed(environment).of_type("aws:lambda/layerVersion:LayerVersion")
    for name, label in (("rds-ca", "rds-ca"), ("postgresql-client", "postgresql-client-17")):
        inputs = dict(layers[f"function-code-{name}"])
        assert inputs.pop("code") is not None
        assert inputs.pop("description")
        assert inputs == {
            "layerName": f"pgkeep-{environment}-{label}",
            "compatibleRuntimes": ["python3.13"],
            "compatibleArchitectures": [architecture],
        }


def test_secrets_manager_of_this_account_rotates_every_login(
    deployed: Deployed, environment: str
) -> None:
    recorder = deployed(environment)
    assert recorder.of_type("aws:lambda/permission:Permission") == {
        "role-rotation-permission": {
            "statementId": "SecretsManagerOfThisAccount",
            "action": "lambda:InvokeFunction",
            "function": f"pgkeep-{environment}-role-rotation",
            "principal": "secretsmanager.amazonaws.com",
            "sourceAccount": "123456789012",
        }
    }
    assert recorder.of_type("aws:secretsmanager/secretRotation:SecretRotation") == {
        f"role-rotation-{kind}": {
            "secretId": secret(f"roles-{kind}"),
            "rotationLambdaArn": "arn:aws:lambda/function:Function/role-rotation-function",
            "rotationRules": {"automaticallyAfterDays": 30},
            "rotateImmediately": False,
        }
        for kind in LOGINS
    }


def test_the_function_outlives_its_wait_for_the_slowest_hosts() -> None:
    raw = raw_settings("prod")
    raw["pooler"] = {**raw.get("pooler", {}), "refresh_interval_seconds": 600}
    inputs = deploy(load(raw, "prod")).inputs("role-rotation-function")
    assert inputs["environment"]["variables"]["POOLERS_SETTLE_SECONDS"] == "670"
    assert inputs["timeout"] == 870
