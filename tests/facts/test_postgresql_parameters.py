"""PostgreSQL's parameters: which exist, how they are applied, and why a value is refused."""

from __future__ import annotations

import pytest

from facts.postgresql_parameters import catalogue, parameter, problem


def test_how_a_change_is_applied_follows_the_context() -> None:
    static, dynamic = parameter("shared_buffers"), parameter("work_mem")
    assert static is not None
    assert dynamic is not None
    assert (static.static, static.apply_method) == (True, "pending-reboot")
    assert (dynamic.static, dynamic.apply_method) == (False, "immediate")


def test_names_are_compared_as_rds_writes_them() -> None:
    found = parameter("TimeZone")
    assert found is not None
    assert found.name == "timezone"


def test_a_family_without_a_table_has_no_parameters() -> None:
    assert catalogue("postgres99") == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_mem", "65536"),
        ("work_mem", "GREATEST({DBInstanceClassMemory/65536},4096)"),
        ("shared_buffers", "{DBInstanceClassMemory/32768}"),
        ("random_page_cost", "1.1"),
        ("jit", "off"),
        ("jit", "0"),
        ("synchronous_commit", "0"),
        ("log_statement", "ddl"),
        ("log_file_mode", "0644"),
        ("rds.force_ssl", "1"),
        ("rds.log_retention_period", "1440"),
        ("cron.database_name", "app"),
        ("pg_hint_plan.enable_hint", "on"),
        ("log_line_prefix", "%t:%r"),
    ],
)
def test_what_rds_takes(name: str, value: str) -> None:
    assert problem(name, value) is None


@pytest.mark.parametrize(
    ("name", "value", "limit", "words"),
    [
        ("work_memm", "1", "must be a parameter of postgres17", "Did you mean work_mem"),
        ("nothing_like_it_at_all", "1", "must be a parameter of postgres17", "Remove it."),
        ("fsync", "0", "cannot be modified on RDS", "RDS manages it itself"),
        ("server_version", "18", "cannot be modified on RDS", "RDS manages it itself"),
        ("cron.host", "db", "cannot be modified on RDS", "RDS manages it itself"),
        ("work_mem", "63", "from 64 to 2147483647 kB", "could not start"),
        ("work_mem", "64MB", "from 64 to 2147483647 kB", "Write 65536."),
        ("shared_buffers", "1GB", "8kB", "Write 131072."),
        ("statement_timeout", "30s", "ms", "Write 30000."),
        ("work_mem", "lots", "a whole number", "could not start"),
        ("work_mem", "64.5", "a whole number", "could not start"),
        ("work_mem", "30s", "a whole number", "could not start"),
        ("work_mem", "{DBInstanceClassMemry/2}", "a whole number", "could not start"),
        ("random_page_cost", "-1", "a number from 0", "could not start"),
        ("jit", "maybe", "0 or 1", "could not start"),
        ("log_statement", "everything", "one of none, ddl, mod, all", "could not start"),
        ("log_statement", "1", "one of none, ddl, mod, all", "could not start"),
        ("log_line_prefix", "a\nb", "one line of text", "could not start"),
        ("rds.log_retention_period", "60", "from 1440 to 10080", "could not start"),
    ],
)
def test_what_rds_refuses(name: str, value: str, limit: str, words: str) -> None:
    found = problem(name, value)
    assert found is not None
    assert limit in found.limit
    assert words in f"{found.reason}. {found.remedy}"
