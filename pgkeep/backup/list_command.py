"""`pgkeep backup list`: every recovery point of a stack."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations import aws_clients
from operations.backup import exports
from operations.backup.exports import FoundExports
from operations.backup.store import Found, NoBackup
from operations.errors import OperationError
from operations.restore import report
from pgkeep.backup import copy_jobs, recovery_points
from pgkeep.backup.access import (
    age_text,
    bytes_text,
    console,
    print_json,
    refusals_as_lines,
    store,
)
from pgkeep.backup.copy_jobs import FailedCopy
from pgkeep.backup.recovery_points import RecoveryPoint
from pgkeep.deployed import DeployedStack
from pgkeep.failures import ExitCode

_WIDTH = 160


def run(
    stack_name: str, *, bucket: str | None = None, signed_by: str | None = None, as_json: bool
) -> None:
    """Print all recovery points, the newest first, and what only looks like a backup.

    Of another `bucket` the dumps, and what was proven of them where they come from.

    Raises:
        typer.Exit: with 1 when the stack's bucket gave no answer; the other ways back are printed.
    """
    stack = DeployedStack.find(stack_name)
    now = datetime.now(UTC)
    # A word about a damaged report is for CloudWatch.
    with refusals_as_lines(), contextlib.redirect_stdout(sys.stderr):
        if bucket is None:
            found = _of_stack(stack, now, signed_by)
        else:
            there = store(stack, bucket, signed_by=signed_by).find(brief=True)
            proven = report.proven(stack.client("s3"), bucket)
            found = Listed(list(recovery_points.dumps(there, proven, now)), list(there.others), [])
    points = sorted(found.points, key=lambda point: point.taken_at, reverse=True)
    if as_json:
        print_json(
            {
                "recovery_points": [point.document() for point in points],
                "not_backups": [
                    {
                        "folder": other.folder,
                        "reason": other.reason,
                        "unsigned": other.unsigned is not None,
                        "locked": other.locked,
                    }
                    for other in found.others
                ],
                "unlisted": found.unlisted,
                "failed_copies": [copy.document() for copy in found.failed_copies],
            }
        )
    else:
        _show(found, points)
    if found.without_dumps:
        raise typer.Exit(ExitCode.REFUSED)


def _show(found: Listed, points: list[RecoveryPoint]) -> None:
    _print(points)
    for copy in found.failed_copies:
        console.print(
            f"[red]not copied[/red] to {copy.vault_arn} at {copy.failed_at:%Y-%m-%d %H:%M} UTC: "
            f"{escape(copy.reason)}",
            soft_wrap=True,
        )
    for place in found.unlisted:
        console.print(f"[yellow]not listed[/yellow] {escape(place)}", soft_wrap=True)
    for other in found.others:
        word = "not signed" if other.unsigned else "locked" if other.locked else "no backup"
        told = escape(f"{other.folder}: {other.reason}")
        console.print(f"[yellow]{word}[/yellow] {told}", soft_wrap=True)


@dataclass(frozen=True)
class Listed:
    """What was found; `unlisted` says which places gave no answer, and what they said.

    Of AWS Backup's copies, `failed_copies` are those that it has made last and could not make.
    """

    points: list[RecoveryPoint]
    others: list[NoBackup]
    unlisted: list[str]
    failed_copies: list[FailedCopy] = field(default_factory=list[FailedCopy])
    #: The bucket itself gave no answer.
    without_dumps: bool = False


def _of_stack(stack: DeployedStack, now: datetime, signed_by: str | None) -> Listed:
    # Asked for first: a key that was not found says nothing of the bucket.
    dumps = store(stack, signed_by=signed_by)
    lost = ""
    try:
        found = dumps.find(brief=True)
        proven = report.proven(stack.client("s3"), stack.bucket)
        exported = exports.find(stack.client("s3"), stack.bucket)
    except (BotoCoreError, ClientError, OperationError) as error:
        # On the worst day it is what is gone, and the other ways back are what is looked for.
        advice = aws_clients.what_to_do(error)
        lost = f"{stack.bucket}: {str(error).rstrip('.')}" + (f"; {advice}" if advice else "")
        found, proven, exported = Found((), ()), {}, FoundExports((), ())
    rds, identifier = stack.client("rds"), str(stack.outputs["database_identifier"])
    others = [*found.others, *exported.others]
    if stack.outputs.get("backup_exports"):
        unfinished = recovery_points.unfinished_exports(exported, rds, stack.bucket)
        others = [*found.others, *unfinished]
    points = [
        *recovery_points.dumps(found, proven, now),
        *recovery_points.exports(exported, now),
        *recovery_points.of_instance(rds, identifier, proven, now),
    ]
    elsewhere, unlisted = _of_regions(stack, proven, now)
    in_account, failed_copies = _of_copies(stack, now)
    if lost:
        unlisted.insert(0, lost)
    listed = [*points, *elsewhere, *in_account]
    return Listed(listed, others, unlisted, failed_copies, without_dumps=bool(lost))


def _of_copies(stack: DeployedStack, now: datetime) -> tuple[list[RecoveryPoint], list[FailedCopy]]:
    """What AWS Backup has copied to another account, and what it could not copy anywhere."""
    if not stack.outputs.get("aws_backup_vaults"):
        return [], []
    rds, identifier = stack.client("rds"), str(stack.outputs["database_identifier"])
    backup, instance_arn = stack.client("backup"), recovery_points.arn(rds, identifier)
    jobs = copy_jobs.of_instance(backup, instance_arn)
    vault_arn = stack.outputs.get("aws_backup_account_vault_arn")
    if vault_arn is None:
        return [], list(copy_jobs.failed(jobs))
    pages = backup.get_paginator("list_recovery_points_by_resource").paginate(
        ResourceArn=instance_arn
    )
    made_at: dict[str, datetime] = {
        point["RecoveryPointArn"]: point["CreationDate"]
        for page in pages
        for point in page["RecoveryPoints"]
    }
    points = list(copy_jobs.in_account(jobs, vault_arn, made_at, now))
    return points, list(copy_jobs.failed(jobs))


def _of_regions(
    stack: DeployedStack, proven: Mapping[str, datetime], now: datetime
) -> tuple[list[RecoveryPoint], list[str]]:
    """What stands in vaults and in other regions; a region that does not answer hides no other."""
    rds, identifier = stack.client("rds"), str(stack.outputs["database_identifier"])
    home = str(stack.outputs["region"])
    asked: list[tuple[str, Callable[[], Iterator[RecoveryPoint]]]] = []
    vaults: dict[str, str] = stack.outputs.get("aws_backup_vaults") or {}
    for region, vault in vaults.items():
        asked.append((region, partial(
            recovery_points.of_vault,
            stack.client("backup", region=region), vault, recovery_points.arn(rds, identifier),
            proven, now, region="" if region == home else region,
        )))  # fmt: skip
    for region, backups in recovery_points.replications(rds, identifier).items():
        there = stack.client("rds", region=region)
        asked.append(
            (region, partial(recovery_points.of_replication, there, backups, region, proven, now))
        )
    points: list[RecoveryPoint] = []
    unlisted: list[str] = []
    for region, points_of in asked:
        try:
            points += points_of()
        except (BotoCoreError, ClientError) as error:
            if region == home:
                raise
            unlisted.append(f"{region}: {error}")
    return points, unlisted


def _print(points: list[RecoveryPoint]) -> None:
    table = Table(box=None, header_style="bold")
    for title in ("kind", "class", "would lose", "size", "proven", "id"):
        table.add_column(title, no_wrap=True)
    table.add_column("", overflow="fold")
    for point in points:
        proven = f"{point.proven_at:%Y-%m-%d}" if point.proven_at else "no"
        table.add_row(
            point.kind,
            point.backup_class,
            age_text(point.rpo_seconds),
            "" if point.size_bytes is None else bytes_text(point.size_bytes),
            f"[green]{proven}[/green]" if point.proven_at else f"[yellow]{proven}[/yellow]",
            point.id,
            point.note,
        )
    # Ids are for copying: a narrow terminal breaks lines, and not the ids inside them.
    wide = Console(highlight=False, emoji=False, width=max(console.width, _WIDTH))
    wide.print(table if points else "[red]There is no recovery point at all.[/red]")
