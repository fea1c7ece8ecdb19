"""`pgkeep backup verify`: every byte against the manifest."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from operations.backup.verify import verify
from pgkeep.backup.access import (
    bytes_text,
    console,
    print_json,
    progress_console,
    refusals_as_lines,
    store,
)
from pgkeep.deployed import DeployedStack
from pgkeep.failures import ExitCode


def run(
    stack_name: str,
    identifier: str,
    *,
    bucket: str | None = None,
    unsigned: bool = False,
    signed_by: str | None = None,
    as_json: bool,
) -> None:
    """Verify one backup.

    Raises:
        CommandError: there is no such backup.
        typer.Exit: with 1 when an object is not what the manifest says.
    """
    stack = DeployedStack.find(stack_name)
    columns = (*Progress.get_default_columns()[:2], DownloadColumn(), TransferSpeedColumn())
    with (
        refusals_as_lines("the backup was not read to its end, and nothing is said of it"),
        Progress(*columns, TimeRemainingColumn(), console=progress_console) as bar,
    ):
        there = store(stack, bucket, signed_by=signed_by)
        backup = there.get(identifier, unsigned=unsigned)
        task = bar.add_task(f"Reading {backup.id}", total=backup.size_bytes)
        result = verify(
            backup,
            s3=stack.client("s3"),
            bucket=there.bucket,
            progress=lambda read: bar.advance(task, read),
        )
    if as_json:
        print_json({"id": result.backup_id, "whole": result.whole, **asdict(result)})
    elif result.whole:
        console.print(
            f"[green]Backup {result.backup_id} is whole:[/green] {result.objects} objects, "
            f"{bytes_text(result.size_bytes)}, every byte as it was written."
        )
    else:
        for finding in result.findings:
            console.print(f"[red]{escape(finding)}[/red]", soft_wrap=True)
    if not result.whole:
        raise typer.Exit(ExitCode.REFUSED)
