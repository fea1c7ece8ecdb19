"""What the text of a function, rule or statement does: actions, calls, what is undecided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from pglast import ast, parse_plpgsql
from pglast.enums import CmdType
from pglast.parser import ParseError

from ..database.model import ANY_NAME, Body
from .dynamic import text_of
from .parsing import UnreadableError, statements

_Item = TypeVar("_Item")
Resolve = Callable[[Any], str]
"""The relation that a RangeVar means."""

_QUERIES: Final = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
# Statements in a body that neither write rows nor change who may.
_PLAIN: Final = (
    *("ReturnStmt", "LockStmt", "NotifyStmt", "VariableShowStmt", "RefreshMatViewStmt"),
    *("VacuumStmt", "CreateStmt", "CreateTableAsStmt", "IndexStmt", "CommentStmt"),
)
# Settings that decide as whom and on what the rest of a body works.
_DECISIVE: Final = (
    *("role", "session_authorization", "search_path", "session_replication_role", "row_security"),
)
_EXPRESSION_MODES: Final = 2  # RAW_PARSE_PLPGSQL_EXPR; the ASSIGN modes follow
_DYNAMIC: Final = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors")
_ERROR: Final = 21  # src/include/utils/elog.h
_WHOLE_NUMBERS: Final = ("int", "integer", "bigint", "smallint", "int2", "int4", "int8", "oid")
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
        elif kind == "VariableSetStmt" and (node.name or _DECISIVE[0]).lower() not in _DECISIVE:
            continue
        elif kind not in (*_QUERIES, *_PLAIN):
            undecided.append(f"runs {statement_name(node)}")
        for inner in walk(node):
            actions += _actions(inner, resolve)
            if isinstance(inner, ast.FuncCall) and not _sets_little(inner):
                calls.append(dotted(inner.funcname))
    return Body(_unique(actions), _unique(calls), _unique(undecided))


def _sets_little(call: Any) -> bool:
    """Whether a call is set_config() of a setting that decides nothing."""
    if str(call.funcname[-1].sval) != "set_config":
        return False
    name = text_of(call.args[0], {}) if call.args else None
    return name is not None and name.lower() not in _DECISIVE


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
        tree = plpgsql_tree(definition)
    except UnreadableError as error:
        return Body(undecided=(f"has a body that {error}",))
    known = constants(tree)
    bodies: list[Body] = []
    for name, node in json_nodes(tree):
        if name in _DYNAMIC or "dynquery" in node:
            query = node.get("query") if name in _DYNAMIC else node.get("dynquery")
            bodies.append(_executed(query, known, resolve))
        elif name == "PLpgSQL_expr":
            bodies.append(_expression(node, resolve))
    return replace(merged(bodies), refuses=_refuses(tree))


def plpgsql_tree(text: str) -> object:
    """The tree of a function or DO block in PL/pgSQL. Raises `UnreadableError`."""
    try:
        return parse_plpgsql(text)
    except (ParseError, ValueError, RecursionError) as error:
        reason = f"cannot be parsed ({type(error).__name__})"
        raise UnreadableError(reason, 1) from None


def constants(tree: object) -> dict[str, str]:
    """Variables of a block whose text can be told: they get one value, and never another.

    Whole numbers are "0", which stands for any: in the text of a statement they are no more.
    """
    found: dict[str, str] = {}
    given: dict[str, list[Mapping[str, object]]] = {}
    for name, node in json_nodes(tree):
        if name == "PLpgSQL_var" and _is_number(node):
            found[str(node.get("refname"))] = "0"
    for name, value in _values(tree):
        given.setdefault(name, []).append(value)
    # Twice, because one may be made of another.
    for _ in range(2):
        for name, values in given.items():
            node = expression(values[0]) if len(values) == 1 and name not in found else None
            if node is not None and (text := text_of(node, dict(found))) is not None:
                found[name] = text
    return found


def _is_number(variable: Mapping[str, object]) -> bool:
    kind = str(cast("Any", variable.get("datatype", {})).get("PLpgSQL_type", {}).get("typname"))
    return kind.rpartition(".")[2].lower() in _WHOLE_NUMBERS


def _values(tree: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Every variable with each value that it gets; an empty one for what cannot be told."""
    names: list[str] = []
    for name, node in json_nodes(tree):
        if name == "PLpgSQL_function":
            datums = cast("list[dict[str, dict[str, object]]]", node.get("datums", []))
            names = [str(next(iter(one.values())).get("refname", "")) for one in datums]
        elif name == "PLpgSQL_var":
            if default := cast("Any", node.get("default_val", {})).get("PLpgSQL_expr"):
                yield str(node.get("refname")), default
            elif "lineno" not in node:
                yield str(node.get("refname")), {}  # A parameter: whatever the caller gives.
        elif name == "PLpgSQL_stmt_assign":
            yield (
                names[cast("int", node.get("varno", 0))],
                cast("Any", node.get("expr", {})).get("PLpgSQL_expr", {}),
            )
        elif name == "PLpgSQL_stmt_foreach_a":
            yield names[cast("int", node.get("varno", 0))], {}
        elif name == "PLpgSQL_diag_item":
            yield names[cast("int", node.get("target", 0))], {}
        elif name == "PLpgSQL_stmt_call":
            yield from ((one, {}) for one in names)  # It may have output parameters.
        # INTO, and loops: whatever the query finds.
        yield from ((one, {}) for one in _targets(node))


def _targets(statement: Mapping[str, object]) -> Iterator[str]:
    for _, row in json_nodes([statement.get("target"), statement.get("var")]):
        fields = cast("list[dict[str, object]]", row.get("fields", []))
        yield from (str(one.get("refname", one.get("name"))) for one in (row, *fields))


def expression(fields: Mapping[str, object]) -> Any:
    """The parsed expression of a PLpgSQL_expr; `None` if it is none."""
    query = _query_of(fields)
    try:
        found = [one.node for one in statements(query)]
    except UnreadableError:
        return None
    targets = getattr(found[0], "targetList", None) if len(found) == 1 else None
    return targets[0].val if targets and len(targets) == 1 else None


def executed(fields: object, known: Mapping[str, str]) -> list[Any] | None:
    """The statements that EXECUTE carries out; `None` if they cannot be told."""
    inner = cast("Any", fields or {}).get("PLpgSQL_expr", {})
    node = expression(inner)
    text = None if node is None else text_of(node, known)
    if text is None:
        return None
    try:
        return [one.node for one in statements(text)]
    except UnreadableError:
        return None


def _executed(fields: object, known: Mapping[str, str], resolve: Resolve) -> Body:
    nodes = executed(fields, known)
    if nodes is None:
        return Body(undecided=("runs dynamic SQL (EXECUTE)",))
    body = of_nodes(nodes, resolve)
    if any(ANY_NAME in table and event != "DELETE" for event, table in body.actions):
        # Whatever table it is may have triggers and rules.
        return merged([body, Body(undecided=("writes to a table that is not known",))])
    return body


def _refuses(tree: object) -> bool:
    """Whether a trigger's function raises an exception whatever happens, but for TG_OP."""
    for name, node in json_nodes(tree):
        if name == "PLpgSQL_function":
            action = cast("Any", node.get("action", {})).get("PLpgSQL_stmt_block", {})
            return "exceptions" not in action and _stops(action.get("body", []))
    return False


def _stops(body: list[dict[str, dict[str, Any]]]) -> bool:
    for statement in body:
        ((name, fields),) = statement.items()
        if name == "PLpgSQL_stmt_raise" and fields.get("elog_level", _ERROR) >= _ERROR:
            return True
        if name == "PLpgSQL_stmt_if":
            condition = fields.get("cond", {}).get("PLpgSQL_expr", {}).get("query", "")
            if condition.strip("( ").upper().startswith("TG_OP") and _stops(fields["then_body"]):
                return True
        elif name == "PLpgSQL_stmt_return":
            return fields.get("expr", {}).get("PLpgSQL_expr", {}).get("query", "") == "NULL"
    return False


def _query_of(fields: Mapping[str, object]) -> str:
    query, mode = str(fields.get("query", "")), fields.get("parseMode", 0)
    if isinstance(mode, int) and mode >= _EXPRESSION_MODES:
        if mode > _EXPRESSION_MODES:
            query = query.partition(":=")[2] or query.partition("=")[2]
        query = f"SELECT {query}"
    return query


def _expression(node: dict[str, object], resolve: Resolve) -> Body:
    query = _query_of(node)
    try:
        return of_nodes([one.node for one in statements(query)], resolve)
    except UnreadableError:
        shown = str(node.get("query", ""))[:60]
        return Body(undecided=(f'has the statement "{shown}", which cannot be parsed',))


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


def json_nodes(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Every node of a tree of PL/pgSQL with its name."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            if key.startswith("PLpgSQL_"):
                yield key, cast("dict[str, object]", item)
            yield from json_nodes(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from json_nodes(item)


def _unique(items: list[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))
