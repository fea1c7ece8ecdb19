"""What the text of a function, rule or statement does: actions, calls, what is undecided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

from pglast import ast, parse_plpgsql
from pglast.enums import CmdType
from pglast.parser import ParseError

from ..database.model import Body
from .parsing import UnreadableError, statements

_Item = TypeVar("_Item")
Resolve = Callable[[Any], str]
"""The relation that a RangeVar means."""

_QUERIES: Final = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
# Statements in a body that neither write rows nor change who may.
_PLAIN: Final = ("ReturnStmt", "LockStmt", "NotifyStmt", "VariableShowStmt", "RefreshMatViewStmt")
_EXPRESSION_MODES: Final = 2  # RAW_PARSE_PLPGSQL_EXPR; the ASSIGN modes follow
_DYNAMIC: Final = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors")
_MERGE_EVENTS: Final = {
    CmdType.CMD_INSERT: "INSERT",
    CmdType.CMD_UPDATE: "UPDATE",
    CmdType.CMD_DELETE: "DELETE",
}


def of_nodes(nodes: object, resolve: Resolve) -> Body:
    """What parsed statements do."""
    actions: list[tuple[str, str]] = []
    calls: list[str] = []
    undecided: list[str] = []
    for node in _flat(nodes):
        kind = type(node).__name__
        if kind == "TruncateStmt":
            actions += [("TRUNCATE", resolve(one)) for one in node.relations]
        elif kind == "CallStmt":
            calls.append(dotted(node.funccall.funcname))
        elif kind not in (*_QUERIES, *_PLAIN):
            undecided.append(f"runs {statement_name(node)}")
        for inner in walk(node):
            actions += _actions(inner, resolve)
            if isinstance(inner, ast.FuncCall):
                calls.append(dotted(inner.funcname))
    return Body(_unique(actions), _unique(calls), _unique(undecided))


def _actions(node: Any, resolve: Resolve) -> list[tuple[str, str]]:
    if isinstance(node, ast.DeleteStmt):
        return [("DELETE", resolve(node.relation))]
    if isinstance(node, ast.UpdateStmt):
        return [("UPDATE", resolve(node.relation))]
    if isinstance(node, ast.InsertStmt):
        table = resolve(node.relation)
        updates = [("UPDATE", table)] if node.onConflictClause is not None else []
        return [("INSERT", table), *updates]
    if isinstance(node, ast.MergeStmt):
        table = resolve(node.relation)
        found = [_MERGE_EVENTS.get(one.commandType) for one in node.mergeWhenClauses or ()]
        return [(event, table) for event in found if event]
    return []


def of_text(text: str, language: str, resolve: Resolve) -> Body:
    """What the body of a function in SQL does; of another language nothing can be told."""
    if language != "sql":
        return Body(undecided=(f"is written in {language}",))
    try:
        return of_nodes([one.node for one in statements(text)], resolve)
    except UnreadableError as error:
        return Body(undecided=(f"has a body that {error}",))


def of_plpgsql(definition: str, resolve: Resolve) -> Body:
    """What a function in PL/pgSQL does; `definition` is its whole CREATE FUNCTION."""
    try:
        tree = parse_plpgsql(definition)
    except (ParseError, ValueError, RecursionError) as error:
        return Body(undecided=(f"has a body that cannot be parsed ({type(error).__name__})",))
    bodies: list[Body] = []
    for name, node in _json_nodes(tree):
        if name in _DYNAMIC or "dynquery" in node:
            bodies.append(Body(undecided=("runs dynamic SQL (EXECUTE)",)))
        elif name == "PLpgSQL_expr":
            bodies.append(_expression(node, resolve))
    return merged(bodies)


def _expression(node: dict[str, object], resolve: Resolve) -> Body:
    query, mode = str(node.get("query", "")), node.get("parseMode", 0)
    if isinstance(mode, int) and mode >= _EXPRESSION_MODES:
        if mode > _EXPRESSION_MODES:
            query = query.partition(":=")[2] or query.partition("=")[2]
        query = f"SELECT {query}"
    try:
        return of_nodes([one.node for one in statements(query)], resolve)
    except UnreadableError:
        return Body(undecided=(f'has the statement "{query[:60]}", which cannot be parsed',))


def merged(bodies: list[Body]) -> Body:
    """All that several bodies do."""
    return Body(
        _unique([one for body in bodies for one in body.actions]),
        _unique([one for body in bodies for one in body.calls]),
        _unique([one for body in bodies for one in body.undecided]),
    )


def walk(node: object) -> Iterator[Any]:
    """A node of pglast and all inside it."""
    stack: list[Any] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, ast.Node):
            yield one
            stack += [getattr(one, name, None) for name in one]
        elif isinstance(one, tuple | list):
            stack += list(cast("list[Any]", one))


def dotted(names: Any) -> str:
    """A name of several parts, as PostgreSQL folds it."""
    return ".".join(str(part.sval) for part in names or ())


def statement_name(node: Any) -> str:
    """`GrantStmt` as people write it: GRANT."""
    words: list[str] = []
    for char in type(node).__name__.removesuffix("Stmt"):
        if char.isupper():
            words.append("")
        words[-1] += char.upper()
    return " ".join(words)


def _flat(nodes: object) -> Iterator[Any]:
    if isinstance(nodes, tuple | list):
        for node in cast("list[object]", nodes):
            yield from _flat(node)
    elif nodes is not None:
        yield nodes


def _json_nodes(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            if key.startswith("PLpgSQL_") and isinstance(item, dict):
                yield key, cast("dict[str, object]", item)
            yield from _json_nodes(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _json_nodes(item)


def _unique(items: list[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))
