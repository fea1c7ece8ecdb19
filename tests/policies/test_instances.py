"""Versions of databases: which engine they are of, when support ends, what lets files be read."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, kinds, made, verdicts

SUPPORTED, FILES, USERNAME = "rds-supported-version", "rds-no-file-read", "rds-master-username"
TODAY = datetime.date(2026, 1, 1)


def instance(**properties: Any) -> Resource:
    return made("aws:rds/instance:Instance", "db", **properties)


@pytest.mark.parametrize(
    ("version", "engine", "expected"),
    [
        (None, "postgres", []),
        ("", "postgres", []),
        ("17", "postgres", []),
        ("17.4", None, []),
        ("19.1", "postgres", []),
        ("12.7", "postgres", [REFUSAL]),
        ("12.7", None, [REFUSAL]),
        ("12.7", "", [REFUSAL]),
        ("12.7", 5, [REFUSAL]),
        ("12.7", "Aurora-PostgreSQL", [REFUSAL]),
        ("8.0", "mysql", []),
        ("8.0", UNKNOWN, [NOTE]),
        ("seventeen", "postgres", [REFUSAL]),
        (17, "postgres", [REFUSAL]),
        (UNKNOWN, "postgres", [NOTE]),
        (UNKNOWN, "mysql", []),
    ],
    ids=str,
)
def test_the_major_version_is_supported(version: Any, engine: Any, expected: list[Kind]) -> None:
    database = instance(engineVersion=version, engine=engine)
    assert kinds(SUPPORTED, database, today=TODAY) == expected


def test_support_ends_with_its_last_day() -> None:
    last = datetime.date(2027, 2, 28)
    database = instance(engineVersion="14.9")
    assert kinds(SUPPORTED, database, today=last) == []
    (verdict,) = verdicts(SUPPORTED, database, today=last + datetime.timedelta(days=1))
    assert "whose standard support ended on 2027-02-28" in verdict.message
    (verdict,) = verdicts(SUPPORTED, instance(engineVersion="12.7"), today=last)
    assert "whose standard support ended long ago" in verdict.message


@pytest.mark.parametrize(
    ("version", "engine", "expected"),
    [
        ("13.2", "postgres", [REFUSAL]),
        ("13.2-R1", "postgres", [REFUSAL]),
        ("13.2", None, [REFUSAL]),
        ("13.2", "", [REFUSAL]),
        ("13.2", UNKNOWN, [NOTE]),
        ("13.3", "postgres", []),
        ("13", "postgres", []),
        ("9.6.21", "postgres", [REFUSAL]),
        ("9.6.22", "postgres", []),
        ("11.8", "aurora-postgresql", [REFUSAL]),
        ("11.9", "Aurora-PostgreSQL", []),
        ("13.2", "aurora-postgresql", []),
        ("17.4", "postgres", []),
        (None, "postgres", []),
        ("x", "postgres", []),
        (UNKNOWN, "postgres", [NOTE]),
        ("10.1", "mysql", []),
    ],
    ids=str,
)
def test_no_version_reads_the_host_s_files(version: Any, engine: Any, expected: list[Kind]) -> None:
    assert kinds(FILES, instance(engineVersion=version, engine=engine)) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"username": "owner"}, []),
        ({"username": "Postgres"}, [REFUSAL]),
        ({}, [REFUSAL]),
        ({"username": ""}, [REFUSAL]),
        ({"replicateSourceDb": "main"}, []),
        ({"snapshotIdentifier": "s"}, []),
        ({"snapshotIdentifier": ""}, [REFUSAL]),
        ({"username": UNKNOWN}, [NOTE]),
    ],
    ids=str,
)
def test_the_first_user_has_a_name_of_its_own(properties: Any, expected: list[Kind]) -> None:
    assert kinds(USERNAME, instance(**properties)) == expected


@pytest.mark.parametrize(
    ("replica", "expected"), [({}, [REFUSAL] * 2), ({"replicateSourceDb": "main"}, [])]
)
def test_a_replica_leaves_no_snapshot(replica: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("rds-final-snapshot", instance(**replica)) == expected
    assert kinds("rds-multi-az", instance(**replica)) == expected[:1]
    assert kinds("rds-customer-key", instance(**replica)) == expected[:1]
