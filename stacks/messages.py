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
    # A value that fits none of a mapping's kinds is reported once for each kind.
    return list(dict.fromkeys(result))


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
    location = _in_file(model, detail["loc"])
    path = _dotted(location) or "settings"
    group, field = _find(model, location)
    in_mapping = field is None and len(location) > 1 and _is_mapping(model, location[:-1])
    if in_mapping:
        _, field = _find(model, location[:-1])
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
    after = f" {unit}" if unit and type(detail["input"]) in (int, float) else ""
    if detail["input"] == 1 and unit.islower():
        after = after.removesuffix("s")
    why = notes.get("why") or "the program cannot work without it"
    if detail["type"] == "missing":
        about = field.description if field is not None and field.description else path
        return f"{path}: missing, required ({about}): {why}. Set {path} in the stack's file."
    limit = _limit(detail, str(notes.get("form", "")), field)
    if in_mapping and field is not None and location != detail["loc"]:
        limit = _limit_of_several(detail, field) or limit
    return (
        f"{path}: {_short(detail['input'])}{after} refused, {limit}: {why}. "
        f"Change {path} in the stack's file.{_source(notes)}"
    )


_LIMITS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda c: f"must be at least {c['ge']}",
    "greater_than": lambda c: f"must be more than {c['gt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']}",
    "less_than": lambda c: f"must be less than {c['lt']}",
    "multiple_of": lambda c: f"must be a multiple of {c['multiple_of']}",
    "string_too_short": lambda c: f"must have at least {c['min_length']} characters",
    "string_too_long": lambda c: f"must have at most {c['max_length']} characters",
    "string_type": lambda _: "must be text",
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float"), lambda _: "must be a whole number"
    ),
    "literal_error": lambda c: f"must be {c['expected']}",
    "tuple_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be names with values",
    "too_short": lambda c: f"must have at least {c['min_length']} entries",
    "too_long": lambda c: f"must have at most {c['max_length']} entries",
}


# With a form's words behind it.
_FORM_LIMITS = {
    "string_pattern_mismatch": "must be",
    "string_too_long": "must be",
    "string_type": "must be text in quotes:",
}


def _limit(detail: ErrorDetails, form: str, field: FieldInfo | None) -> str:
    """What a value must be, without the validator's own words for Python."""
    told = _FORM_LIMITS.get(detail["type"]) if form else None
    if told is not None:
        return f"{told} {form}"
    if detail["type"] in ("model_type", "model_attributes_type"):
        if detail["input"] is None and field is not None and not field.is_required():
            return "cannot be switched off; left out, it has its defaults"
        group = group_of(field.annotation) if field is not None else None
        return f"must have settings of its own: {', '.join(group.model_fields) if group else ''}"
    if detail["type"].startswith("bool_"):
        return "must be true or false"
    limit = _LIMITS.get(detail["type"])
    if limit is None:
        return detail["msg"][0].lower() + detail["msg"][1:]
    return limit(detail.get("ctx", {}))


def _limit_of_several(detail: ErrorDetails, mapping: FieldInfo) -> str:
    """What a mapping's value must be where it may be of several kinds; empty for its names."""
    kinds = get_args(get_args(mapping.annotation)[1])
    if detail["loc"][-1] == "[key]" or not kinds:
        return ""
    words = {str: "text", int: "a number", float: "a number", bool: "true or false"}
    return f"must be {' or '.join(dict.fromkeys(words[kind] for kind in kinds))}"


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


def _in_file(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where it stands in the file: without the validator's own parts behind a mapping's name."""
    for end in range(1, len(location)):
        if _is_mapping(model, location[:end]):
            return location[: end + 1]
    return location


def _is_mapping(model: type[BaseModel], location: tuple[int | str, ...]) -> bool:
    _, field = _find(model, location)
    return field is not None and get_origin(field.annotation) is dict


def _dotted(location: tuple[int | str, ...]) -> str:
    """`pooler.roles[0].name`, as the rules write it too."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


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
