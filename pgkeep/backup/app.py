"""The words of `pgkeep backup`; what they do is beside, imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make, list, verify and prune backups.")

Stack = Annotated[
    str, typer.Option(envvar="PGKEEP_STACK", help="The stack: local, dev, staging or prod.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DEFAULT_STACK = "local"
Bucket = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of this bucket, such as the copies in another region."),
]
Unsigned = Annotated[
    bool,
    typer.Option(
        "--unsigned", help="Take a backup that this stack's key has not signed, by its id."
    ),
]
SignedBy = Annotated[
    str | None,
    typer.Option(
        "--signed-by",
        metavar="KEY",
        help="Verify signatures by this key (ARN or alias) and not by the stack's own.",
    ),
]


@app.command()
def run(
    *,
    stack: Stack = DEFAULT_STACK,
    backup_class: Annotated[
        str, typer.Option("--class", help="daily, weekly, monthly, pre-migration or manual.")
    ] = "manual",
    here: Annotated[
        bool, typer.Option(help="On this machine instead of in the stack's function.")
    ] = False,
    through: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="With --here: a tunnel's beginning.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="With --here: sessions.")] = 2,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Hand over what the function would need longer for; 0 always does.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Wait for the end of a backup that was handed over.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make a backup now. Exit code 0 only when it is whole; 1 when it failed.

    What would pass the function's time limit is handed over, and the command says to whom.
    """
    from pgkeep.backup import run_command

    run_command.run(
        stack,
        backup_class,
        here=here,
        through=through,
        workers=workers,
        time_limit_seconds=time_limit,
        wait=wait,
        as_json=as_json,
    )


@app.command(name="list")
def list_(
    *,
    stack: Stack = DEFAULT_STACK,
    bucket: Bucket = None,
    signed_by: SignedBy = None,
    as_json: AsJson = False,
) -> None:
    """All recovery points: dumps, snapshots and point-in-time recovery, with what each gives."""
    from pgkeep.backup import list_command

    list_command.run(stack, bucket=bucket, signed_by=signed_by, as_json=as_json)


@app.command()
def verify(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A backup's id, or latest.")],
    *,
    stack: Stack = DEFAULT_STACK,
    bucket: Bucket = None,
    unsigned: Unsigned = False,
    signed_by: SignedBy = None,
    as_json: AsJson = False,
) -> None:
    """Read a whole backup back and compare every byte. Exit code 1 when one is wrong."""
    from pgkeep.backup import verify_command

    verify_command.run(
        stack,
        identifier,
        bucket=bucket,
        unsigned=unsigned,
        signed_by=signed_by,
        as_json=as_json,
    )


@app.command()
def prune(
    *,
    stack: Stack = DEFAULT_STACK,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Mark backups whose retention has ended, for S3 to remove; never the last good or proven."""
    from pgkeep.backup import prune_command

    prune_command.run(stack, dry_run=dry_run, as_json=as_json)


@app.command()
def destination(
    *,
    stack: Stack = DEFAULT_STACK,
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The stack's account; without it your credentials say."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the owner of another account makes there, for copies of dumps and of AWS Backup.

    Calls, the policies of bucket and vault, and statements for the policies of their keys.
    """
    from pgkeep.backup import destination_command

    destination_command.run(stack, account, as_json=as_json)
