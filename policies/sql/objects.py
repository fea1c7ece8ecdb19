"""Statements about tables, views, triggers, rules, policies and extensions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pglast import ast
from pglast.enums import AlterTableType, BoolExprType, CmdType

from ..database.bodies import named
from ..database.model import ANY_NAME, Effect, Kind, Relation, Trigger
from ..database.privileges import change_owner
from ..database.reach import is_application, is_guarded
from .bodies import dotted, of_nodes, walk
from .session import Session, UndecidableError, object_kind

KEEP_RULE: Final = "db-migrations-keep-data"
# src/include/catalog/pg_trigger.h
_TRIGGER_EVENTS: Final = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}
_BEFORE_OR_INSTEAD: Final = 2 | 64
_RULE_EVENTS: Final = {
    CmdType.CMD_INSERT: "INSERT",
    CmdType.CMD_UPDATE: "UPDATE",
    CmdType.CMD_DELETE: "DELETE",
}
# Extensions whose control file says where they are.
_OWN_SCHEMA: Final = {"plpgsql": "pg_catalog", "pg_cron": "pg_catalog"}
_OFF: Final = {
    AlterTableType.AT_DisableTrig: True,
    AlterTableType.AT_DisableRule: True,
    AlterTableType.AT_EnableTrig: False,
    AlterTableType.AT_EnableAlwaysTrig: False,
    AlterTableType.AT_EnableRule: False,
    AlterTableType.AT_EnableAlwaysRule: False,
}
_ALL_OFF: Final = {
    AlterTableType.AT_DisableTrigAll: True,
    AlterTableType.AT_DisableTrigUser: True,
    AlterTableType.AT_EnableTrigAll: False,
    AlterTableType.AT_EnableTrigUser: False,
}


def create_table(session: Session, node: Any) -> None:
    """CREATE TABLE, foreign or not, with what it inherits from."""
    relation = session.new_relation(node.relation)
    for parent in node.inhRelations or ():
        relation.parents.add(session.relation_name(parent))
    for element in node.tableElts or ():
        if getattr(element, "colname", None):
            relation.columns.add(str(element.colname))
        elif isinstance(element, ast.TableLikeClause):
            other = session.database.relations.get(session.relation_name(element.relation))
            relation.columns |= other.columns if other is not None else set()


def create_view(session: Session, node: Any) -> None:
    """CREATE VIEW: with privileges of its own, and its owner's on what it reads."""
    reads = tuple(dict.fromkeys(_read_by(session, node.query)))
    relation = session.new_relation(node.view)
    relation.reads = reads
    sources = getattr(node.query, "fromClause", None) or ()
    relation.writes_through = len(sources) == 1 and isinstance(sources[0], ast.RangeVar)
    relation.invoker = False
    for option in node.options or ():
        _view_option(relation, option)


def _read_by(session: Session, query: Any) -> Iterator[str]:
    own = {str(one.ctename) for one in walk(query) if isinstance(one, ast.CommonTableExpr)}
    for one in walk(query):
        if isinstance(one, ast.RangeVar) and (one.schemaname or one.relname not in own):
            yield session.relation_name(one)


def _view_option(relation: Relation, option: Any) -> None:
    if option.defname == "security_invoker":
        value = getattr(option.arg, "sval", getattr(option.arg, "boolval", True))
        relation.invoker = str(value).lower() in ("true", "on", "1", "yes")


def create_table_as(session: Session, node: Any) -> None:
    """CREATE TABLE AS, CREATE MATERIALIZED VIEW, SELECT INTO."""
    reads = tuple(dict.fromkeys(_read_by(session, node.query)))
    relation = session.new_relation(node.into.rel)
    if node.objtype.name == "OBJECT_MATVIEW":
        relation.reads = reads


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
    else:
        _alter_parts(session, relation, command)


def _alter_parts(session: Session, relation: Relation, command: Any) -> None:
    """Triggers, options, columns."""
    kind = command.subtype
    if kind in _OFF or kind in _ALL_OFF:
        _switch(session, relation, kind, str(command.name))
    elif kind in (AlterTableType.AT_SetRelOptions, AlterTableType.AT_ResetRelOptions):
        for option in command.def_ or ():
            _view_option(relation, option)
            if kind == AlterTableType.AT_ResetRelOptions and option.defname == "security_invoker":
                relation.invoker = False
    elif kind == AlterTableType.AT_AddColumn:
        relation.columns.add(str(command.def_.colname))
    elif kind == AlterTableType.AT_DropColumn:
        relation.columns.discard(str(command.name))
        if not relation.object.name.startswith("pg_temp."):
            found = f"drops the column {command.name} of {relation.object.name}"
            session.note(KEEP_RULE, found)


def _switch(session: Session, relation: Relation, kind: AlterTableType, name: str) -> None:
    """Triggers and rules on and off."""
    guarded = is_guarded(session.database, relation)
    names = {name} if kind in _OFF else {one.name for one in relation.triggers}
    if {**_OFF, **_ALL_OFF}[kind]:
        relation.disabled |= names
    else:
        relation.disabled -= names
    if guarded and not is_guarded(session.database, relation):
        relation.unguarded_via = session.place


def create_trigger(session: Session, node: Any) -> None:
    """CREATE TRIGGER."""
    call = dotted(node.funcname)
    if node.relation.relname == ANY_NAME:
        found = named(session.database, call)
        if not found or any(one.security_definer for one in found):
            raise UndecidableError(f"makes a trigger with {call} on a table that is not known")
    relation = session.relation(session.relation_name(node.relation))
    events = tuple(name for bit, name in _TRIGGER_EVENTS.items() if node.events & bit)
    name = str(node.trigname)
    relation.triggers = [one for one in relation.triggers if one.name != name]
    before = bool(node.timing & _BEFORE_OR_INSTEAD)
    conditional = node.whenClause is not None or bool(node.columns)
    relation.triggers.append(Trigger(name, events, call, session.place, before, conditional))


def create_rule(session: Session, node: Any) -> None:
    """CREATE RULE; one for SELECT makes a view."""
    if node.relation.relname == ANY_NAME:
        raise UndecidableError("makes a rule for a table that is not known")
    relation = session.relation(session.relation_name(node.relation))
    event = _RULE_EVENTS.get(node.event, "SELECT")
    body = of_nodes(node.actions, session.relation_name)
    instead = bool(node.instead) and node.whereClause is None
    relation.rules = [one for one in relation.rules if one.name != node.rulename]
    relation.rules.append(Effect(str(node.rulename), event, body, session.place, instead))


def create_policy(session: Session, node: Any) -> None:
    """CREATE and ALTER POLICY: what it lets through, and whom."""
    relation = session.relation(session.relation_name(node.table))
    name = str(node.policy_name)
    relation.policies.add(name)
    if not getattr(node, "permissive", True):
        return
    roles = session.roles(node.roles) or ["PUBLIC"]
    reading = getattr(node, "cmd_name", "all") == "select"
    judged = [one for one in roles if _kept_out(session, one, reading=reading)]
    clauses = [one for one in (node.qual, node.with_check) if one is not None]
    if judged and any(_always(one) for one in clauses):
        relation.open_policies[name] = session.place
    elif clauses:
        relation.open_policies.pop(name, None)


def _kept_out(session: Session, role: str, *, reading: bool) -> bool:
    """Whether a role must not see every row: a backup reads all of them."""
    known = session.database.roles.get(role)
    if reading and known is not None and known.kind == "backup":
        return False
    return is_application(session.database, role, frozenset())


def _always(condition: Any) -> bool:
    """Whether a condition is true whoever asks: true, 1 = 1, true OR …."""
    if isinstance(condition, ast.BoolExpr):
        found = [_always(one) for one in condition.args or ()]
        either = condition.boolop == BoolExprType.OR_EXPR
        return any(found) if either else condition.boolop == BoolExprType.AND_EXPR and all(found)
    if isinstance(condition, ast.TypeCast):
        return str(getattr(getattr(condition.arg, "val", None), "sval", "")) in ("t", "true")
    if isinstance(condition, ast.A_Expr):
        sides = (condition.lexpr, condition.rexpr)
        constant = all(isinstance(one, ast.A_Const) for one in sides)
        return constant and sides[0] == sides[1] and dotted(condition.name) == "="
    return getattr(getattr(condition, "val", None), "boolval", False) is True


def create_extension(session: Session, node: Any) -> None:
    """CREATE EXTENSION: which one, and where."""
    options = {one.defname: one.arg for one in node.options or ()}
    name = str(node.extname)
    given = getattr(options.get("schema"), "sval", None)
    if not (node.if_not_exists and name in session.database.extensions):
        schema = given or _OWN_SCHEMA.get(name) or session.creation_schema
        session.database.extensions[name] = (str(schema), session.place)
