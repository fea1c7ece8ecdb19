"""The conditions of the rules for parameter groups, and of their join to databases."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made, told

GROUP = "aws:rds/parameterGroup:ParameterGroup"
CLUSTER_GROUP = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"


def group(
    *parameters: Any, name: str = "group", family: Any = "postgres17", **other: Any
) -> Resource:
    return made(GROUP, name, **{"family": family, "parameters": [*parameters], **other})


def one(name: Any, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    ("rule", "name", "value", "good"),
    [
        *(("pg-log-disconnections", "log_disconnections", *pair)
          for pair in (("1", True), (1, True), (" 1 ", True), ("0", False), (True, False),
                       (None, False), ([], False), (1.0, True), ("on", False))),
        *(("pg-no-debug-output", "debug_print_plan", *pair)
          for pair in (("0", True), (0, True), ("1", False), (False, False))),
        *(("pg-durable-writes", "fsync", *pair)
          for pair in (("1", True), ("ON", True), ("0", False), ("OFF", False), ("local", False),
                       (True, False))),
        *(("pg-log-ddl", "log_statement", *pair)
          for pair in (("ddl", True), ("MOD", True), ("none", False))),
        *(("pg-log-slow-statements", "log_min_duration_statement", *pair)
          for pair in (("0", True), ("60000", True), ("60001", False), ("-1", False),
                       ("x", False))),
        *(("pg-bounded-sessions", "authentication_timeout", *pair)
          for pair in (("1", True), ("120", True), ("0", False), ("121", False))),
        *(("pg-modern-tls", "ssl_ciphers", *pair)
          for pair in (("HIGH", True), ("HIGH:!MD5", True), ("", False), ("HIGH:MD5", False),
                       ("+RC4", False))),
        *(("pg-log-lines-complete", "log_line_prefix", *pair)
          for pair in (("%m [%p] %u@%d %h", True), ("%t:%r:%u@%d:[%p]:", True),
                       ("%m [%p] %u@%d", False), ("%n %p %u %d %r", True))),
    ],
)  # fmt: skip
def test_values_of_a_parameter(rule: str, name: str, value: Any, good: bool) -> None:
    spelt = group(one(name.upper(), value), one("other", "x"))
    about = [finding for finding in told(rule, spelt) if f" {name} " in finding]
    assert (about == []) == good
    unknown = group(one(name, UNKNOWN))
    assert f"the value of {name}" in " ".join(told(rule, unknown))


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("ddl,role,write", True),
        ("WRITE, ddl ,role", True),
        ("all", True),
        ("ddl,role", False),
        ("all,-ddl", False),
        ("ddl,role,write,-role", False),
        ("ddl,role,write,-read", True),
    ],
)
def test_lists_of_a_parameter(value: str, good: bool) -> None:
    found = told("pg-audit", group(one("pgaudit.log", value)))
    assert any("pgaudit.log =" in finding for finding in found) != good


def test_parameters_that_are_not_set() -> None:
    rule = "pg-log-disconnections"
    (finding,) = told(rule, group())
    assert "does not set log_disconnections" in finding
    # What is safe by default may be left out.
    assert kinds("pg-durable-writes", group()) == []
    assert kinds("pg-no-debug-output", group()) == []
    # An entry that is not known yet may be it.
    (note,) = told(rule, group(UNKNOWN))
    assert "parameters, and log_disconnections among them is known" in note
    assert kinds(rule, group(one(UNKNOWN, "1"))) == NOTED
    assert kinds(rule, group(one(5, "1"), "x")) == REFUSED
    assert kinds(rule, group(one("log_disconnections", "1"), UNKNOWN)) == []
    # Each value that is given counts.
    twice = group(one("log_disconnections", "1"), one("log_disconnections", "0"))
    assert kinds(rule, twice) == REFUSED


def test_groups_that_cannot_be_read() -> None:
    rule = "pg-log-disconnections"
    (finding,) = told(rule, group(parameters="x"))
    assert 'has parameters = "x"' in finding
    assert "parameters is known" in told(rule, group(parameters=UNKNOWN))[0]
    assert "family is known" in told(rule, group(family=UNKNOWN))[0]
    both = told(rule, group(family=UNKNOWN, parameters=UNKNOWN))
    assert ["parameters is known" in note for note in both] == [True]
    assert kinds(rule, group(family="mysql8.4")) == []
    assert kinds(rule, group(family=None)) == REFUSED
    aurora = made(CLUSTER_GROUP, family="aurora-postgresql16", parameters=[])
    assert kinds(rule, aurora) == REFUSED


def test_an_exemption_names_the_parameter_where_there_are_several() -> None:
    from policies.parameters import RULES

    several = {rule.id for rule in RULES if rule.exemption_names_subject}
    assert "pg-bounded-sessions" in several
    assert "pg-log-disconnections" not in several
    joined = {rule.id for rule in RULES if rule.check_stack is not None}
    assert joined == {rule.id for rule in RULES if rule.joined_types}
    assert "pg-log-ddl" in joined
    assert "pg-audit" not in joined


DDL = "pg-log-ddl"


@pytest.mark.parametrize(
    ("engine", "expected"),
    [("postgres", REFUSED), ("Aurora-PostgreSQL", REFUSED), (None, REFUSED), (5, REFUSED),
     ("mysql", [])],
)  # fmt: skip
def test_databases_of_postgresql_have_a_group(engine: Any, expected: Any) -> None:
    assert kinds(DDL, made(INSTANCE, engine=engine)) == expected
    assert kinds(DDL, made(CLUSTER, engine=engine)) == expected


def test_groups_of_databases() -> None:
    sets, lacks = group(one("log_statement", "ddl"), name="sets"), group(name="lacks")

    def of(groups: Any, *resources: Resource) -> list[str]:
        database = made(INSTANCE, "db", engine="postgres", parameterGroupName=groups)
        found = told(DDL, database, *resources)
        return [one for one in found if '"db"' in one.partition(";")[0].partition(" which ")[0]]

    assert of((sets,), sets) == []
    (finding,) = of(None)
    assert "has parameterGroupName = (not set), AWS's default group" in finding
    (finding,) = of("")
    assert "AWS's default group" in finding
    (finding,) = of("elsewhere")
    assert 'has parameterGroupName = "elsewhere", which is not in this stack' in finding
    (note,) = of(UNKNOWN)
    assert "parameterGroupName is known only" in note
    # What the group itself does is told of the group.
    assert of((lacks,), lacks) == []
    assert kinds(DDL, made(INSTANCE, "db", engine="postgres", parameterGroupName=(lacks,)),
                 lacks) == REFUSED  # fmt: skip
    later = group(one("log_statement", UNKNOWN), name="later")
    database = made(INSTANCE, "db", engine="postgres", parameterGroupName=(later,))
    assert kinds(DDL, database, later) == NOTED


def test_replicas_without_a_source_are_told() -> None:
    replica = made(INSTANCE, "replica", engine="postgres", replicateSourceDb="elsewhere")
    (finding,) = told(DDL, replica)
    assert "its source" in finding


OTHER = "rds-ssl-other-engines"


@pytest.mark.parametrize(
    ("parameters", "family", "expected"),
    [
        ([one("require_secure_transport", "1")], "mysql8.4", []),
        ([one("REQUIRE_SECURE_TRANSPORT", "ON")], "MariaDB11.4", []),
        ([one("require_secure_transport", "0")], "mysql8.4", REFUSED),
        ([one("require_secure_transport", UNKNOWN)], "mysql8.4", NOTED),
        ([one("max_connections", UNKNOWN)], "mysql8.4", NOTED),
        ([5, one("require_secure_transport", "1")], "mysql8.4", []),
        ([], "mysql8.4", REFUSED),
        (UNKNOWN, "mysql8.4", NOTED),
        ([], "postgres17", []),
        ([], 5, []),
        ([], None, []),
        ([one("rds.force_ssl", "1")], "sqlserver-se-16.0", []),
        ([one("rds.force_ssl", "on")], "sqlserver-se-16.0", REFUSED),
    ],
    ids=str,
)
def test_other_engines(parameters: Any, family: Any, expected: Any) -> None:
    beside = made(GROUP, "group", family=family, parameters=parameters)
    assert kinds(OTHER, made(INSTANCE, "db", parameterGroupName=(beside,)), beside) == expected
    assert kinds(OTHER, made(INSTANCE, "db", parameterGroupName=UNKNOWN), beside) == []


@pytest.mark.parametrize(
    ("engine", "expected"),
    [("aurora-mysql", REFUSED), ("Aurora", REFUSED), (None, REFUSED), ("", REFUSED), (5, REFUSED),
     ("aurora-postgresql", [])],
)  # fmt: skip
def test_clusters_of_mysql(engine: Any, expected: Any) -> None:
    assert kinds("rds-mysql-audit-log", made(CLUSTER, engine=engine)) == expected
    assert kinds("rds-mysql-backtrack", made(CLUSTER, engine=engine)) == expected
