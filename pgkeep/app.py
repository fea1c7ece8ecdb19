"""The `pgkeep` command: which commands there are, and how an error reaches the user.

Commands are imported when they run, so that `pgkeep --help` and each command start fast.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pgkeep.backup.app import app as backup
from pgkeep.failures import CommandError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Production PostgreSQL on AWS: settings, plans, policy checks and operations.",
)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


app.add_typer(backup, name="backup")


@app.callback()
def _pgkeep() -> None:
    """Make every command a subcommand, also while there is only one."""


@app.command()
def plan(
    stack: Annotated[str, typer.Argument(help="dev, staging, prod or local.")],
    *,
    offline: Annotated[
        bool, typer.Option(help="Without account and state: everything is shown as new.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    markdown: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write Markdown for a pull request; - prints."),
    ] = None,
    prices: Annotated[
        str, typer.Option(metavar="SOURCE", help="auto, aws (its price list) or table (shipped).")
    ] = "auto",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every resource, cost and policy note.")
    ] = False,
) -> None:
    """Show what an update would change, lose and cost, and what the policies say.

    Exit code: 0, 1 when a policy is violated or the preview failed, 2 when there is no plan.
    """
    from facts.price_list import PriceSource
    from pgkeep.plan.command import run

    if prices not in list(PriceSource):
        raise CommandError(f"--prices {prices} refused: choose {', '.join(PriceSource)}.")
    run(
        stack,
        offline=offline,
        as_json=as_json,
        markdown_file=markdown,
        verbose=verbose,
        prices=PriceSource(prices),
    )


@app.command()
def settings(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="STACK...", help="Which stacks.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All stacks in stacks/.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only judge: exit 1 and a line for each refusal.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the settings of stacks with where each value comes from, or check them."""
    from pgkeep import settings_command

    settings_command.run(stacks or [], every=every, check=check, as_json=as_json)


@app.command()
def check(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STACK]...", help="Stacks of this repository; all if none is named."
        ),
    ] = None,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="A state of `pulumi stack export`; - is standard input."),
    ] = None,
    plan_file: Annotated[
        list[str] | None,
        typer.Option("--plan", metavar="FILE", help="A plan of `pulumi preview --json`."),
    ] = None,
    sql: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILES", help="SQL migrations in their order: files, or a folder of them."
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(help="Judge as local, dev, staging or prod, whatever the stack's name says."),
    ] = None,
    exemptions: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="YAML or JSON with a list `policy_exemptions`."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Thresholds and levels, as --policy-pack-config."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    sarif: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0; - prints.")
    ] = None,
    junit: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write JUnit XML; - prints.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every note, not only the first ones.")
    ] = False,
) -> None:
    """Judge stacks, states, plans or SQL with the policy pack's rules, without the engine.

    A stack's program runs under mocks, and its workload's migrations are judged with it. Exit
    code: 0, 1 when a mandatory rule is violated, 2 when an input is unusable.
    """
    from pgkeep.check.command import Request, run

    run(
        Request(
            stacks=stacks or [],
            states=state or [],
            plans=plan_file or [],
            sql=sql or [],
            environment=environment,
            exemptions=exemptions,
            config=config,
            as_json=as_json,
            sarif=sarif,
            junit=junit,
            verbose=verbose,
        )
    )


@app.command()
def explain(
    rules: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RULE]...", help="Rules, or controls: RDS-03, CKV_AWS_16, RDS.3."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Explain rules: what, why, what to do, where enforced. Without a name all are listed."""
    from pgkeep import explain as command

    command.run(rules or [], as_json=as_json)


@app.command()
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
        restore_command.go_back(
            stack, back_to, confirm, through, terminate=terminate, drain_seconds=drain_seconds
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


def main() -> None:
    """Run the command line; a `CommandError` becomes one line and its exit code."""
    try:
        app()
    except CommandError as error:
        errors.print(f"pgkeep: {error}", style="red", markup=False)
        sys.exit(error.code)
