"""Runs `pulumi preview` with the policy pack, and gives back the engine's event log."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from pgkeep.failures import CommandError
from pgkeep.plan.engine_log import read_log
from pgkeep.plan.model import Plan
from toolchain.environment import (
    LOCAL_STACK,
    REPOSITORY,
    local_environment,
    user_environment,
)
from toolchain.preview import POLICIES, offline_stack, read_stack
from toolchain.steps import RefusedError

# The flag for the event log is one of the engine's own tools (the Automation API uses it).
LOG_VARIABLES = {"PULUMI_DEBUG_COMMANDS": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
TIMEOUT_SECONDS = 1800


def preview(stack: str, *, offline: bool) -> Plan:
    """Previews the stack against its state, or offline as if nothing of it existed.

    The stack `local` uses the local cloud of this machine, every other one the user's own Pulumi
    login and AWS credentials.

    Raises:
        CommandError: the stack is unknown, or the engine could not begin.
    """
    try:
        # What the toolchain reports of its own steps is no part of the plan.
        with (
            redirect_stdout(sys.stderr),
            tempfile.TemporaryDirectory(prefix="pgkeep-plan-") as work,
        ):
            log = Path(work) / "events.json"
            result = _offline(stack, log) if offline else _online(stack, log)
            text = log.read_text() if log.exists() else ""
    except RefusedError as refused:
        raise CommandError(str(refused)) from None
    except subprocess.TimeoutExpired:
        minutes = TIMEOUT_SECONDS // 60
        raise CommandError(
            f"the preview of {stack} did not end within {minutes} minutes."
        ) from None
    if not text:
        raise CommandError(_why(stack, result))
    return read_log(text, stack, offline=offline)


def _offline(stack: str, log: Path) -> subprocess.CompletedProcess[str]:
    with offline_stack(stack) as (config, environment):
        return _run(stack, log, ["--config-file", str(config)], environment)


def _online(stack: str, log: Path) -> subprocess.CompletedProcess[str]:
    read_stack(stack)
    if stack != LOCAL_STACK:
        return _run(stack, log, [], user_environment())
    chosen = os.environ.get("PGKEEP_STACK_CONFIG_FILE")
    config = ["--config-file", chosen] if chosen else []
    return _run(stack, log, config, local_environment())


def _run(
    stack: str, log: Path, config: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pulumi", "--non-interactive", "preview", "--stack", stack, *config]
        + ["--policy-pack", str(POLICIES), "--event-log", str(log), "--suppress-outputs"],
        cwd=REPOSITORY,
        env={**environment, **LOG_VARIABLES},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _why(stack: str, result: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (result.stderr + result.stdout).splitlines()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    why = errors[0] if errors else (lines[-1] if lines else "it printed nothing")
    hint = (
        "" if stack == LOCAL_STACK else " (`pgkeep plan --offline` needs no login and no account)"
    )
    return f"pulumi could not preview {stack}: {why}{hint}"
