"""The `pgkeep` command: which commands there are, and how an error reaches the user.

Commands are imported when they run, so that `pgkeep --help` and each command start fast.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from pgkeep.apply_apps import migrations, roles
from pgkeep.backup.app import app as backup
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_app import restore

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Production PostgreSQL on AWS: settings, plans, policy checks and operations.",
)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


app.add_typer(backup, name="backup")
app.add_typer(roles, name="roles")
app.add_typer(migrations, name="migrations")


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


app.command()(restore)


def main() -> None:
    """Run the command line; a `CommandError` becomes one line and its exit code."""
    try:
        app()
    except CommandError as error:
        errors.print(f"pgkeep: {error}", style="red", markup=False)
        sys.exit(error.code)
    except SystemExit as ended:
        # Ctrl-C where no command says what it leaves: Typer ends without a word.
        if ended.code == ExitCode.INTERRUPTED:
            errors.print("pgkeep: interrupted", style="red")
        raise
