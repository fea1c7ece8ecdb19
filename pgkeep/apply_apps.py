"""The words of `pgkeep roles` and `pgkeep migrations`; what they do is imported when it runs."""

from __future__ import annotations

import typer

from pgkeep.backup.app import DEFAULT_STACK, AsJson, Stack

roles = typer.Typer(no_args_is_help=True, help="Make roles and grants those of the contract again.")
migrations = typer.Typer(no_args_is_help=True, help="Apply migrations that the database has not.")


@roles.callback()
@migrations.callback()
def _group() -> None:
    """Keep `apply` a subcommand, also while there is only one."""


@roles.command("apply")
def apply_roles(*, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """Undo what was changed by hand: roles, memberships, grants, settings, passwords.

    They become those that the stack was deployed with. An update does so only when the contract has
    changed. Exit code: 0, 1 when it failed (then nothing was changed), 2 when there is no stack.
    """
    from pgkeep import apply_commands

    apply_commands.apply(stack, "roles", as_json=as_json)


@migrations.command("apply")
def apply_migrations(*, stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """Apply the migrations of the last update that the database does not have, as after a restore.

    Exit code: 0 when all are applied, 1 when one failed (it left nothing, those before it stay), 2
    when there is no stack.
    """
    from pgkeep import apply_commands

    apply_commands.apply(stack, "migrations", as_json=as_json)
