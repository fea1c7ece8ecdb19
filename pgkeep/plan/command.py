"""`pgkeep plan STACK`: preview, cost and policies, in the form that was asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer
from rich.console import Console

from facts.price_list import PriceSource, choose_prices
from pgkeep.failures import CommandError
from pgkeep.plan.document import document
from pgkeep.plan.engine import preview
from pgkeep.plan.markdown import markdown
from pgkeep.plan.report import make_report
from pgkeep.plan.terminal import print_report
from toolchain.environment import LOCAL_STACK

# Without a terminal (CI, a pipe) nothing says how wide a line may be.
WIDTH_WITHOUT_TERMINAL = 110


def run(
    stack: str,
    *,
    offline: bool,
    as_json: bool,
    markdown_file: str | None,
    verbose: bool,
    prices: PriceSource,
) -> None:
    """Previews the stack and says what would happen.

    Raises:
        CommandError: the stack is unknown, the engine could not begin, or a file not be written.
        typer.Exit: with 1 when a policy is violated or the preview failed, else with 0.
    """
    if as_json and markdown_file == "-":
        raise CommandError("--json and --markdown - both write to standard output; choose one.")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
    with Console(stderr=True).status(f"Previewing {stack}"):
        plan = preview(stack, offline=offline)
        report = make_report(plan, choose_prices(prices, offline=offline or stack == LOCAL_STACK))
    if markdown_file is not None:
        _write(markdown_file, markdown(report))
    if as_json:
        json.dump(document(report), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    elif markdown_file != "-":
        print_report(console, report, verbose=verbose)
    raise typer.Exit(report.exit_code)


def _write(file: str, text: str) -> None:
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
