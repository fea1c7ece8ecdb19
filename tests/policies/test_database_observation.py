"""Logs, monitoring and shared copies of databases: of which engine, and when a key is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, kinds, made

INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"


@pytest.mark.parametrize(
    ("kind", "engine", "exports", "expected"),
    [
        (INSTANCE, "postgres", ["postgresql", "upgrade"], []),
        (INSTANCE, None, ["postgresql"], [REFUSAL]),
        (INSTANCE, "postgres", UNKNOWN, [NOTE]),
        (CLUSTER, "aurora-postgresql", ["postgresql"], []),
        (CLUSTER, "aurora-postgresql", ["upgrade"], [REFUSAL]),
        (INSTANCE, "mysql", ["audit"], []),
        (INSTANCE, "mysql", [], [REFUSAL]),
        (INSTANCE, "mysql", None, [REFUSAL]),
        (INSTANCE, "mysql", "audit", [REFUSAL]),
        (INSTANCE, "mysql", UNKNOWN, [NOTE]),
    ],
)
def test_logs_leave_the_instance(
    kind: str, engine: Any, exports: Any, expected: list[Kind]
) -> None:
    database = made(kind, "db", engine=engine, enabledCloudwatchLogsExports=exports)
    assert kinds("rds-logs-exported", database) == expected


@pytest.mark.parametrize(
    ("enabled", "expected"),
    [(None, []), (False, []), (True, [REFUSAL]), ("x", [REFUSAL]), (UNKNOWN, [NOTE])],
)
def test_insights_are_under_a_key(enabled: Any, expected: list[Kind]) -> None:
    database = made(INSTANCE, "db", performanceInsightsEnabled=enabled)
    assert kinds("rds-performance-insights-key", database) == expected
    keyed = {"performanceInsightsEnabled": enabled, "performanceInsightsKmsKeyId": "arn"}
    noted = [one for one in expected if one is NOTE]
    assert kinds("rds-performance-insights-key", made(INSTANCE, "db", **keyed)) == noted


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(None, []), (0, []), ("0", []), (60, [REFUSAL]), ("x", [REFUSAL]), (UNKNOWN, [NOTE])],
)
def test_monitoring_has_a_role(interval: Any, expected: list[Kind]) -> None:
    rule = "rds-monitoring-role"
    assert kinds(rule, made(INSTANCE, "db", monitoringInterval=interval)) == expected
    with_role = made(INSTANCE, "db", monitoringInterval=interval, monitoringRoleArn="arn")
    assert kinds(rule, with_role) == [one for one in expected if one is NOTE]


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        (None, []),
        ([], []),
        ("123456789012", []),
        (["123456789012"], []),
        (["123456789012", "all"], [REFUSAL]),
        ([""], [REFUSAL]),
        ([UNKNOWN, "all"], [NOTE]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_snapshots_are_shared_with_accounts(accounts: Any, expected: list[Kind]) -> None:
    snapshot = made("aws:rds/snapshot:Snapshot", "s", sharedAccounts=accounts)
    assert kinds("rds-snapshots-not-shared", snapshot) == expected
