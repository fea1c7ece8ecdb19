"""Everything that the stack files refuse before any resource exists, one case for each.

The list is that of the project's requirements: a change of a shipped stack file in YAML, the
setting that the message names, and words that say the limit, the reason or the remedy.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from stacks.settings import SettingsError, load
from tests.unit.recorder import REGION, raw_settings

# what, stack, change, field, words
REFUSALS: list[tuple[str, str, str, str, list[str]]] = [
    (
        "gp3 IOPS below 400 GiB",
        "prod",
        "database: {allocated_storage_gib: 399, iops: 12000}",
        "database.iops",
        ["12000", "only from 400 GiB of gp3", "Leave it out"],
    ),
    (
        "gp3 throughput below 400 GiB",
        "prod",
        "database: {storage_throughput_mibps: 500}",
        "database.storage_throughput_mibps",
        ["500", "only from 400 GiB of gp3", "database has 100"],
    ),
    (
        "gp3 below the minimum of IOPS above 400 GiB",
        "prod",
        "database: {allocated_storage_gib: 400, iops: 11999}",
        "database.iops",
        ["11999", "12000 to 64000 IOPS on gp3"],
    ),
    (
        "autoscaling ceiling under 110 %",
        "prod",
        "database: {allocated_storage_gib: 100, max_allocated_storage_gib: 109}",
        "database.max_allocated_storage_gib",
        ["109", "at least 110 GiB", "10 % above"],
    ),
    (
        "replicas without backups",
        "dev",
        "{database: {pitr_retention_days: 0}, replicas: {count: 1}}",
        "database.pitr_retention_days",
        ["0 days", "at least 1", "no read replica without backups"],
    ),
    (
        "a password that RDS manages, with replicas",
        "prod",
        "database: {master_password: managed_by_rds}",
        "database.master_password",
        ["managed_by_rds", "not with 1 read replica", "replicas.count to 0"],
    ),
    (
        "blue/green with replicas",
        "dev",
        "{replicas: {count: 2}, database: {blue_green_updates: true, "
        "parameters: {rds.logical_replication: 1}}}",
        "database.blue_green_updates",
        ["not with 2 read replicas", "refuses an instance with replicas"],
    ),
    (
        "blue/green without logical replication",
        "dev",
        "{replicas: {count: 0}, database: {blue_green_updates: true}}",
        "database.blue_green_updates",
        ["rds.logical_replication: 1"],
    ),
    (
        "a replica in another region without a key there",
        "prod",
        "replicas: {other_regions: [{region: eu-central-1, vpc_id: vpc-0123456789abcdef0, "
        "subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]}]}",
        "replicas.other_regions[0].kms_key_arn",
        ["a key in eu-central-1", "create_kms_key to true"],
    ),
    (
        "a copy of the backups in another region without a key there",
        "prod",
        "database: {backup_replication: {region: eu-central-1, create_kms_key: false}}",
        "database.backup_replication.kms_key_arn",
        ["a key in eu-central-1", "create_kms_key to true"],
    ),
    (
        "advanced Database Insights without 465 days of Performance Insights",
        "prod",
        "database: {database_insights_mode: advanced}",
        "database.database_insights_mode",
        [
            "465 days or more (it keeps 31)",
            "Set database.performance_insights_retention_days to 465",
        ],
    ),
    (
        "advanced Database Insights without Performance Insights",
        "prod",
        "database: {database_insights_mode: advanced, performance_insights: false}",
        "database.database_insights_mode",
        ["465 days or more (it is off)", "Set database.performance_insights to true and database."],
    ),
    (
        "a monitoring interval outside its set",
        "prod",
        "database: {monitoring_interval_seconds: 20}",
        "database.monitoring_interval_seconds",
        ["20 seconds", "0, 1, 5, 10, 15, 30 or 60"],
    ),
    (
        "windows that overlap",
        "prod",
        "database: {backup_window: '03:00-04:00', maintenance_window: 'sun:03:30-sun:04:30'}",
        "database.maintenance_window",
        ["sun:03:30-sun:04:30", "outside database.backup_window (03:00-04:00)"],
    ),
    (
        "a malformed window",
        "prod",
        "database: {maintenance_window: 'sunday 3:30'}",
        "database.maintenance_window",
        ["'sunday 3:30'", "must be ddd:HH:MM-ddd:HH:MM", "at least 30 minutes"],
    ),
    (
        "a window without quotes, which YAML reads as an octal number",
        "prod",
        "database: {backup_window: 0130}",
        "database.backup_window",
        ["must be text in quotes: HH:MM-HH:MM in UTC, such as 01:00-01:30"],
    ),
    (
        "a window that is too short",
        "prod",
        "database: {backup_window: '01:00-01:29'}",
        "database.backup_window",
        ["'01:00-01:29'", "at least 30 minutes"],
    ),
    (
        "a parameter that the family does not have",
        "prod",
        "database: {parameters: {effective_cache_sise: 1}}",
        "database.parameters.effective_cache_sise",
        ["must be a parameter of postgres17", "effective_cache_size"],
    ),
    (
        "a parameter out of its range",
        "prod",
        "database: {parameters: {autovacuum_max_workers: 300000}}",
        "database.parameters.autovacuum_max_workers",
        ["300000", "a whole number from 1 to 262143"],
    ),
    (
        "a parameter with a unit",
        "prod",
        "database: {parameters: {work_mem: 64MB}}",
        "database.parameters.work_mem",
        ["'64MB'", "kB", "Write 65536."],
    ),
    (
        "a parameter that RDS keeps for itself",
        "prod",
        "database: {parameters: {ssl_ca_file: /tmp/ca.pem}}",
        "database.parameters.ssl_ca_file",
        ["cannot be modified on RDS", "Remove it."],
    ),
    (
        "an instance class that does not exist",
        "prod",
        "database: {instance_class: db.r7g.3xlarge}",
        "database.instance_class",
        ["'db.r7g.3xlarge'", "a class that RDS offers for PostgreSQL 17 in eu-west-1", "Use db."],
    ),
    (
        "an instance class of a wrong form",
        "prod",
        "database: {instance_class: r7g.large}",
        "database.instance_class",
        ["'r7g.large'", "must be db.FAMILY.SIZE, such as db.r7g.large: RDS names its classes so"],
    ),
    (
        "an x86 machine with an arm image",
        "prod",
        "pooler: {instance_type: t3.small, architecture: arm64}",
        "pooler.architecture",
        ["'arm64'", "must be 'x86_64' for t3.small", "does not boot"],
    ),
    (
        "an arm machine with an x86 image",
        "prod",
        "pooler: {instance_type: t4g.small, architecture: x86_64}",
        "pooler.architecture",
        ["'x86_64'", "must be 'arm64' for t4g.small"],
    ),
    (
        "an engine version outside support",
        "prod",
        "database: {engine_version: '12'}",
        "database.engine_version",
        ["'12'", "'16' or '17'"],
    ),
    (
        "point-in-time recovery over 35 days",
        "prod",
        "database: {pitr_retention_days: 36}",
        "database.pitr_retention_days",
        ["36 days", "at most 35"],
    ),
    (
        "Object Lock longer than the lifecycle keeps",
        "prod",
        "backups: {object_lock: {retention_days: 31}}",
        "backups.object_lock.retention_days",
        [
            "31",
            "at most 30 days (backups.daily.retention_days)",
            "does not expire a locked version",
        ],
    ),
    (
        "a lifecycle that would delete before the promised retention",
        "prod",
        "backups: {daily: {retention_days: 29}, object_lock: {retention_days: 7}, "
        "replication: {storage_class: STANDARD}}",
        "backups.daily.retention_days",
        ["29", "at least 30 days in prod", "before the 30 days that are promised"],
    ),
    (
        "a lifecycle that would end a deleted backup before the promised retention",
        "prod",
        "backups: {noncurrent_retention_days: 29}",
        "backups.noncurrent_retention_days",
        ["29", "at least 30 days in prod"],
    ),
    (
        "pools that exceed the connection budget",
        "prod",
        "pooler: {default_pool_size: 100}",
        "pooler.default_pool_size",
        ["100", "(400 max_connections", "Lower the pools or raise database.max_connections"],
    ),
    (
        "fewer than two zones",
        "prod",
        "network: {availability_zone_count: 1}",
        "network.availability_zone_count",
        ["1 zone refused", "at least 2", "Multi-AZ"],
    ),
    (
        "overlapping ranges",
        "prod",
        "network: {reserved_cidrs: [{cidr: 10.20.128.0/17, name: the office}]}",
        "network.vpc_cidr",
        ["'10.20.0.0/16'", "must not overlap 10.20.128.0/17 (the office)"],
    ),
    (
        "overlapping ranges of two environments",
        "prod",
        "network: {vpc_cidr: 10.21.0.0/16, peered_environments: [staging]}",
        "network.vpc_cidr",
        ["must not overlap 10.21.0.0/16 (environment staging)"],
    ),
    (
        "a name that is too long",
        "prod",
        "name: a-very-long-name-that-no-load-balancer-takes",
        "name",
        ["AWS", "name"],
    ),
    (
        "a name of an instance that is too long",
        "prod",
        "database: {identifier: a-name-of-more-than-the-sixty-three-characters-that-rds-takes-at-most}",
        "database.identifier",
        ["must be 1 to 63 lower-case letters, digits and single hyphens, with a letter first"],
    ),
    (
        "production without deletion protection",
        "prod",
        "database: {deletion_protection: false}",
        "database.deletion_protection",
        ["false", "must be true in prod", "or state the reason in stated_exceptions"],
    ),
    (
        "production without backups",
        "prod",
        "database: {pitr_retention_days: 7}",
        "database.pitr_retention_days",
        ["7", "at least 30 days in prod", "or state the reason in stated_exceptions"],
    ),
    (
        "production without replicas",
        "prod",
        "replicas: {count: 0}",
        "replicas.count",
        ["0", "at least 1 replica in prod", "or state the reason in stated_exceptions"],
    ),
    (
        "a region that AWS does not have",
        "prod",
        "aws:region: eu-west-9",
        "aws:region",
        ["'eu-west-9'", "a region of AWS", "Use eu-west-"],
    ),
]


def merged(raw: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(raw.get(name), dict):
            merged(raw[name], value)
        else:
            raw[name] = value
    return raw


def refused(stack: str, change: str) -> list[str]:
    raw = merged(raw_settings(stack), yaml.safe_load(change))
    region = raw.pop("aws:region", REGION)
    with pytest.raises(SettingsError) as caught:
        load(raw, stack, region)
    return caught.value.lines


@pytest.mark.parametrize(
    ("stack", "change", "field", "words"),
    [case[1:] for case in REFUSALS],
    ids=[case[0] for case in REFUSALS],
)
def test_refused_before_any_resource_exists(
    stack: str, change: str, field: str, words: list[str]
) -> None:
    lines = refused(stack, change)
    (line,) = [each for each in lines if each.startswith(f"{field}: ")]
    assert lines == [line], "one mistake is one line"
    assert "refused, " in line
    for word in words:
        assert word in line
    # What to do, and where AWS says so.
    assert line.endswith(".")
    if field != "aws:region":
        assert " Source: " in line, line


@pytest.mark.parametrize("change", ["backups: null", "{backups: {daily: null}}"])
def test_production_without_logical_backups(change: str) -> None:
    (line,) = refused("prod", change)
    assert " refused, cannot be switched off; left out, it has its defaults: " in line


# Every guard of prod may be left out with a reason; the policy pack wants its exemption as well.
STATED = """
stated_exceptions:
  - {field: replicas.count, reason: nobody reads from this database but its application}
"""


def test_production_without_replicas_for_a_stated_reason() -> None:
    raw = merged(raw_settings("prod"), yaml.safe_load(STATED + "replicas: {count: 0}"))
    assert load(raw, "prod", REGION).replicas.count == 0


def test_production_without_deletion_protection_for_a_stated_reason() -> None:
    change = """
database: {deletion_protection: false}
stated_exceptions:
  - {field: database.deletion_protection, reason: this stack is rebuilt from dumps every night}
policy_exemptions:
  - &one {rule: rds-deletion-protected, resource: "*", reason: rebuilt every night, owner: platform,
     expires: 2099-01-01}
  - {<<: *one, rule: rds-stateful-protected}
  - {<<: *one, rule: lb-deletion-protected}
"""
    raw = merged(raw_settings("prod"), yaml.safe_load(change))
    assert load(raw, "prod", REGION).database.deletion_protection is False
