"""Settings that the workload's contract contradicts are refused without the engine."""

from __future__ import annotations

from typing import Any

import pytest

import workloads
from stacks.rules import workload
from stacks.settings import SettingsError, load
from tests.unit.recorder import raw_settings


def refused(change: dict[str, dict[str, Any] | str]) -> list[str]:
    raw = raw_settings("prod")
    for group, values in change.items():
        raw[group] = {**raw[group], **values} if isinstance(values, dict) else values
    with pytest.raises(SettingsError) as error:
        load(raw, "prod", "eu-west-1")
    return error.value.lines


def test_an_unknown_workload() -> None:
    (line,) = refused({"workload": "nothing"})
    assert line.startswith("workload: 'nothing' refused, a folder below workloads/")
    assert "known workloads: node_pass" in line


def test_a_workload_of_another_database() -> None:
    (line,) = refused({"database": {"name": "other"}})
    assert line.startswith("database.name: 'other' refused, must be 'node_pass': ")


def test_a_pooled_role_that_the_contract_lacks() -> None:
    roles = [{"name": "node_pass_app", "pool_size": 5}, {"name": "node_pass_ap", "pool_size": 5}]
    (line,) = refused({"pooler": {"roles": roles}})
    assert line.startswith(
        "pooler.roles[1].name: 'node_pass_ap' refused, one of node_pass_app, node_pass_readonly, "
        "node_pass_health: the contract of workload node_pass has no such role, and the sizes "
        "would silently be nobody's. Name one of these, or add the role to "
        "workloads/node_pass/contract.yaml."
    )


@pytest.mark.parametrize("kind", ["owner", "migrator", "backup"])
def test_a_role_that_does_not_connect_through_the_pooler(kind: str) -> None:
    (line,) = refused({"pooler": {"roles": [{"name": f"node_pass_{kind}", "pool_size": 5}]}})
    assert f"a role of kind {kind} does not connect through the pooler" in line


def test_a_contract_without_a_role_for_health_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = workloads.load("node_pass")
    roles = tuple(role for role in contract.roles if role.kind != "health")
    changed = contract.model_copy(update={"roles": roles})
    monkeypatch.setattr(workload, "_contract", lambda _: changed)
    (line,) = refused({})
    assert "its contract needs a role of kind health" in line
