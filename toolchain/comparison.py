"""Writes docs/comparison.md from comparison.tsv: what other tools offer, and pgkeep's answer."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from toolchain.environment import REPOSITORY

TABLE = REPOSITORY / "docs" / "comparison.tsv"
PAGE = REPOSITORY / "docs" / "comparison.md"

VERDICTS = ("setting", "always", "not needed", "missing")
_SOURCE = re.compile(r"# source (?P<name>[^:]+): (?P<rows>\d+) rows, read in (?P<version>.+)")
_HEAD = """\
# Comparison with other tools

Every input and feature of terraform-aws-modules/rds, cloudposse/rds, AWS CDK and SST, and what
stands for it in pgkeep. Written by `python -m toolchain.comparison` from `comparison.tsv`; a test
checks that each setting named here exists.

- **setting**: the fields of `pgkeep:settings` that do it ([settings.md](settings.md))
- **always**: done in every stack, with nothing to set
- **not needed**: why there is nothing
- **missing**: pgkeep does not have it
"""


@dataclass(frozen=True)
class Row:
    """One input or feature of another tool."""

    source: str
    name: str
    verdict: str
    settings: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Source:
    """Another tool or one of its modules, at the version that was read."""

    name: str
    rows: int
    version: str


def read() -> tuple[list[Source], list[Row]]:
    """The sources and rows of the table."""
    lines = TABLE.read_text().splitlines()
    found = [_SOURCE.fullmatch(line) for line in lines]
    sources = [Source(m["name"], int(m["rows"]), m["version"]) for m in found if m]
    table = csv.DictReader(
        (line for line in lines if not line.startswith("#")),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    rows = [
        Row(
            source=line["source"],
            name=line["name"],
            verdict=line["verdict"],
            settings=tuple(part.strip() for part in line["settings"].split(",") if part.strip()),
            note=line["note"],
        )
        for line in table
    ]
    return sources, rows


def page() -> str:
    """The Markdown of docs/comparison.md."""
    return "\n".join(_lines(*read())) + "\n"


def _lines(sources: list[Source], rows: list[Row]) -> Iterator[str]:
    yield _HEAD
    yield "| tool | read in | " + " | ".join(VERDICTS) + " |"
    yield "|---|---|" + "--:|" * len(VERDICTS)
    for source in sources:
        counts = Counter(row.verdict for row in rows if row.source == source.name)
        numbers = " | ".join(str(counts[verdict]) for verdict in VERDICTS)
        yield f"| {source.name} | {source.version} | {numbers} |"
    yield ""
    yield "## What is missing"
    yield ""
    missing: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict == "missing":
            missing.setdefault(row.note, []).append(f"{row.source.split('//')[0]} `{row.name}`")
    for note, names in sorted(missing.items()):
        yield f"- {note} ({', '.join(dict.fromkeys(names))})"
    for source in sources:
        yield ""
        yield f"## {source.name}"
        yield ""
        yield "| input or feature | | in pgkeep |"
        yield "|---|---|---|"
        for row in rows:
            if row.source == source.name:
                named = ", ".join(f"`{setting}`" for setting in row.settings)
                text = "; ".join(part for part in (named, row.note) if part)
                yield f"| `{row.name}` | {row.verdict} | {text} |"


def main() -> int:
    """Writes the page; returns the exit code."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
