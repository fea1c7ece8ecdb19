"""Disks, observation, parameters and zones that RDS would refuse, each refused in one line before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.changed_settings import Refusal, names
from tests.unit.database_combinations import LARGE, is_accepted, is_refused

REFUSED: list[Refusal] = [
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
    (
        "prod",
        {
            "database__database_insights_mode": "advanced",
            "database__performance_insights_retention_days": 465,
        },
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_combination_is_refused_in_one_line(case: Refusal) -> None:
    is_refused(case)


@pytest.mark.parametrize(("environment", "changes"), ACCEPTED)
def test_a_combination_within_the_limits_is_accepted(
    environment: str, changes: dict[str, Any]
) -> None:
    is_accepted(environment, changes)
