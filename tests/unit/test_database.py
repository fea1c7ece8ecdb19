"""The primary, its replicas, parameters and log groups, input for input."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.conftest import Deployed
from tests.unit.test_network import tags

KEYS = "arn:aws:kms:eu-west-1:123456789012:key/keys-"

# What each environment changes.
OWN: dict[str, dict[str, Any]] = {
    "local": {
        "instanceClass": "db.m7i.large",
        "allocatedStorage": 20,
        "maxAllocatedStorage": 100,
        "multiAz": False,
        "availabilityZone": "eu-west-1a",
        "backupRetentionPeriod": 1,
        "monitoringInterval": 60,
        "performanceInsightsRetentionPeriod": 7,
    },
    "dev": {
        "instanceClass": "db.t4g.medium",
        "allocatedStorage": 20,
        "maxAllocatedStorage": 100,
        "multiAz": False,
        "availabilityZone": "eu-west-1a",
        "backupRetentionPeriod": 3,
        "monitoringInterval": 60,
        "performanceInsightsRetentionPeriod": 7,
    },
    "staging": {
        "instanceClass": "db.m7g.large",
        "allocatedStorage": 50,
        "maxAllocatedStorage": 200,
        "multiAz": True,
        "backupRetentionPeriod": 7,
        "monitoringInterval": 60,
        "performanceInsightsRetentionPeriod": 7,
    },
    "prod": {
        "instanceClass": "db.r7g.large",
        "allocatedStorage": 100,
        "maxAllocatedStorage": 1000,
        "multiAz": True,
        "backupRetentionPeriod": 30,
        "monitoringInterval": 15,
        "performanceInsightsRetentionPeriod": 31,
    },
}
LOG_RETENTION_DAYS = {"local": 7, "dev": 30, "staging": 90, "prod": 365}


def guarded(environment: str) -> bool:
    return environment in ("staging", "prod")


def common(environment: str) -> dict[str, Any]:
    """What primary and replicas share."""
    own = OWN[environment]
    return {
        "instanceClass": own["instanceClass"],
        "maxAllocatedStorage": own["maxAllocatedStorage"],
        "storageType": "gp3",
        "storageEncrypted": True,
        "publiclyAccessible": False,
        "networkType": "IPV4",
        "dedicatedLogVolume": False,
        "deleteAutomatedBackups": not guarded(environment),
        "databaseInsightsMode": "standard",
        "parameterGroupName": f"pgkeep-{environment}-postgres17",
        "caCertIdentifier": "rds-ca-rsa2048-g1",
        "iamDatabaseAuthenticationEnabled": True,
        "backupRetentionPeriod": own["backupRetentionPeriod"],
        "backupWindow": "01:00-01:30",
        "maintenanceWindow": "sun:03:30-sun:04:30",
        "copyTagsToSnapshot": True,
        "deletionProtection": guarded(environment),
        "autoMinorVersionUpgrade": True,
        "applyImmediately": not guarded(environment),
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "monitoringInterval": own["monitoringInterval"],
        "monitoringRoleArn": "arn:aws:iam/role:Role/database-monitoring-role",
        "performanceInsightsEnabled": True,
        "performanceInsightsKmsKeyId": f"{KEYS}database",
        "performanceInsightsRetentionPeriod": own["performanceInsightsRetentionPeriod"],
    }


def test_the_primary(deployed: Deployed, environment: str) -> None:
    inputs = dict(deployed(environment).inputs("database-instance"))
    password = inputs.pop("passwordWo")
    # A secret, and long enough that nobody guesses it in the seconds that it counts.
    assert len(password["value"]) >= 40
    snapshot = {"skipFinalSnapshot": not guarded(environment)}
    final = inputs.pop("finalSnapshotIdentifier")
    assert re.fullmatch(f"pgkeep-{environment}-final-[0-9a-f]{{12}}", final)
    assert inputs == {
        **common(environment),
        **OWN[environment],
        **snapshot,
        "identifier": f"pgkeep-{environment}",
        "engine": "postgres",
        "engineVersion": "17",
        "dbName": "node_pass",
        "username": "pgkeep_admin",
        "passwordWoVersion": 1,
        "port": 5432,
        "kmsKeyId": f"{KEYS}database",
        "dbSubnetGroupName": f"pgkeep-{environment}-database",
        "vpcSecurityGroupIds": ["security-groups-database-id"],
        "engineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "allowMajorVersionUpgrade": False,
        "tags": tags(environment, f"pgkeep-{environment}"),
    }


def test_the_replica(deployed: Deployed, environment: str) -> None:
    assert deployed(environment).inputs("replica-1-instance") == {
        **common(environment),
        "identifier": f"pgkeep-{environment}-replica-1",
        "replicateSourceDb": f"pgkeep-{environment}",
        "multiAz": False,
        "availabilityZone": "eu-west-1b",
        "skipFinalSnapshot": True,
        "vpcSecurityGroupIds": ["security-groups-replica-id"],
        "tags": tags(environment, f"pgkeep-{environment}-replica-1"),
    }


def test_the_parameters(deployed: Deployed, environment: str) -> None:
    connections = {"local": 200, "dev": 150, "staging": 200, "prod": 400}[environment]
    inputs = deployed(environment).inputs("database-parameters")
    assert inputs == {
        "name": f"pgkeep-{environment}-postgres17",
        "family": "postgres17",
        "description": f"pgkeep-{environment}: TLS, SCRAM, audit, logging, timeouts",
        "tags": tags(environment, f"pgkeep-{environment}-postgres17"),
        "parameters": [
            {"name": name, "value": value, "applyMethod": method}
            for name, value, method in [
                ("idle_in_transaction_session_timeout", "60000", "immediate"),
                ("lock_timeout", "10000", "immediate"),
                ("log_autovacuum_min_duration", "10000", "immediate"),
                *([("log_checkpoints", "1", "immediate")] if environment == "local" else []),
                ("log_connections", "1", "immediate"),
                ("log_disconnections", "1", "immediate"),
                ("log_lock_waits", "1", "immediate"),
                ("log_min_duration_statement", "1000", "immediate"),
                ("log_min_error_statement", "error", "immediate"),
                ("log_min_messages", "warning", "immediate"),
                ("log_replication_commands", "1", "immediate"),
                ("log_statement", "ddl", "immediate"),
                ("max_connections", str(connections), "pending-reboot"),
                ("password_encryption", "scram-sha-256", "immediate"),
                ("pgaudit.log", "ddl,role,write", "immediate"),
                ("pgaudit.role", "rds_pgaudit", "immediate"),
                ("rds.accepted_password_auth_method", "scram", "immediate"),
                ("rds.force_ssl", "1", "immediate"),
                ("rds.restrict_password_commands", "1", "pending-reboot"),
                ("shared_preload_libraries", "pg_stat_statements,pgaudit", "pending-reboot"),
                ("ssl_min_protocol_version", "TLSv1.2", "immediate"),
                ("statement_timeout", "60000", "immediate"),
                # Of the settings, in order with the program's.
                *([("work_mem", "8192", "immediate")] if environment == "local" else []),
            ]
        ],
    }


@pytest.mark.parametrize(("component", "suffix"), [("database", ""), ("replica-1", "-replica-1")])
@pytest.mark.parametrize("export", ["postgresql", "upgrade"])
def test_log_groups_are_made_with_key_and_retention(
    deployed: Deployed, environment: str, component: str, suffix: str, export: str
) -> None:
    path = f"/aws/rds/instance/pgkeep-{environment}{suffix}/{export}"
    assert deployed(environment).inputs(f"{component}-log-{export}") == {
        "name": path,
        "kmsKeyId": f"{KEYS}telemetry",
        "retentionInDays": LOG_RETENTION_DAYS[environment],
        "deletionProtectionEnabled": environment in ("staging", "prod"),
        "tags": tags(environment, path),
    }


def test_log_groups_come_before_the_instance(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    order = list(recorder.resources)
    for component in ("database", "replica-1"):
        for export in ("postgresql", "upgrade"):
            log = order.index(f"{component}-log-{export}")
            assert log < order.index(f"{component}-instance")


def test_the_monitoring_role(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    assert recorder.document("database-monitoring-role", "assumeRolePolicy") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "monitoring.rds.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            }
        ],
    }
    assert recorder.inputs("database-monitoring-policy") == {
        "role": f"pgkeep-{environment}-rds-monitoring",
        "policyArn": "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
    }
