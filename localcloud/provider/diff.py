"""What changed between two sets of inputs, and whether that means a replacement."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.provider import sdk_types
from localcloud.provider.aws import same_json
from localcloud.provider.resource import Resource
from localcloud.provider.wire import Archive, Asset, Unknown, contains_unknown


@dataclass(frozen=True)
class Change:
    """One changed property: its path, `add`, `update` or `delete`, and whether it replaces."""

    path: str
    kind: str
    replaces: bool

    @property
    def name(self) -> str:
        """The top-level property."""
        return self.path.split(".")[0].split("[")[0]


def compare(
    resource: Resource,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    outputs: Mapping[str, Any] | None = None,
) -> list[Change]:
    """The changes from old to new inputs.

    A property that is given for the first time is no change when `outputs` has that value already:
    what AWS chose, or took from a source, is only written down.
    """
    changes: list[Change] = []
    replacing = resource.replaced_by(new) | {"region"}
    for name in sorted(old.keys() | new.keys()):
        if name.startswith("__") or name in resource.write_only:
            continue
        before, after = old.get(name), new.get(name)
        if _is_empty(before) and _is_empty(after):
            continue
        if after is None and _keeps_when_removed(resource, name):
            continue
        if same(resource, name, before, after):
            continue
        if before is None and _is_already(resource, name, after, outputs or {}):
            continue
        changes += [
            Change(path, kind, name in replacing)
            for path, kind in _paths(resource, name, name, before, after)
        ]
    return changes


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {})


def _is_already(resource: Resource, name: str, wanted: Any, outputs: Mapping[str, Any]) -> bool:
    if name not in outputs or name in resource.unobserved | resource.local:
        return False
    return not contains_unknown(wanted) and agrees(wanted, outputs[name])


def _keeps_when_removed(resource: Resource, name: str) -> bool:
    # An optional value that AWS computes stays as it is when the program stops giving it.
    notation = sdk_types.output_types(resource.kind).get(name, "?")
    return not notation.endswith("?") and name not in resource.defaults


def same(resource: Resource, name: str, before: Any, after: Any) -> bool:
    """Whether two values of a property mean the same to AWS."""
    if isinstance(after, Unknown) or isinstance(before, Unknown):
        return False
    if name in resource.json_properties and same_json(before, after):
        return True
    if name in resource.unordered and isinstance(before, list) and isinstance(after, list):
        return _equal_in_any_order(before, after)
    return _equal(before, after)


def _equal_in_any_order(before: list[Any], after: list[Any]) -> bool:
    rest = list(after)
    for item in before:
        match = next((i for i, other in enumerate(rest) if _equal(item, other)), None)
        if match is None:
            return False
        rest.pop(match)
    return not rest


def _equal(before: Any, after: Any) -> bool:
    if isinstance(before, Archive | Asset) and isinstance(after, Archive | Asset):
        # The engine hashes contents; a path alone says nothing.
        return before.hash == after.hash if before.hash and after.hash else before == after
    if isinstance(before, dict) and isinstance(after, dict):
        keys = before.keys() | after.keys()
        return all(_equal(before.get(key), after.get(key)) for key in keys)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            _equal(b, a) for b, a in zip(before, after, strict=True)
        )
    return (type(before) is type(after) and before == after) or _same_number(before, after)


def _same_number(before: Any, after: Any) -> bool:
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    return numbers and not isinstance(before, bool | Unknown) and before == after


def _paths(
    resource: Resource, name: str, path: str, before: Any, after: Any
) -> Iterator[tuple[str, str]]:
    if before is None:
        yield path, "add"
    elif after is None:
        yield path, "delete"
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if not _equal(before.get(key), after.get(key)):
                inner = f"{path}.{key}" if key.isidentifier() else f'{path}["{key}"]'
                yield from _paths(resource, name, inner, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and name not in resource.unordered:
        for index in range(max(len(before), len(after))):
            b = before[index] if index < len(before) else None
            a = after[index] if index < len(after) else None
            if not _equal(b, a):
                yield from _paths(resource, name, f"{path}[{index}]", b, a)
    else:
        yield path, "update"


def agrees(wanted: Any, observed: Any) -> bool:
    """Whether what AWS reports is what was asked for. AWS may report more (defaults, ids) and in
    another order, but not less."""
    if isinstance(wanted, dict):
        if not isinstance(observed, dict):
            return False
        return all(
            agrees(value, observed[key])
            for key, value in wanted.items()
            if value is not None and key in observed
        )
    if isinstance(wanted, list):
        if not isinstance(observed, list) or len(wanted) != len(observed):
            return False
        rest = list(observed)
        for item in wanted:
            match = next((i for i, other in enumerate(rest) if agrees(item, other)), None)
            if match is None:
                return False
            rest.pop(match)
        return True
    return _equal(wanted, observed) or same_json(wanted, observed)


def drifted(resource: Resource, inputs: Mapping[str, Any], observed: Mapping[str, Any]) -> set[str]:
    """Inputs that AWS reports with another value than was asked for."""
    unseen = resource.unobserved | resource.local | resource.write_only
    return {
        name
        for name, wanted in inputs.items()
        if name in observed
        and name not in unseen
        and not contains_unknown(wanted)
        and not (_is_empty(wanted) and _is_empty(observed[name]))
        and not agrees(wanted, observed[name])
    }
