"""Plans for tests: the engine's own logs of real previews, cut to some resources, and made ones."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from facts.prices import shipped_table
from pgkeep.plan.engine_log import read_log
from pgkeep.plan.model import Plan
from pgkeep.plan.report import Report, make_report
from pgkeep.plan.terminal import print_report

LOGS = Path(__file__).with_name("plan_logs")
COMPONENT = "pgkeep:components:Platform$pgkeep:components:Database$"


def logged(name: str, stack: str = "local", *, offline: bool = False) -> Report:
    """The report of a recorded preview: `replaced_database`, `unchanged` or `offline`."""
    plan = read_log((LOGS / f"{name}.jsonl").read_text(), stack, offline=offline)
    return make_report(plan, shipped_table())


def step(
    op: str,
    type_: str,
    name: str,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """One step of the engine on a resource of the component Database."""
    urn = f"urn:pulumi:prod::pgkeep::{COMPONENT}{type_}::{name}"
    state = {"type": type_, "urn": urn, "custom": True, "id": "x", "outputs": {}}
    extra = {key: metadata.pop(key) for key in ("protect", "retainOnDelete") if key in metadata}
    return {
        "resourcePreEvent": {
            "metadata": {
                "op": op,
                "urn": urn,
                "type": type_,
                "old": None if old is None else {**state, **extra, "inputs": old},
                "new": None if new is None else {**state, "inputs": new},
                "detailedDiff": None,
                **metadata,
            }
        }
    }


def made(*events: dict[str, Any], result: str = "succeeded", region: str = "eu-west-1") -> Plan:
    """The plan of a log of these events."""
    prelude = {"preludeEvent": {"config": {"aws:region": region}}}
    summary = {"summaryEvent": {"result": result, "isPreview": True}}
    text = "\n".join(json.dumps(event) for event in (prelude, *events, summary))
    return read_log(text, "prod")


def text_of(report: Report, *, verbose: bool = False, width: int = 100) -> str:
    """What the terminal shows, without colours."""
    out = StringIO()
    print_report(Console(file=out, width=width, highlight=False), report, verbose=verbose)
    return out.getvalue()
