"""`pgkeep plan` runs the real engine with the policy pack, without an account."""

import json
import subprocess
import sys

from toolchain.environment import REPOSITORY


def plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgkeep", "plan", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_an_offline_plan_of_production() -> None:
    result = plan("prod", "--offline", "--json")
    assert result.returncode == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["stack"] == "prod"
    assert content["offline"] is True
    assert content["errors"] == []
    assert content["counts"]["create"] > 150
    assert content["losses"] == []
    assert float(content["cost"]["after"]) > 250
    # What the shipped table has no source for in Ireland; with an account, AWS's list has it.
    assert {text.split(": ")[1].split(",")[0] for text in content["cost"]["no_price_known"]} == {
        "Performance Insights",
    }
    assert content["policies"]["judged"] > 150
    kinds = {note["kind"] for note in content["policies"]["notes"]}
    assert kinds <= {"advice", "unverified", "exempted", "not covered"}


def test_an_unknown_stack_is_one_line() -> None:
    result = plan("qa", "--offline")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("pgkeep: there is no stack 'qa'; stacks/ has dev, ")
    assert "Traceback" not in result.stderr
