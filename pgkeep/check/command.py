"""`pgkeep check`: what is asked for, judged, and written where it was asked to."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from pgkeep.failures import CommandError, ExitCode
from pgkeep.lazy_aws import load_lazily

if TYPE_CHECKING:
    # Only names: the modules are imported when something is judged.
    from pgkeep.check.judging import Judged, Options


@dataclass(frozen=True)
class Request:
    """The command line of `pgkeep check`."""

    stacks: Sequence[str]
    states: Sequence[str]
    plans: Sequence[str]
    environment: str | None
    exemptions: str | None
    config: str | None
    as_json: bool
    sarif: str | None
    junit: str | None
    verbose: bool
    sql: Sequence[str] = ()


def run(request: Request) -> None:
    """Judge everything first, then write.

    Raises:
        CommandError: an input is unusable, or a report cannot be written.
        typer.Exit: with 1 if a mandatory rule is violated.
    """
    printed = [request.as_json, request.sarif == "-", request.junit == "-"]
    if sum(printed) > 1:
        raise CommandError("--json, --sarif - and --junit - all print; give all but one a file.")
    with _without_collector():
        load_lazily()
        judged = _judge(request)
        _write(request, judged, quiet=any(printed))
    if any(one.refused for one in judged):
        raise typer.Exit(ExitCode.REFUSED)


def _judge(request: Request) -> list[Judged]:
    from pgkeep.check import judging
    from pgkeep.stack_files import stack_names

    options = _options(request)
    # A shell writes the files of `--sql *.sql` as one option and arguments.
    more = [name for name in request.stacks if request.sql and name.endswith(".sql")]
    foreign = bool(request.states or request.plans or request.sql)
    stacks = [name for name in dict.fromkeys(request.stacks) if name not in more]
    names = stacks or ([] if foreign else stack_names())
    return [
        *judging.judge_all(names, options),
        *(judging.judge_state(path, options) for path in request.states),
        *(judging.judge_plan(path, options) for path in request.plans),
        *judging.judge_sql([*request.sql, *more], options),
    ]


def _options(request: Request) -> Options:
    from pgkeep.check.judging import Options, read_config
    from policies.rules import Environment

    where = None
    if request.environment is not None:
        if request.environment not in list(Environment):
            raise CommandError(
                f"--environment {request.environment} refused: choose {', '.join(Environment)}."
            )
        where = Environment(request.environment)
    exemptions = None
    if request.exemptions is not None:
        entries = _yaml(request.exemptions)
        if isinstance(entries, dict):
            entries = cast("dict[str, object]", entries).get("policy_exemptions")
        if not isinstance(entries, list):
            raise CommandError(
                f"{request.exemptions} has no list of exemptions (policies/README.md shows one)."
            )
        exemptions = cast("list[object]", entries)
    thresholds, overrides = (
        read_config(_yaml(request.config), request.config) if request.config else ({}, {})
    )
    return Options(where, exemptions, thresholds, overrides)


def _yaml(file: str) -> object:
    """The content of a YAML or JSON file."""
    import yaml

    from pgkeep.check.json_stream import open_text

    try:
        with open_text(file) as stream:
            return yaml.safe_load(stream)
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not UTF-8 text.") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = " ".join(str(error).split())
        raise CommandError(f"{file} is neither YAML nor JSON: {where[:200]}.") from None


def _write(request: Request, judged: list[Judged], *, quiet: bool) -> None:
    from pgkeep.check import report

    if request.sarif is not None:
        from pgkeep.check import sarif

        _save(request.sarif, sarif.document(judged))
    if request.junit is not None:
        from pgkeep.check import junit

        _save(request.junit, junit.document(judged))
    if request.as_json:
        sys.stdout.write(report.as_json(judged) + "\n")
    elif not quiet:
        from rich.console import Console

        report.print_table(Console(highlight=False), judged, verbose=request.verbose)


def _save(file: str, text: str) -> None:
    """Write `text` to `file` as a whole, or print it."""
    if file == "-":
        sys.stdout.write(text)
        return
    path = Path(file)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="replace")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from None


@contextlib.contextmanager
def _without_collector() -> Generator[None]:
    """Without Python's search for cycles, which costs a third of the time and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
