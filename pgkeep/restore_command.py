"""`pgkeep restore`: a backup into a database of the stack's server, proven before it counts."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import typer
from botocore.exceptions import BotoCoreError, ClientError

from operations.backup.children import Login
from operations.backup.manifest import Manifest
from operations.database import Endpoint
from operations.errors import OperationError
from operations.restore import (
    Options,
    Restored,
    Selection,
    database_settings,
    databases,
    pooler_pause,
    report,
    restore,
    role_grants,
    room,
    row_readers,
)
from operations.restore.database_swap import UnknownOutcomeError
from operations.restore.proof import prove
from operations.restore.report import Report
from pgkeep import restore_exchange as exchange
from pgkeep import restore_progress
from pgkeep.backup import run_command
from pgkeep.backup.access import (
    console,
    print_json,
    progress_console,
    refusals_as_lines,
    store,
)
from pgkeep.deployed import DeployedStack, connector
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_checks import objectives, prove_grants, roles, workload_checks
from pgkeep.restore_exchange import Exchange
from pgkeep.restore_output import show
from pgkeep.restore_target import finished_or_dropped, keep, maintenance, server_roles

# guides cryptowallet and node-pass: restoring over production asks for this word.
PRODUCTION_WORD = "RESTORE_PRODUCTION"


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    stack: str
    source: str
    target: str
    selection: Selection
    no_owner: bool
    workers: int
    confirmation: str | None
    through: str | None
    drop_afterwards: bool
    as_json: bool
    report_file: Path | None = None
    terminate: bool = False
    drain_seconds: float = pooler_pause.DRAIN_SECONDS
    ignore_room: bool = False
    without_backup: bool = False
    bucket: str | None = None
    unsigned: bool = False
    signed_by: str | None = None


def run(request: Request) -> None:
    """Restore, prove, and say what was measured.

    Raises:
        CommandError: the backup or the target is refused, or the restore failed.
        typer.Exit: with 1 when the restored database is not what was backed up.
    """
    stack = DeployedStack.find(request.stack, request.through)
    replaces = request.target == stack.database
    if replaces and request.drop_afterwards:
        raise CommandError(
            f"--drop-afterwards refused with --to {request.target}: it is the present database of "
            f"{stack.name}. Give the name of a new one."
        )
    if request.terminate and not replaces:
        raise CommandError(
            f"--terminate refused with --to {request.target}: nobody is in it; the option is for "
            f"--to {stack.database}, the present database."
        )
    if replaces:
        _confirm(request, stack)
        if not request.terminate:
            # Before a backup and a restore are made, not after.
            exchange.pooler_site(stack)
    left = f"{stack.database} is unchanged" if replaces else f"{request.target} is not proven"
    with refusals_as_lines(left):
        databases.refuse_unfit_name(request.target)
        backup = store(stack, request.bucket, signed_by=request.signed_by).get(
            request.source, stack.database, unsigned=request.unsigned
        )
        if not request.ignore_room:
            room.refuse_without_room(
                stack.client("cloudwatch"),
                str(stack.outputs["database_identifier"]),
                room.needed_bytes(backup, request.selection),
            )
        with stack.reach() as endpoint:
            more: dict[str, Any] = {}
            if replaces:
                made, done = over_present(request, stack, endpoint, backup)
                more = {"set_aside_as": done.aside, "exchange": asdict(done)}
            else:
                made = _into_other(request, stack, endpoint, backup, request.target)
            made = replace(made, target=stack.database) if replaces else made
    show(made, as_json=request.as_json, report_file=request.report_file, stack=stack.name, **more)
    if not made.proven:
        raise typer.Exit(ExitCode.REFUSED)


def go_back(
    stack_name: str,
    aside: str,
    confirmation: str | None,
    through: str | None,
    *,
    terminate: bool,
    drain_seconds: float = pooler_pause.DRAIN_SECONDS,
    as_json: bool = False,
) -> None:
    """Undo a restore over the present database: `aside` takes its place again.

    Raises:
        CommandError: there is no such database, or it was not confirmed.
    """
    stack = DeployedStack.find(stack_name, through)
    if not databases.can_replace(stack.database, aside):
        raise CommandError(
            f"--back-to {aside} refused: a restore over {stack.database} puts the database before "
            f"aside as {stack.database}_before_TIME, and says so at its end; give that name."
        )
    _ask(stack, confirmation, f"will be replaced by {aside}")
    with (
        refusals_as_lines(f"{stack.database} is unchanged"),
        stack.reach() as endpoint,
        maintenance(stack, endpoint) as connection,
    ):
        if not databases.exists(connection, aside):
            raise CommandError(
                f"--back-to {aside} refused: the server has no such database.",
                ExitCode.REFUSED,
            )
        try:
            done = exchange.run(
                stack, connection, aside, terminate=terminate, drain_seconds=drain_seconds
            )
        except KeyboardInterrupt:
            raise _interrupted_exchange(stack, connection, aside) from None
    exchange.show(done, progress_console)
    if as_json:
        document = {"database": stack.database, "was": aside, "set_aside_as": done.aside}
        print_json({**document, "exchange": asdict(done)})
        return
    console.print(f"{stack.database} is what it was; the restored one is {done.aside}.")


def _confirm(request: Request, stack: DeployedStack) -> None:
    if not request.selection.everything:
        raise CommandError(
            f"--table and --schema refused with --to {request.target}: the other tables would be "
            "lost. Restore into a new database and copy what is missing from there."
        )
    _ask(stack, request.confirmation, f"will be replaced by backup {request.source}")


def _ask(stack: DeployedStack, confirmation: str | None, what: str) -> None:
    in_production = "prod" in (stack.name, stack.outputs.get("environment"))
    word = PRODUCTION_WORD if in_production else stack.database
    given = confirmation
    if given is None and sys.stdin.isatty():
        progress_console.print(
            f"[red]Database {stack.database} of {stack.name} {what}.[/red] The present one is kept "
            "under another name."
        )
        given = typer.prompt(f"Type {word} to go on", default="", show_default=False)
    if given != word:
        raise CommandError(
            f"{stack.database} is the present database of {stack.name} and replacing it was not "
            f"confirmed: type {word} when asked, or give --confirm {word}. Nothing was changed.",
            ExitCode.REFUSED,
        )


def over_present(
    request: Request, stack: DeployedStack, endpoint: Endpoint, backup: Manifest
) -> tuple[Report, Exchange]:
    """Beside the present database first; they change places only once it is proven.

    Raises:
        CommandError: there is no backup before, the restored one is not proven, or it could not
            take the place of the present one; it is then kept.
    """
    _back_up_before(request, stack)
    beside = databases.name_beside(stack.database, databases.RESTORED)
    made = _into_other(request, stack, endpoint, backup, beside)
    if not made.proven:
        raise CommandError(
            f"the restored database is not what was backed up ({_failed(made)}); it is kept as "
            f"{beside}, and {stack.database} is unchanged.",
            ExitCode.REFUSED,
        )
    with maintenance(stack, endpoint) as connection:
        proven = databases.name_beside(stack.database, databases.PROVEN)
        databases.rename(connection, beside, proven)
        try:
            done = exchange.run(
                stack,
                connection,
                proven,
                terminate=request.terminate,
                drain_seconds=request.drain_seconds,
            )
        except KeyboardInterrupt:
            raise _interrupted_exchange(stack, connection, proven) from None
        except UnknownOutcomeError:
            raise
        except (OperationError, BotoCoreError, ClientError) as error:
            if not _is_kept(connection, proven):
                raise
            raise CommandError(
                f"{' '.join(str(error).split())}. The restored database is proven and kept as "
                f"{proven}; once the cause is gone: pgkeep restore --stack {stack.name} "
                f"--back-to {proven}",
                ExitCode.REFUSED,
            ) from error
    exchange.show(done, progress_console)
    return made, done


def _is_kept(connection: psycopg.Connection[Any], proven: str) -> bool:
    """Whether the exchange has not happened; a server that is gone has not made it."""
    try:
        with databases.lasting(connection) as usable:
            return databases.exists(usable, proven)
    except psycopg.Error:
        return True


def _interrupted_exchange(
    stack: DeployedStack, connection: psycopg.Connection[Any], coming: str
) -> CommandError:
    """Which of the two databases is the present one, and how to go on."""
    pause = f"pooler hosts end a pause by themselves in {pooler_pause.LONGEST_SECONDS:.0f} s"
    if databases.exists(connection, coming):
        return CommandError(
            f"interrupted: {stack.database} is unchanged, and {pause}. {coming} is kept; to go on: "
            f"pgkeep restore --stack {stack.name} --back-to {coming}",
            ExitCode.INTERRUPTED,
        )
    return CommandError(
        f"interrupted: {stack.database} is what was {coming} already, and {pause}. Owner and "
        f"grants may be missing: {exchange.applying_roles(stack)}; or go back to the database "
        f"before, {stack.database}_before_TIME (psql -l shows it), by pgkeep restore "
        f"--stack {stack.name} --back-to",
        ExitCode.INTERRUPTED,
    )


def _back_up_before(request: Request, stack: DeployedStack) -> None:
    if request.without_backup:
        progress_console.print(f"No backup before: {stack.database} is kept aside as it is.")
        return
    try:
        before = run_command.in_function(stack, "pre-migration")
    except CommandError as error:
        raise CommandError(
            f"{error}. Nothing was changed. Where {stack.database} cannot be backed up any more, "
            "give --without-backup: it is put aside as it is, and not lost",
            error.code,
        ) from error
    if "id" not in before:
        raise CommandError(
            f"there is no backup before the restore, and {stack.database} is unchanged: RDS "
            f"exports a snapshot instead ({before['handed_over']['export']}), because "
            f"{before['reason']}. Set backups.worker.enabled, restore --to another database, or "
            f"give --without-backup: {stack.database} is put aside as it is, and not lost.",
            ExitCode.REFUSED,
        )
    progress_console.print(f"Backup before the restore: {before['id']}")


def _into_other(
    request: Request, stack: DeployedStack, endpoint: Endpoint, backup: Manifest, name: str
) -> Report:
    started_at = datetime.now(UTC)
    login = stack.login("master")
    target = replace(endpoint, database=name)
    connect = connector(target, login, "pgkeep restore")
    with maintenance(stack, endpoint) as connection:
        with finished_or_dropped(connection, name) as is_new:
            if is_new:
                databases.create(connection, name, backup)
            with databases.owners_assumed(connection, server_roles(connection)):
                restored = _restore(request, stack, backup, Login(target, *login), connect)
            if not request.no_owner:
                restored.steps[role_grants.NAME] = role_grants.apply(roles(stack), connect=connect)
            with row_readers.assumed(connection, connect):
                with restore_progress.shown("Proving", "Compared with the backup") as progress:
                    proof = prove(
                        backup,
                        connect=connect,
                        tables=None if request.selection.everything else restored.tables,
                        workers=request.workers,
                        progress=progress,
                    )
                workload_checks(
                    stack, proof, connect, only_some_tables=not request.selection.everything
                )
            prove_grants(stack, proof, connect, no_owner=request.no_owner)
            if request.unsigned:
                proof.left_out.append(
                    "who wrote the backup: no signature was asked for (--unsigned)"
                )
            proof.left_out += restored.left_out
            # After the proof: they are for the database's users, and not for what proves it.
            with connect() as inside:
                inside.autocommit = True
                proof.left_out += database_settings.apply(
                    inside, restored.described, roles=not request.no_owner
                )
        made = report.make(
            backup,
            restored,
            proof,
            target=name,
            started_at=started_at,
            objectives=objectives(stack),
        )
        keep(stack, made)
        if request.drop_afterwards and is_new:
            databases.drop(connection, name)
    return made


def _restore(
    request: Request, stack: DeployedStack, backup: Manifest, login: Login, connect: Any
) -> Restored:
    with restore_progress.shown("Restoring", "Restored") as progress:
        return restore(
            backup,
            s3=stack.client("s3"),
            bucket=request.bucket or stack.bucket,
            login=login,
            connect=connect,
            options=Options(
                workers=request.workers,
                selection=request.selection,
                no_owner=request.no_owner,
                progress=progress,
            ),
        )


def _failed(made: Report) -> str:
    findings = [line for check in made.checks for line in check["findings"]]
    return "; ".join(findings[:3]) + ("; ..." if len(findings) > 3 else "")
