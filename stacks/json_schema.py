"""Writes the JSON schema of `stacks/Pulumi.<environment>.yaml`, from which editors complete it.

`python -m stacks.json_schema > stacks/settings.schema.json`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from facts import regions
from stacks.defaults import ENVIRONMENT_DEFAULTS
from stacks.messages import group_of
from stacks.schema import SettingsGroup
from stacks.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ENVIRONMENTS = ("local", "dev", "staging", "prod")


def document() -> dict[str, Any]:
    """The schema of the whole file, as the engine reads it."""
    settings = Settings.model_json_schema()
    definitions = settings.pop("$defs")
    for path, group in _groups(Settings, ""):
        _explain(group, path, settings if group is Settings else definitions[group.__name__])
    return {
        "$schema": DIALECT,
        "title": "A stack of pgkeep",
        "description": "stacks/Pulumi.<environment>.yaml; docs/settings.md explains every setting.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "description": "The stack's configuration.",
                "type": "object",
                "required": ["pgkeep:settings"],
                "properties": {
                    "pgkeep:settings": settings,
                    "aws:region": {
                        "description": "Region of everything that is not said to be elsewhere.",
                        "enum": sorted(
                            region for each in regions.partitions() for region in each.regions
                        ),
                    },
                },
            },
            "encryptionsalt": {"description": "Written by pulumi.", "type": "string"},
            "encryptedkey": {"description": "Written by pulumi.", "type": "string"},
            "secretsprovider": {"description": "Key of the stack's secrets.", "type": "string"},
        },
        "$defs": definitions,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _groups(group: type[SettingsGroup], path: str) -> Iterator[tuple[str, type[SettingsGroup]]]:
    """Every group below `group` with its dotted path; one that is used twice, twice."""
    yield path, group
    for name, field in group.model_fields.items():
        inner = group_of(field.annotation)
        if inner is not None and issubclass(inner, SettingsGroup):
            yield from _groups(inner, f"{path}{name}.")


def _explain(group: type[SettingsGroup], path: str, schema: dict[str, Any]) -> None:
    """What an editor shows: description, unit, reason, source and the environments' defaults."""
    schema["description"] = " ".join((group.__doc__ or "").split())
    schema.pop("title", None)
    for name in group.model_fields:
        member: dict[str, Any] = schema["properties"][name]
        defaults = _environment_defaults(f"{path}{name}")
        if "why" in member:
            member["description"] = _description(member, defaults)
        for note in ("title", "unit", "why", "source", "form"):
            member.pop(note, None)
    schema["required"] = [name for name in group.model_fields if _is_required(group, path, name)]


def _is_required(group: type[SettingsGroup], path: str, name: str) -> bool:
    """Whether a file must say it: neither the field nor every environment has a default."""
    field = group.model_fields[name]
    if not field.is_required() or set(_environment_defaults(f"{path}{name}")) == set(_ENVIRONMENTS):
        return False
    inner = field.annotation
    if not (isinstance(inner, type) and issubclass(inner, SettingsGroup)):
        return True
    return any(_is_required(inner, f"{path}{name}.", each) for each in inner.model_fields)


def _description(member: dict[str, Any], defaults: dict[str, Any]) -> str:
    unit = f" ({member['unit']})" if member["unit"] else ""
    parts = [f"{member['description']}{unit}. Why: {member['why']}."]
    if defaults:
        listed = ", ".join(f"{name} {json.dumps(value)}" for name, value in defaults.items())
        parts.append(f"Default by environment: {listed}.")
    if "form" in member:
        parts.append(f"Form: {member['form']}.")
    if member["source"]:
        parts.append(f"Source: {member['source']}.")
    return " ".join(parts)


def _environment_defaults(path: str) -> dict[str, Any]:
    return {
        name: value
        for row in ENVIRONMENT_DEFAULTS
        if row.field == path
        for name, value in row.values.items()
    }


if __name__ == "__main__":
    print(text(), end="")
