"""`pgkeep check` as a command: its output and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from pgkeep.check.command import Request, run
from pgkeep.failures import CommandError
from tests.command_line.states import state, written

NOTHING: dict[str, Any] = {
    "stacks": [],
    "states": [],
    "plans": [],
    "environment": None,
    "exemptions": None,
    "config": None,
    "as_json": False,
    "sarif": None,
    "junit": None,
    "verbose": False,
}


def check(**options: Any) -> int:
    """Run the command; its exit code."""
    try:
        run(Request(**{**NOTHING, **options}))
    except typer.Exit as end:
        return end.exit_code
    return 0


def refused(**options: Any) -> str:
    """The one line of a command that ends with 2."""
    with pytest.raises(CommandError) as caught:
        run(Request(**{**NOTHING, **options}))
    assert caught.value.code == 2
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 500
    return line


def stacks(capsys: pytest.CaptureFixture[str], **options: Any) -> list[dict[str, Any]]:
    """The stacks of `--json`; the exit code agrees with them."""
    code = check(as_json=True, **options)
    found = json.loads(capsys.readouterr().out)["stacks"]
    blocked = any(item["enforcement"] == "mandatory" for one in found for item in one["violations"])
    assert code == (1 if blocked else 0)
    return found


def rules(one: dict[str, Any]) -> set[str]:
    """The rules that one stack violates."""
    return {item["rule"] for item in one["violations"]}


def judged_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *resources: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """What is said of one state of `resources`."""
    file = written(tmp_path, "state.json", state(resources))
    (one,) = stacks(capsys, states=[file], **options)
    return one
