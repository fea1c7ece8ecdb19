"""`pgkeep settings`: the effective settings of stacks, and whether they can be deployed."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import workloads
from pgkeep.failures import CommandError, ExitCode
from pgkeep.settings_document import (
    EffectiveSetting,
    document,
    effective_settings,
    refused_document,
)
from pgkeep.stack_files import StackFile, read_stack, stack_names
from stacks.connection_budget import connection_budget
from stacks.settings import Settings, SettingsError
from workloads import check_sql

# Wide enough that a value and its origin stand on one line where no terminal says its width.
_WIDTH_WITHOUT_TERMINAL = 160
# Values such as lists of replicas are shown in full by --json.
_LONGEST_VALUE = 60


def run(names: list[str], *, every: bool, check: bool, as_json: bool) -> None:
    """Show or check the settings of the stacks.

    Raises:
        CommandError: no stack is named, there is no such stack, or a file cannot be read.
        typer.Exit: with 1 if the settings of a stack are refused.
    """
    chosen = stack_names() if every else list(dict.fromkeys(names))
    if not chosen:
        raise CommandError(f"name a stack ({', '.join(stack_names())}), or say --all.")
    # All files are read first: an unusable one ends the command before it says anything.
    stacks = [read_stack(name) for name in chosen]
    judged = [(stack, *_judge(stack)) for stack in stacks]
    if as_json:
        _print_json(judged, check=check)
    else:
        _print_text(judged, check=check)
    if any(refusals for _, _, refusals in judged):
        raise typer.Exit(ExitCode.REFUSED)


def _judge(stack: StackFile) -> tuple[Settings | None, list[str]]:
    try:
        settings = stack.load()
    except SettingsError as error:
        return None, error.lines
    refused = _workload_refusals(settings.workload)
    return (None, refused) if refused else (settings, [])


def _workload_refusals(workload: str) -> list[str]:
    try:
        contract = workloads.load(workload)
    except workloads.ContractError as error:
        return [f"workload: {workload!r} refused, {error}"]
    where = f"workloads/{workload}/contract.yaml"
    return [f"{where}: {line}" for line in check_sql.refusals(contract)]


_Judged = list[tuple[StackFile, Settings | None, list[str]]]


def _print_json(judged: _Judged, *, check: bool) -> None:
    documents = [
        refused_document(stack, refusals)
        if check or settings is None
        else document(stack, settings)
        for stack, settings, refusals in judged
    ]
    print(json.dumps({"stacks": documents}, indent=2))


def _print_text(judged: _Judged, *, check: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    for stack, settings, refusals in judged:
        if settings is None:
            for line in refusals:
                console.print(f"{stack.label}: {line}", markup=False, soft_wrap=True)
        elif check:
            console.print(f"{stack.label}: the settings hold.", markup=False, soft_wrap=True)
        else:
            _print_stack(console, stack, settings)


def _print_stack(console: Console, stack: StackFile, settings: Settings) -> None:
    region = stack.region or "not in its file"
    console.rule(f"{stack.name}: {stack.label}, region {region}")
    found = effective_settings(stack, settings)
    groups: dict[str, list[EffectiveSetting]] = {}
    for each in found:
        groups.setdefault(each.group, []).append(each)
    for group, members in groups.items():
        console.print(_table(group, members))
    budget = connection_budget(settings)
    console.print("\n[bold]Connection budget[/bold]")
    if budget is None:
        console.print(
            "not known: database.max_connections is not given and the memory of "
            f"{settings.database.instance_class} is not known",
            soft_wrap=True,
        )
    else:
        for line in budget.lines():
            console.print(line, markup=False, soft_wrap=True)


def _table(group: str, members: list[EffectiveSetting]) -> Table:
    table = Table(
        title=group or "the stack",
        title_justify="left",
        title_style="bold underline",
        box=box.SIMPLE_HEAD,
        expand=True,
    )
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold", ratio=3)
    table.add_column("from", no_wrap=True)
    table.add_column("allowed", overflow="fold", ratio=2)
    table.add_column("what it sets", overflow="fold", ratio=4)
    styles = {"file": "bold", "environment": "", "default": "dim"}
    for each in members:
        table.add_row(
            each.name,
            _text(each.value, each.unit),
            each.origin.text,
            each.limits,
            each.description,
            style=styles[each.origin.layer],
        )
    return table


def _text(value: Any, unit: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value} {unit}".strip()
    text = value if isinstance(value, str) else json.dumps(value)
    shown = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
    # Square brackets are rich's markup.
    return shown.replace("[", "\\[")
