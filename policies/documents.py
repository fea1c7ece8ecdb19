"""IAM policy documents: parsed from text or object, with every statement in one normal form.

Source of the grammar: AWS IAM User Guide, "Grammar of the IAM JSON policy language". Where the
grammar leaves room, the reading that allows more is taken, so that nothing hides from a rule.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from .values import UNKNOWN, Unknown, Wrong, is_unknown_text, one_or_many, plain

# AWS's own limits are 6,144 (managed), 10,240 (role inline) and 20,480 (bucket) characters; white
# space counts for none of the IAM ones. Far above that a document is refused unread.
MAXIMUM_CHARACTERS: Final = 1_000_000

_DOCUMENT_ELEMENTS: Final = frozenset({"version", "id", "statement"})
_ELEMENTS: Final = frozenset(
    {
        "sid",
        "effect",
        "principal",
        "notprincipal",
        "action",
        "notaction",
        "resource",
        "notresource",
        "condition",
    }
)


class MalformedDocumentError(Exception):
    """The document cannot be judged; the text says why."""


@dataclass(frozen=True)
class Statement:
    """One statement; every list may hold `UNKNOWN`, and `Wrong` for what is not a text."""

    number: int
    allows: bool
    """Whatever is not plainly a Deny counts as an Allow."""
    denies: bool
    actions: tuple[object, ...]
    not_actions: tuple[object, ...]
    resources: tuple[object, ...]
    not_resources: tuple[object, ...]
    principals: tuple[tuple[str, object], ...]
    """(kind, id), such as ("AWS", "*") or ("Service", "ec2.amazonaws.com"); "*" alone is AWS."""
    not_principals: tuple[tuple[str, object], ...]
    condition: object
    unknown: bool = False
    """Nothing can be said about the statement before apply."""

    @property
    def is_wide(self) -> bool:
        """Whether it is about every resource. AWS refuses one that names none; until then it is."""
        return not self.resources or any(
            isinstance(one, str) and is_wildcard(one) for one in self.resources
        )

    @property
    def is_everywhere(self) -> bool:
        """Whether it allows its actions on every resource without a condition."""
        return self.allows and self.is_wide and self.condition in (None, {})


def parse(document: object) -> list[Statement] | Unknown:
    """The statements of `document`: JSON text or an object. Raises `MalformedDocumentError`.

    A missing or empty document has no statements: it grants nothing.
    """
    if isinstance(document, str):
        if not document.strip():
            return []
        document = parse_json(document)
    if document is UNKNOWN:
        return UNKNOWN
    if document is None:
        return []
    if not isinstance(document, dict):
        raise MalformedDocumentError("is not a JSON object")
    fields = _lower_keys(cast("dict[str, object]", document))
    if extra := sorted(fields.keys() - _DOCUMENT_ELEMENTS):
        raise MalformedDocumentError(f'has the unknown element "{extra[0][:40]}"')
    statements = fields.get("statement")
    if statements is UNKNOWN:
        return UNKNOWN
    return [_statement(number, item) for number, item in enumerate(one_or_many(statements), 1)]


def parse_json(text: str) -> object:
    """JSON text as plain values. Raises `MalformedDocumentError`; duplicate keys are refused.

    Parsers differ in which of two equal keys they take, so that a rule may read another document
    than AWS does.
    """
    if is_unknown_text(text):
        return UNKNOWN
    if len(text) > MAXIMUM_CHARACTERS:
        raise MalformedDocumentError(
            f"has {len(text)} characters, more than the {MAXIMUM_CHARACTERS} that are read"
        )
    try:
        return plain(json.loads(text, object_pairs_hook=_unique))
    except RecursionError:
        raise MalformedDocumentError("is nested too deeply") from None
    except ValueError as error:
        raise MalformedDocumentError(f"is not valid JSON ({_reason(error)})") from None


def matches(pattern: str, text: str) -> bool:
    """Whether an IAM pattern (`*`, `?`) covers `text`, ignoring case as IAM does for actions."""
    literal = pattern.replace("[", "[[]")  # fnmatch knows character sets, IAM does not
    return fnmatch.fnmatchcase(text.lower(), literal.lower())


def covers_everything_below(pattern: str, prefix: str) -> bool:
    """Whether an IAM pattern covers every text that starts with `prefix`."""
    return pattern.endswith("*") and matches(pattern, prefix)


def is_wildcard(text: str) -> bool:
    """Whether `text` consists of wildcards only."""
    return bool(text) and re.fullmatch(r"[*?]+", text) is not None


def _statement(number: int, item: object) -> Statement:
    if item is UNKNOWN:
        return Statement(number, True, False, (), (), (), (), (), (), None, unknown=True)
    if not isinstance(item, dict):
        raise MalformedDocumentError(f"has a statement {number} that is not an object")
    fields = _lower_keys(cast("dict[str, object]", item))
    if extra := sorted(fields.keys() - _ELEMENTS):
        raise MalformedDocumentError(
            f'has an unknown element "{extra[0][:40]}" in statement {number}'
        )
    effect = fields.get("effect")
    denies = isinstance(effect, str) and effect.lower() == "deny"
    return Statement(
        number=number,
        allows=not denies,
        denies=denies,
        actions=_texts(fields.get("action")),
        not_actions=_texts(fields.get("notaction")),
        resources=_texts(fields.get("resource")),
        not_resources=_texts(fields.get("notresource")),
        principals=tuple(_principals(fields.get("principal"))),
        not_principals=tuple(_principals(fields.get("notprincipal"))),
        condition=fields.get("condition"),
        unknown=effect is UNKNOWN,
    )


def _principals(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for kind, identities in cast("Mapping[str, object]", value).items():
            for identity in _texts(identities):
                yield kind, identity
    else:
        for identity in _texts(value):
            yield "AWS", identity


def _texts(value: object) -> tuple[object, ...]:
    return tuple(
        item if isinstance(item, str | Unknown | Wrong) else Wrong(repr(item)[:40], "a text")
        for item in one_or_many(value)
    )


def _lower_keys(mapping: dict[str, object]) -> dict[str, object]:
    lowered = {key.lower(): value for key, value in mapping.items()}
    if len(lowered) != len(mapping):
        raise MalformedDocumentError("has two elements whose names differ only in case")
    return lowered


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return mapping


def _reason(error: ValueError) -> str:
    """The parser's complaint without the text that it stumbled over."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return str(error)
