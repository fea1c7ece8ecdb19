"""The text of dynamic SQL, where all of it but names and values can be told beforehand.

`format('… %I …', x)` cannot become another statement, whatever `x` is: its name is `ANY_NAME`,
which every rule takes for an application's, a stranger's or a customer's, and a value is NULL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pglast import ast
from pglast.enums import A_Expr_Kind

from ..database.model import ANY_NAME

_PLACE: Final = re.compile(r"%(?:(\d+)\$)?([%sIL])")
# Formats of dates that make digits and underscores only.
_DIGITS: Final = re.compile(r"(?:YYYY|YY|MM|DDD|DD|D|IYYY|IW|WW|HH24|HH|MI|SS|Q|_|0|9|FM)+")
_NAMING_TYPES: Final = ("regclass", "regrole", "regnamespace", "regtype")
_TEXT_TYPES: Final = ("text", "varchar", "name", "bpchar")
_QUOTING: Final = {
    "quote_ident": f'"{ANY_NAME}"',
    "quote_literal": "NULL",
    "quote_nullable": "NULL",
}


def text_of(node: Any, constants: Mapping[str, str]) -> str | None:
    """The SQL that an expression comes to; `None` if it can be anything."""
    if isinstance(node, ast.A_Const):
        return str(node.val.sval) if isinstance(node.val, ast.String) else None
    if isinstance(node, ast.ColumnRef):
        name = ".".join(str(getattr(one, "sval", "*")) for one in node.fields or ())
        return constants.get(name)
    if isinstance(node, ast.TypeCast):
        return _cast(node, constants)
    if isinstance(node, ast.A_Expr):
        return _joined(node, constants)
    if isinstance(node, ast.FuncCall):
        return _called(node, constants)
    return None


def _cast(node: Any, constants: Mapping[str, str]) -> str | None:
    kind = str(node.typeName.names[-1].sval)
    if kind in _NAMING_TYPES:
        return f'"{ANY_NAME}"'  # As text it is quoted where it must be.
    return text_of(node.arg, constants) if kind in _TEXT_TYPES else None


def _joined(node: Any, constants: Mapping[str, str]) -> str | None:
    if node.kind != A_Expr_Kind.AEXPR_OP or str(node.name[-1].sval) != "||":
        return None
    parts = [text_of(one, constants) for one in (node.lexpr, node.rexpr)]
    return None if None in parts else "".join(str(one) for one in parts)


def _called(node: Any, constants: Mapping[str, str]) -> str | None:
    name, arguments = str(node.funcname[-1].sval), list(node.args or ())
    if name in _QUOTING and len(arguments) == 1:
        given = text_of(arguments[0], constants)
        return _QUOTING[name] if given is None else _quoted(name, given)
    if name == "format" and arguments and not node.func_variadic:
        pattern = text_of(arguments[0], constants)
        return None if pattern is None else _formatted(pattern, arguments[1:], constants)
    if name == "to_char" and len(arguments) == 2:
        shape = text_of(arguments[1], constants)
        return "0" if shape is not None and _DIGITS.fullmatch(shape) else None
    if name == "concat":
        parts = [text_of(one, constants) for one in arguments]
        return None if None in parts else "".join(str(one) for one in parts)
    return None


def _quoted(how: str, given: str) -> str:
    return '"' + given.replace('"', '""') + '"' if how == "quote_ident" else _literal(given)


def _literal(given: str) -> str:
    return "'" + given.replace("'", "''") + "'"


def _formatted(pattern: str, arguments: list[Any], constants: Mapping[str, str]) -> str | None:
    parts: list[str] = []
    position = used = 0
    for found in _PLACE.finditer(pattern):
        if "%" in pattern[position : found.start()]:
            return None  # A width, which nobody uses for SQL.
        parts.append(pattern[position : found.start()])
        position = found.end()
        if found[2] == "%":
            parts.append("%")
            continue
        used = int(found[1]) if found[1] else used + 1
        if not 0 < used <= len(arguments):
            return None
        given = text_of(arguments[used - 1], constants)
        if found[2] == "s":
            if given is None:
                return None
            parts.append(given)
        elif found[2] == "I":
            parts.append(f'"{ANY_NAME}"' if given is None else _quoted("quote_ident", given))
        else:
            parts.append("NULL" if given is None else _literal(given))
    if "%" in pattern[position:]:
        return None
    return "".join([*parts, pattern[position:]])
