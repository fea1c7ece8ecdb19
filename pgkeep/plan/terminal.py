"""The plan on a terminal: what would be lost first, then changes, cost and policies."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pgkeep.plan.estimate import NOT_INCLUDED, money, source_of
from pgkeep.plan.losses import Loss
from pgkeep.plan.model import Change, NoteKind, Operation, PolicyNote, PropertyChange
from pgkeep.plan.report import SIGNS, Report

STYLES = {
    Operation.DELETE: "bold red",
    Operation.REPLACE: "bold red",
    Operation.FORGET: "yellow",
    Operation.UPDATE: "yellow",
    Operation.CREATE: "green",
    Operation.IMPORT: "cyan",
}
# Several new resources of one type need no line each.
NAMES_SHOWN = 3


def print_report(console: Console, report: Report, *, verbose: bool) -> None:
    """Prints everything; `verbose` adds each resource, each cost and each unverified note."""
    _head(console, report)
    _failure(console, report)
    if report.losses:
        console.print()
        console.print(_losses(report.losses))
    _changes(console, report, verbose)
    _costs(console, report, verbose)
    _policies(console, report, verbose)
    _verdict(console, report)


def _head(console: Console, report: Report) -> None:
    plan = report.plan
    console.print(
        Text.assemble(("Plan of ", "bold"), (plan.stack, "bold cyan"), f"  {plan.region}")
    )
    if plan.offline:
        console.print(
            "Offline: no account and no state was read, so everything is shown as new.",
            style="dim",
        )
    counts = report.counts
    if plan.failed and not plan.changes:
        return
    parts = [
        Text(f"{SIGNS[op][0]} {counts[op]} to {SIGNS[op][1]}", style=STYLES[op])
        for op in SIGNS
        if counts[op]
    ] or [Text("nothing changes")]
    parts.append(Text(f"{counts[Operation.SAME]} unchanged", style="dim"))
    console.print(Text("   ").join(parts))


def _failure(console: Console, report: Report) -> None:
    if not report.plan.errors:
        return
    console.print()
    console.print("The preview failed; what follows is incomplete.", style="bold red")
    for error in report.plan.errors:
        console.print(_indented(Text(error, style="red"), (0, 0, 0, 2)))


def _losses(losses: Iterable[Loss]) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, loss in enumerate(losses):
        if number:
            table.add_row("", "")
        change = loss.change
        sign, verb = SIGNS[change.operation]
        title = f"{sign} {verb} {change.short_type} {change.name}"
        table.add_row("", Text(title, style="bold red"))
        table.add_row("lost", Text(f"{loss.lost}; {loss.instead}", style="red"))
        table.add_row("because", Text(loss.cause))
        for guard in loss.guards:
            table.add_row("note", Text(guard.text, style="bold red" if guard.alarming else ""))
    return Panel(
        table,
        title="[bold]DATA WOULD BE LOST",
        title_align="left",
        border_style="bold red",
        box=box.HEAVY,
    )


def _changes(console: Console, report: Report, verbose: bool) -> None:
    groups = report.groups(every=verbose)
    widespread = {} if verbose else report.widespread()
    if groups or widespread:
        _section(console, "Changes")
    if any(item.replaces for _, changes in groups for c in changes for item in c.properties):
        console.print(Text("± before a property: it forces the replacement", style="dim"))
    if widespread:
        console.print(_indented(Text("In many resources", style="bold"), (0, 0, 0, 2)))
        for item, count in widespread.items():
            line = Text("~ ", style=STYLES[Operation.UPDATE])
            line.append(f"{count} x ", style="bold")
            line.append(f"{item.path}  ", style="dim")
            line.append_text(_values(item))
            console.print(_indented(line, (0, 0, 0, 4)))
    for group, changes in groups:
        console.print(_indented(Text(group, style="bold"), (0, 0, 0, 2)))
        alike: dict[object, list[Change]] = {}
        for change in changes:
            key = change.urn if verbose else (change.operation, change.type, change.properties)
            alike.setdefault(key, []).append(change)
        for several in alike.values():
            _change(console, several, verbose)


def _change(console: Console, alike: list[Change], verbose: bool) -> None:
    """One resource, or several of one type and component to which the same happens."""
    change = alike[0]
    names = [one.name for one in alike]
    more = len(names) - NAMES_SHOWN
    line = Text(f"{SIGNS[change.operation][0]} ", style=STYLES[change.operation])
    line.append(f"{len(names)} x " if len(names) > 1 else "", style="bold")
    line.append(f"{change.short_type} ", style="dim")
    line.append(", ".join(names[:NAMES_SHOWN]), style=STYLES[change.operation])
    line.append(f" and {more} more" if more > 0 else "", style="dim")
    console.print(_indented(line, (0, 0, 0, 4)))
    if change.operation is Operation.REPLACE and not any(p.replaces for p in change.properties):
        why = Text("replaced because something that it depends on is replaced", style="dim")
        console.print(_indented(why, (0, 0, 0, 8)))
    if change.properties:
        console.print(_indented(_properties(change.properties, verbose), (0, 0, 0, 6)))


def _values(item: PropertyChange) -> Text:
    text = Text()
    text.append(item.old if item.old is not None else "(none)", style="red")
    text.append(" → ")
    text.append(item.new if item.new is not None else "(none)", style="green")
    return text


def _properties(properties: Iterable[PropertyChange], verbose: bool) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(style="dim", overflow="fold", max_width=None if verbose else 44)
    table.add_column(overflow="fold")
    for item in properties:
        sign = Text("±", style="bold red") if item.replaces else ""
        table.add_row(sign, Text(item.path), _values(item))
    return table


def _costs(console: Console, report: Report, verbose: bool) -> None:
    estimate = report.estimate
    rows = report.cost_rows(each=verbose)
    if not rows:
        return
    _section(console, "Cost a month, US dollars")
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("Resource", overflow="fold")
    table.add_column("What", style="dim", overflow="fold")
    changed = bool(estimate.before)
    if changed:
        table.add_column("Now", justify="right", no_wrap=True)
    table.add_column("Planned", justify="right", no_wrap=True)
    if changed:
        table.add_column("Difference", justify="right", no_wrap=True)
    for row in rows:
        numbers = [row.before, row.after, row.after - row.before] if changed else [row.after]
        cells = [money(number) for number in numbers]
        if changed:
            cells[-1] = _signed(cells[-1])
        if row.unknown:
            cells[-2 if changed else -1] += " + ?"
        table.add_row(row.title, Text(row.what), *cells)
    cells = [money(estimate.before), estimate.total] if changed else [estimate.total]
    if changed:
        cells.append(_signed(money(estimate.after - estimate.before)))
    table.add_row("Total", "", *cells, style="bold")
    console.print(_indented(table, (0, 0, 0, 2)))
    for item in estimate.unpriced:
        console.print(_indented(Text(f"no price known: {item}", style="yellow"), (0, 0, 0, 2)))
    _unit_prices(console, report, verbose)
    source = f"Prices: {source_of(estimate.prices)}. Not included: {NOT_INCLUDED}."
    console.print(_indented(Text(source, style="dim"), (0, 0, 0, 2)))


def _unit_prices(console: Console, report: Report, verbose: bool) -> None:
    units = report.estimate.unit_prices
    if not units:
        return
    if not verbose:
        text = f"{len(units)} more things are paid by use; --verbose lists their unit prices."
        console.print(_indented(Text(text, style="dim"), (0, 0, 0, 2)))
        return
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for title in ("Paid by use", "Unit price", "Of that"):
        table.add_column(title, overflow="fold")
    for unit in units:
        price = f"{unit.price.usd:f} / {unit.price.unit}" if unit.price else "no price known"
        table.add_row(Text(unit.what), Text(price), Text(unit.assumption, style="dim"))
    console.print(_indented(table, (1, 0, 1, 2)))


def _policies(console: Console, report: Report, verbose: bool) -> None:
    _section(console, "Policies")
    if not report.plan.judged:
        console.print(_indented(Text("no policy pack ran", style="yellow"), (0, 0, 0, 2)))
        return
    violations, advice = report.notes(NoteKind.VIOLATION), report.notes(NoteKind.ADVICE)
    for note in violations:
        _note(console, note, "✗", "bold red")
    if not violations:
        text = Text(f"✓ no violation in {report.plan.judged} resources", style="green")
        console.print(_indented(text, (0, 0, 0, 2)))
    for kind, notes, sign, what in (
        (NoteKind.ADVICE, advice, "!", "advisory in this environment"),
        (
            NoteKind.NOT_COVERED,
            report.notes(NoteKind.NOT_COVERED),
            "!",
            "types that no rule judges",
        ),
        (NoteKind.EXEMPTED, report.notes(NoteKind.EXEMPTED), "○", "exempted"),
        (NoteKind.UNVERIFIED, report.notes(NoteKind.UNVERIFIED), "?", "verified at apply"),
    ):
        if notes and verbose:
            for note in notes:
                _note(console, note, sign, "dim" if kind is NoteKind.UNVERIFIED else "yellow")
        elif notes:
            rules = len({note.rule for note in notes})
            text = f"{sign} {len(notes)} notes of {rules} rules: {what} (--verbose lists them)"
            console.print(_indented(Text(text, style="dim"), (0, 0, 0, 2)))


def _note(console: Console, note: PolicyNote, sign: str, style: str) -> None:
    title = Text(f"{sign} {note.rule}", style=style)
    title.append(f"  {note.severity}  {note.resource}", style="dim")
    console.print(_indented(title, (0, 0, 0, 2)))
    console.print(_indented(Text(note.message), (0, 0, 0, 6)))
    if note.remedy:
        console.print(_indented(Text(f"What to do: {note.remedy}"), (0, 0, 0, 6)))


def _verdict(console: Console, report: Report) -> None:
    console.print()
    violations = len(report.plan.violations)
    if violations:
        s = "" if violations == 1 else "s"
        console.print(f"Refused: {violations} policy violation{s}.", style="bold red")
    elif report.plan.failed:
        console.print("Refused: the preview failed.", style="bold red")
    elif report.losses:
        text = f"Can be applied, and would lose data in {len(report.losses)} resources."
        console.print(text, style="bold red")
    elif not report.plan.of(*SIGNS):
        console.print("Nothing to do.", style="bold green")
    else:
        console.print("Can be applied.", style="bold green")


def _indented(content: RenderableType, pad: tuple[int, int, int, int]) -> Padding:
    """Indented without blanks up to the right edge, so that a log is fit for copying."""
    return Padding(content, pad, expand=False)


def _section(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _signed(number: str) -> str:
    return number if number.startswith("-") or number == "0.00" else f"+{number}"
