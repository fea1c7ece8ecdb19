"""`pgkeep roles apply`, `pgkeep migrations apply`: what an update does once, done again.

An update invokes these functions when what they are given has changed, and not when somebody has
changed the database: roles by hand, or by a restore of what was there before a migration.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from pgkeep.backup.access import console, print_json, progress_console, refusals_as_lines
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

Purpose = Literal["roles", "migrations"]
Told = tuple[list[str], str]
"""A line for each thing that was done, and what holds now."""

# A function's 15 minutes, and the time to hear of its end.
_FUNCTION_ANSWER_SECONDS = 930


def apply(stack_name: str, purpose: Purpose, *, as_json: bool) -> None:
    """Make the database what the stack was deployed with: its roles, or its migrations.

    Raises:
        CommandError: the stack is not deployed, or the function failed. Then no role was changed;
            migrations before the one that failed stay.
    """
    doing, tell = _PURPOSES[purpose]
    result = _invoke(stack_name, purpose, doing)
    if as_json:
        print_json(result)
        return
    lines, done = tell(result)
    for line in lines:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print(done)


def _tell_roles(result: dict[str, Any]) -> Told:
    changes: list[str] = result["changes"]
    missing = [f"not there, a migration makes it: {one}" for one in result["missing"]]
    said = f"{len(changes)} changes made" if changes else "nothing had to be changed"
    return [
        *changes,
        *missing,
    ], f"[green]Roles and grants are those of the manifest[/green]: {said}."


def _tell_migrations(result: dict[str, Any]) -> Told:
    applied, already = len(result["applied"]), len(result["already"])
    return [f"applied {name}" for name in result["applied"]], (
        f"[green]All {applied + already} migrations are applied[/green]: {applied} now, "
        f"{already} before."
    )


_PURPOSES: dict[Purpose, tuple[str, Callable[[dict[str, Any]], Told]]] = {
    "roles": ("Applying the role manifest", _tell_roles),
    "migrations": ("Applying migrations", _tell_migrations),
}


def _invoke(stack_name: str, purpose: str, doing: str) -> dict[str, Any]:
    """What the function answers to the event that the stack was deployed with."""
    from botocore.config import Config
    from botocore.exceptions import ClientError

    stack = DeployedStack.find(stack_name)
    function, event = (stack.outputs.get(f"{purpose}_{part}") for part in ("function", "event"))
    if not function or not event:
        raise CommandError(
            f"stack {stack.name} has no output {purpose}_function and {purpose}_event: it was "
            "deployed by an earlier version. Run `pulumi up` first.",
            ExitCode.REFUSED,
        )
    # It is no harm to run twice, but a second run beside the first would only wait for it.
    patient = Config(read_timeout=_FUNCTION_ANSWER_SECONDS, retries={"total_max_attempts": 1})
    left = f"the function {function} goes on without this command; run it again to see its end"
    with refusals_as_lines(left), progress_console.status(f"{doing} in {function}"):
        try:
            answer = stack.client("lambda", patient).invoke(
                FunctionName=str(function), Payload=str(event).encode()
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "TooManyRequestsException":
                raise
            raise CommandError(
                f"{function} is at work already (functions.reserve_concurrency lets it run once at "
                "a time), or the account has no execution left. Wait for its end, and run this "
                "again",
                ExitCode.REFUSED,
            ) from None
        document: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        reason = " ".join(str(document.get("errorMessage", "no message")).split())
        raise CommandError(f"{function} failed: {reason}", ExitCode.REFUSED)
    return document
