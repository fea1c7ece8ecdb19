"""Values of the engine's log in words: secrets hidden, unknowns named, long texts shortened."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from pgkeep.plan.model import Properties, PropertyChange

# How the engine marks special values in JSON. Source: pulumi/sdk go/common/resource/sig and
# plugin.UnknownStringValue; they are part of the checkpoint format and do not change.
SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  It marks one, and is none.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ASSETS = frozenset({"c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"})

HIDDEN = "[secret]"
UNKNOWN_TEXT = "[known after apply]"
LONGEST = 72
# An ARN is longer and says which: the key that a database is under, for example.
_ARN = re.compile(r"arn:[!-~]{1,250}")
# Names of properties that hold secrets; a provider that forgets to mark one does not show it here.
_SECRET_NAMES = ("password", "secretstring", "secretbinary", "privatekey", "authtoken")


def plain(value: Any) -> Any:
    """The value with secrets, unknowns and assets as texts: comparable, and safe to show."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return _marked(value)
        return {
            key: HIDDEN if _is_secret_name(key) and item is not None else plain(item)
            for key, item in value.items()
            if key not in ("__defaults", "__pulumi_raw_state_delta")
        }
    if isinstance(value, list):
        return [plain(item) for item in value]
    return UNKNOWN_TEXT if isinstance(value, str) and UNKNOWN in value else value


def _marked(value: dict[str, Any]) -> str:
    if value[SIGNATURE] == _SECRET_MARK:
        return HIDDEN
    if value[SIGNATURE] in ASSETS:
        return f"[asset {str(value.get('hash', ''))[:8] or 'without hash'}]"
    return UNKNOWN_TEXT


def _is_secret_name(name: str) -> bool:
    lowered = name.lower()
    return any(part in lowered for part in _SECRET_NAMES) and not lowered.endswith(
        ("version", "arn", "id", "days", "length", "policy")
    )


def shown(value: Any) -> str:
    """One line for a value; long texts and those with lines are told by length and fingerprint."""
    if isinstance(value, str) and _ARN.fullmatch(value):
        return value
    if isinstance(value, str) and (len(value) > LONGEST or "\n" in value):
        digest = hashlib.sha256(value.encode()).hexdigest()[:8]
        return f"{len(value):,} characters (sha256 {digest})"
    if isinstance(value, str):
        return value if value else '""'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def differences(
    old: Properties, new: Properties, replacing: frozenset[str] = frozenset()
) -> tuple[PropertyChange, ...]:
    """What differs between two sets of inputs, leaf by leaf, in alphabetical order.

    Documents that are kept as JSON texts (policies, function input) are compared inside. A
    property of `replacing` (top-level names) is marked as the reason of the replacement.
    """
    found: list[PropertyChange] = []
    for name in sorted({*old, *new} - {"__defaults"}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if _is_secret_name(name):
            before, after = (None if v is None else HIDDEN for v in (before, after))
        pairs = list(_leaves(name, plain(before), plain(after)))
        if not pairs and before is not None and after is not None:
            pairs = [(name, plain(before), plain(after))]  # Two secrets look alike.
        found += [
            PropertyChange(
                path,
                None if was is None else shown(was),
                None if becomes is None else shown(becomes),
                name in replacing,
            )
            for path, was, becomes in pairs
        ]
    return tuple(found)


def _leaves(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every leaf that differs. A document inside a text is opened; a list of texts is a whole."""
    if old == new:
        return
    if isinstance(old, str) and isinstance(new, str):
        inner_old, inner_new = _document(old), _document(new)
        if inner_old is not None and inner_new is not None:
            yield from _leaves(path, inner_old, inner_new)
            return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _leaves(f"{path}.{key}", old.get(key), new.get(key))
        return
    if isinstance(old, list) and isinstance(new, list):
        yield from _list_leaves(path, old, new)
        return
    yield path, old, new


def _list_leaves(path: str, old: list[Any], new: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    named = _named(old), _named(new)
    if named[0] is not None and named[1] is not None:
        for key in sorted({*named[0], *named[1]}):
            yield from _leaves(f"{path}[{key}]", named[0].get(key), named[1].get(key))
    elif len(old) == len(new) and any(isinstance(item, (dict, list)) for item in old):
        for index, (was, becomes) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(f"{path}[{index}]", was, becomes)
    elif any(isinstance(item, (dict, list)) for item in [*old, *new]):
        yield path, old, new
    else:
        gone = [item for item in old if item not in new]
        added = [item for item in new if item not in old]
        # Of a long list only what comes and goes; the same elements in another order are a whole.
        yield (path, gone or None, added or None) if gone or added else (path, old, new)


def _named(items: list[Any]) -> dict[str, Any] | None:
    """Parameters, statements and the like by their name, so that an insertion shifts nothing."""
    for key in ("name", "Sid", "key", "id"):
        names = [item.get(key) if isinstance(item, dict) else None for item in items]
        if names and all(isinstance(n, str) for n in names) and len(set(names)) == len(names):
            return dict(zip([str(name) for name in names], items, strict=True))
    return None


def _document(text: str) -> Any:
    if not text.startswith(("{", "[")) or text == HIDDEN or text.startswith("[known"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
