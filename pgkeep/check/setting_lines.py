"""Where a setting stands in a stack's file, for editors and code scanning to point to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import yaml

_SETTINGS_KEY: Final = "pgkeep:settings"
_DOTTED: Final = re.compile(r"\b[a-z][a-z_]*(?:\.[a-z][a-z_]*)+\b")


def lines(file: Path) -> dict[str, int]:
    """The line (from 1) of every setting by its dotted path; "" is the line of the settings."""
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {"": 1}
    found = {"": 1}
    for key, value, line in _entries(root):
        if key == "config":
            for name, settings, at in _entries(value):
                if name == _SETTINGS_KEY:
                    found[""] = at
                    found |= dict(_paths(settings, ""))
        del line
    return found


def _paths(node: object, prefix: str) -> Iterator[tuple[str, int]]:
    for key, value, line in _entries(node):
        path = f"{prefix}{key}"
        yield path, line
        yield from _paths(value, f"{path}.")


def _entries(node: object) -> Iterator[tuple[str, object, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            yield str(key.value), value, key.start_mark.line + 1


def line_for(remediation: str, known: dict[str, int]) -> int:
    """The line of the setting that `remediation` names, or of the nearest group above it."""
    for path in _DOTTED.findall(remediation):
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            if ".".join(parts[:length]) in known:
                return known[".".join(parts[:length])]
    return known[""]
