"""Storage, replicas here and elsewhere, copies, insights, monitoring, parameters: exact inputs."""

from __future__ import annotations

from typing import Any

import pytest

from components.parameter_group import Parameter, parameters
from stacks.settings import load
from tests.unit.changed_settings import changed
from tests.unit.recorder import REGION, Recorder, deploy
from tests.unit.test_database import common
from tests.unit.test_network import tags

KEY_THERE = "arn:aws:kms:eu-central-1:123456789012:key/4567cdef-0123-0123-0123-0123456789ab"
MADE_THERE = "arn:aws:kms:eu-west-1:123456789012:key/database-key-{}"
CLIENT = "sg-0123456789abcdef0"
THERE: dict[str, Any] = {
    "region": "eu-central-1",
    "create_kms_key": True,
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "client_security_group_ids": [CLIENT],
}


def deployed_with(environment: str, /, **changes: Any) -> Recorder:
    return deploy(load(changed(environment, **changes), environment, REGION))


def subset(inputs: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(inputs.get(name) for name in names)


STORAGE = ("storageType", "allocatedStorage", "iops", "storageThroughput", "dedicatedLogVolume")


def test_provisioned_storage_reaches_primary_and_replicas() -> None:
    recorder = deployed_with(
        "prod",
        database__allocated_storage_gib=500,
        database__iops=16_000,
        database__storage_throughput_mibps=1_000,
    )
    primary, replica = (recorder.inputs(f"{n}-instance") for n in ("database", "replica-1"))
    assert subset(primary, *STORAGE) == ("gp3", 500, 16_000, 1_000, False)
    assert subset(replica, *STORAGE) == ("gp3", None, 16_000, 1_000, False)


def test_replicas_differ() -> None:
    recorder = deployed_with(
        "prod",
        database__storage_type="io2",
        database__iops=10_000,
        database__dedicated_log_volume=True,
        replicas__count=3,
        replicas__instance_class="db.r7g.xlarge",
        replicas__overrides=[
            {"number": 2, "availability_zone": "eu-west-1a", "storage_type": "gp3",
             "allocated_storage_gib": 200},
            {"number": 3, "instance_class": "db.r7g.2xlarge", "multi_az": True, "iops": 20_000},
        ],
    )  # fmt: skip
    names = ("instanceClass", "availabilityZone", "multiAz", *STORAGE)
    found = [subset(recorder.inputs(f"replica-{n}-instance"), *names) for n in (1, 2, 3)]
    assert found == [
        ("db.r7g.xlarge", "eu-west-1b", False, "io2", None, 10_000, None, True),
        ("db.r7g.xlarge", "eu-west-1a", False, "gp3", 200, None, None, False),
        ("db.r7g.2xlarge", None, True, "io2", None, 20_000, None, True),
    ]
    # The alarm on free space knows the larger disk.
    free = recorder.inputs("monitoring-replica-2-storage")["threshold"]
    assert free == 200 * 1024**3 / 5


def test_a_replica_in_another_region() -> None:
    recorder = deployed_with(
        "prod", replicas__other_regions=[THERE], database__backup_replication=None
    )
    name, region = "replica-eu-central-1", {"region": "eu-central-1"}
    label = "pgkeep-prod-replica-eu-central-1"
    shared = common("prod")
    assert recorder.inputs(f"{name}-instance") == {
        **shared,
        **region,
        "identifier": label,
        "replicateSourceDb": "arn:aws:rds/instance:Instance/database-instance",
        "kmsKeyId": MADE_THERE.format(name),
        "performanceInsightsKmsKeyId": MADE_THERE.format(name),
        "dbSubnetGroupName": "pgkeep-prod-database",
        "vpcSecurityGroupIds": [f"{name}-group-id"],
        "multiAz": False,
        "skipFinalSnapshot": True,
        "tags": tags("prod", label),
    }
    key = recorder.inputs(f"database-key-{name}")
    assert subset(key, "region", "enableKeyRotation", "deletionWindowInDays") == (
        "eu-central-1", True, 30,
    )  # fmt: skip
    logs = recorder.document(f"database-key-{name}")["Statement"][1]
    assert logs["Principal"] == {"Service": "logs.eu-central-1.amazonaws.com"}
    assert logs["Condition"]["ArnLike"] == {
        "kms:EncryptionContext:aws:logs:arn": [
            "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/rds/instance/pgkeep-prod*"
        ]
    }
    assert f"database-key-{name}" in recorder.retained
    assert recorder.inputs(f"{name}-subnets") == {
        **region,
        "name": "pgkeep-prod-database",
        "description": "pgkeep-prod: private database subnets",
        "subnetIds": THERE["subnet_ids"],
        "tags": tags("prod", "pgkeep-prod-database"),
    }
    here = recorder.inputs("database-parameters")
    assert recorder.inputs(f"{name}-parameters") == {**here, **region}
    assert recorder.inputs(f"{name}-group") == {
        **region,
        "name": "pgkeep-prod-replica",
        "description": "The read replicas",
        "vpcId": THERE["vpc_id"],
        "tags": tags("prod", "pgkeep-prod-replica"),
    }
    assert recorder.inputs(f"{name}-from-{CLIENT}") == {
        **region,
        "securityGroupId": f"{name}-group-id",
        "referencedSecurityGroupId": CLIENT,
        "description": f"replica from {CLIENT}",
        "ipProtocol": "tcp",
        "fromPort": 5432,
        "toPort": 5432,
        "tags": tags("prod", f"pgkeep-prod-replica-from-{CLIENT}"),
    }
    for export in ("postgresql", "upgrade"):
        path = f"/aws/rds/instance/{label}/{export}"
        assert recorder.inputs(f"{name}-log-{export}") == {
            **region,
            "name": path,
            "kmsKeyId": MADE_THERE.format(name),
            "retentionInDays": 365,
            "deletionProtectionEnabled": True,
            "tags": tags("prod", path),
        }
    assert recorder.exports["regional_replica_endpoints"] == {
        "eu-central-1": f"{name}-instance.example.eu-west-1.rds.amazonaws.com"
    }
    alarm = recorder.inputs("monitoring-primary-slot-lag")
    assert subset(alarm, "metricName", "threshold", "dimensions") == (
        "OldestReplicationSlotLag", 1024**3, {"DBInstanceIdentifier": "pgkeep-prod"},
    )  # fmt: skip


def test_a_given_key_is_used_in_the_other_region() -> None:
    there = {**THERE, "create_kms_key": False, "kms_key_arn": KEY_THERE}
    recorder = deployed_with("prod", replicas__other_regions=[there])
    assert "database-key-replica-eu-central-1" not in recorder.resources
    replica = recorder.inputs("replica-eu-central-1-instance")
    assert subset(replica, "kmsKeyId", "performanceInsightsKmsKeyId") == (KEY_THERE, KEY_THERE)


def test_automated_backups_are_replicated() -> None:
    recorder = deployed_with("prod")
    assert recorder.inputs("backup-replication-backups") == {
        "region": "eu-central-1",
        "sourceDbInstanceArn": "arn:aws:rds/instance:Instance/database-instance",
        "kmsKeyId": MADE_THERE.format("backup-replication"),
        "retentionPeriod": 14,
    }
    # After a blue/green update nothing of the new instance would be replicated.
    initialize = "master-credentials-initialize"
    assert recorder.replaced_with["backup-replication-backups"] == [initialize]
    assert recorder.inputs(initialize)["triggers"] == {"instance": "db-database-instance"}
    key = recorder.inputs("database-key-backup-replication")
    assert key["region"] == "eu-central-1"
    # Nobody but the account: no logs are written under it.
    assert len(recorder.document("database-key-backup-replication")["Statement"]) == 1
    assert recorder.inputs("database-key-backup-replication-alias") == {
        "region": "eu-central-1",
        "name": "alias/pgkeep-prod-backup-replication",
        "targetKeyId": "0123abcd-database-key-backup-replication",
    }


def test_advanced_insights_under_a_key_of_their_own() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/insights"
    recorder = deployed_with(
        "prod",
        database__database_insights_mode="advanced",
        database__performance_insights_retention_days=465,
        database__performance_insights_kms_key_arn=key,
    )
    names = ("databaseInsightsMode", "performanceInsightsRetentionPeriod")
    for instance in ("database-instance", "replica-1-instance"):
        inputs = recorder.inputs(instance)
        assert subset(inputs, *names, "performanceInsightsKmsKeyId") == ("advanced", 465, key)


def test_what_is_off_leaves_nothing_behind() -> None:
    recorder = deployed_with(
        "dev",
        database__monitoring_interval_seconds=0,
        database__performance_insights=False,
        database__event_categories=[],
        database__iam_authentication=False,
        database__auto_minor_version_upgrade=False,
        database__max_allocated_storage_gib=0,
        database__extended_support=True,
        database__network_type="DUAL",
        database__log_exports=["postgresql", "upgrade", "iam-db-auth-error"],
        replicas__count=0,
    )
    assert "database-monitoring-role" not in recorder.resources
    assert not [name for name in recorder.resources if name.startswith("database-events-")]
    assert "database-log-iam-db-auth-error" in recorder.resources
    inputs = recorder.inputs("database-instance")
    assert not {name for name in inputs if name.startswith("performanceInsights")} - {
        "performanceInsightsEnabled"
    }
    assert subset(
        inputs,
        "monitoringInterval", "monitoringRoleArn", "performanceInsightsEnabled",
        "iamDatabaseAuthenticationEnabled", "autoMinorVersionUpgrade", "maxAllocatedStorage",
        "engineLifecycleSupport", "networkType",
    ) == (0, None, False, False, False, 0, "open-source-rds-extended-support", "DUAL")  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Dynamic: at once. Static: at the next restart. RDS refuses the first for the second.
        ({"work_mem": 65536}, ("work_mem", "65536", "immediate")),
        ({"max_wal_senders": "30"}, ("max_wal_senders", "30", "pending-reboot")),
        # Of a library whose parameters are not known: RDS takes the restart for every one.
        ({"pg_hint_plan.debug_print": "on"}, ("pg_hint_plan.debug_print", "on", "pending-reboot")),
        # As RDS gives them back: lower case, switches as 0 and 1, numbers without a point.
        ({"Log_Checkpoints": True}, ("log_checkpoints", "1", "immediate")),
        ({"log_checkpoints": "off"}, ("log_checkpoints", "0", "immediate")),
        ({"random_page_cost": 1.1}, ("random_page_cost", "1.1", "immediate")),
        ({"vacuum_cost_delay": 2.0}, ("vacuum_cost_delay", "2", "immediate")),
        # A choice that has `on` among others is no switch.
        ({"synchronous_commit": "on"}, ("synchronous_commit", "on", "immediate")),
        (
            {"shared_preload_libraries": "pg_stat_statements, pgaudit, pg_cron"},
            ("shared_preload_libraries", "pg_stat_statements,pgaudit,pg_cron", "pending-reboot"),
        ),
        # The settings' value takes the program's place.
        (
            {"pgaudit.log": "ddl,role,write,read"},
            ("pgaudit.log", "ddl,role,write,read", "immediate"),
        ),
    ],
)
def test_parameters_of_the_settings(given: dict[str, Any], expected: tuple[str, str, str]) -> None:
    database = load(changed("dev", database__parameters=given), "dev", REGION).database
    found = {parameter.name: parameter for parameter in parameters(database)}
    name, value, method = expected
    assert found[name] == Parameter(name, value)
    assert found[name].apply_method == method
    assert [parameter.name for parameter in parameters(database)] == sorted(found)
