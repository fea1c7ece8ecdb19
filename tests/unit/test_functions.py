"""Functions, what they are told, their queues, layers and the rotation of secrets."""

from __future__ import annotations

import json

import pytest

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.function_statements import FUNCTIONS, IN_VPC, KEYS, LOGINS, secret
from tests.unit.recorder import deploy, raw_settings
from tests.unit.test_network import tags

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
