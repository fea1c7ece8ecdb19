"""The whole stack: exports, name limits, determinism, and what is refused before it begins."""

from __future__ import annotations

import json

import pytest
from pulumi import RunError

import workloads
from components.ca_bundle import expand
from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import Recorder, deploy, raw_settings, settings

# Another value in every run; the engine ignores all but the first.
ONCE = {"passwordWo": None, "finalSnapshotIdentifier": None}
# Archives and assets are objects of their run.
UNCOMPARED = {"code": None, "source": None, **ONCE}


def test_exports_are_endpoints_and_names(deployed: Deployed) -> None:
    prefix = "security-groups-"
    recorder = deployed("local")
    assert recorder.exports == {
        "environment": "local",
        "region": "eu-west-1",
        "vpc_id": "network-vpc-id",
        "private_subnet_ids": ["network-functions-1-id", "network-functions-2-id"],
        "database_endpoint": "database-instance.example.eu-west-1.rds.amazonaws.com",
        "database_identifier": "pgkeep-local",
        "database_port": 5432,
        "database_name": "node_pass",
        "replica_endpoints": ["replica-1-instance.example.eu-west-1.rds.amazonaws.com"],
        "regional_replica_endpoints": {},
        "pooler_endpoint": "pooler-load-balancer.elb.eu-west-1.amazonaws.com",
        "pooler_port": 6543,
        "pooler_ca_certificate": "PEM",
        "pooler_group_name": "pgkeep-local-pooler",
        "pooler_log_group": "/pgkeep/pgkeep-local/pooler",
        "pooler_pause_secret_name": "pgkeep-local/pooler/pause",
        "application_security_group_id": f"{prefix}application-id",
        "migration_security_group_id": f"{prefix}migration-id",
        "analytics_security_group_id": f"{prefix}analytics-id",
        "administration_security_group_id": f"{prefix}administration-id",
        "backup_bucket": "pgkeep-local-backups-123456789012-eu-west-1",
        "backup_copies_bucket_arn": None,
        "backup_function": "pgkeep-local-backup",
        "backup_worker_group": "pgkeep-local-backup-worker",
        "backup_exports": False,
        "restore_test_function": None,
        "recovery_objectives": {"rto_seconds": 900, "rpo_seconds": 600},
        "recovery_checks": {
            "schema": "node_pass",
            "checks": [
                check.model_dump(mode="json") for check in workloads.load("node_pass").checks
            ],
        },
        "backup_retention_function": "pgkeep-local-backup-retention",
        "manifest_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/keys-manifests",
        "aws_backup_vaults": {},
        "aws_backup_account_vault_arn": None,
        "backup_retention_days": settings("local").backups.retention_days,
        "backup_largest_hashed_table_bytes": None,
        "role_secret_names": {
            kind: f"pgkeep-local/node_pass/{kind}"
            for kind in ("migrator", "app", "readonly", "backup", "health")
        },
        "roles_function": "pgkeep-local-roles",
        "roles_event": recorder.inputs("roles-apply")["input"],
        "migrations_function": "pgkeep-local-migrations",
        "migrations_event": recorder.inputs("migrations-apply")["input"],
        "master_secret_name": "pgkeep-local/master",
        "alarm_topic_arn": "arn:aws:sns/topic:Topic/alarms-topic",
        "regional_alarm_topic_arns": {},
    }


def test_components(deployed: Deployed, environment: str) -> None:
    types = {type_ for type_, _ in deployed(environment).components} - {"pulumi:pulumi:Stack"}
    prod_only = {"BackupReplication"} if environment == "prod" else set[str]()
    assert {type_.removeprefix("pgkeep:components:") for type_ in types} == prod_only | {
        "AlarmTopic",
        "BackupFunction",
        "BackupRetention",
        "BackupRecords",
        "BackupStorage",
        "BackupWorker",
        "BackupWorkerRole",
        "Database",
        "DatabaseEvents",
        "EncryptionKeys",
        "FlowLogs",
        "FunctionCode",
        "FunctionSchedule",
        "MasterCredentials",
        "Migrations",
        "Monitoring",
        "Network",
        "OperationFunction",
        "Platform",
        "Pooler",
        "PoolerCertificates",
        "PoolerHosts",
        "ReadReplica",
        "RoleRotation",
        "SecurityGroups",
        "ServiceEndpoints",
        "WorkloadRoles",
        *(["DatabaseBackupReplication"] if environment == "prod" else []),
        *(["RestoreTest"] if environment in ("staging", "prod") else []),
    }


def test_two_runs_ask_for_the_same(deployed: Deployed) -> None:
    first, second = deployed("prod"), deploy(settings("prod"), Recorder())

    def comparable(recorder: Recorder) -> str:
        inputs = {name: inputs for name, (_, inputs) in recorder.resources.items()}
        inputs["database-instance"] = {**inputs["database-instance"], **ONCE}
        return json.dumps(inputs, sort_keys=True, default=lambda archive: vars(archive).get("path"))

    assert comparable(first) == comparable(second)


def test_a_changed_pool_size_changes_the_launch_template_alone(deployed: Deployed) -> None:
    raw = raw_settings("prod")
    raw["pooler"]["default_pool_size"] = 21
    before, after = deployed("prod").resources, deploy(load(raw, "prod")).resources
    assert set(before) == set(after)
    changed = {
        name
        for name, (_, inputs) in after.items()
        if {**inputs, **UNCOMPARED} != {**before[name][1], **UNCOMPARED}
    }
    assert changed == {"pooler-hosts-template"}


@pytest.mark.parametrize(
    ("variable", "path", "expected"),
    [
        (None, "stacks/rds_ca/{region}.pem", "stacks/rds_ca/eu-west-1.pem"),
        (None, "${PGKEEP_TEST_HOME:-.localcloud}/b.pem", ".localcloud/b.pem"),
        ("", "${PGKEEP_TEST_HOME:-.localcloud}/b.pem", ".localcloud/b.pem"),
        ("/tmp/x", "${PGKEEP_TEST_HOME:-.localcloud}/b.pem", "/tmp/x/b.pem"),
        ("/tmp/x", "${PGKEEP_TEST_HOME}/b.pem", "/tmp/x/b.pem"),
    ],
)
def test_the_bundle_s_path_expands(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, path: str, expected: str
) -> None:
    monkeypatch.delenv("PGKEEP_TEST_HOME", raising=False)
    if variable is not None:
        monkeypatch.setenv("PGKEEP_TEST_HOME", variable)
    assert expand(path, "eu-west-1") == expected


def test_a_file_without_certificates_is_refused() -> None:
    raw = raw_settings("prod")
    raw["database"]["ca_bundle_path"] = "Pulumi.yaml"
    with pytest.raises(RunError, match=r"ca_bundle_path: 'Pulumi.yaml' refused, must hold PEM"):
        deploy(load(raw, "prod"))


def test_a_workload_whose_check_writes_is_refused_before_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = workloads.load("node_pass")
    check = workloads.RestoreCheck(name="tidy up", query="DELETE FROM buyers")
    monkeypatch.setattr(workloads, "load", lambda _: good.model_copy(update={"checks": (check,)}))
    with pytest.raises(RunError, match=r"node_pass/contract.yaml: checks: 'tidy up' refused, its"):
        deploy(settings("local"), Recorder())
