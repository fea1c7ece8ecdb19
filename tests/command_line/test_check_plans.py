"""`pgkeep check --plan`, on a plan of the real engine: it agrees with the program under mocks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgkeep.check.documents import read_plan
from pgkeep.program import run
from pgkeep.stack_files import read_stack
from policies.inventory import Resource
from policies.values import UNKNOWN
from tests.command_line.checking import refused, rules, stacks
from tests.command_line.states import entry, urn, written
from toolchain.environment import REPOSITORY, offline_environment
from toolchain.functions import build_archive

INSTANCE = "aws:rds/instance:Instance"
# Assets get a hash, and secrets are masked, on the way through the engine; the image's id and the
# pooler's write-only password are made up by each side.
ENGINES_OWN = {
    "code",
    "passwordWo",
    "imageId",
    "value",
    "finalSnapshotIdentifier",
    "source",
    "__defaults",
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`pulumi preview --json` of dev, as if nothing of it existed."""
    folder = tmp_path_factory.mktemp("preview")
    # As `make preview` does; else another suite may build it between the two that are compared.
    build_archive("arm64")
    environment = offline_environment(folder / "state")
    (folder / "Pulumi.yaml").write_text("name: pgkeep\nruntime: python\n")
    config = folder / "Pulumi.dev.yaml"
    content = yaml.safe_load((REPOSITORY / "stacks" / "Pulumi.dev.yaml").read_text())
    config.write_text(yaml.safe_dump({"config": content["config"]}))
    options: dict[str, Any] = {"env": environment, "capture_output": True}
    pulumi = ["pulumi", "--non-interactive"]
    subprocess.run([*pulumi, "stack", "init", "dev"], cwd=folder, check=True, **options)
    found = subprocess.run(
        [*pulumi, "preview", "--json", "--stack", "dev", "--config-file", str(config)],
        cwd=REPOSITORY,
        check=True,
        **options,
    )
    return written(folder, "plan.json", found.stdout.decode())


def declared() -> Iterator[Resource]:
    file = read_stack("dev")
    for one in run(file.load(), file.region or "").resources:
        if one.custom:
            yield Resource.of(
                type=one.type,
                name=one.name,
                urn=one.urn,
                properties=one.inputs,
                property_dependencies=one.property_dependencies,
                protect=one.protect,
            )


def test_the_program_under_mocks_declares_what_the_engine_sees(plan: str) -> None:
    engine = {resource.urn: resource for resource in read_plan(plan).resources}
    mocked = {resource.urn: resource for resource in declared()}
    assert mocked.keys() == engine.keys()
    for name, resource in mocked.items():
        seen = engine[name]
        for key, value in resource.properties.items():
            if key not in ENGINES_OWN:
                assert seen.properties.get(key) == value, (name, key)
        # What the provider adds are its defaults, which are known.
        for key in seen.properties.keys() - resource.properties.keys() - ENGINES_OWN:
            assert seen.properties[key] is not UNKNOWN, (name, key)
        assert dependencies(seen) == dependencies(resource), name
        assert seen.protect == resource.protect


def dependencies(resource: Resource) -> dict[str, set[str]]:
    listed = resource.property_dependencies.items()
    return {key: set(urns) for key, urns in listed if urns}


def test_the_plan_and_the_program_are_judged_alike(
    plan: str, capsys: pytest.CaptureFixture[str]
) -> None:
    both = stacks(capsys, stacks=["dev"], plans=[plan])
    program, planned = ({(item["rule"], item["urn"]) for item in one["violations"]} for one in both)
    assert program == planned
    assert both[0]["not_covered"] == both[1]["not_covered"]
    assert [one["source"] for one in both] == ["dev", plan]


def step(operation: str, kind: str, name: str, inputs: dict[str, Any], **fields: Any) -> Any:
    return {
        "op": operation,
        "urn": urn(kind, name),
        "newState": entry(kind, name, inputs, **fields),
    }


def planned(*steps: Any, **fields: Any) -> dict[str, Any]:
    return {"config": {}, "steps": list(steps), "duration": 1, "changeSummary": {}, **fields}


@pytest.mark.parametrize("operation", ["create", "update", "same", "replace", "create-replacement"])
def test_what_a_step_leaves_is_judged(
    operation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = planned(step(operation, INSTANCE, "db", {"publiclyAccessible": True}))
    (one,) = stacks(capsys, plans=[written(tmp_path, "plan.json", document)])
    assert "rds-not-public" in rules(one)


def test_what_is_deleted_is_not_judged_and_what_is_read_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = planned(
        {"op": "delete", "urn": urn(INSTANCE, "a"), "oldState": entry(INSTANCE, "a")},
        step("delete-replaced", INSTANCE, "b", {"publiclyAccessible": True}),
        step("read", INSTANCE, "c", {"publiclyAccessible": True}),
    )
    (one,) = stacks(capsys, plans=[written(tmp_path, "plan.json", document)])
    assert one["violations"] == []
    assert [item["urn"] for item in one["not_verified"]] == [urn(INSTANCE, "c")]


def test_masked_secrets_and_unknown_values_are_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {
        "publiclyAccessible": "[secret]",
        "storageEncrypted": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "password": "[secret]",
    }
    document = planned(step("create", INSTANCE, "db", inputs))
    (one,) = stacks(capsys, plans=[written(tmp_path, "plan.json", document)])
    assert not rules(one) & {"rds-not-public", "rds-storage-encrypted"}
    assert "rds-no-stored-password" in rules(one)
    noted = {item["rule"] for item in one["not_verified"]}
    assert {"rds-not-public", "rds-storage-encrypted"} <= noted


def test_a_plan_that_changes_nothing_has_no_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "plan.json", {"changeSummary": {}, "steps": None})
    (one,) = stacks(capsys, plans=[file])
    assert one["violations"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("Previewing update (prod):", "is no plan"),
        ("[]", "is no plan"),
        ("{}", "has no steps"),
        ('{"version": 3, "deployment": {}}', "has no steps"),
        ('{"steps": 5}', "steps are not a list"),
        ('{"steps": [5]}', "step 1 that is not an object"),
        ('{"steps": [{"op": "create"}]}', "step 1 (create) without newState"),
        ('{"steps": [{"op": "create", "newState": {}}]}', "step 1 without urn"),
        ('{"sequence": 1, "timestamp": 2}', "log of the engine's events"),
        ('{"steps": [', "ends in the middle"),
    ],
)
def test_what_is_no_plan_ends_with_one_line(content: str, words: str, tmp_path: Path) -> None:
    assert words in refused(plans=[written(tmp_path, "plan.json", content)])


def test_a_failed_preview_is_no_plan(tmp_path: Path) -> None:
    document = planned(diagnostics=[{"severity": "error", "message": "no\ncredentials"}])
    line = refused(plans=[written(tmp_path, "plan.json", json.dumps(document))])
    assert "is of a preview that failed" in line
    assert "no credentials" in line
