"""A restore's report as a page that a person can read (Markdown)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What a report calls where it was restored from.
KINDS = {
    "dump": "backup",
    "point-in-time": "point in time",
    "snapshot": "snapshot",
}
#: The workload's objectives in words.
OBJECTIVES = {"rto": "RTO (time to get the data back)", "rpo": "RPO (data lost by going this way)"}


def markdown(report: Mapping[str, Any]) -> str:
    """The page of one report, given as its JSON document."""
    kind = KINDS[report["kind"]]
    verdict = "proven" if report["proven"] else "NOT proven"
    lines = [
        f"# Restore of {report['database']}: {verdict}",
        "",
        f"- From: {kind} {report['backup_id']}",
        f"- Data as of: {report['restored_to']}",
        f"- Into: {report['target']}",
        f"- Started: {report['started_at']}; ended: {report['finished_at']}",
        f"- Took {report['rto_seconds']:.0f} s; going this way loses "
        f"{report['rpo_seconds']:.0f} s of changes",
        "",
        *_objectives(report["objectives"]),
        "## Steps",
        "",
        "| step | seconds |",
        "|---|---:|",
        *(f"| {_cell(name)} | {seconds:.1f} |" for name, seconds in report["steps"].items()),
        "",
        "## Checks",
        "",
        "| check | examined | result |",
        "|---|---:|---|",
        *(_check(check) for check in report["checks"]),
        "",
    ]
    findings = [line for check in report["checks"] for line in check["findings"]]
    if findings:
        lines += ["## Findings", "", *(f"- {_cell(line)}" for line in findings), ""]
    if report["left_out"]:
        lines += ["## Not checked", "", *(f"- {_cell(line)}" for line in report["left_out"]), ""]
    if report["row_counts"]:
        lines += [
            "## Rows",
            "",
            "| table | rows |",
            "|---|---:|",
            *(f"| {_cell(name)} | {rows} |" for name, rows in report["row_counts"].items()),
            "",
        ]
    return "\n".join(lines)


def _objectives(objectives: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not objectives:
        return []
    return [
        "## Objectives of the workload",
        "",
        "| objective | asked, s | measured, s | kept |",
        "|---|---:|---:|---|",
        *(
            f"| {OBJECTIVES[name]} | {one['objective_seconds']:.0f} | "
            f"{one['measured_seconds']:.0f} | {'yes' if one['met'] else '**no**'} |"
            for name, one in objectives.items()
        ),
        "",
    ]


def _check(check: Mapping[str, Any]) -> str:
    result = "holds" if check["passed"] else f"**{len(check['findings'])} findings**"
    return f"| {_cell(check['name'])} | {check['examined']} | {result} |"


def _cell(text: str) -> str:
    """Names of tables may hold anything; a bar or a line's end would break the table."""
    return " ".join(str(text).replace("|", "\\|").split())
