"""`pgkeep explain`: what a rule asks for, why, what to do, and how it may be exempted."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgkeep.check.judging import FRAME_RULES
from pgkeep.failures import CommandError
from policies.catalogue import RULES
from policies.rules import Environment, Rule

_ALL = (*RULES, *FRAME_RULES)
_SUGGESTIONS = 3


def run(names: Sequence[str], *, as_json: bool) -> None:
    """Explain every rule that is named or that covers a named control; list all without a name.

    Raises:
        CommandError: a name is neither a rule nor a control.
    """
    found: list[Rule] = list(_ALL) if not names else []
    for name in names:
        found += [rule for rule in _matching(name) if rule not in found]
    if as_json:
        print(json.dumps({"rules": [describe(rule) for rule in found]}, indent=2))
        return
    console = Console(highlight=False)
    if not names:
        console.print(_listed(found))
        return
    for rule in found:
        _print(console, rule)


def _matching(name: str) -> list[Rule]:
    """The rule of this id, or all that cover this control (of the catalogue, or outside)."""
    wanted = name.strip().lower()
    rules = [rule for rule in _ALL if rule.id == wanted] or [
        rule
        for rule in _ALL
        if wanted in (control.lower() for control in (*rule.catalogue, *rule.controls))
    ]
    if rules:
        return rules
    known = {rule.id for rule in _ALL} | {
        control for rule in _ALL for control in (*rule.catalogue, *rule.controls)
    }
    by_lower = {item.lower(): item for item in sorted(known)}
    close = difflib.get_close_matches(wanted, by_lower, _SUGGESTIONS, cutoff=0.5)
    hint = f"; close to it: {', '.join(by_lower[item] for item in close)}" if close else ""
    raise CommandError(
        f"{name[:60]!r} is neither a rule nor a control that a rule covers{hint}. "
        "`pgkeep explain` lists all rules."
    )


def describe(rule: Rule) -> dict[str, Any]:
    """Everything that is known of a rule."""
    return {
        "rule": rule.id,
        "title": rule.title,
        "what": rule.what,
        "why": rule.why,
        "remediation": rule.remediation,
        "severity": str(rule.severity),
        "enforcement": {str(one): str(rule.enforcement[one]) for one in Environment},
        "catalogue": list(rule.catalogue),
        "controls": list(rule.controls),
        "types": list(dict.fromkeys((*rule.types, *rule.joined_types))),
        "settings": {key: dict(schema) for key, schema in rule.settings_schema.items()},
        "exemptible": _exemptible(rule),
        "exemption": exemption(rule),
    }


def _exemptible(rule: Rule) -> dict[str, bool]:
    never = frozenset(Environment) if rule in FRAME_RULES else rule.never_exempt_in
    return {str(one): one not in never for one in Environment}


def exemption(rule: Rule) -> dict[str, Any] | None:
    """An entry of `policy_exemptions` for the rule; `None` if it can be exempted nowhere."""
    if not any(_exemptible(rule).values()):
        return None
    kind = next(iter((*rule.types, *rule.joined_types)), "<type>")
    entry: dict[str, Any] = {"rule": rule.id, "resource": f"{kind}::<name>"}
    if rule.exemption_names_subject:
        entry["covers"] = ["<what of it, as the message names it>"]
    return {
        **entry,
        "reason": "<why it is safe here, and until when it is needed>",
        "owner": "<who answers for it>",
        "expires": "<YYYY-MM-DD, at most 180 days ahead>",
    }


def _listed(rules: Sequence[Rule]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Rule", no_wrap=True)
    table.add_column("Severity")
    table.add_column("Title", overflow="fold")
    for rule in rules:
        table.add_row(rule.id, str(rule.severity), rule.title)
    return table


def _print(console: Console, rule: Rule) -> None:
    facts = describe(rule)
    console.print(Text(f"{rule.id}: {rule.title}", style="bold"))
    rows = {
        "What": rule.what,
        "Why": rule.why,
        "What to do": rule.remediation,
        "Severity": str(rule.severity),
        "Enforcement": ", ".join(f"{key}: {value}" for key, value in facts["enforcement"].items()),
        "Controls": ", ".join((*rule.catalogue, *rule.controls)) or "none",
        "Types": "\n".join(facts["types"]) or "the whole stack",
        "Settings": "\n".join(
            f"{key}: {schema.get('description', '')}" for key, schema in facts["settings"].items()
        ),
        "Exemption": _exemption_text(facts),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    console.print(table)
    console.print()


def _exemption_text(facts: dict[str, Any]) -> str:
    refused = [name for name, allowed in facts["exemptible"].items() if not allowed]
    if facts["exemption"] is None:
        return "cannot be exempted"
    lines = [f"not in {', '.join(refused)}"] if refused else []
    lines += ["policy_exemptions:"]
    for number, (key, value) in enumerate(facts["exemption"].items()):
        shown = f"[{value[0]}]" if isinstance(value, list) else value
        lines.append(f"{'  - ' if number == 0 else '    '}{key}: {shown}")
    return "\n".join(lines)
