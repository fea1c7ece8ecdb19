"""The findings as a table for people, and as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pgkeep.check.judging import Finding, Judged
from policies.evaluation import Kind

_SHOWN_NOTES = 5
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow"}


def as_json(judged: Sequence[Judged]) -> str:
    """The document of `--json`."""
    return json.dumps({"stacks": [_stack(one) for one in judged]}, indent=2)


def _stack(one: Judged) -> dict[str, Any]:
    return {
        "source": one.source,
        "violations": [
            {
                "rule": finding.rule_id,
                "controls": list(finding.controls),
                "urn": finding.urn,
                "severity": finding.severity,
                "enforcement": finding.enforcement,
                "message": finding.message,
                "remediation": finding.rule.remediation,
            }
            for finding in one.of_kind(Kind.VIOLATION)
        ],
        "not_verified": [
            *(
                {
                    "rule": finding.rule_id,
                    "controls": list(finding.controls),
                    "urn": finding.urn,
                    "message": finding.message,
                }
                for finding in one.of_kind(Kind.NOT_VERIFIED)
            ),
            *(
                {"rule": "", "controls": [], "urn": urn, "message": reason}
                for urn, reason in one.left_out
            ),
        ],
        "not_covered": [
            {"urn": found.urn, "type": found.type, "reason": found.reason}
            for found in one.not_covered
        ],
    }


def printable(text: str) -> str:
    """`text` without what a terminal would obey or cannot show."""
    shown = "".join(char if char.isprintable() or char == " " else "?" for char in text)
    return shown.encode("utf-8", "replace").decode("utf-8")


def print_table(console: Console, judged: Sequence[Judged], *, verbose: bool) -> None:
    """Everything, grouped by stack; `verbose` lists all notes instead of the first ones."""
    for one in judged:
        console.print(_group(one, verbose=verbose))
    refused = sum(one.refused for one in judged)
    words = (
        f"{refused} of {len(judged)} refused" if refused else f"{len(judged)} checked, none refused"
    )
    console.print(Text(words, style="bold red" if refused else "bold green"))


def _group(one: Judged, *, verbose: bool) -> RenderableType:
    violations = one.of_kind(Kind.VIOLATION)
    mandatory = sum(finding.blocks for finding in violations)
    title = Text.assemble(
        (printable(one.source), "bold"),
        f" (judged as {one.environment}): {one.resource_count} resources, "
        f"{mandatory} mandatory and {len(violations) - mandatory} advisory violations, "
        f"{len(one.of_kind(Kind.NOT_VERIFIED)) + len(one.left_out)} not verified, "
        f"{len(one.not_covered)} not covered",
    )
    parts: list[RenderableType] = [title]
    if violations:
        parts.append(_violations(violations))
    parts += _notes("Exempted", (f.message for f in one.of_kind(Kind.EXEMPTED)), verbose=verbose)
    unknown = dict.fromkeys(
        finding.unknown or finding.message for finding in one.of_kind(Kind.NOT_VERIFIED)
    )
    parts += _notes(
        "Not verified",
        [*unknown, *(f"{urn.rpartition('::')[2]} {reason}" for urn, reason in one.left_out)],
        verbose=verbose,
    )
    counts: dict[str, int] = {}
    for found in one.not_covered:
        key = f"{found.type} {found.reason}"
        counts[key] = counts.get(key, 0) + 1
    parts += _notes(
        "Not covered", (f"{key} ({count})" for key, count in counts.items()), verbose=verbose
    )
    return Group(*parts, Text())


def _violations(violations: Iterable[Finding]) -> Table:
    """A row for each rule, with everything that it found and, once, what to do."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Rule", max_width=26, overflow="fold")
    table.add_column("Found, and what to do", overflow="fold")
    by_rule: dict[tuple[str, str], list[Finding]] = {}
    for finding in violations:
        by_rule.setdefault((finding.rule_id, finding.enforcement), []).append(finding)
    for (rule_id, enforcement), found in by_rule.items():
        severity = found[0].severity
        level = Text.assemble(
            (rule_id, _STYLES[severity]), "\n", (f"{severity}, {enforcement}", "dim")
        )
        lines = "\n".join(printable(finding.message) for finding in found)
        table.add_row(level, Text.assemble(lines, "\n", (f"→ {found[0].rule.remediation}", "dim")))
    return table


def _notes(title: str, lines: Iterable[str], *, verbose: bool) -> list[RenderableType]:
    found = [printable(line) for line in lines]
    shown = found if verbose else found[:_SHOWN_NOTES]
    rest = len(found) - len(shown)
    if not found:
        return []
    more = [Text(f"  … and {rest} more (--verbose)", style="dim")] if rest else []
    return [Text(title, style="bold"), *(Text(f"  {line}") for line in shown), *more]
