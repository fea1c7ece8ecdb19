"""Statements about functions, and what calls them unseen: aggregates, operators, casts."""

from __future__ import annotations

from typing import Any

from pglast.enums import ObjectType, VariableSetKind
from pglast.stream import RawStream

from ..database.bodies import consequences, named
from ..database.model import Body, Function, Kind, Object
from ..database.privileges import created
from .bodies import dotted, of_nodes, of_plpgsql, of_text
from .session import Session, UndecidableError

_CALLING = ("sfunc", "finalfunc", "combinefunc", "msfunc", "minvfunc", "mfinalfunc")
_CALLED = ("function", "procedure", "restrict", "join")
_DEFINED = (
    *(ObjectType.OBJECT_COLLATION, ObjectType.OBJECT_TSCONFIGURATION, ObjectType.OBJECT_TSTEMPLATE),
    *(ObjectType.OBJECT_TSDICTIONARY, ObjectType.OBJECT_TSPARSER, ObjectType.OBJECT_TYPE),
)


def create_function(session: Session, node: Any) -> None:
    """CREATE FUNCTION, CREATE PROCEDURE."""
    name = session.function_name(node.funcname, node.parameters)
    options = {one.defname: one.arg for one in node.options or () if one.defname != "set"}
    known = session.database.functions.get(name)
    # CREATE OR REPLACE keeps owner and privileges.
    function = known or Function(Object(Kind.FUNCTION, name), session.role, session.place)
    function.via = session.place
    function.language = str(getattr(options.get("language"), "sval", "sql")).lower()
    function.security_definer = bool(getattr(options.get("security"), "boolval", False))
    function.search_path = None
    for option in node.options or ():
        if option.defname == "set":
            _set(session, function, option.arg)
    function.body = _body(session, function, node, options.get("as"))
    if known is None:
        session.database.functions[name] = function
        created(session.database, function.object, session.role, session.place)


def _body(session: Session, function: Function, node: Any, text: Any) -> Body:
    outside, session.search_path = session.search_path, _names_in(session, function)
    try:
        if node.sql_body is not None:
            return of_nodes(node.sql_body, session.relation_name)
        if function.language == "plpgsql":
            return of_plpgsql(_definition(node), session.relation_name)
        return of_text(str(text[0].sval), function.language, session.relation_name)
    finally:
        session.search_path = outside


def _names_in(session: Session, function: Function) -> tuple[str, ...]:
    own = tuple(one for one in function.search_path or () if one not in ("", "pg_temp"))
    return own or session.search_path


def _definition(node: Any) -> str:
    """The statement as text again: the parser of PL/pgSQL takes nothing else."""
    return str(RawStream()(node))


def _set(session: Session, function: Function, setting: Any) -> None:
    name = (setting.name or "").lower()
    if name in ("role", "session_authorization"):
        raise UndecidableError(f"makes a function that changes {name}")
    if setting.kind in (VariableSetKind.VAR_RESET, VariableSetKind.VAR_RESET_ALL):
        if name in ("search_path", ""):
            function.search_path = None
    elif name == "search_path":
        if setting.kind == VariableSetKind.VAR_SET_CURRENT:
            function.search_path = session.search_path
        elif setting.kind == VariableSetKind.VAR_SET_VALUE:
            values = [str(getattr(one.val, "sval", "")) for one in setting.args or ()]
            function.search_path = tuple(values)
        else:
            function.search_path = None


def alter_function(session: Session, node: Any) -> None:
    """ALTER FUNCTION: whose rights it has, and its search_path."""
    for function in session.functions(node.func):
        for action in node.actions or ():
            if action.defname == "security":
                function.security_definer = bool(action.arg.boolval)
                function.via = session.place
            elif action.defname == "set":
                _set(session, function, action.arg)


def define(session: Session, node: Any) -> None:
    """CREATE AGGREGATE, OPERATOR, COLLATION, TEXT SEARCH …, and the shell of a TYPE."""
    options = {one.defname: one.arg for one in node.definition or ()}
    if node.kind == ObjectType.OBJECT_AGGREGATE:
        schema = session.creation_schema if len(node.defnames) == 1 else str(node.defnames[0].sval)
        name = f"{schema}.{node.defnames[-1].sval}(aggregate)"
        calls = tuple(dotted(options[key].names) for key in _CALLING if key in options)
        function = Function(Object(Kind.FUNCTION, name), session.role, session.place)
        function.body = Body(calls=calls)
        session.database.functions[name] = function
        created(session.database, function.object, session.role, session.place)
    elif node.kind == ObjectType.OBJECT_OPERATOR:
        for key in _CALLED:
            if key in options:
                _unseen(session, options[key].names, "makes an operator")
    elif node.kind not in _DEFINED or "input" in options:
        raise UndecidableError("defines a type of functions")


def create_cast(session: Session, node: Any) -> None:
    """CREATE CAST: by a function, or by what the types are anyway."""
    if node.func is not None:
        _unseen(session, node.func.objname, "makes a cast")


def _unseen(session: Session, names: Any, what: str) -> None:
    """A function that operators and casts call, whose name then stands nowhere."""
    call = dotted(names)
    found = named(session.database, call)
    own = call.rpartition(".")[0] == "pg_catalog"
    ends = [end for one in found for end in consequences(session.database, one.body)]
    if not (found or own) or ends or any(one.security_definer for one in found):
        raise UndecidableError(f"{what}, which calls {call} unseen")


def create_event_trigger(session: Session, node: Any) -> None:
    """CREATE EVENT TRIGGER: its function runs at every change, as whoever makes it."""
    call = dotted(node.funcname)
    found = named(session.database, call)
    ends = [end.text for one in found for end in consequences(session.database, one.body)]
    if not found or any(one.security_definer for one in found):
        raise UndecidableError(f"makes an event trigger, which runs {call} at every change")
    if ends:
        raise UndecidableError(f"makes an event trigger, which {ends[0]} at every change")
