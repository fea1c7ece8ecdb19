"""Pulumi's camelCase properties to botocore's request shapes and back.

A property maps to the request member whose name is the same without case and punctuation
(`vpcSecurityGroupIds` → `VpcSecurityGroupIds`, `targetGroupArns` → `TargetGroupARNs`), or to the
member that a table's rename gives. Anything that has no member is refused, never dropped.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.provider import sdk_types
from localcloud.provider.errors import UnsupportedPropertyError
from localcloud.provider.wire import Unknown

Renames = Mapping[str, str]
_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


def normalised(name: str) -> str:
    """A name without case and punctuation, the form in which names are compared."""
    return "".join(c for c in name.lower() if c.isalnum())


@lru_cache(maxsize=4096)
def _members_by_normalised_name(shape: StructureShape) -> Mapping[str, str]:
    return {normalised(member): member for member in shape.members}


def member_for(shape: StructureShape, name: str) -> str | None:
    """The request member that a property maps to without a rename, if there is one."""
    members = _members_by_normalised_name(shape)
    key = normalised(name)
    # Terraform writes repeated blocks in the plural, AWS sometimes in the singular, and vice versa.
    return members.get(key) or members.get(key + "s") or members.get(key.removesuffix("s"))


def to_request(
    shape: Shape | None, values: Mapping[str, Any], renames: Renames, prefix: str = ""
) -> dict[str, Any]:
    """Request parameters for properties. `renames` maps a property's path (no indexes) to the
    member's name, which may be dotted to reach into a structure that the property has not."""
    request: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        path = f"{prefix}{name}"
        target = renames.get(path)
        if target is None and isinstance(shape, StructureShape):
            target = member_for(shape, name)
        if target is None or not isinstance(shape, StructureShape):
            raise UnsupportedPropertyError(path, "the local cloud has no equivalent in AWS's API")
        *parents, member = target.split(".")
        holder, inner = request, shape
        for parent in parents:
            holder = holder.setdefault(parent, {})
            inner = cast(StructureShape, inner.members[parent])
        if member not in inner.members:
            raise UnsupportedPropertyError(path, f"{inner.name} has no member {member}")
        holder[member] = _convert(inner.members[member], value, renames, path)
    return request


def _convert(shape: Shape, value: Any, renames: Renames, path: str) -> Any:
    if isinstance(value, Unknown):
        return value
    if isinstance(shape, ListShape):
        pair = _pair(shape.member)
        if isinstance(value, Mapping) and pair:
            return [{pair: key, "Value": item} for key, item in sorted(value.items())]
        # A Terraform block of at most one item arrives as an object.
        items = value if isinstance(value, list) else [value]
        return [_convert(shape.member, i, renames, path) for i in items if i is not None]
    if isinstance(shape, MapShape):
        return {k: _convert(shape.value, v, renames, path) for k, v in value.items()}
    if isinstance(shape, StructureShape):
        if isinstance(value, list):
            value = value[0] if value else {}
        if not isinstance(value, Mapping):
            raise UnsupportedPropertyError(path, "must be an object")
        return to_request(shape, value, renames, path + ".")
    return _scalar(shape, value, path)


def _scalar(shape: Shape, value: Any, path: str) -> Any:
    kind = shape.type_name
    try:
        if kind == "boolean" and isinstance(value, str):
            return {"true": True, "false": False}[value.lower()]
        if kind in _NUMBERS and isinstance(value, str | int | float):
            return _NUMBERS[kind](value)
    except (KeyError, ValueError):
        raise UnsupportedPropertyError(path, f"{value!r} is not a {kind}") from None
    if kind == "string" and isinstance(value, Mapping):
        return json.dumps(value)  # A policy document written as an object.
    if kind == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _pair(shape: Shape) -> str:
    # Maps travel as lists of Key and Value (tags) or Name and Value (dimensions).
    members = set(shape.members) if isinstance(shape, StructureShape) else set[str]()
    return next((name for name in ("Key", "Name") if members == {name, "Value"}), "")


def key_values(tags: Mapping[str, Any]) -> list[dict[str, Any]]:
    """AWS's usual list form of tags."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def from_response(
    types: Mapping[str, str], response: Mapping[str, Any], renames: Renames, prefix: str = ""
) -> dict[str, Any]:
    """Outputs found in a response object, by the inverse of the rule of `to_request`."""
    members = {normalised(member): value for member, value in response.items()}
    outputs: dict[str, Any] = {}
    for name, notation in types.items():
        path = f"{prefix}{name}"
        if path in renames:
            value: Any = response
            for part in renames[path].split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        else:
            value = members.get(normalised(name))
        if value is not None:
            outputs[name] = _revert(notation.rstrip("!?"), value, renames, path)
    return outputs


def _revert(notation: str, value: Any, renames: Renames, path: str) -> Any:
    if notation.startswith("[]"):
        items = value if isinstance(value, list) else [value]
        return [_revert(notation[2:], item, renames, path) for item in items]
    if notation.startswith("{}"):
        if isinstance(value, list):
            return from_key_values(value)
        return dict(value)
    if notation in ("string", "boolean", "integer", "number"):
        return plain(notation, value)
    if isinstance(value, list):
        value = value[0] if value else {}
    if "|" in notation or not isinstance(value, Mapping):
        return value
    return from_response(sdk_types.object_type(notation), value, renames, path + ".")


def plain(notation: str, value: Any) -> Any:
    """A scalar in the type the SDK declares (timestamps as ISO 8601)."""
    if hasattr(value, "isoformat"):
        value = value.isoformat().replace("+00:00", "Z")
    if notation == "string" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if notation == "integer" and isinstance(value, str | float):
        return int(float(value))
    if notation == "number" and isinstance(value, str):
        return float(value)
    if notation == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return value


def from_key_values(items: list[Mapping[str, Any]]) -> dict[str, str]:
    """Tags as a map, from AWS's list forms."""
    return {
        item.get("Key") or item.get("TagKey") or "": item.get("Value", item.get("TagValue", ""))
        for item in items
    }
