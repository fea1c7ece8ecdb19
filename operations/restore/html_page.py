"""A restore's report as one HTML file, for screen or paper: no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from operations.restore.page import KINDS, OBJECTIVES

# No source at all: not even what a name in the report could smuggle in would be fetched or run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { padding: .1em .5em; border-radius: .3em; color: #fff; background: #1a7f37; }
.verdict.no { background: #b42318; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884;
         vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.no { font-weight: 600; color: #d92d20; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } }
"""


def html(report: Mapping[str, Any]) -> str:
    """The page of one report, given as its JSON document. Every value in it is escaped."""
    proven = bool(report["proven"])
    title = f"Restore of {report['database']}: {'proven' if proven else 'NOT proven'}"
    facts = {
        "From": f"{KINDS[report['kind']]} {report['backup_id']}",
        "Data as of": report["restored_to"],
        "Into": report["target"],
        "Started": report["started_at"],
        "Ended": report["finished_at"],
        "Took": f"{report['rto_seconds']:.0f} s",
        "Going this way loses": f"{report['rpo_seconds']:.0f} s of changes",
    }
    findings = [line for check in report["checks"] for line in check["findings"]]
    parts = [
        f"<h1>Restore of {_text(report['database'])} <span class='verdict"
        f"{'' if proven else ' no'}'>{'proven' if proven else 'NOT proven'}</span></h1>",
        "<dl>" + "".join(f"<dt>{_text(a)}</dt><dd>{_text(b)}</dd>" for a, b in facts.items()),
        "</dl>",
        *_list("Findings", findings),
        *_objectives(report["objectives"]),
        *_table(
            "Checks",
            ("check", "examined", "result"),
            (
                (
                    check["name"],
                    check["examined"],
                    "holds" if check["passed"] else f"{len(check['findings'])} findings",
                )
                for check in report["checks"]
            ),
            wrong=[not check["passed"] for check in report["checks"]],
        ),
        *_list("Not checked", report["left_out"]),
        *_table(
            "Steps",
            ("step", "seconds"),
            ((name, f"{seconds:.1f}") for name, seconds in report["steps"].items()),
        ),
        *_table("Rows", ("table", "rows"), report["row_counts"].items()),
    ]
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
            *parts,
            "</body></html>\n",
        )
    )


def _objectives(objectives: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return _table(
        "Objectives of the workload",
        ("objective", "asked, s", "measured, s", "kept"),
        (
            (
                OBJECTIVES[name],
                f"{one['objective_seconds']:.0f}",
                f"{one['measured_seconds']:.0f}",
                "yes" if one["met"] else "no",
            )
            for name, one in objectives.items()
        ),
        wrong=[not one["met"] for one in objectives.values()],
    )


def _table(
    title: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    wrong: Sequence[bool] = (),
) -> list[str]:
    """The first and the last of three or more columns are words, the others numbers."""
    lines = list(rows)
    if not lines:
        return []

    def cell(tag: str, column: int, value: object, more: str = "") -> str:
        number = column > 0 and (column < len(head) - 1 or len(head) == 2)
        names = " ".join(filter(None, ("number" if number else "", more)))
        opening = f"<{tag} class='{names}'>" if names else f"<{tag}>"
        return f"{opening}{_text(value)}</{tag}>"

    body = [
        "<tr>"
        + "".join(
            cell("td", column, value, "no" if bad and column == len(head) - 1 else "")
            for column, value in enumerate(line)
        )
        + "</tr>"
        for line, bad in zip(lines, wrong or [False] * len(lines), strict=True)
    ]
    heads = "".join(cell("th", column, name) for column, name in enumerate(head))
    return [f"<h2>{_text(title)}</h2>", f"<table><tr>{heads}</tr>", *body, "</table>"]


def _list(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [f"<h2>{_text(title)}</h2><ul>", *(f"<li>{_text(line)}</li>" for line in lines), "</ul>"]


def _text(value: object) -> str:
    """Names of databases and tables may hold anything."""
    return escape(" ".join(str(value).split()))
