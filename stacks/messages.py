"""pydantic's errors as lines that teach: field, value, limit, reason and what to do."""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stacks.schema import RULES_ERROR, Refusal

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
        known = ", ".join(sorted(group.model_fields))
        return (
            f"{path}: {_short(detail['input'])} refused, no such setting: "
            f"a misspelt name would be ignored silently. Use one of: {known}."
        )
    notes = _notes(field)
    unit = f" {notes['unit']}" if notes.get("unit") else ""
    why = notes.get("why") or "the program cannot work without it"
    if detail["type"] == "missing":
        about = field.description if field is not None and field.description else path
        return f"{path}: missing, required ({about}): {why}. Set {path} in the stack's file."
    limit = detail["msg"][0].lower() + detail["msg"][1:]
    return (
        f"{path}: {_short(detail['input'])}{unit} refused, {limit}: {why}. "
        f"Change {path} in the stack's file.{_source(notes)}"
    )


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
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
