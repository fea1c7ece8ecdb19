"""Checks inputs against pulumi-aws's own argument types, as read from the installed SDK.

The types stand in `sdk_types.json`; `localcloud.provider.introspect` writes it and documents the
notation.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from localcloud.provider.wire import Archive, Asset, Unknown

_SCALARS = ("string", "boolean", "integer", "number", "any", "archive", "asset")


@dataclass(frozen=True)
class Failure:
    """A wrong input: the property's path and what is wrong with it."""

    property: str
    reason: str


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("sdk_types.json").read_text(encoding="utf-8"))


def sdk_version() -> str:
    """The pulumi-aws version that the types were read from."""
    return _document()["pulumi_aws"]


def input_types(token: str) -> Mapping[str, str]:
    """Type notation of each input of a resource type or function."""
    return _entry(token)["inputs"]


def output_types(token: str) -> Mapping[str, str]:
    """Type notation of each output of a resource type or function."""
    return _entry(token)["outputs"]


def object_type(name: str) -> Mapping[str, str]:
    """Type notation of each property of a nested object type."""
    return _document()["objects"][name]


def _entry(token: str) -> dict[str, Any]:
    document = _document()
    return document["resources"].get(token) or document["functions"][token]


def check(token: str, inputs: Mapping[str, Any]) -> list[Failure]:
    """Every misspelt, missing or wrongly typed property among the inputs."""
    return list(_check_object(input_types(token), inputs, ""))


def _check_object(
    types: Mapping[str, str], values: Mapping[str, Any], prefix: str
) -> Iterator[Failure]:
    for key, value in values.items():
        if not prefix and key.startswith("__"):
            continue
        if key not in types:
            near = difflib.get_close_matches(key, types, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Failure(prefix + key, f"pulumi-aws has no such property{hint}")
        elif value is not None:
            yield from _check_value(types[key].rstrip("!?"), value, prefix + key)
    for key, notation in types.items():
        if notation.endswith("!") and values.get(key) is None:
            yield Failure(prefix + key, "is required, but missing")


def _check_value(  # noqa: PLR0912 — one branch a notation
    notation: str, value: Any, path: str
) -> Iterator[Failure]:
    if isinstance(value, Unknown) or notation == "any":
        return
    alternatives = notation.split("|")
    if len(alternatives) > 1:
        outcomes = [list(_check_value(kind, value, path)) for kind in alternatives]
        if all(outcomes):
            yield from min(outcomes, key=len)
        return
    if notation.startswith("[]"):
        if not isinstance(value, list):
            yield Failure(path, f"must be a list, not {_shown(value)}")
            return
        for index, item in enumerate(value):
            if item is not None:
                yield from _check_value(notation[2:], item, f"{path}[{index}]")
    elif notation.startswith("{}"):
        if not isinstance(value, dict):
            yield Failure(path, f"must be a map, not {_shown(value)}")
            return
        for key, item in value.items():
            if item is not None:
                yield from _check_value(notation[2:], item, f"{path}.{key}")
    elif notation in _SCALARS:
        if not _is_scalar(notation, value):
            article = "an" if notation[0] in "aeiou" else "a"
            yield Failure(path, f"must be {article} {notation}, not {_shown(value)}")
    elif not isinstance(value, dict):
        yield Failure(path, f"must be an object, not {_shown(value)}")
    else:
        yield from _check_object(object_type(notation), value, path + ".")


def _is_scalar(notation: str, value: Any) -> bool:
    match notation:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "archive":
            return isinstance(value, Archive)
        case _:
            return isinstance(value, Asset)


def _shown(value: Any) -> str:
    kind = {str: "string", bool: "boolean", dict: "object"}.get(type(value), type(value).__name__)
    text = repr(value)
    return f"{kind} {text if len(text) <= 60 else text[:57] + '...'}"
