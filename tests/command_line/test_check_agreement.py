"""The labelled cases as exported states: the same verdicts as over inputs, in one process.

Three kinds of state, because programs and exports differ: with dependencies recorded and outputs
that repeat the inputs; without outputs; and without dependencies, so that only ids and ARNs join.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import stacks
from tests.command_line.states import entry, state, urn, written
from tests.policies.test_agreement import CASES, refused_addresses


def resources(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The case's resources with names for addresses."""
    return [{**item, "name": item["address"].removeprefix("data.")} for item in case["resources"]]


def exported(case: dict[str, Any], kind: str) -> dict[str, Any]:
    listed = resources(case)
    urns = {item["name"]: urn(item["type"], item["name"]) for item in listed}
    made: dict[str, dict[str, Any]] = {item["name"]: {} for item in listed}
    for item in listed:
        for key, targets in item["propertyDependencies"].items():
            value = item["props"].get(key)
            if isinstance(value, str) and len(targets) == 1 and targets[0] in made:
                made[targets[0]]["arn" if value.startswith("arn:") else "id"] = value
    entries: list[dict[str, Any]] = []
    for item in listed:
        dependencies = {
            key: [urns[target] for target in targets if target in urns]
            for key, targets in item["propertyDependencies"].items()
        }
        found = entry(item["type"], item["name"], item["props"], propertyDependencies=dependencies)
        if kind == "no outputs":
            found["outputs"] = {}
        if kind == "ids only":
            found["outputs"] |= made[item["name"]]
            found["id"] = found["outputs"]["id"]
            # Ids are made for texts only: references inside of objects stay recorded.
            found["propertyDependencies"] = {
                key: urns_of
                for key, urns_of in dependencies.items()
                if not isinstance(item["props"].get(key), str)
            }
        entries.append(found)
    return state(entries)


@pytest.mark.parametrize("kind", ["recorded", "no outputs", "ids only"])
def test_states_are_judged_like_inputs(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        written(tmp_path, f"{number}.json", exported(case, kind))
        for number, case in enumerate(CASES)
    ]
    found = stacks(capsys, states=files)
    assert [one["source"] for one in found] == files
    wrong: list[Any] = []
    for case, one in zip(CASES, found, strict=True):
        judged = {address for group in case["expected"].values() for address in group}
        refused = {
            item["urn"].rpartition("::")[2]
            for item in one["violations"]
            if case["check_id"] in item["controls"]
        }
        expected = refused_addresses(case)
        if refused & judged != expected & judged:
            wrong.append((case["check_id"], case["case"], refused ^ expected))
    assert wrong == []


def test_outside_ids_are_as_the_catalogue_writes_them() -> None:
    table = Path(__file__).parents[2] / "policies" / "controls.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    listed = {name: set(ids.split()) for name, _text, ids in rows}
    from policies.catalogue import RULES

    for rule in RULES:
        allowed = set().union(*(listed[control] for control in rule.catalogue))
        assert set(rule.controls) <= allowed, rule.id


def test_labels_are_many() -> None:
    assert len(CASES) > 150
    assert json.dumps(CASES)
