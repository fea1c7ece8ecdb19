"""The plan as Markdown for a pull request: the verdict first, details folded, order stable.

The first line is a hidden marker with the stack's name: whoever posts it looks for a comment that
begins with it and updates that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pgkeep.plan.estimate import NOT_INCLUDED, money, source_of
from pgkeep.plan.losses import Loss
from pgkeep.plan.model import NoteKind, Operation, PolicyNote, PropertyChange
from pgkeep.plan.report import SIGNS, CostRow, Report

# GitHub refuses a comment of more than 65,536 characters.
LONGEST = 60_000


def marker(stack: str) -> str:
    """The hidden line by which the comment of a stack is found again."""
    return f"<!-- pgkeep plan: {stack} -->"


def markdown(report: Report) -> str:
    """The comment; when it is too long, the changed properties are left out, and it says so."""
    for detailed in (True, False):
        text = "\n".join(_lines(report, detailed)).rstrip() + "\n"
        if len(text) <= LONGEST:
            return text
    notice = "\n\n…cut: the whole plan is in the log of the run.\n"
    return text[: LONGEST - len(notice)] + notice


def _lines(report: Report, detailed: bool) -> Iterator[str]:
    plan = report.plan
    yield marker(plan.stack)
    yield f"### {_sign(report)} Plan of `{plan.stack}`: {_verdict(report)}"
    yield ""
    yield _summary(report)
    yield ""
    for error in plan.errors:
        yield f"> **Preview failed:** {_text(error)}"
        yield ""
    if report.losses:
        yield "> [!CAUTION]"
        yield "> **Data would be lost**"
        for loss in report.losses:
            yield from _loss(loss)
        yield ""
    yield from _violations(report)
    yield from _changes(report, detailed)
    yield from _costs(report)
    yield from _notes(report)


def _sign(report: Report) -> str:
    if report.exit_code:
        return "❌"
    return "⚠️" if report.losses else "✅"


def _verdict(report: Report) -> str:
    violations = len(report.plan.violations)
    if violations:
        return f"refused, {violations} policy violation{'s' if violations > 1 else ''}"
    if report.plan.failed:
        return "the preview failed"
    return "data would be lost" if report.losses else "can be applied"


def _summary(report: Report) -> str:
    counts = report.counts
    parts = [f"**{counts[op]}** to {SIGNS[op][1]}" for op in SIGNS if counts[op]]
    parts = parts or ["nothing changes"]
    parts.append(f"{counts[Operation.SAME]} unchanged")
    estimate = report.estimate
    if estimate.unpriced:
        parts.append(f"**${estimate.total}** a month, not all prices are known")
    elif estimate.before:
        difference = estimate.after - estimate.before
        sign = "+" if difference > 0 else ""
        parts.append(f"**${estimate.total}** a month ({sign}{money(difference)} to now)")
    elif estimate.after:
        parts.append(f"**${estimate.total}** a month")
    if report.plan.offline:
        parts.append("offline: compared with nothing, everything is shown as new")
    return " · ".join(parts)


def _loss(loss: Loss) -> Iterator[str]:
    change = loss.change
    yield f"> - **{change.operation.value} `{change.short_type}` {_code(change.name)}**"
    yield f">   - lost: {_text(loss.lost)}; {_text(loss.instead)}"
    yield f">   - because {_text(loss.cause)}"
    for guard in loss.guards:
        text = _text(guard.text)
        yield f">   - **{text}**" if guard.alarming else f">   - {text}"


def _violations(report: Report) -> Iterator[str]:
    if not report.plan.violations:
        return
    yield "| Refused by | Resource | Why | What to do |"
    yield "|---|---|---|---|"
    for note in report.plan.violations:
        yield (
            f"| `{note.rule}`<br>{note.severity} | {_text(note.resource)} | {_text(note.message)} "
            f"| {_text(note.remedy)} |"
        )
    yield ""


def _changes(report: Report, detailed: bool) -> Iterator[str]:
    groups = report.groups()
    widespread = report.widespread()
    if not groups and not widespread:
        return
    yield f"<details><summary>Changes ({len(report.plan.of(*SIGNS))})</summary>"
    yield ""
    if widespread:
        yield "**In many resources**"
        yield ""
        yield from (f"- {count} x {_property(item)}" for item, count in widespread.items())
        yield ""
    for group, changes in groups:
        yield f"**{_text(group)}**"
        yield ""
        for change in changes:
            yield f"- {SIGNS[change.operation][1]} `{change.short_type}` {_code(change.name)}"
            if detailed:
                yield from (f"  - {_property(item)}" for item in change.properties)
        yield ""
    if not detailed:
        yield "The changed properties are left out: the comment would be too long for GitHub."
        yield ""
    yield "</details>"
    yield ""


def _property(item: PropertyChange) -> str:
    old = _code(item.old) if item.old is not None else "(none)"
    new = _code(item.new) if item.new is not None else "(none)"
    forced = " **forces the replacement**" if item.replaces else ""
    return f"{_code(item.path)}: {old} → {new}{forced}"


def _costs(report: Report) -> Iterator[str]:
    rows = report.cost_rows()
    if not rows:
        return
    estimate = report.estimate
    yield f"<details><summary>Cost: ${estimate.total} a month</summary>"
    yield ""
    yield "| Resource | What | Now | Planned | Difference |"
    yield "|---|---|--:|--:|--:|"
    for row in rows:
        yield _cost(row)
    yield (
        f"| **Total** | | {money(estimate.before)} | **{estimate.total}** "
        f"| {money(estimate.after - estimate.before)} |"
    )
    yield ""
    for item in estimate.unpriced:
        yield f"- no price known: {_text(item)}"
    yield ""
    yield f"US dollars. Prices: {source_of(estimate.prices)}. Not included: {NOT_INCLUDED}."
    yield ""
    yield "| Paid by use | Unit price | Of that |"
    yield "|---|---|---|"
    for unit in estimate.unit_prices:
        price = f"{unit.price.usd:f} / {unit.price.unit}" if unit.price else "no price known"
        yield f"| {_text(unit.what)} | {price} | {_text(unit.assumption)} |"
    yield ""
    yield "</details>"
    yield ""


def _cost(row: CostRow) -> str:
    planned = money(row.after) + (" + ?" if row.unknown else "")
    return (
        f"| {_text(row.title)} | {_text(row.what)} | {money(row.before)} | {planned} "
        f"| {money(row.after - row.before)} |"
    )


def _notes(report: Report) -> Iterator[str]:
    if not report.plan.judged:
        yield "**No policy pack ran.**"
        return
    for kind, title in (
        (NoteKind.ADVICE, "advisory notes in this environment"),
        (NoteKind.NOT_COVERED, "of types that no rule judges"),
        (NoteKind.EXEMPTED, "exempted"),
        (NoteKind.UNVERIFIED, "not verifiable before apply, verified then"),
    ):
        notes = report.notes(kind)
        if not notes:
            continue
        yield f"<details><summary>{len(notes)} {title}</summary>"
        yield ""
        yield from (_note(note) for note in notes)
        yield ""
        yield "</details>"
        yield ""


def _note(note: PolicyNote) -> str:
    remedy = f" What to do: {_text(note.remedy)}" if note.remedy else ""
    return f"- `{note.rule}` {_text(note.resource)}: {_text(note.message)}{remedy}"


def _text(text: str) -> str:
    """Text that Markdown leaves as it is: no markup, no table cell, no mention of a user."""
    escaped = re.sub(r"([\\`*_\[\]|#])", r"\\\1", " ".join(text.split()))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")


def _code(text: str) -> str:
    """A code span, whatever the text holds."""
    text = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{text}{pad}{fence}"
