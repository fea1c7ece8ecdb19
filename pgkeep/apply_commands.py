"""`pgkeep roles apply`, `pgkeep migrations apply`: what an update does once, done again.

An update invokes these functions when what they are given has changed, and not when somebody has
changed the database: roles by hand, or by a restore of what was there before a migration.
"""

from __future__ import annotations

import json
from typing import Any

from pgkeep.backup.access import console, print_json, progress_console, refusals_as_lines
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

# A function's 15 minutes, and the time to hear of its end.
_FUNCTION_ANSWER_SECONDS = 930


def apply_roles(stack_name: str, *, as_json: bool) -> None:
    """Make roles, grants, passwords and settings those that the stack was deployed with.

    Raises:
        CommandError: the stack is not deployed, or the function failed; then nothing was changed.
    """
    result = _invoke(stack_name, "roles", "Applying the role manifest")
    if as_json:
        print_json(result)
        return
    for change in result["changes"]:
        console.print(f"  {change}", markup=False, soft_wrap=True)
    for missing in result["missing"]:
        console.print(f"  not there, a migration makes it: {missing}", markup=False, soft_wrap=True)
    changed = len(result["changes"])
    said = f"{changed} changes made" if changed else "nothing had to be changed"
    console.print(f"[green]Roles and grants are those of the manifest[/green]: {said}.")


def apply_migrations(stack_name: str, *, as_json: bool) -> None:
    """Apply the migrations that the stack was deployed with and its database has not.

    Raises:
        CommandError: the stack is not deployed, or a migration failed; those before it stay.
    """
    result = _invoke(stack_name, "migrations", "Applying migrations")
    if as_json:
        print_json(result)
        return
    for name in result["applied"]:
        console.print(f"  applied {name}", markup=False, soft_wrap=True)
    applied, already = len(result["applied"]), len(result["already"])
    console.print(
        f"[green]All {applied + already} migrations are applied[/green]: {applied} now, "
        f"{already} before."
    )


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
