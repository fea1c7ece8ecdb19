"""`pgkeep restore --at TIME --table NAME --to DATABASE`: tables as they were, in a new database."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from operations.backup.children import Login
from operations.database import Endpoint
from operations.restore import (
    Options,
    Selection,
    databases,
    instances,
    report,
    role_grants,
    row_readers,
    table_copy,
)
from operations.restore.preconditions import refuse_unless_empty
from operations.restore.proof import prove
from operations.restore.report import Report
from operations.restore.table_copy import Side
from pgkeep import restore_instance_command as instance_command
from pgkeep import restore_progress
from pgkeep.backup.access import progress_console, refusals_as_lines
from pgkeep.deployed import DeployedStack, connector
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_checks import objectives, prove_grants, roles, workload_checks
from pgkeep.restore_instance_command import APPLICATION, Asked, InstanceRequest
from pgkeep.restore_output import show
from pgkeep.restore_target import beside, finished_or_dropped, keep, maintenance, server_roles

# RDS API reference, RestoreDBInstanceToPointInTime: TargetDBInstanceIdentifier.
_LONGEST_IDENTIFIER = 63


@dataclass(frozen=True)
class TablesRequest:
    """What the user asked for; exactly one of `at` and `snapshot` is given."""

    stack: str
    at: str | None
    snapshot: str | None
    target: str
    selection: Selection
    no_owner: bool
    workers: int
    drop_afterwards: bool
    as_json: bool
    report_file: Path | None


@dataclass(frozen=True)
class _Scratch:
    """The instance that the tables come out of."""

    rds: Any
    identifier: str
    begun: Asked
    started_at: datetime


def request(
    *,
    stack: str,
    source: str,
    at: str | None,
    target: str,
    selection: Selection,
    no_owner: bool,
    workers: int,
    through: str | None,
    drop_afterwards: bool,
    as_json: bool,
    report_file: Path | None,
) -> TablesRequest:
    """Check how the options fit together.

    Raises:
        CommandError: they do not.
    """
    if through is not None:
        raise CommandError(
            f"--through {through} refused with --at and --from snapshot:ID: a tunnel leads to one "
            "host, and the scratch instance has no address yet. Run this where the VPC can be "
            "reached."
        )
    return TablesRequest(
        stack,
        at,
        instance_command.one_source(source, at, target),
        target,
        selection,
        no_owner,
        workers,
        drop_afterwards,
        as_json,
        report_file,
    )


def run(asked: TablesRequest) -> None:
    """Restore into a scratch instance, copy the tables, prove them, and delete the instance.

    Raises:
        CommandError: the moment, snapshot, tables or target are refused, or RDS failed.
        typer.Exit: with 1 when the copied tables are not what the instance has.
    """
    at = instance_command.moment(asked.at) if asked.at is not None else None
    stack = DeployedStack.find(asked.stack)
    if asked.target == stack.database:
        raise CommandError(
            f"--to {asked.target} refused with --table and --schema: it is the present database. "
            "Restore into a new one, compare, and copy what is missing from there."
        )
    with refusals_as_lines(f"{asked.target} is not proven"):
        databases.refuse_unfit_name(asked.target)
        rds = stack.client("rds")
        source = instances.required(rds, str(stack.outputs["database_identifier"]))
        started_at = datetime.now(UTC)
        name = f"{str(source['DBInstanceIdentifier'])[:40]}-tables-{started_at:%Y%m%dt%H%M%S}"
        scratch = InstanceRequest(
            asked.stack,
            name.replace("--", "-")[:_LONGEST_IDENTIFIER],
            asked.at,
            asked.snapshot,
            None,
            drop_afterwards=True,
            as_json=asked.as_json,
            report_file=None,
        )
        with stack.reach() as present:
            _refuse_target(stack, present, asked.target)
            begun = instance_command.begin(rds, source, scratch, at, started_at)
            instance = _Scratch(rds, scratch.identifier, begun, started_at)
            try:
                made = _copied(asked, stack, instance, present)
                keep(stack, made)
            finally:
                progress_console.print(f"Instance {scratch.identifier} is deleted.")
                instance_command.drop(rds, scratch.identifier)
    show(made, as_json=asked.as_json, report_file=asked.report_file)
    if not made.proven:
        raise typer.Exit(ExitCode.REFUSED)


def _refuse_target(stack: DeployedStack, present: Endpoint, name: str) -> None:
    """Before an instance is made, which takes its time and its money."""
    with maintenance(stack, present) as connection:
        if not databases.exists(connection, name):
            return
    endpoint = replace(present, database=name)
    with connector(endpoint, stack.login("master"), APPLICATION)() as connection:
        refuse_unless_empty(connection, endpoint)


def _copied(
    asked: TablesRequest, stack: DeployedStack, scratch: _Scratch, present: Endpoint
) -> Report:
    started = time.monotonic()
    instance = instance_command.wait(scratch.rds, scratch.identifier)
    ready_seconds = round(time.monotonic() - started, 3)
    target_endpoint = replace(present, database=asked.target)
    own = stack.login("master")
    target = Side(Login(target_endpoint, *own), connector(target_endpoint, own, APPLICATION))
    with (
        stack.reach(str(instance["Endpoint"]["Address"])) as endpoint,
        ExitStack() as showing,
    ):
        login = instance_command.login(stack, scratch.rds, scratch.identifier, endpoint)
        progress = showing.enter_context(restore_progress.shown("Copying", "Copied"))
        options = Options(asked.workers, asked.selection, asked.no_owner, progress)
        source = Side(Login(endpoint, *login), connector(endpoint, login, APPLICATION))
        with (
            beside(endpoint, login) as at_source,
            row_readers.assumed(at_source, source.connect),
            table_copy.prepared(scratch.begun.source_id, source, options) as copy,
            maintenance(stack, present) as connection,
        ):
            described = copy.described()
            with finished_or_dropped(connection, asked.target) as is_new:
                if is_new:
                    databases.create(connection, asked.target, described)
                with databases.owners_assumed(connection, server_roles(connection)):
                    restored = copy.run(target)
                showing.close()
                if not asked.no_owner:
                    restored.steps[role_grants.NAME] = role_grants.apply(
                        roles(stack), connect=target.connect
                    )
                with (
                    row_readers.assumed(connection, target.connect),
                    restore_progress.shown("Proving", "Compared with the instance") as progress,
                ):
                    proof = prove(
                        described,
                        connect=target.connect,
                        tables=restored.tables,
                        workers=asked.workers,
                        progress=progress,
                    )
                prove_grants(stack, proof, target.connect, no_owner=asked.no_owner)
                workload_checks(stack, proof, target.connect, only_some_tables=True)
                proof.left_out += restored.left_out
            if asked.drop_afterwards and is_new:
                databases.drop(connection, asked.target)
    return report.of_instance(
        scratch.begun.kind,
        proof,
        database=stack.database,
        target=asked.target,
        started_at=scratch.started_at,
        restored_to=scratch.begun.moment,
        rpo_seconds=scratch.begun.rpo_seconds,
        steps={"instance restored": ready_seconds, **restored.steps},
        row_counts={table.label: table.rows for table in restored.tables},
        objectives=objectives(stack),
    )
