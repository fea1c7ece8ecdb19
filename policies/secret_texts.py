"""Finds secrets in texts: access keys, private keys, passwords, also inside encoded user data."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from typing import Final, cast

from .values import plain

# Packed text is unpacked up to this many bytes, nested at most this often: user data has 16 KB.
MAXIMUM_TEXT: Final = 1_000_000
_MAXIMUM_LAYERS: Final = 4
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ESCAPED: Final = re.compile(r"\\([\\\"'/nrt])")
_WHITE: Final = {"n": "\n", "r": "\r", "t": "\t"}

# Prefixes of AWS's own ids: IAM user guide, "Unique identifiers".
_SECRETS: Final = (
    ("an AWS access key id", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    (
        "an AWS secret access key",
        re.compile(r"aws_?secret_?access_?key['\"]?\s*[=:]\s*['\"]?[A-Za-z0-9/+]{40}", re.I),
    ),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    (
        "a connection string with a password",
        re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@'\"]+:(?![$<{*\s])[^\s/@'\"]+@[^\s'\"]+", re.I),
    ),
    (
        "a password",
        re.compile(
            r"(?<![a-z])(?:pg)?(?:passwo?r?d|passphrase|secret_?key|api_?key|auth_?token)"
            r"['\"]?\s*[=:]\s*['\"]?(?![$<{(*%/'\"\s]|arn:|true\b|false\b|null\b|none\b|scram|md5\b)"
            r"[^\s'\",;]{6,}",
            re.I,
        ),
    ),
    ("a token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|xox[abpr]-[A-Za-z0-9-]{10,})")),
)
_SECRET_NAME: Final = re.compile(
    r"(?:passwo?r?d|passphrase|secret|token|api_?key|private_?key|access_?key)", re.I
)
# A name that ends so says where a secret is, or is about one, and holds none itself.
_POINTER_NAME: Final = re.compile(
    r"(?:arn|id|ids|name|names|path|url|uri|file|region|alias|version|stage|days|seconds|length"
    r"|enabled|type|method|username|parameter)$",
    re.I,
)


def secret_in(text: str) -> str | None:
    """What kind of secret stands in `text`, plain or encoded; never the secret itself."""
    for layer in unpacked(text):
        for kind, pattern in _SECRETS:
            if pattern.search(layer):
                return kind
        if len(layer) >= MAXIMUM_TEXT:
            return f"more text than is read ({MAXIMUM_TEXT} characters)"
    return None


def secret_in_variable(name: str, value: object) -> str | None:
    """What kind of secret an environment variable is."""
    if not isinstance(value, str) or not value.strip():
        return None
    if found := secret_in(f"{name}={value}") or secret_in(value):
        return found
    pointer = value.startswith(("arn:", "/", "${", "{{resolve:", "http://", "https://"))
    if _SECRET_NAME.search(name) and not _POINTER_NAME.search(name) and not pointer:
        return "a value whose name says that it is secret"
    return None


def unpacked(text: str) -> Iterator[str]:
    """`text` itself, and what is inside it: base64, gzip, escaped text, and parts of these."""
    pending: list[tuple[bytes | str, int]] = [(text[:MAXIMUM_TEXT], 0)]
    while pending:
        layer, depth = pending.pop()
        if isinstance(layer, bytes) and layer.startswith(_GZIP_MAGIC):
            layer = _inflated(layer)
        plain = layer.decode("utf-8", "replace") if isinstance(layer, bytes) else layer
        yield plain
        if depth >= _MAXIMUM_LAYERS:
            continue
        # A text inside of JSON, or of quotes of a shell: \" and \n hide where a line begins.
        if (unescaped := _ESCAPED.sub(_unescaped, plain)) != plain:
            pending.append((unescaped, depth + 1))
        # Whole texts, and values of write_files or MIME parts.
        for encoded in re.findall(r"[A-Za-z0-9+/]{24,}(?:\s[A-Za-z0-9+/]{16,})*={0,2}", plain):
            try:
                inner = base64.b64decode(re.sub(r"\s", "", encoded), validate=True)
            except (binascii.Error, ValueError):
                continue
            if inner.startswith(_GZIP_MAGIC) or _is_text(inner):
                pending.append((inner, depth + 1))


def _unescaped(escaped: re.Match[str]) -> str:
    return _WHITE.get(escaped[1], escaped[1])


def leaves(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text inside a value with its place; unknown ones are left out."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from leaves(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from leaves(item, f"{place}[{index}]")


def variables(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every {"name": …, "value": …} inside a value, also of JSON text, as place.name and value.

    Containers, builds and jobs have their environment in this form.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and len(value) < MAXIMUM_TEXT:
        try:
            value = plain(json.loads(value))
        except (ValueError, RecursionError):
            return
    if isinstance(value, dict):
        fields = {key.lower(): item for key, item in cast("dict[str, object]", value).items()}
        name, given = fields.get("name"), fields.get("value")
        if isinstance(name, str) and isinstance(given, str):
            yield f"{place}.{name}", given
        for key, item in fields.items():
            if not isinstance(item, str):
                yield from variables(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            if not isinstance(item, str):
                yield from variables(item, f"{place}[{index}]")


def _inflated(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        return unpacker.decompress(packed, MAXIMUM_TEXT)
    except zlib.error:
        return b""


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text) and all(one.isprintable() or one.isspace() for one in text)
