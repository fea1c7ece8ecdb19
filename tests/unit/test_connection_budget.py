"""The connection budget: the arithmetic that the settings show and the rules check."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.connection_budget import (
    ConnectionBudget,
    connection_budget,
    estimated_max_connections,
    host_count,
)
from stacks.settings import Settings, load
from tests.unit.recorder import raw_settings, settings


def changed(environment: str, **groups: dict[str, Any]) -> Settings:
    raw = raw_settings(environment)
    for group, values in groups.items():
        raw[group] = {**raw.get(group, {}), **values}
    return load(raw, environment)


def budget_of(environment: str, **groups: dict[str, Any]) -> ConnectionBudget:
    found = connection_budget(changed(environment, **groups))
    assert found is not None
    return found


def test_lines_show_the_whole_arithmetic() -> None:
    assert budget_of("prod").lines() == [
        "   400  max_connections of node_pass: given",
        "    -5  superuser",
        "    -3  administrators",
        "    -8  functions",
        "    -5  health checks, one a host",
        "   379  for the pools of all hosts",
        "    75  for one of 5 hosts (two more while one is replaced)",
        "    45  wanted by one host:",
        "          20 a role",
        "          20 its other user while it rotates",
        "          5 reserve",
        "",
        "   400  max_connections of node_pass_readonly: given",
        "    -5  superuser",
        "    -3  administrators",
        "   392  for the pools of all hosts",
        "    78  for one of 5 hosts (two more while one is replaced)",
        "    45  wanted by one host:",
        "          20 a role",
        "          20 its other user while it rotates",
        "          5 reserve",
    ]


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_the_pools_of_each_environment_fit(environment: str) -> None:
    budget = budget_of(environment)
    assert budget.primary.fits
    assert budget.replica is not None
    assert budget.replica.fits


def test_databases_and_roles_bring_their_own_sizes() -> None:
    budget = budget_of(
        "prod",
        pooler={
            "databases": [{"name": "node_pass", "pool_size": 8, "reserve_pool_size": 0}],
            "roles": [{"name": "node_pass_app", "pool_size": 20}],
        },
    )
    assert budget.primary.demand.parts == (
        ("role node_pass_app", 20),
        ("each other role", 8),
        ("its other user while it rotates", 20),
        ("reserve", 0),
    )
    assert budget.primary.demand.connections == 48


def test_without_a_read_pool_only_the_primary_has_a_budget() -> None:
    assert budget_of("prod", pooler={"read_pool": False}).replica is None


@pytest.mark.parametrize(
    ("instance_class", "expected"),
    [
        # 1 GiB less 256 MiB; 16 GiB less 10 %; 1024 GiB would be far over RDS's own ceiling.
        ("db.t4g.micro", 84),
        ("db.r7g.large", 1622),
        ("db.r7g.16xlarge", 5000),
        ("db.x2g.large", None),
    ],
)
def test_the_estimate_is_rds_formula_on_the_memory_that_is_left(
    instance_class: str, expected: int | None
) -> None:
    assert estimated_max_connections(instance_class) == expected


def test_without_a_given_number_the_estimate_counts() -> None:
    budget = budget_of("prod", database={"max_connections": None})
    assert budget.primary.max_connections == 1622
    assert budget.primary.origin == (
        "estimated by RDS's formula on db.r7g.large; `SHOW max_connections` measures it"
    )


def test_a_smaller_replica_has_a_smaller_budget() -> None:
    budget = budget_of(
        "prod",
        database={"max_connections": None},
        replicas={"count": 1, "instance_class": "db.t4g.medium"},
    )
    assert budget.replica is not None
    assert budget.replica.max_connections == 405


def test_hosts_are_counted_by_zone_or_in_all() -> None:
    assert host_count(settings("prod")) == 3
    assert host_count(changed("prod", pooler={"hosts_per_zone": 2})) == 6
    assert host_count(changed("prod", pooler={"host_count": 4})) == 4
