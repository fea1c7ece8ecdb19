"""The `pgkeep` command: which commands there are, and how an error reaches the user.

Commands are imported when they run, so that `pgkeep --help` and each command start fast.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from pgkeep.failures import CommandError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Production PostgreSQL on AWS: settings, plans, policy checks and operations.",
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.callback()
def _pgkeep() -> None:
    """Make every command a subcommand, also while there is only one."""


def main() -> None:
    """Run the command line; a `CommandError` becomes one line and its exit code."""
    try:
        app()
    except CommandError as error:
        errors.print(f"pgkeep: {error}", style="red", markup=False)
        sys.exit(error.code)
