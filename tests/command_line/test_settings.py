"""`pgkeep settings`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgkeep import stack_files
from tests.unit.recorder import ENVIRONMENTS, REPOSITORY


def pgkeep(*arguments: str, stack_file: Path | None = None) -> subprocess.CompletedProcess[str]:
    import os

    environment = dict(os.environ)
    environment.pop("PGKEEP_STACK_CONFIG_FILE", None)
    if stack_file is not None:
        environment["PGKEEP_STACK_CONFIG_FILE"] = str(stack_file)
    return subprocess.run(
        [sys.executable, "-m", "pgkeep", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def changed_local(folder: Path, change: dict[str, dict[str, Any]]) -> Path:
    """A file for the stack `local` with some settings changed."""
    content = yaml.safe_load((REPOSITORY / "stacks/Pulumi.local.yaml").read_text())
    for group, values in change.items():
        content["config"]["pgkeep:settings"].setdefault(group, {}).update(values)
    file = folder / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def test_the_effective_values_and_where_they_come_from() -> None:
    result = pgkeep("settings", "prod")
    assert (result.returncode, result.stderr) == (0, "")
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "30 days" in lines["pitr_retention_days"]
    assert "default for prod" in lines["pitr_retention_days"]
    assert "≥ 1 ≤ 35" in lines["pitr_retention_days"]
    assert "10.20.0.0/16" in lines["vpc_cidr"]
    assert "Pulumi.prod.yaml" in lines["vpc_cidr"]
    assert "max_connections of node_pass" in result.stdout
    assert "wanted by one host" in result.stdout


def test_every_setting_as_json() -> None:
    result = pgkeep("settings", "prod", "--json")
    (stack,) = json.loads(result.stdout)["stacks"]
    assert (stack["stack"], stack["region"], stack["refusals"]) == ("prod", "eu-west-1", [])
    by_field = {each["field"]: each for each in stack["settings"]}
    retention = by_field["database.pitr_retention_days"]
    assert retention["value"] == 30
    assert retention["unit"] == "days"
    assert retention["from"] == "default for prod"
    assert retention["layer"] == "environment"
    assert retention["source"] == "guide cryptowallet: backup retention"
    assert by_field["database.name"]["from"] == "Pulumi.prod.yaml"
    assert by_field["database.multi_az"]["layer"] == "default"
    budget = stack["connection_budget"]["primary"]
    kept = sum(count for _, count in budget["kept"])
    assert budget["for_pools"] == budget["max_connections"] - kept
    assert budget["fits"] is True


def test_several_stacks_are_checked_and_named() -> None:
    result = pgkeep("settings", "--all", "--check")
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"stacks/Pulumi.{name}.yaml: the settings hold." for name in sorted(ENVIRONMENTS)
    ]


def test_refusals_are_one_a_line_and_end_with_one(tmp_path: Path) -> None:
    file = changed_local(
        tmp_path, {"database": {"pitr_retention_days": 36, "instance_class": "db.r7g.huge"}}
    )
    result = pgkeep("settings", "local", "--check", stack_file=file)
    assert result.returncode == 1
    assert result.stderr == ""
    first, second = sorted(result.stdout.splitlines())
    assert first.startswith(f"{file}: database.instance_class: 'db.r7g.huge' refused, ")
    assert second.startswith(f"{file}: database.pitr_retention_days: 36 days refused, ")


def test_refused_settings_are_shown_without_check_too(tmp_path: Path) -> None:
    file = changed_local(tmp_path, {"database": {"pitr_retention_days": 36}})
    result = pgkeep("settings", "local", "--json", stack_file=file)
    assert result.returncode == 1
    (stack,) = json.loads(result.stdout)["stacks"]
    (line,) = stack["refusals"]
    assert line.startswith("database.pitr_retention_days: 36 days refused, ")
    assert "settings" not in stack


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qa"], "there is no stack 'qa'; stacks/ has dev, local, prod, staging."),
        (["prod", "../prod"], "there is no stack '../prod'"),
        ([], "name a stack (dev, local, prod, staging), or say --all."),
    ],
)
def test_unusable_input_ends_with_two_in_one_line(arguments: list[str], words: str) -> None:
    result = pgkeep("settings", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"config: [", "is not valid YAML"),
        (b"config: {a: b}", "has no `pgkeep:settings` under `config`"),
        (b"- a", "has no `pgkeep:settings` under `config`"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_an_unreadable_file_ends_with_two_in_one_line(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    if content is not None:
        file.write_bytes(content)
    result = pgkeep("settings", "local", "--check", stack_file=file)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert words in line


def test_settings_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text("config: {'pgkeep:settings': large}")
    result = pgkeep("settings", "local", stack_file=file)
    assert result.returncode == 1
    assert "settings: 'large' refused, " in result.stdout


def test_stack_names_are_those_of_the_files() -> None:
    assert stack_files.stack_names() == sorted(ENVIRONMENTS)


def test_a_check_is_fast() -> None:
    """Under a second of processor time: the wall clock depends on the machine's other work."""
    import resource

    pgkeep("settings", "prod", "--check")  # Python's compiled files are there now.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    pgkeep("settings", "prod", "--check")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 1.0, f"{used:.2f} s of processor time, {time.monotonic() - started:.2f} s in all"


def test_a_workloads_check_that_writes_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    import workloads
    from pgkeep import settings_command

    good = workloads.load("node_pass")
    check = workloads.RestoreCheck(name="tidy up", query="DELETE FROM buyers")
    monkeypatch.setattr(workloads, "load", lambda _: good.model_copy(update={"checks": (check,)}))
    with pytest.raises(typer.Exit) as ended:
        settings_command.run(["prod"], every=False, check=True, as_json=False)
    assert ended.value.exit_code == 1
    assert (
        "workloads/node_pass/contract.yaml: checks: 'tidy up' refused, its query is DELETE; "
        "a check only asks: write a SELECT"
    ) in capsys.readouterr().out
