"""`pulumi up` of a stack on AWS with the policy pack, unattended: what the deploy workflow runs."""

from __future__ import annotations

from toolchain.environment import LOCAL_STACK, REPOSITORY, user_environment
from toolchain.preview import POLICIES, read_stack
from toolchain.steps import RefusedError, console, run_engine


def deploy(stack: str) -> int:
    """Previews, judges and updates the stack without asking; returns the engine's exit code.

    The preview is never skipped: rules over several resources see the whole stack only there.

    Raises:
        RefusedError: the stack is unknown, or it is `local`.
    """
    if stack == LOCAL_STACK:
        raise RefusedError("the stack local is deployed by `make up`.")
    read_stack(stack)
    command = ["pulumi", "--non-interactive", "up", "--yes", "--stack", stack]
    command += ["--policy-pack", str(POLICIES), "--suppress-outputs"]
    console.print(f"[dim]$ {' '.join(command)}[/dim]")
    return run_engine(command, REPOSITORY, user_environment())
