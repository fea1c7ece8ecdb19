"""Statements about tables, views, functions, triggers and rules."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, Final

from pglast.enums import AlterTableType, CmdType, ObjectType, VariableSetKind
from pglast.stream import RawStream

from ..database.model import Body, Effect, Function, Kind, Object, Relation, Trigger
from ..database.privileges import change_owner, created, dropped
from .bodies import dotted, of_nodes, of_plpgsql, of_text
from .session import Session, UndecidableError, object_kind

KEEP_RULE: Final = "db-migrations-keep-data"
ROWS_RULE: Final = "db-row-security"
EXTENSIONS_RULE: Final = "db-extensions-allowed"
# src/include/catalog/pg_trigger.h
_TRIGGER_EVENTS: Final = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}
_RULE_EVENTS: Final = {
    CmdType.CMD_INSERT: "INSERT",
    CmdType.CMD_UPDATE: "UPDATE",
    CmdType.CMD_DELETE: "DELETE",
}
_PART_DROPS: Final = ("OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY")
_HARMLESS_DROPS: Final = ("OBJECT_INDEX", "OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_STATISTIC_EXT")


def create_table(session: Session, node: Any) -> None:
    """CREATE TABLE, foreign or not, with what it inherits from."""
    relation = session.new_relation(node.relation)
    for parent in node.inhRelations or ():
        relation.parents.add(session.relation_name(parent))
    for element in node.tableElts or ():
        if getattr(element, "colname", None):
            relation.columns.add(str(element.colname))


def create_view(session: Session, node: Any) -> None:
    """CREATE VIEW: with privileges of its own."""
    session.new_relation(node.view)


def create_table_as(session: Session, node: Any) -> None:
    """CREATE TABLE AS, CREATE MATERIALIZED VIEW, SELECT INTO."""
    session.new_relation(node.into.rel)


def create_sequence(session: Session, node: Any) -> None:
    """CREATE SEQUENCE."""
    session.new_relation(node.sequence, Kind.SEQUENCE)


def alter_table(session: Session, node: Any) -> None:
    """ALTER TABLE: owners, parents, row security, columns."""
    name = session.relation_name(node.relation)
    # An index or a type has no rows of its own.
    if object_kind(node.objtype) is Kind.OTHER:
        return
    relation = session.relation(name, object_kind(node.objtype))
    for command in node.cmds or ():
        _alter(session, relation, command)


def _alter(session: Session, relation: Relation, command: Any) -> None:
    kind = command.subtype
    if kind == AlterTableType.AT_ChangeOwner:
        change_owner(session.database, relation.object, session.role_name(command.newowner))
        relation.via = session.place
    elif kind == AlterTableType.AT_AttachPartition:
        session.relation(session.relation_name(command.def_.name)).parents.add(relation.object.name)
    elif kind == AlterTableType.AT_DetachPartition:
        child = session.relation(session.relation_name(command.def_.name))
        child.parents.discard(relation.object.name)
    elif kind == AlterTableType.AT_AddInherit:
        relation.parents.add(session.relation_name(command.def_))
    elif kind == AlterTableType.AT_DropInherit:
        relation.parents.discard(session.relation_name(command.def_))
    elif kind in (AlterTableType.AT_EnableRowSecurity, AlterTableType.AT_DisableRowSecurity):
        relation.row_security = kind == AlterTableType.AT_EnableRowSecurity
    elif kind in (AlterTableType.AT_ForceRowSecurity, AlterTableType.AT_NoForceRowSecurity):
        relation.forced_row_security = kind == AlterTableType.AT_ForceRowSecurity
    elif kind == AlterTableType.AT_AddColumn:
        relation.columns.add(str(command.def_.colname))
    elif kind == AlterTableType.AT_DropColumn:
        relation.columns.discard(str(command.name))
        session.note(KEEP_RULE, f"drops the column {command.name} of {relation.object.name}")


def create_trigger(session: Session, node: Any) -> None:
    """CREATE TRIGGER."""
    relation = session.relation(session.relation_name(node.relation))
    events = tuple(name for bit, name in _TRIGGER_EVENTS.items() if node.events & bit)
    name = str(node.trigname)
    relation.triggers = [one for one in relation.triggers if one.name != name]
    relation.triggers.append(Trigger(name, events, dotted(node.funcname), session.place))


def create_rule(session: Session, node: Any) -> None:
    """CREATE RULE; one for SELECT makes a view."""
    relation = session.relation(session.relation_name(node.relation))
    event = _RULE_EVENTS.get(node.event, "SELECT")
    body = of_nodes(node.actions, session.relation_name)
    relation.rules = [one for one in relation.rules if one.name != node.rulename]
    relation.rules.append(Effect(str(node.rulename), event, body, session.place))


def create_policy(session: Session, node: Any) -> None:
    """CREATE and ALTER POLICY: what it lets through."""
    relation = session.relation(session.relation_name(node.table))
    relation.policies.add(str(node.policy_name))
    for clause in (node.qual, node.with_check):
        value = getattr(clause, "val", None)
        if getattr(value, "boolval", False) is True and getattr(node, "permissive", True):
            found = f"has the policy {node.policy_name} on {relation.object.name} let all through"
            session.note(ROWS_RULE, found)


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


def create_extension(session: Session, node: Any) -> None:
    """CREATE EXTENSION: which one, and where."""
    options = {one.defname: one.arg for one in node.options or ()}
    schema = getattr(options.get("schema"), "sval", None) or session.creation_schema
    session.database.extensions[str(node.extname)] = (str(schema), session.place)


def drop(session: Session, node: Any) -> None:
    """DROP of anything."""
    kind = object_kind(node.removeType)
    name = node.removeType.name
    if name in _PART_DROPS:
        for one in node.objects:
            _drop_part(session, name, session.parts(one[:-1]), str(one[-1].sval))
    elif kind is Kind.OTHER and name != "OBJECT_EXTENSION":
        if name not in _HARMLESS_DROPS:
            what = name.removeprefix("OBJECT_").replace("_", " ").lower()
            raise UndecidableError(f"drops a {what}")
    else:
        for one in node.objects:
            _drop_object(session, kind, name, one)


def _drop_object(session: Session, kind: Kind, type_name: str, named: Any) -> None:
    if kind is Kind.SCHEMA:
        _drop_schema(session, str(named.sval))
    elif kind in (Kind.TABLE, Kind.SEQUENCE):
        name = session.parts(named)
        if type_name == "OBJECT_TABLE":
            session.note(KEEP_RULE, f"drops the table {name}")
        dropped(session.database, Object(kind, name))
    elif kind is Kind.FUNCTION:
        with contextlib.suppress(UndecidableError):  # What is not known here is not judged either.
            for function in session.functions(named):
                dropped(session.database, function.object)
    else:
        session.database.extensions.pop(str(named.sval), None)


def _drop_part(session: Session, type_name: str, table: str, name: str) -> None:
    """A trigger, rule or policy."""
    relation = session.relation(table)
    if type_name == "OBJECT_TRIGGER":
        relation.triggers = [one for one in relation.triggers if one.name != name]
    elif type_name == "OBJECT_RULE":
        relation.rules = [one for one in relation.rules if one.name != name]
    else:
        relation.policies.discard(name)


def _drop_schema(session: Session, schema: str) -> None:
    database = session.database
    session.note(KEEP_RULE, f"drops the schema {schema}")
    for relation in list(database.relations.values()):
        if relation.object.schema == schema:
            dropped(database, relation.object)
    for function in list(database.functions.values()):
        if function.object.schema == schema:
            dropped(database, function.object)
    dropped(database, Object(Kind.SCHEMA, schema))


def rename(session: Session, node: Any) -> None:
    """ALTER … RENAME TO: of tables; what else carries privileges cannot be followed."""
    kind = object_kind(node.renameType)
    if kind in (Kind.TABLE, Kind.SEQUENCE):
        old = session.relation_name(node.relation)
        _move(session, old, f"{old.rpartition('.')[0]}.{node.newname}", kind)
    elif node.renameType in (
        *(ObjectType.OBJECT_ROLE, ObjectType.OBJECT_SCHEMA, ObjectType.OBJECT_FUNCTION),
        *(ObjectType.OBJECT_PROCEDURE, ObjectType.OBJECT_ROUTINE, ObjectType.OBJECT_TRIGGER),
        *(ObjectType.OBJECT_RULE, ObjectType.OBJECT_DATABASE, ObjectType.OBJECT_POLICY),
    ):
        what = node.renameType.name.removeprefix("OBJECT_").lower()
        raise UndecidableError(f"renames a {what}, which would be lost sight of")
    elif node.renameType == ObjectType.OBJECT_COLUMN and node.relation is not None:
        relation = session.relation(session.relation_name(node.relation))
        relation.columns.discard(str(node.subname))
        relation.columns.add(str(node.newname))


def set_schema(session: Session, node: Any) -> None:
    """ALTER … SET SCHEMA: of tables."""
    kind = object_kind(node.objectType)
    if kind is Kind.FUNCTION:
        raise UndecidableError("moves a function to another schema")
    if kind in (Kind.TABLE, Kind.SEQUENCE):
        old = session.relation_name(node.relation)
        _move(session, old, f"{node.newschema}.{old.rpartition('.')[2]}", kind)


def _move(session: Session, old: str, new: str, kind: Kind) -> None:
    database = session.database
    relation = session.relation(old, kind)
    del database.relations[old]
    moved = Object(kind, new)
    for grant in list(database.on(relation.object)):
        del database.grants[grant.object, grant.role, grant.privilege, grant.grantor]
        database.add(replace(grant, object=moved))
    relation.object = moved
    database.relations[new] = relation
    for other in database.relations.values():
        if old in other.parents:
            other.parents = {*other.parents - {old}, new}
