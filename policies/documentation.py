"""Writes docs/controls.md: every control of the catalogue with the rules that hold it.

    python -m policies.documentation [FILE]

`controls.tsv` is the catalogue: a control, what must hold, and the ids of outside sources.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .catalogue import RULES
from .rules import Enforcement, Environment, Rule

CATALOGUE_FILE: Final = Path(__file__).with_name("controls.tsv")
DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "controls.md"

# What a covered control still lacks; a control without an entry is held as a whole.
MISSING: Final[dict[str, str]] = {}
_THEMES: Final = {
    "RDS": "RDS",
    "PGP": "PostgreSQL parameters",
    "NET": "Network",
    "EC2": "Hosts",
    "ASG": "Auto Scaling",
    "NLB": "Load balancers",
    "S3": "S3",
    "LMB": "Lambda",
    "IAM": "IAM",
    "KMS": "KMS",
    "SEC": "Secrets",
    "SNS": "SNS",
    "LOG": "Logs and alarms",
    "BKP": "Backup",
    "DBG": "Database grants",
}


@dataclass(frozen=True)
class Control:
    """One row of the catalogue."""

    id: str
    must_hold: str
    outside_ids: tuple[str, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that name this control."""
        return tuple(rule for rule in RULES if self.id in rule.catalogue)


def controls() -> list[Control]:
    """The catalogue in its order."""
    rows = CATALOGUE_FILE.read_text(encoding="utf-8").splitlines()[1:]
    cells = [row.split("\t") for row in rows]
    return [Control(name, text, tuple(ids.split())) for name, text, ids in cells]


def document() -> str:
    """The whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    catalogue = controls()
    covered = [one for one in catalogue if one.rules]
    partly = [one for one in covered if one.id in MISSING]
    yield "# Controls and rules"
    yield ""
    yield "Written by `python -m policies.documentation` from the metadata of the policy pack."
    yield ""
    yield (
        f"{len(RULES)} rules. Of {len(catalogue)} controls {len(covered)} have a rule, "
        f"{len(partly)} of these in part; {len(catalogue) - len(covered)} are not yet covered."
    )
    theme = ""
    for control in catalogue:
        prefix = control.id.partition("-")[0]
        if prefix != theme:
            theme = prefix
            yield from ("", f"## {_THEMES[theme]}", "")
            yield from ("| control | must hold | outside ids | rules |", "|---|---|---|---|")
        rules = "<br>".join(f"`{rule.id}`" for rule in control.rules) or "**not yet covered**"
        if control.rules and control.id in MISSING:
            rules += f"<br>not yet: {MISSING[control.id]}"
        ids = _cell(" ".join(control.outside_ids)) or "-"
        yield f"| {control.id} | {_cell(control.must_hold)} | {ids} | {rules} |"
    yield from ("", "## Rules", "")
    for rule in RULES:
        yield from _rule_lines(rule)


def _rule_lines(rule: Rule) -> Iterator[str]:
    yield f"### `{rule.id}`"
    yield ""
    yield f"{rule.title}. {_cell(rule.what)} {_cell(rule.why)}"
    yield ""
    yield f"- What to do: {_cell(rule.remediation)}"
    yield f"- Severity: {rule.severity}; {_enforcement(rule)}"
    yield f"- Controls: {', '.join((*rule.catalogue, *rule.controls))}"
    yield ""


def _enforcement(rule: Rule) -> str:
    advisory = [
        environment
        for environment, level in rule.enforcement.items()
        if level is not Enforcement.MANDATORY
    ]
    text = "mandatory everywhere"
    if advisory:
        mandatory = [one for one in Environment if one not in advisory]
        text = f"mandatory in {' and '.join(mandatory)}, advisory in {' and '.join(advisory)}"
    if Environment.PROD in rule.never_exempt_in:
        text += "; cannot be exempted in prod"
    return text


def _cell(text: str) -> str:
    """`text` inside a table: a bar would end the cell, and `<` begin a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Writes the page to the file of the command line, or to docs/controls.md."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENT
    file.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
