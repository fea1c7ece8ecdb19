"""cfn-lint's bundled schemas: what AWS offers by region, engine and version.

cfn-lint's maintainers refresh them from AWS's own APIs and price lists with every release.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from facts import package_data

_PACKAGE = "cfnlint"
_EXTENSIONS = "data/schemas/extensions"


@cache
def refreshed() -> str:
    """Date of the data, such as `2026-10-20`."""
    version = package_data.json_file(_PACKAGE, "data/schemas/version.json")
    return str(version["schema_date"])[:10]


def by_region(schema: str, region: str) -> Any:
    """What a schema that is split by region says about one; None where it has no such region."""
    return package_data.member(_PACKAGE, f"{_EXTENSIONS}/{schema}.json", region)


@cache
def regions(schema: str) -> frozenset[str]:
    """The regions that a schema split by region knows."""
    content = package_data.text(_PACKAGE, f"{_EXTENSIONS}/{schema}.json")
    return frozenset(re.findall(r'"([a-z]{2}(?:-[a-z]+)+-\d)"\s*:', content))


def conditions(schema: str, engine: str) -> list[dict[str, Any]]:
    """The `if`/`then` pairs of a schema that is not split by region, those of one engine.

    Only these are parsed: the largest schema has 5 MB, of which a tenth is about PostgreSQL.
    """
    content = package_data.text(_PACKAGE, f"{_EXTENSIONS}/{schema}.json")
    starts = [match.start() for match in re.finditer(r'\{\s*"if"\s*:', content)]
    of_engine = re.compile(rf'"const"\s*:\s*"{re.escape(engine)}"')
    decoder = json.JSONDecoder()
    return [
        decoder.raw_decode(content, start)[0]
        for start, end in zip(starts, [*starts[1:], len(content)], strict=True)
        if of_engine.search(content, start, end)
    ]


def choices(pairs: list[dict[str, Any]], property_: str, **if_: str) -> frozenset[str]:
    """All values of `property_` in the pairs whose condition fixes the given properties."""
    found: set[str] = set()
    for pair in pairs:
        conditions_ = pair["if"]["properties"]
        if all(conditions_.get(name, {}).get("const") == value for name, value in if_.items()):
            found.update(_enumerated(pair.get("then"), property_))
    return frozenset(found)


def _enumerated(then: Any, property_: str) -> Iterator[str]:
    if isinstance(then, dict):
        yield from then.get("properties", {}).get(property_, {}).get("enum", [])
