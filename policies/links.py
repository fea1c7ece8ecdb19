"""Joins over whole properties: lists of references, and documents with references inside.

`Stack.referenced` follows a property that is one text. Here every text inside a property counts,
and where a value is not known yet, the recorded dependencies of the property.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from .inventory import Resource, Stack
from .values import contains_unknown

# The properties by which AWS's types are named by others.
_IDENTITIES: Final = ("id", "arn", "name", "identifier", "bucket", "clusterIdentifier")
# sg-0123456789abcdef0, subnet-01234567
_MADE_UP_ID: Final = re.compile(r"[a-z]+-[0-9a-f]{8,17}")


@dataclass(frozen=True)
class Links:
    """What was found, and whether values that are not known yet may add to it."""

    found: tuple[Resource, ...]
    undecided: bool


def targets(stack: Stack, resource: Resource, property_name: str, types: Sequence[str]) -> Links:
    """The resources of `types` that anything in `property_name` of `resource` points to.

    Undecided if a part is not known yet and no dependency says what it will be.
    """
    value = resource.get(property_name)
    unknown = contains_unknown(value)
    texts = list(_texts(value))
    dependencies = resource.property_dependencies.get(property_name, ())
    found = dict.fromkeys(
        one for text in texts for one in _meant(stack, resource, text, types, dependencies)
    )
    for urn in dependencies:
        target = stack.by_urn(urn)
        if target is None or target.type not in types:
            continue
        # A target with a known name that no known text has was used for something else.
        if unknown or (texts and not _has_name(target)) or _may_be_id(target, texts):
            found[target] = None
    return Links(tuple(found), unknown and not found)


def sources(stack: Stack, target: Resource, types: Sequence[str], property_name: str) -> Links:
    """The resources of `types` in whose `property_name` something points to `target`."""

    def make() -> tuple[dict[Resource, list[Resource]], bool]:
        found: dict[Resource, list[Resource]] = {}
        undecided = False
        for resource in stack.of_type(*types):
            links = targets(stack, resource, property_name, (target.type,))
            undecided |= links.undecided
            for one in links.found:
                found.setdefault(one, []).append(resource)
        return found, undecided

    key = ("sources", target.type, tuple(types), property_name)
    found, undecided = stack.remembered(key, make)
    return Links(tuple(found.get(target, ())), undecided and target not in found)


def _meant(
    stack: Stack,
    resource: Resource,
    text: str,
    types: Sequence[str],
    dependencies: Sequence[str],
) -> Iterator[Resource]:
    """Those that `text` names; of several, those that the program took it from."""
    named = dict.fromkeys(_named(stack, text, types))
    recorded = [one for one in named if one.urn in dependencies]
    if recorded or text.startswith("arn:"):
        yield from recorded or named
    else:
        yield from (one for one in named if not one.elsewhere(resource))


def _named(stack: Stack, text: str, types: Sequence[str]) -> Iterator[Resource]:
    words = [text]
    if text.startswith("arn:"):
        # arn:partition:service:region:account:type/name, or type:name, or name, or bucket/key
        parts = re.split("[:/]", text.split(":", 5)[-1])
        words += parts[1:] if len(parts) > 1 and ":s3:" not in text else parts[:1]
    for kind in types:
        for key in _IDENTITIES:
            for word in words:
                if word:
                    yield from stack.known_as(kind, key, word)


def _has_name(target: Resource) -> bool:
    return any(
        # A placeholder that a converter has left is no name.
        isinstance(found := target.identity(key), str) and found and "${" not in found
        for key in _IDENTITIES
        if key not in ("id", "arn")
    )


def _may_be_id(target: Resource, texts: Sequence[str]) -> bool:
    """Whether a text is an id that AWS made up, and the target's own id is not known here.

    The engine hands a stack over without the ids of its resources, also once they exist.
    """
    return target.identity("id") is None and any(_MADE_UP_ID.fullmatch(one) for one in texts)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
