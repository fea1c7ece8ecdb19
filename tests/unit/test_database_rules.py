"""Combinations of database settings that RDS would refuse, each refused in one line before it."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.test_network import EXISTING
from tests.unit.test_settings import changed

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"
KEY_THERE = "arn:aws:kms:eu-central-1:123456789012:key/4567cdef-0123-0123-0123-0123456789ab"
POINT = {"source_resource_id": "db-ABC", "kms_key_arn": KEY}
THERE: dict[str, Any] = {
    "region": "eu-central-1",
    "kms_key_arn": KEY_THERE,
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}
LARGE = {"database__allocated_storage_gib": 400}


def refused(environment: str, /, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(changed(environment, **changes), environment, "eu-west-1")
    return caught.value.lines


# environment, changes, field, value, limit, reason
REFUSED: list[tuple[str, dict[str, Any], str, str, str, str]] = [
    (
        "dev",
        {"database__origin": {"snapshot": {"identifier": "old"}, "point_in_time": POINT}},
        "database.origin",
        "'snapshot, point_in_time'",
        "at most one of snapshot, point_in_time and existing",
        "an instance has one origin",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {**POINT, "source_identifier": "other"}}},
        "database.origin.point_in_time",
        "'source_identifier, source_resource_id'",
        "exactly one of source_identifier, source_resource_id, automated_backups_arn",
        "RDS recovers one source",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {"kms_key_arn": KEY}}},
        "database.origin.point_in_time",
        "null",
        "exactly one of source_identifier",
        "RDS recovers one source",
    ),
    (
        "dev",
        {
            "database__origin": {
                "point_in_time": {"source_identifier": "pgkeep-dev", "kms_key_arn": KEY}
            }
        },
        "database.origin.point_in_time.source_identifier",
        "'pgkeep-dev'",
        "must not be this stack's own instance",
        "names are unique in a region",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {**POINT, "time": "yesterday"}}},
        "database.origin.point_in_time.time",
        "'yesterday'",
        "must be YYYY-MM-DDTHH:MM:SSZ",
        "RDS takes UTC times only",
    ),
    (
        "dev",
        {
            "database__origin": {"existing": {"identifier": "legacy", "kms_key_arn": KEY}},
            "database__identifier": "another",
            "network__vpc_cidr": None,
            "network__existing": EXISTING,
        },
        "database.identifier",
        "'another'",
        "must be 'legacy'",
        "an imported instance keeps its name",
    ),
    (
        "dev",
        {"database__origin": {"existing": {"identifier": "legacy", "kms_key_arn": KEY}}},
        "database.origin.existing",
        "'legacy'",
        "needs network.existing",
        "poolers and functions have to reach it",
    ),
    (
        "dev",
        {"database__major_upgrade": {"from_version": "16", "to_version": "16"}},
        "database.major_upgrade",
        "'16 to 16'",
        "must go to a later version",
        "no way back",
    ),
    (
        "dev",
        {
            "database__engine_version": "16",
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
        },
        "database.major_upgrade.to_version",
        "'17'",
        "must be '16' (database.engine_version)",
        "allowed for one change by name",
    ),
    (
        "dev",
        {
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
            "database__apply_changes_immediately": False,
        },
        "database.apply_changes_immediately",
        "false",
        "must be true with database.major_upgrade",
        "still uses the old parameter group",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": 1},
            "database__identifier": "a" * 61,
            "replicas__count": 0,
        },
        "database.blue_green_updates",
        "true",
        "needs an instance name of at most 60 characters",
        "gives the deployment the instance's name",
    ),
    (
        "dev",
        {
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
            "replicas__other_regions": [THERE],
        },
        "database.major_upgrade",
        "'16 to 17'",
        "not with replicas.other_regions",
        "others lose replication",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": 1},
        },
        "database.blue_green_updates",
        "true",
        "not with 1 read replica",
        "refuses an instance with replicas",
    ),
    (
        "dev",
        {"database__blue_green_updates": True, "replicas__count": 0},
        "database.blue_green_updates",
        "true",
        "needs database.parameters rds.logical_replication: 1",
        "logical replication",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": True},
            "database__master_password": "managed_by_rds",
            "replicas__count": 0,
        },
        "database.blue_green_updates",
        "true",
        "not with database.master_password managed_by_rds",
        "whose password it manages",
    ),
    (
        "dev",
        {"database__master_password": "managed_by_rds"},
        "database.master_password",
        "'managed_by_rds'",
        "not with 1 read replica",
        "whose master password it manages",
    ),
    (
        "dev",
        {"database__final_snapshot": True},
        "database.keep_kms_key",
        "false",
        "must be true with database.final_snapshot",
        "would be lost with its key",
    ),
    (
        "dev",
        {"database__deletion_protection": True},
        "database.deletion_protection",
        "true",
        "needs database.final_snapshot",
        "deletion takes two steps: first deletion_protection: false",
    ),
    (
        "prod",
        {"database__keep_automated_backups": False},
        "database.keep_automated_backups",
        "false",
        "must be true in prod",
        "to the second",
    ),
    (
        "prod",
        {"replicas__count": 0},
        "replicas.count",
        "0",
        "at least 1 replica in prod",
        "second copy",
    ),
    (
        "prod",
        {"stated_exceptions": [{"field": "pooler.port", "reason": "we like another"}]},
        "stated_exceptions[0].field",
        "'pooler.port'",
        "must be one of database.pitr_retention_days, database.multi_az",
        "no guard that could be left out",
    ),
    (
        "prod",
        {"stated_exceptions": [{"field": "replicas.count", "reason": "no reports here"}]},
        "stated_exceptions[0].field",
        "'replicas.count'",
        "must be a guard that is left out",
        "would hide the next mistake",
    ),
    # Storage
    (
        "dev",
        {"database__iops": 12_000},
        "database.iops",
        "12000",
        "only from 400 GiB of gp3 (database has 20)",
        "3000 IOPS and 125 MiB/s",
    ),
    (
        "dev",
        {"database__storage_throughput_mibps": 500},
        "database.storage_throughput_mibps",
        "500",
        "only from 400 GiB of gp3",
        "3000 IOPS and 125 MiB/s",
    ),
    (
        "prod",
        {**LARGE, "database__iops": 11_999},
        "database.iops",
        "11999",
        "12000 to 64000 IOPS on gp3",
        "stripes four volumes",
    ),
    (
        "prod",
        {**LARGE, "database__iops": 64_001},
        "database.iops",
        "64001",
        "12000 to 64000 IOPS on gp3",
        "stripes four volumes",
    ),
    (
        "prod",
        {**LARGE, "database__storage_throughput_mibps": 3_001},
        "database.storage_throughput_mibps",
        "3001",
        "at most 3000 MiB/s with 12000 IOPS",
        "0.25 MiB/s for each",
    ),
    (
        "prod",
        {**LARGE, "database__storage_throughput_mibps": 4_001},
        "database.storage_throughput_mibps",
        "4001 MiB/s",
        "at most 4000",
        "500 to 4000 MiB/s",
    ),
    (
        "prod",
        {"database__storage_type": "io2"},
        "database.iops",
        "null",
        "1000 to 256000 IOPS on io2",
        "no baseline",
    ),
    (
        "dev",
        {"database__storage_type": "io2", "database__iops": 1_000},
        "database.allocated_storage_gib",
        "20",
        "at least 100 GiB on io2",
        "no smaller io2 volume",
    ),
    (
        "prod",
        {"database__storage_type": "io2", "database__iops": 100_001},
        "database.iops",
        "100001",
        "at most 100000 IOPS on 100 GiB",
        "1000 IOPS for each GiB",
    ),
    (
        "prod",
        {
            "database__storage_type": "io2",
            "database__iops": 5_000,
            "database__storage_throughput_mibps": 500,
            "replicas__storage_type": "gp3",
        },
        "database.storage_throughput_mibps",
        "500",
        "only on gp3",
        "follows its IOPS",
    ),
    (
        "prod",
        {"database__dedicated_log_volume": True},
        "database.dedicated_log_volume",
        "true",
        "needs database.storage_type io2",
        "provisioned IOPS storage only",
    ),
    (
        "prod",
        {"replicas__overrides": [{"number": 1, "allocated_storage_gib": 99}]},
        "replicas.overrides[0].allocated_storage_gib",
        "99",
        "at least 100 GiB (database.allocated_storage_gib)",
        "all of the primary's data",
    ),
    (
        "prod",
        {"replicas__iops": 12_000},
        "replicas.iops",
        "12000",
        "only from 400 GiB of gp3 (replicas has 100)",
        "3000 IOPS",
    ),
    # Replicas
    (
        "prod",
        {"replicas__overrides": [{"number": 2}]},
        "replicas.overrides[0].number",
        "2",
        "at most 1 (replicas.count)",
        "no such replica",
    ),
    (
        "prod",
        {"replicas__overrides": [{"number": 1}, {"number": 1}]},
        "replicas.overrides[1].number",
        "1",
        "once",
        "differ in two ways",
    ),
    (
        "prod",
        {"replicas__overrides": [{"number": 1, "availability_zone": "us-east-1a"}]},
        "replicas.overrides[0].availability_zone",
        "'us-east-1a'",
        "a zone of eu-west-1",
        "in the stack's region",
    ),
    (
        "prod",
        {
            "replicas__overrides": [
                {"number": 1, "availability_zone": "eu-west-1a", "multi_az": True}
            ]
        },
        "replicas.overrides[0].availability_zone",
        "'eu-west-1a'",
        "not with multi_az",
        "chooses both zones",
    ),
    (
        "prod",
        {"replicas__count": 15, "replicas__other_regions": [THERE]},
        "replicas.count",
        "15",
        "at most 15 together with 1 in other regions",
        "no more replicas of one source",
    ),
    (
        "prod",
        {"replicas__other_regions": [{**THERE, "kms_key_arn": None}]},
        "replicas.other_regions[0].kms_key_arn",
        "null",
        "exactly one of kms_key_arn (a key in eu-central-1) and create_kms_key",
        "KMS keys belong to one region",
    ),
    (
        "prod",
        {"replicas__other_regions": [{**THERE, "kms_key_arn": KEY}]},
        "replicas.other_regions[0].kms_key_arn",
        f"'{KEY}'",
        "a key in eu-central-1",
        "cannot encrypt the copy",
    ),
    (
        "prod",
        {"replicas__other_regions": [THERE, THERE]},
        "replicas.other_regions[1].region",
        "'eu-central-1'",
        "one replica a region",
        "would meet",
    ),
    (
        "prod",
        {"database__backup_replication": {"region": "eu-west-1", "create_kms_key": True}},
        "database.backup_replication.region",
        "'eu-west-1'",
        "another region than the stack's",
        "lost with it",
    ),
    (
        "prod",
        {"database__backup_replication": {"region": "eu-central-1"}},
        "database.backup_replication.kms_key_arn",
        "null",
        "exactly one of kms_key_arn (a key in eu-central-1) and create_kms_key",
        "one where it goes",
    ),
    (
        "prod",
        {
            "database__backup_replication": {
                "region": "eu-central-1",
                "create_kms_key": True,
                "retention_days": 36,
            }
        },
        "database.backup_replication.retention_days",
        "36 days",
        "at most 35",
        "at most 35 days",
    ),
    # Insights, parameters, zone
    (
        "prod",
        {"database__database_insights_mode": "advanced"},
        "database.database_insights_mode",
        "'advanced'",
        "needs database.performance_insights with 465 days or more (it keeps 31)",
        "shorter retention",
    ),
    (
        "prod",
        {
            "database__database_insights_mode": "advanced",
            "database__performance_insights_retention_days": 465,
            "database__performance_insights": False,
        },
        "database.database_insights_mode",
        "'advanced'",
        "465 days or more (it is off)",
        "shorter retention",
    ),
    (
        "prod",
        {"database__performance_insights_retention_days": 30},
        "database.performance_insights_retention_days",
        "30 days",
        "must be 7, 31, 62",
        "months of 31 days",
    ),
    (
        "prod",
        {"database__monitoring_interval_seconds": 20},
        "database.monitoring_interval_seconds",
        "20 seconds",
        "must be 0, 1, 5, 10, 15, 30 or 60",
        "the intervals that RDS offers",
    ),
    (
        "prod",
        {"database__parameters": {"Max_Connections": 100}},
        "database.parameters.Max_Connections",
        "100",
        "must be given as database.max_connections",
        "other rules depend on that setting",
    ),
    (
        "prod",
        {"database__parameters": {"work_mem": 65536, "WORK_MEM": 1024}},
        "database.parameters.WORK_MEM",
        "1024",
        "once",
        "case of names",
    ),
    (
        "prod",
        {"database__parameters": {"shared_preload_libraries": "pg_cron"}},
        "database.parameters.shared_preload_libraries",
        "'pg_cron'",
        "a list with pg_stat_statements and pgaudit",
        "need their libraries",
    ),
    (
        "local",
        {"database__parameters": {"RDS.force_ssl": False}},
        "database.parameters.RDS.force_ssl",
        "false",
        "must be 1",
        "without TLS",
    ),
    (
        "prod",
        {"database__availability_zone": "eu-west-1a"},
        "database.availability_zone",
        "'eu-west-1a'",
        "not with database.multi_az",
        "chooses both zones",
    ),
    (
        "dev",
        {"database__availability_zone": "us-east-1a"},
        "database.availability_zone",
        "'us-east-1a'",
        "a zone of eu-west-1",
        "in the stack's region",
    ),
]


@pytest.mark.parametrize(
    ("environment", "changes", "field", "value", "limit", "reason"),
    REFUSED,
    ids=[f"{number}-{case[2]}" for number, case in enumerate(REFUSED)],
)
def test_a_combination_is_refused_in_one_line(
    environment: str, changes: dict[str, Any], field: str, value: str, limit: str, reason: str
) -> None:
    (line,) = refused(environment, **changes)
    assert line.startswith(f"{field}: {value}")
    assert "refused, " in line
    assert limit in line
    assert reason in line
    assert line.endswith(".")
    assert "\n" not in line


# What stands just inside the limits.
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("prod", {**LARGE, "database__iops": 12_000, "database__storage_throughput_mibps": 3_000}),
    ("prod", {**LARGE, "database__iops": 64_000, "database__storage_throughput_mibps": 4_000}),
    ("prod", {"database__storage_type": "io2", "database__iops": 100_000}),
    (
        "prod",
        {
            "database__storage_type": "io2",
            "database__iops": 100_000,
            "replicas__storage_type": "gp3",
        },
    ),
    ("prod", {"database__max_allocated_storage_gib": 0}),
    ("prod", {"replicas__other_regions": [THERE]}),
    (
        "prod",
        {
            "replicas__count": 0,
            "stated_exceptions": [{"field": "replicas.count", "reason": "reports come from S3"}],
        },
    ),
    (
        "prod",
        {
            "database__database_insights_mode": "advanced",
            "database__performance_insights_retention_days": 465,
        },
    ),
    ("dev", {"database__final_snapshot": True, "database__keep_kms_key": True}),
    ("dev", {"database__final_snapshot": True, "keys__database_arn": KEY}),
    ("dev", {"database__master_password": "managed_by_rds", "replicas__count": 0}),
    ("dev", {"database__engine_version": "16"}),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": "on"},
            "replicas__count": 0,
        },
    ),
    ("dev", {"database__major_upgrade": {"from_version": "16", "to_version": "17"}}),
    ("dev", {"database__origin": {"snapshot": {"identifier": "rds:pgkeep-old-2026-11-01"}}}),
]


@pytest.mark.parametrize(("environment", "changes"), ACCEPTED)
def test_a_combination_within_the_limits_is_accepted(
    environment: str, changes: dict[str, Any]
) -> None:
    assert load(changed(environment, **changes), environment, "eu-west-1")
