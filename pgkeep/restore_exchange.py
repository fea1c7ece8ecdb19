"""The moment in which a restored database takes the place of the present one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from operations.restore import database_swap, pooler_pause
from operations.restore.pooler_pause import PoolerSite
from pgkeep.backup.access import progress_console
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode


@dataclass(frozen=True)
class Exchange:
    """What it took: `seconds` is how long clients waited, or were refused without a pause.

    `ended_sessions` are those that were in the database when it was renamed: direct ones, and those
    of `busy_hosts`, whose transactions had not ended in time.
    """

    aside: str
    seconds: float
    ended_sessions: int
    paused_hosts: tuple[str, ...] = ()
    busy_hosts: tuple[str, ...] = ()
    silent_hosts: tuple[str, ...] = ()


def run(
    stack: DeployedStack,
    connection: psycopg.Connection[Any],
    replacement: str,
    *,
    terminate: bool,
    drain_seconds: float = pooler_pause.DRAIN_SECONDS,
) -> Exchange:
    """Put `replacement` in the place of the stack's database, while the pooler's clients wait.

    Args:
        stack: whose database, pooler and roles.
        connection: of the master, beside both databases, in autocommit.
        replacement: the name of the database that comes.
        terminate: end the sessions that are there instead of letting them wait.
        drain_seconds: how long transactions in progress may take to end.

    Raises:
        CommandError: the stack has no way to its pooler hosts, or the roles could not be applied.
        OperationError: a pooler host did not answer, or the database could not be freed.
    """
    if terminate:
        started = time.monotonic()
        swapped = database_swap.swap(connection, stack.database, replacement)
        _apply_roles(stack, swapped.aside)
        seconds = round(time.monotonic() - started, 3)
        return Exchange(swapped.aside, seconds, swapped.ended_sessions)
    site = pooler_site(stack, drain_seconds)
    with (
        progress_console.status("The databases are about to change places") as status,
        pooler_pause.held(site, status.update) as held,
    ):
        status.update("the databases change places")
        swapped = database_swap.swap(connection, stack.database, replacement)
        # Before clients go on: the owner and the grants are part of what they need.
        _apply_roles(stack, swapped.aside)
    return Exchange(
        swapped.aside, held.seconds, swapped.ended_sessions, held.hosts, held.busy, held.silent
    )


def show(done: Exchange, console: Console) -> None:
    """For people."""
    if done.paused_hosts:
        console.print(
            f"Clients waited {done.seconds:.1f} s at {len(done.paused_hosts)} pooler hosts; "
            f"{done.ended_sessions} sessions were ended."
        )
    else:
        console.print(f"{done.ended_sessions} sessions were ended; {done.seconds:.1f} s.")
    # Now, and once more at the end of the report: nobody who interrupts that should look for it.
    console.print(f"The database before is kept as {done.aside}.", soft_wrap=True)
    if done.busy_hosts:
        console.print(
            f"[yellow]Transactions had not ended in time at {', '.join(done.busy_hosts)}; they "
            "were ended.[/yellow]",
            soft_wrap=True,
        )
    if done.silent_hosts:
        console.print(
            f"[yellow]No word yet that clients go on at {', '.join(done.silent_hosts)}; the pause "
            f"ends by itself within {pooler_pause.LONGEST_SECONDS:.0f} s.[/yellow]",
            soft_wrap=True,
        )


def pooler_site(
    stack: DeployedStack, drain_seconds: float = pooler_pause.DRAIN_SECONDS
) -> PoolerSite:
    """The way to the stack's pooler hosts.

    Raises:
        CommandError: the stack was deployed before there was one.
    """
    missing = [
        name
        for name in ("pooler_group_name", "pooler_log_group", "pooler_pause_secret_name")
        if not stack.outputs.get(name)
    ]
    if missing:
        raise CommandError(
            f"stack {stack.name} has no output {missing[0]}, so its pooler hosts cannot be asked "
            "to hold their clients back; run `pulumi up` first, or give --terminate to end their "
            "sessions instead. Nothing was changed.",
            ExitCode.REFUSED,
        )
    return PoolerSite(
        autoscaling=stack.client("autoscaling"),
        secrets=stack.client("secretsmanager"),
        logs=stack.client("logs"),
        group_name=str(stack.outputs["pooler_group_name"]),
        secret_name=str(stack.outputs["pooler_pause_secret_name"]),
        log_group=str(stack.outputs["pooler_log_group"]),
        drain_seconds=drain_seconds,
    )


def _apply_roles(stack: DeployedStack, aside: str) -> None:
    """Owner and grants end as the role manifest says."""
    try:
        answer = stack.client("lambda").invoke(
            FunctionName=stack.outputs["roles_function"],
            Payload=str(stack.outputs["roles_event"]).encode(),
        )
        said = answer["Payload"].read().decode()
        reason = json.loads(said).get("errorMessage", said) if "FunctionError" in answer else None
    except (BotoCoreError, ClientError) as error:
        reason = " ".join(str(error).split())
    if reason is not None:
        raise CommandError(
            f"the database was replaced, and the one before is kept as {aside}, but its roles "
            f"could not be applied: {reason}. Once the cause is gone: {applying_roles(stack)}",
            ExitCode.REFUSED,
        )


def applying_roles(stack: DeployedStack) -> str:
    """How a person does it. An update does not: neither the manifest nor the instance is new."""
    return f"pgkeep roles apply --stack {stack.name}"
