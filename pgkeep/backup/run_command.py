"""`pgkeep backup run`: in the stack's function, or with the same code on this machine."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator
from typing import Any

from rich.markup import escape
from rich.progress import Progress as Bar

from operations import backup as backups
from operations.backup import BackupTarget, Manifest
from pgkeep.backup.access import (
    bucket_key,
    bytes_text,
    console,
    print_json,
    progress_console,
    refusals_as_lines,
)
from pgkeep.backup.handed_over import Follower
from pgkeep.deployed import DeployedStack, connector
from pgkeep.failures import CommandError, ExitCode

# A function's 15 minutes, and the time to hear of its end.
_FUNCTION_ANSWER_SECONDS = 930
_NONE_MADE = "no backup was made"
# In place of the worker (operations/handover/snapshot_export.py).
_EXPORT = "snapshot_export"


def run(
    stack_name: str,
    backup_class: str,
    *,
    here: bool,
    through: str | None,
    workers: int,
    time_limit_seconds: float | None = None,
    wait: bool = True,
    as_json: bool,
) -> None:
    """Make a backup and say what it is.

    Raises:
        CommandError: the class is unknown, the stack is not deployed, or the backup failed.
    """
    if backup_class not in backups.CLASSES:
        raise CommandError(f"--class {backup_class} refused: choose {', '.join(backups.CLASSES)}.")
    if through is not None and not here:
        raise CommandError("--through is for --here: the function reaches the database itself.")
    if time_limit_seconds is not None and here:
        raise CommandError("--time-limit is for the function: --here has no limit.")
    stack = DeployedStack.find(stack_name, through)
    left = (
        "there is no backup; uploads that were not complete are ended, now or by the next run, and "
        "the retention removes the rest"
        if here
        else "the backup goes on without this command; `pgkeep backup list` shows it once it is "
        "whole"
    )
    with refusals_as_lines(left):
        if here:
            with _told_as_none(left):
                result = _here(stack, backup_class, workers)
        else:
            result = in_function(stack, backup_class, time_limit_seconds, wait=wait)
    if as_json:
        print_json(result)
        return
    if "id" not in result:
        given = result["handed_over"]
        if given["to"] == _EXPORT:
            _tell_export(stack, given, result["reason"])
            return
        console.print(f"[yellow]Handed over to {_whom(given)}[/yellow], not made yet:", end=" ")
        console.print(result["reason"], markup=False, soft_wrap=True)
        return
    if given := result.get("handed_over"):
        console.print(f"Handed over to {_whom(given)}: {escape(result['reason'])}", soft_wrap=True)
    rows = sum(result["row_counts"].values())
    console.print(f"[green]Backup {result['id']} is whole.[/green]")
    console.print(
        f"{len(result['row_counts'])} tables, {rows} rows, {bytes_text(result['size_bytes'])} in "
        f"s3://{stack.bucket}/{result['key']}",
        soft_wrap=True,
    )
    console.print(
        f"Prove it: pgkeep restore --stack {stack.name} --from {result['id']} --to NAME",
        soft_wrap=True,
    )


@contextlib.contextmanager
def _told_as_none(left: str) -> Generator[None]:
    """What ended the run says that there is no backup, as the function's answer does."""
    try:
        with refusals_as_lines(left):
            yield
    except CommandError as error:
        if error.code != ExitCode.REFUSED:
            raise
        raise CommandError(_none_made(str(error)), ExitCode.REFUSED) from error


def _none_made(reason: str) -> str:
    return reason if _NONE_MADE in reason else f"{_NONE_MADE}: {reason}"


def in_function(
    stack: DeployedStack,
    backup_class: str,
    time_limit_seconds: float | None = None,
    *,
    wait: bool = True,
) -> dict[str, Any]:
    """Make a backup in the stack's function, or where the function hands it over.

    A summary of the backup; with `handed_over` and `reason` when another made it. Without `wait`
    those two alone, and always when RDS exports a snapshot, which may take hours.

    Raises:
        CommandError: the function, or who it was handed over to, failed; there is no backup.
    """
    from botocore.config import Config
    from botocore.exceptions import ClientError

    # A second try would be a second backup.
    patient = Config(read_timeout=_FUNCTION_ANSWER_SECONDS, retries={"total_max_attempts": 1})
    event: dict[str, Any] = {"class": backup_class}
    if time_limit_seconds is not None:
        event["time_limit_seconds"] = time_limit_seconds
    with progress_console.status(f"Backing up {stack.database} in the stack's function"):
        try:
            answer = stack.client("lambda", patient).invoke(
                FunctionName=stack.outputs["backup_function"], Payload=json.dumps(event).encode()
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "TooManyRequestsException":
                raise
            raise CommandError(
                "no backup was made: the stack's function is at work on another one "
                "(functions.reserve_concurrency lets it run once at a time), or the account has no "
                "execution left. Wait for its end, and run this again",
                ExitCode.REFUSED,
            ) from None
        document: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandError(_none_made(document.get("errorMessage", "no message")), ExitCode.REFUSED)
    given = document.get("handed_over")
    if given is not None and wait and given["to"] != _EXPORT:
        progress_console.print(f"Handed over to {_whom(given)}.", soft_wrap=True)
        document |= Follower(stack, given["request"], given["worker"]).wait()
    return {"class": backup_class, **document}


def _tell_export(stack: DeployedStack, given: dict[str, Any], reason: str) -> None:
    console.print("[yellow]RDS exports a snapshot instead[/yellow], no backup was made:", end=" ")
    console.print(reason, markup=False, soft_wrap=True)
    console.print(
        f"Export {given['export']} of snapshot {given['snapshot']}: {given['state']}. Parquet, "
        f"which Athena reads and pgkeep does not restore, goes to {given['location']}",
        soft_wrap=True,
    )
    console.print(f"See how it ends: pgkeep backup list --stack {stack.name}")


def _whom(given: dict[str, Any]) -> str:
    behind = given["queued_behind"]
    return f"the worker of {given['worker']}" + (
        f", behind what {behind} is at work on" if behind else ""
    )


def _here(stack: DeployedStack, backup_class: str, workers: int) -> dict[str, Any]:
    target = BackupTarget(
        bucket=stack.bucket,
        kms_key=bucket_key(stack),
        retention_days=dict(stack.outputs.get("backup_retention_days", {})),
        mac_key=stack.outputs.get("manifest_key_arn"),
    )
    with (
        stack.reach() as endpoint,
        Bar(console=progress_console) as bar,
        # The run's log lines are for CloudWatch.
        contextlib.redirect_stdout(sys.stderr),
    ):
        task = bar.add_task(f"Backing up {stack.database}", total=None)
        made = backups.run(
            backup_class,
            endpoint,
            connect=connector(endpoint, stack.login("backup"), "pgkeep backup"),
            target=target,
            s3=stack.client("s3"),
            kms=stack.client("kms") if target.mac_key else None,
            options=backups.Options(
                workers=workers,
                largest_hashed_table_bytes=stack.outputs.get("backup_largest_hashed_table_bytes"),
                progress=lambda done: bar.update(
                    task, completed=done.done_bytes, total=done.total_bytes
                ),
            ),
        )
    return summary(made)


def summary(made: Manifest) -> dict[str, Any]:
    """What a command says about a backup, as the function does."""
    return {
        "id": made.id,
        "class": made.backup_class,
        "key": made.key,
        "size_bytes": made.size_bytes,
        "row_counts": made.row_counts,
        "duration_seconds": made.duration_seconds,
    }
