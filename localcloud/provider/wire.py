"""Pulumi property values on the wire (protobuf Struct) to and from Python values.

The signatures are the engine's (pulumi/sdk resource.Signature and its kinds): a struct that carries
the key `4dabf1…` is not an object but a secret, an asset, an archive, an output or a resource.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.struct_pb2 import ListValue, Struct, Value

UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"


class Unknown:
    """A value that is known only after apply; there is one instance, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Asset:
    """A file given by its path or by its text."""

    path: str = ""
    text: str | None = None
    hash: str = ""


@dataclass(frozen=True)
class Archive:
    """An archive given by its path (a zip or tar file, or a folder) or by its members."""

    path: str = ""
    members: Mapping[str, "Asset | Archive"] = field(default_factory=dict[str, Any])
    hash: str = ""


@dataclass(frozen=True)
class Properties:
    """Decoded properties; `secret_keys` are the top-level keys that hold a secret anywhere."""

    values: dict[str, Any]
    secret_keys: frozenset[str] = frozenset()


class _Decoder:
    def __init__(self) -> None:
        self.saw_secret = False

    def value(self, value: Value) -> Any:
        kind = value.WhichOneof("kind")
        if kind == "string_value":
            text = value.string_value
            return UNKNOWN if text == UNKNOWN_SENTINEL else text
        if kind == "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        if kind == "bool_value":
            return value.bool_value
        if kind == "list_value":
            return [self.value(item) for item in value.list_value.values]
        if kind == "struct_value":
            return self.struct(value.struct_value)
        return None

    def struct(self, struct: Struct) -> Any:
        signature = struct.fields[SIGNATURE].string_value if SIGNATURE in struct.fields else ""
        if not signature:
            return {key: self.value(item) for key, item in struct.fields.items()}
        rest = {k: self.value(v) for k, v in struct.fields.items() if k != SIGNATURE}
        if signature == SECRET:
            self.saw_secret = True
            return rest.get("value")
        if signature == ASSET:
            return Asset(rest.get("path", ""), rest.get("text"), rest.get("hash", ""))
        if signature == ARCHIVE:
            return Archive(rest.get("path", ""), rest.get("assets") or {}, rest.get("hash", ""))
        if signature == OUTPUT:
            self.saw_secret |= bool(rest.get("secret"))
            return rest.get("value", UNKNOWN)
        if signature == RESOURCE:
            return rest.get("id", UNKNOWN)
        raise ValueError(f"property signature {signature} is not one this provider knows")


def decode(struct: Struct) -> Properties:
    """The properties of a request. Secrets are unwrapped and remembered by top-level key."""
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    for key, value in struct.fields.items():
        decoder = _Decoder()
        values[key] = decoder.value(value)
        if decoder.saw_secret:
            secret_keys.add(key)
    return Properties(values, frozenset(secret_keys))


def encode(values: Mapping[str, Any], secret_keys: Iterable[str] = ()) -> Struct:
    """The wire form; values under `secret_keys` become secrets, absent ones (None) are left out."""
    secret = frozenset(secret_keys)
    struct = Struct()
    for key, value in values.items():
        if value is None:
            continue
        encoded = _encode(value)
        if key in secret:
            encoded = _signed(SECRET, {"value": encoded})
        struct.fields[key].CopyFrom(encoded)
    return struct


def _signed(signature: str, fields: Mapping[str, Value]) -> Value:
    struct = Struct()
    struct.fields[SIGNATURE].string_value = signature
    for key, value in fields.items():
        struct.fields[key].CopyFrom(value)
    return Value(struct_value=struct)


def _encode(value: Any) -> Value:  # noqa: PLR0911 — one return a kind
    if value is None:
        return Value(null_value=0)  # pyright: ignore[reportArgumentType]
    if isinstance(value, Unknown):
        return Value(string_value=UNKNOWN_SENTINEL)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return Value(number_value=float(value))
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, Asset):
        fields = {"hash": _encode(value.hash)}
        fields["path" if value.path else "text"] = _encode(value.path or value.text or "")
        return _signed(ASSET, fields)
    if isinstance(value, Archive):
        fields = {"hash": _encode(value.hash)}
        if value.path:
            fields["path"] = _encode(value.path)
        else:
            fields["assets"] = _encode(value.members)
        return _signed(ARCHIVE, fields)
    if isinstance(value, Mapping):
        return Value(struct_value=encode(value))
    if isinstance(value, Iterable):
        return Value(list_value=ListValue(values=[_encode(item) for item in value]))
    raise TypeError(f"{type(value).__name__} cannot be a Pulumi property")


def contains_unknown(value: Any) -> bool:
    """Whether a value, or anything in it, is known only after apply."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_unknown(item) for item in value)
    return False


def fingerprint(value: Any, digits: int = 7) -> str:
    """A short stable hexadecimal digest of a value, for names and identifiers."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:digits]
