"""pydantic's errors as lines that teach: field, value, limit, reason and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stacks.schema import RULES_ERROR, Refusal, shown

# Long values (a pasted certificate, a whole mapping) would bury the message.
_LONGEST_VALUE = 80
# Settings of earlier versions, and what says the same today.
RENAMED = {
    "network.nat_gateway_count": "network.nat says it in words (0 is none, 1 is single, one for "
    "each zone is one_per_zone)",
}


def lines(model: type[BaseModel], error: ValidationError) -> list[str]:
    """One line for each mistake in a validation error of `model`."""
    result: list[str] = []
    for detail in error.errors():
        if detail["type"] == RULES_ERROR:
            refusals: list[Refusal] = detail.get("ctx", {})["refusals"]
            result.extend(_with_source(model, refusal) for refusal in refusals)
        else:
            result.append(_line(model, detail))
    return result


def _with_source(model: type[BaseModel], refusal: Refusal) -> str:
    """A rule's refusal, and where AWS or PostgreSQL says so: the source of its field."""
    parts = [part for part in re.split(r"[.\[\]]+", refusal.field) if part and not part.isdigit()]
    _, field = _find(model, tuple(parts))
    # What is inside a mapping, such as one of database.parameters, has the mapping's source.
    while field is None and parts:
        parts.pop()
        _, field = _find(model, tuple(parts))
    return f"{refusal}{_source(_notes(field))}"


def _notes(field: FieldInfo | None) -> dict[str, Any]:
    extra = field.json_schema_extra if field is not None else None
    return dict(extra) if isinstance(extra, dict) else {}


def _source(notes: dict[str, Any]) -> str:
    return f" Source: {notes['source']}." if notes.get("source") else ""


def _line(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = ".".join(str(part) for part in detail["loc"]) or "settings"
    group, field = _find(model, detail["loc"])
    if path in RENAMED:
        return (
            f"{path}: {_short(detail['input'])} refused, the setting is gone: {RENAMED[path]}. "
            f"Change it in the stack's file."
        )
    if detail["type"] == "extra_forbidden":
        return (
            f"{path}: {_short(detail['input'])} refused, no such setting: "
            f"a misspelt name would be ignored silently. {_instead(path, group)}"
        )
    notes = _notes(field)
    unit = str(notes.get("unit") or "")
    # A form such as HH:MM-HH:MM is part of the limit; a unit belongs to numbers.
    form = unit if detail["type"] == "string_pattern_mismatch" else ""
    after = f" {unit}" if unit and type(detail["input"]) in (int, float) else ""
    why = notes.get("why") or "the program cannot work without it"
    if detail["type"] == "missing":
        about = field.description if field is not None and field.description else path
        return f"{path}: missing, required ({about}): {why}. Set {path} in the stack's file."
    return (
        f"{path}: {_short(detail['input'])}{after} refused, {_limit(detail, form, field)}: {why}. "
        f"Change {path} in the stack's file.{_source(notes)}"
    )


_LIMITS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda c: f"must be at least {c['ge']}",
    "greater_than": lambda c: f"must be more than {c['gt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']}",
    "less_than": lambda c: f"must be less than {c['lt']}",
    "multiple_of": lambda c: f"must be a multiple of {c['multiple_of']}",
    "string_pattern_mismatch": lambda c: f"must match {c['pattern']}",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_type": lambda _: "must be text",
    "literal_error": lambda c: f"must be {c['expected']}",
    "tuple_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be names with values",
    "too_short": lambda c: f"must have at least {c['min_length']} entries",
    "too_long": lambda c: f"must have at most {c['max_length']} entries",
}


def _limit(detail: ErrorDetails, form: str, field: FieldInfo | None) -> str:
    """What a value must be, without the validator's own words for Python."""
    if form:
        return f"must have the form {form}"
    if detail["type"] in ("model_type", "model_attributes_type"):
        group = group_of(field.annotation) if field is not None else None
        return f"must have settings of its own: {', '.join(group.model_fields) if group else ''}"
    if detail["type"] in ("int_parsing", "int_type", "int_from_float"):
        return "must be a whole number"
    if detail["type"].startswith("bool_"):
        return "must be true or false"
    limit = _LIMITS.get(detail["type"])
    if limit is None:
        return detail["msg"][0].lower() + detail["msg"][1:]
    return limit(detail.get("ctx", {}))


def _instead(path: str, group: type[BaseModel]) -> str:
    """The names that a misspelt one may stand for; all of its group where none is like it."""
    name = path.rsplit(".", 1)[-1]
    # A name that shares its words is as near as one with a typing mistake.
    words = set(name.split("_"))
    alike = {
        known: len(words & parts) / len(words | parts)
        for known in group.model_fields
        for parts in [set(known.split("_"))]
    }
    near = get_close_matches(name, group.model_fields, 1, 0.8)
    near = near or sorted((n for n in alike if alike[n] >= 0.4), key=lambda n: -alike[n])[:3]
    if near:
        return f"Did you mean {' or '.join(near)}? docs/settings.md has all names."
    return f"Use one of: {', '.join(sorted(group.model_fields))}."


def _find(
    model: type[BaseModel], location: tuple[int | str, ...]
) -> tuple[type[BaseModel], FieldInfo | None]:
    """The group that holds the field at `location`, and the field if the group has it."""
    group, field = model, None
    for part in location:
        if isinstance(part, int):
            continue
        inner = group_of(field.annotation) if field is not None else None
        if field is not None and inner is not None:
            group = inner
        field = group.model_fields.get(part)
    return group, field


def group_of(annotation: Any) -> type[BaseModel] | None:
    """The group of settings that a field of this type holds, alone, optional or in a tuple."""
    candidates: tuple[Any, ...] = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    for candidate in candidates:
        if get_origin(candidate) is tuple:
            return group_of(get_args(candidate)[0])
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
