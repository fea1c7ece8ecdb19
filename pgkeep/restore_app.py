"""`pgkeep restore`: its options, and which kind of restore they ask for.

A backup goes into a database, a point in time or a snapshot into an instance, and single tables of
such an instance into a database.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pgkeep.failures import CommandError


def restore(
    *,
    source: Annotated[
        str,
        typer.Option("--from", metavar="ID", help="A backup's id, latest, or snapshot:ID."),
    ] = "latest",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="To this moment (ISO 8601 with zone, or latest) instead."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="A new or empty database, the present one, or instance:NAME.",
        ),
    ] = None,
    stack: Annotated[str, typer.Option(envvar="PGKEEP_STACK", help="Which stack.")] = "local",
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table; may be repeated.")
    ] = None,
    schemas: Annotated[
        list[str] | None, typer.Option("--schema", help="Only this schema; may be repeated.")
    ] = None,
    no_owner: Annotated[
        bool, typer.Option("--no-owner", help="Leave owners and grants out.")
    ] = False,
    drop_afterwards: Annotated[
        bool, typer.Option("--drop-afterwards", help="A restore test: drop what was made.")
    ] = False,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the report as a page: HTML to a name in .html, else Markdown.",
        ),
    ] = None,
    back_to: Annotated[
        str | None,
        typer.Option("--back-to", metavar="DATABASE", help="Undo a restore over the present."),
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="WORD", help="Confirms replacing the present database.")
    ] = None,
    terminate: Annotated[
        bool,
        typer.Option(
            "--terminate",
            help="Over the present database: end sessions, do not let the pooler's clients wait.",
        ),
    ] = False,
    drain_seconds: Annotated[
        float,
        typer.Option(
            "--drain-seconds",
            min=0,
            max=60,
            help="Over the present database: how long transactions in progress may take to end.",
        ),
    ] = 30,
    without_backup: Annotated[
        bool,
        typer.Option(
            "--without-backup",
            help="Over the present database: where no backup of it can be made any more.",
        ),
    ] = False,
    ignore_room: Annotated[
        bool,
        typer.Option(
            "--ignore-room", help="Begin although the disk seems to have no room for the database."
        ),
    ] = False,
    bucket: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Take the backup from this bucket, such as the copies in another region.",
        ),
    ] = None,
    unsigned: Annotated[
        bool,
        typer.Option(
            "--unsigned",
            help="Take a backup that this stack's key has not signed, by its id.",
        ),
    ] = False,
    signed_by: Annotated[
        str | None,
        typer.Option(
            "--signed-by",
            metavar="KEY",
            help="Verify the signature by this key (ARN or alias) and not by the stack's own.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Sessions side by side.")] = 2,
    through: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Beginning of a tunnel to the database.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Restore a backup and prove it. Exit code 0 only when the proof holds."""
    from operations.restore.selection import Selection
    from pgkeep import restore_command, restore_output

    if back_to is not None:
        restored = {
            "--to": target,
            "--at": at,
            "--from": None if source == "latest" else source,
            "--table": tables,
            "--schema": schemas,
            "--drop-afterwards": drop_afterwards,
            "--report": report_file,
            "--bucket": bucket,
        }
        if more := [name for name, value in restored.items() if value]:
            raise CommandError(
                f"{more[0]} refused with --back-to {back_to}: nothing is restored then, two "
                "databases change places. Leave one of them out."
            )
        restore_command.go_back(
            stack,
            back_to,
            confirm,
            through,
            terminate=terminate,
            drain_seconds=drain_seconds,
            as_json=as_json,
        )
        return
    if target is None:
        raise CommandError("--to is missing: name the database to restore into.")
    restore_output.refuse_unusable(report_file)
    selection = Selection(tuple(tables or ()), tuple(schemas or ()))
    of_instance = at is not None or source.startswith("snapshot:")
    if unsigned and source == "latest":
        raise CommandError(
            "--unsigned needs --from ID: the newest backup without a signature may be anybody's."
        )
    given = {
        "--bucket": bucket is not None,
        "--unsigned": unsigned,
        "--signed-by": signed_by is not None,
    }
    option = next((name for name, is_given in given.items() if is_given), None)
    if of_instance and option is not None:
        raise CommandError(
            f"{option} refused with --at and --from snapshot:ID: those come from RDS and not out "
            "of a bucket. Give --from ID of a backup."
        )
    if of_instance and not selection.everything and not target.startswith("instance:"):
        from pgkeep import restore_tables_command

        restore_tables_command.run(
            restore_tables_command.request(
                stack=stack,
                source=source,
                at=at,
                target=target,
                selection=selection,
                no_owner=no_owner,
                workers=workers,
                through=through,
                drop_afterwards=drop_afterwards,
                as_json=as_json,
                report_file=report_file,
            )
        )
        return
    if of_instance or target.startswith("instance:"):
        from pgkeep import restore_instance_command

        restore_instance_command.run(
            restore_instance_command.request(
                stack=stack,
                source=source,
                at=at,
                target=target,
                selected=not selection.everything,
                no_owner=no_owner,
                through=through,
                drop_afterwards=drop_afterwards,
                as_json=as_json,
                report_file=report_file,
            )
        )
        return
    restore_command.run(
        restore_command.Request(
            stack=stack,
            source=source,
            target=target,
            selection=selection,
            no_owner=no_owner,
            workers=workers,
            confirmation=confirm,
            through=through,
            drop_afterwards=drop_afterwards,
            as_json=as_json,
            report_file=report_file,
            terminate=terminate,
            drain_seconds=drain_seconds,
            ignore_room=ignore_room,
            without_backup=without_backup,
            bucket=bucket,
            unsigned=unsigned,
            signed_by=signed_by,
        )
    )
