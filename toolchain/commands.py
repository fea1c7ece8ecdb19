"""The commands of `python -m toolchain`."""

from __future__ import annotations

from typing import Annotated

import typer

from toolchain import host_tests as deployed_hosts
from toolchain import local, psql
from toolchain.deploy import deploy as deploy_stack
from toolchain.functions import build_all
from toolchain.preview import preview as preview_stack
from toolchain.steps import RefusedError, fail
from toolchain.suites import run_all

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def up() -> None:
    """Deploy the stack `local` on a local cloud of this machine."""
    raise typer.Exit(local.up())


@app.command()
def down() -> None:
    """Destroy the stack `local`, stop its cloud and remove everything of it."""
    raise typer.Exit(local.down())


@app.command()
def build() -> None:
    """Build what the functions run, for every architecture."""
    raise typer.Exit(build_all())


@app.command()
def env() -> None:
    """Print the shell environment in which plain `pulumi` and `aws` work on the stack `local`."""
    raise typer.Exit(local.print_environment())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def preview(
    stack: str,
    context: typer.Context,
    policies: Annotated[bool, typer.Option(help="Judge it by the policy packs.")] = True,
) -> None:
    """Preview a stack with the policy packs, without an AWS account."""
    raise typer.Exit(preview_stack(stack, context.args, policies=policies))


@app.command(
    name="psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def connect(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="app, readonly or migrator")] = "app",
) -> None:
    """Open psql on the stack `local` as one of its roles, from where that role connects."""
    raise typer.Exit(psql.connect(role, context.args))


@app.command()
def deploy(stack: str) -> None:
    """Update a stack on AWS with the policy pack, without asking."""
    raise typer.Exit(deploy_stack(stack))


@app.command(name="host-tests")
def host_tests(stack: str) -> None:
    """Run the host tests on the deployed pooler hosts of a stack."""
    raise typer.Exit(deployed_hosts.run(stack))


@app.command()
def test(suites: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Run lint, types and all test suites, or the named ones."""
    raise typer.Exit(run_all(suites or []))


def main() -> int:
    """Runs a command; what is refused is one line on stderr and exit code 1."""
    try:
        app()
    except RefusedError as refused:
        return fail(str(refused))
    return 0
