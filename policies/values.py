"""Property values as the engine knows them, turned into plain Python without ever raising.

At preview a value may not be known yet. Comparing Pulumi's unknown sentinel with a wanted value
would call it wrong, and pulumi-policy's proxies raise, which aborts the policy and lets the
resource pass. Here an unknown is the one marker `UNKNOWN`, a value that cannot be what the
property wants is a `Wrong`, and each reader below returns one of the two or the typed value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, cast


class Unknown(Enum):
    """The type of `UNKNOWN`; an enum so that type checkers narrow on `is UNKNOWN`."""

    UNKNOWN = "a value that is known only after apply"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Wrong:
    """A value of a type that the property cannot have."""

    value: object
    expected: str


# The engine's wire format (github.com/pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go).
_UNKNOWN_SENTINELS: Final = (
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
    "e48ece36-62e2-4504-bad9-02848725956a",  # archive
)
_SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a wire constant)
_OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_REFERENCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_SENTINEL_CHARACTERS: Final = 36

# Deeper documents than any AWS property are cut off as `Wrong` instead of overflowing the stack.
_MAXIMUM_DEPTH: Final = 100


def plain(value: object, depth: int = 0) -> object:
    """`value` with secrets unwrapped, unknowns replaced by `UNKNOWN` and null entries removed.

    Takes what the engine sends (after protobuf decoding), what a state file has, plain
    dictionaries, and the property proxies of pulumi-policy. A null property equals a missing one,
    as it does for the AWS provider. A secret that only its ciphertext stands for is unknown.
    """
    if isinstance(value, str):
        return UNKNOWN if is_unknown_text(value) else value
    if value is None or isinstance(value, int | float | bytes):
        # protobuf has only doubles
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if depth >= _MAXIMUM_DEPTH:
        return Wrong("…", f"at most {_MAXIMUM_DEPTH} levels of nesting")
    if isinstance(value, Mapping):
        return _plain_mapping(cast("Mapping[object, object]", _without_proxy(value)), depth)
    if isinstance(value, Sequence):
        items = cast("Sequence[object]", _without_proxy(value))
        return [plain(item, depth + 1) for item in items]
    return value


def _plain_mapping(mapping: Mapping[object, object], depth: int) -> object:
    signature = mapping.get(_SIGNATURE_KEY)
    if signature is None:
        return {
            str(key): plain(item, depth + 1) for key, item in mapping.items() if item is not None
        }
    if signature == _SECRET_SIGNATURE and "value" not in mapping:
        return _decrypted(mapping.get("plaintext"), depth)
    if signature == _SECRET_SIGNATURE:
        return plain(mapping.get("value"), depth + 1)
    if signature == _OUTPUT_SIGNATURE:
        return plain(mapping["value"], depth + 1) if "value" in mapping else UNKNOWN
    if signature == _REFERENCE_SIGNATURE:
        # A whole resource as a value stands for its id.
        return plain(mapping.get("id"), depth + 1) or UNKNOWN
    return {str(key): plain(item, depth + 1) for key, item in mapping.items() if item is not None}


def _decrypted(plaintext: object, depth: int) -> object:
    """A secret of `pulumi stack export --show-secrets`, which is JSON text; without it unknown."""
    if not isinstance(plaintext, str):
        return UNKNOWN
    try:
        return plain(json.loads(plaintext), depth + 1)
    except (ValueError, RecursionError):
        return Wrong("(a secret)", "JSON text")


def hidden_properties(properties: Mapping[str, object]) -> frozenset[str]:
    """The properties that are a secret of a state file which only its ciphertext stands for."""
    mapping = cast("Mapping[str, object]", _without_proxy(properties))
    return frozenset(key for key, value in mapping.items() if _is_hidden(value))


def _is_hidden(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    mapping = cast("Mapping[object, object]", _without_proxy(value))
    return (
        mapping.get(_SIGNATURE_KEY) == _SECRET_SIGNATURE
        and "value" not in mapping
        and not isinstance(mapping.get("plaintext"), str)
    )


def is_unknown_text(text: str) -> bool:
    """Whether `text` is, or contains, the engine's marker of a value that is not known yet."""
    return len(text) >= _SENTINEL_CHARACTERS and any(
        sentinel in text for sentinel in _UNKNOWN_SENTINELS
    )


def contains_unknown(value: object) -> bool:
    """Whether `value` or anything inside it is `UNKNOWN`."""
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in cast("list[object]", value))
    return value is UNKNOWN


def boolean(value: object, *, default: bool) -> bool | Unknown | Wrong:
    """A yes-or-no property; `"true"` and `"false"` count, as the AWS provider converts them."""
    if value is None:
        return default
    if isinstance(value, bool | Unknown):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return Wrong(value, "true or false")


def integer(value: object, *, default: int) -> int | Unknown | Wrong:
    """A whole number; `7.0` and `"7"` count, as the AWS provider converts them."""
    if value is None:
        return default
    if isinstance(value, Unknown):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    # 9 digits hold every AWS limit; int() on megabytes of digits would take minutes.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return Wrong(value, "a whole number")


def text(value: object, *, default: str = "") -> str | Unknown | Wrong:
    """A string property."""
    if value is None:
        return default
    if isinstance(value, str | Unknown):
        return value
    return Wrong(value, "a string")


def sequence(value: object) -> list[object] | Unknown | Wrong:
    """A list property; missing is the empty list."""
    if value is None:
        return []
    if isinstance(value, Unknown):
        return value
    if isinstance(value, list):
        return cast("list[object]", value)
    return Wrong(value, "a list")


def one_or_many(value: object) -> list[object]:
    """What AWS's documents allow as one value or a list of values, always as a list."""
    if value is None:
        return []
    return cast("list[object]", value) if isinstance(value, list) else [value]


def shown(value: object, limit: int = 80) -> str:
    """`value` as a message prints it: short, on one line, `(not set)` for missing."""
    if value is None:
        return "(not set)"
    if value is UNKNOWN:
        return "(known after apply)"
    if isinstance(value, Wrong):
        return f"{shown(value.value)} ({type(value.value).__name__}, not {value.expected})"
    if isinstance(value, bool):
        return str(value).lower()
    rendered = f'"{value[: limit * 2]}"' if isinstance(value, str) else repr(value)
    rendered = " ".join(rendered.split())
    return rendered if len(rendered) <= limit else rendered[: limit - 1] + "…"


def _without_proxy(value: object) -> object:
    """The collection below a pulumi-policy proxy, whose own access raises on unknown values."""
    if type(value).__module__.startswith("pulumi_policy"):
        return cast("Mapping[str, object]", value)["__target"]
    return value
