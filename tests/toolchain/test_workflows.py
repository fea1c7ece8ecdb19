"""The workflows are sound, pinned and have no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolchain import actionlint
from toolchain.environment import REPOSITORY, stack_names

WORKFLOWS = REPOSITORY / ".github" / "workflows"
NAMES = ["ci.yml", "deploy-environment.yml", "deploy.yml", "nightly.yml", "preview.yml"]


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / name).read_text())


def test_actionlint_finds_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert actionlint.check() == 0, capfd.readouterr().out


def test_actionlint_finds_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.nothing }}\n"
    )
    assert actionlint.check(tmp_path) == 1
    assert 'property "nothing" is not defined' in capfd.readouterr().out


def test_no_workflow_at_all_is_no_success(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert actionlint.check(tmp_path) == 1
    assert "has no workflow to check" in capfd.readouterr().err


def test_without_actionlint_and_go_the_check_fails_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert actionlint.check() == 1
    message = capfd.readouterr().err
    assert message.startswith("pgkeep: the workflows cannot be checked: no actionlint 1.7.12 or ")
    assert "install actionlint (https://github.com/rhysd/actionlint) or Go" in message


@pytest.mark.parametrize(
    ("version", "used"), [("1.7.12", True), ("v1.8.0", True), ("1.6.0", False)]
)
def test_one_on_path_is_used_when_it_is_new_enough(
    version: str, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "actionlint"
    tool.write_text(f"#!/bin/sh\necho {version}\n")
    tool.chmod(0o755)
    cached = tmp_path / "pgkeep" / f"actionlint-{actionlint.pinned_version()}" / "actionlint"
    cached.parent.mkdir(parents=True)
    cached.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert actionlint.ensure_actionlint() == (tool if used else cached)


def test_the_workflows_are_these() -> None:
    assert sorted(file.name for file in WORKFLOWS.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_a_commit(name: str) -> None:
    used = re.findall(r"uses: (\S+)(.*)", (WORKFLOWS / name).read_text())
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("name", NAMES)
def test_rights_are_given_job_by_job(name: str) -> None:
    workflow = read(name)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        given = set((job.get("permissions") or {}).items())
        assert given <= {("contents", "read"), ("id-token", "write"), ("pull-requests", "write")}
        # A job that runs the pull request's code must not write to it.
        assert not {("id-token", "write"), ("pull-requests", "write")} <= given


@pytest.mark.parametrize("name", NAMES)
def test_no_expression_stands_in_a_script(name: str) -> None:
    """What others can write (titles, branches) would be run; scripts read variables instead."""
    for job in read(name)["jobs"].values():
        for step in job.get("steps", ()):
            assert "${{" not in step.get("run", "")


def test_every_environment_is_previewed_and_deployed() -> None:
    environments = set(stack_names()) - {"local"}
    preview = read("preview.yml")["jobs"]
    legs = preview["plan"]["strategy"]["matrix"]["include"]
    assert {leg["environment"] for leg in legs} == environments
    assert set(preview["plan"]["outputs"]) == environments
    assert set(preview["comment"]["strategy"]["matrix"]["environment"]) == environments
    assert set(read("deploy.yml")["jobs"]) == environments
    deploy = read("deploy-environment.yml")["jobs"]["deploy"]
    assert deploy["environment"] == "${{ inputs.environment }}"
    assert deploy["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }
    commands = [step.get("run", "") for step in deploy["steps"]]
    assert [c.split()[-2] for c in commands[-2:]] == ["deploy", "host-tests"]
