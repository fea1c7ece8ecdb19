"""A database and backups that are refused, one line each, before any resource."""

from __future__ import annotations

import pytest

from tests.unit.changed_settings import Refusal, is_refused_in_one_line, names

REFUSED: list[Refusal] = [
    (
        "prod",
        {"database__pitr_retention_days": 36},
        "database.pitr_retention_days",
        "36 days",
        "at most 35",
        "RDS keeps automated backups for at most 35 days",
    ),
    (
        "prod",
        {"database__pitr_retention_days": 29},
        "database.pitr_retention_days",
        "29",
        "at least 30 days in prod",
        "point-in-time recovery is the first answer",
    ),
    (
        "staging",
        {"database__pitr_retention_days": 6},
        "database.pitr_retention_days",
        "6",
        "at least 7 days in staging",
        "point-in-time recovery",
    ),
    (
        "dev",
        {"database__pitr_retention_days": 2},
        "database.pitr_retention_days",
        "2",
        "at least 3 days in dev",
        "point-in-time recovery",
    ),
    (
        "dev",
        {"database__pitr_retention_days": 0},
        "database.pitr_retention_days",
        "0 days",
        "at least 1",
        "0 would turn recovery off",
    ),
    (
        "prod",
        {"database__multi_az": False},
        "database.multi_az",
        "false",
        "must be true in prod",
        "a lost zone",
    ),
    (
        "staging",
        {"database__deletion_protection": False},
        "database.deletion_protection",
        "false",
        "must be true in staging",
        "one wrong destroy",
    ),
    (
        "prod",
        {"database__final_snapshot": False},
        "database.final_snapshot",
        "false",
        "must be true in prod",
        "possible to undo",
    ),
    (
        "prod",
        {"backups__keep_bucket": False},
        "backups.keep_bucket",
        "false",
        "must be true in prod",
        "must not delete its backups",
    ),
    (
        "prod",
        {"database__monitoring_interval_seconds": 0},
        "database.monitoring_interval_seconds",
        "0",
        "at least 1 second in prod",
        "enhanced monitoring",
    ),
    (
        "prod",
        {"database__max_allocated_storage_gib": 109},
        "database.max_allocated_storage_gib",
        "109",
        "at least 110 GiB",
        "RDS refuses a lower autoscaling ceiling",
    ),
    (
        "dev",
        {"database__allocated_storage_gib": 19},
        "database.allocated_storage_gib",
        "19 GiB",
        "at least 20",
        "RDS offers gp3",
    ),
    (
        "dev",
        {"database__max_connections": 451},
        "database.max_connections",
        "451",
        "at most 450 on db.t4g.medium (4 GiB)",
        "9.5 MB of memory",
    ),
    (
        "prod",
        {"database__max_connections": None, "database__instance_class": "db.x2g.large"},
        "database.max_connections",
        "null",
        "must be given on db.x2g.large",
        "the memory of this class is not known",
    ),
    (
        "prod",
        {"database__lock_timeout_seconds": 60},
        "database.lock_timeout_seconds",
        "60",
        "below 60 (database.statement_timeout_seconds)",
        "can never time out",
    ),
    (
        "prod",
        {"database__backup_window": "01:00-01:29"},
        "database.backup_window",
        "'01:00-01:29'",
        "at least 30 minutes",
        "RDS refuses shorter windows",
    ),
    (
        "prod",
        {"database__maintenance_window": "sun:01:29-sun:02:30"},
        "database.maintenance_window",
        "'sun:01:29-sun:02:30'",
        "outside database.backup_window (01:00-01:30)",
        "RDS refuses windows that overlap",
    ),
    (
        "prod",
        {"database__instance_class": "r7g.large"},
        "database.instance_class",
        "'r7g.large'",
        "must be db.FAMILY.SIZE, such as db.r7g.large",
        "RDS names its classes so",
    ),
    (
        "prod",
        {"database__engine_version": "15"},
        "database.engine_version",
        "'15'",
        "must be '16' or '17'",
        "the client layer dumps up to 17",
    ),
    (
        "prod",
        {"database__multi_azz": True},
        "database.multi_azz",
        "true",
        "no such setting",
        "a misspelt name would be ignored silently",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_wrong_setting_is_refused_in_one_line(case: Refusal) -> None:
    is_refused_in_one_line(case)
