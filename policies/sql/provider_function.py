"""`postgresql:index/function:Function` as the CREATE FUNCTION that the provider makes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from pglast import ast

from ..database.model import Database, Place
from ..inventory import Resource
from ..values import contains_unknown, one_or_many
from .functions import create_function
from .parsing import UnreadableError, statements
from .session import Session, UndecidableError

_READ: Final = ("name", "schema", "securityDefiner", "language", "body", "args", "returns")
# The provider takes a body with and without what encloses it.
_OPENING: Final = re.compile(r"\A\s*AS\s+(\$\w*\$)\s*", re.IGNORECASE)


def create(database: Database, resource: Resource, owner: str, via: Place) -> str:
    """Add the function; why it could not be read, as the end of the sentence "it …"."""
    if any(contains_unknown(resource.get(key)) for key in _READ):
        return "has a body that is not known yet"
    try:
        found = [one.node for one in statements(_statement(resource))]
    except (UnreadableError, TypeError) as error:
        return f"cannot be read: {error}"
    if len(found) != 1 or not isinstance(found[0], ast.CreateFunctionStmt):
        return "is more than one function"
    session = Session(database, owner, place=via)
    try:
        create_function(session, found[0])
    except (UndecidableError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"cannot be followed: {error}"
    return ""


def _statement(resource: Resource) -> str:
    """https://www.pulumi.com/registry/packages/postgresql/api-docs/function/: the defaults."""
    name = f"{_quoted(_text(resource, 'schema', 'public'))}.{_quoted(_text(resource, 'name'))}"
    arguments = ", ".join(_argument(one) for one in one_or_many(resource.get("args")))
    definer = resource.get("securityDefiner")
    rights = "INVOKER" if definer in (None, False, "false") else "DEFINER"
    return (
        f"CREATE FUNCTION {name} ({arguments}) RETURNS {_text(resource, 'returns', 'void')} "
        f"LANGUAGE {_quoted(_text(resource, 'language', 'plpgsql').lower())} SECURITY {rights} "
        f"AS {_literal(_body(_text(resource, 'body')))}"
    )


def _argument(value: object) -> str:
    if not isinstance(value, dict):
        raise TypeError("an argument is no object")
    fields = cast("Mapping[str, object]", value)
    words = [fields.get(key) for key in ("mode", "name", "type")]
    if not all(isinstance(word, str | None) for word in words) or not words[2]:
        raise TypeError("an argument has no type")
    mode, name, kind = words
    return " ".join(str(one) for one in (mode, name and _quoted(str(name)), kind) if one)


def _body(text: str) -> str:
    if found := _OPENING.match(text):
        return text[found.end() :].rpartition(found[1])[0]
    return text


def _text(resource: Resource, key: str, default: str | None = None) -> str:
    value = resource.get(key)
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
