"""DROP, RENAME and SET SCHEMA of whatever it is."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from pglast.enums import DropBehavior, ObjectType

from ..database.model import ANY_NAME, Kind, Object
from ..database.privileges import dropped
from ..database.reach import is_guarded
from ..database.renames import rename_objects, rename_role, rename_schema
from .objects import KEEP_RULE
from .session import Session, UndecidableError, object_kind

_PART_DROPS: Final = ("OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY")
# With CASCADE the columns of a type, or of an extension's type, go with it.
_TYPES: Final = ("OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_EXTENSION")
_RENAMED_PARTS: Final = {
    ObjectType.OBJECT_TRIGGER: "triggers",
    ObjectType.OBJECT_RULE: "rules",
    ObjectType.OBJECT_POLICY: "policies",
}
_FUNCTIONS: Final = (
    *(ObjectType.OBJECT_FUNCTION, ObjectType.OBJECT_PROCEDURE, ObjectType.OBJECT_ROUTINE),
)


def drop(session: Session, node: Any) -> None:
    """DROP of anything."""
    kind, name = object_kind(node.removeType), node.removeType.name
    if name in _TYPES and node.behavior == DropBehavior.DROP_CASCADE:
        what = name.removeprefix("OBJECT_").lower()
        session.note(KEEP_RULE, f"drops the {what} and, by CASCADE, what is made of it")
    for one in node.objects:
        if name in _PART_DROPS:
            _drop_part(session, name, session.parts(one[:-1]), str(one[-1].sval))
        elif kind is Kind.SCHEMA:
            _drop_schema(session, str(one.sval))
        elif kind in (Kind.TABLE, Kind.SEQUENCE):
            _drop_relation(session, kind, name, session.parts(one))
        elif kind is Kind.FUNCTION:
            # What is not known here is not judged either.
            with contextlib.suppress(UndecidableError):
                for function in session.functions(one):
                    dropped(session.database, function.object)
        elif name == "OBJECT_EXTENSION":
            session.database.extensions.pop(str(one.sval), None)


def _drop_relation(session: Session, kind: Kind, type_name: str, name: str) -> None:
    if type_name == "OBJECT_TABLE" and not name.startswith("pg_temp."):
        session.note(KEEP_RULE, f"drops the table {name}")
    dropped(session.database, Object(kind, name))


def _drop_part(session: Session, type_name: str, table: str, name: str) -> None:
    """A trigger, rule or policy."""
    relation = session.relation(table)
    guarded = is_guarded(session.database, relation)
    if type_name == "OBJECT_TRIGGER":
        relation.triggers = [one for one in relation.triggers if one.name != name]
    elif type_name == "OBJECT_RULE":
        relation.rules = [one for one in relation.rules if one.name != name]
    else:
        relation.policies.discard(name)
        relation.open_policies.pop(name, None)
    if guarded and not is_guarded(session.database, relation):
        relation.unguarded_via = session.place


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
    """ALTER … RENAME TO."""
    kind, what, new = object_kind(node.renameType), node.renameType, str(node.newname)
    database = session.database
    if ANY_NAME in (new, node.subname) or getattr(node.relation, "relname", "") == ANY_NAME:
        raise UndecidableError("renames what is not known, which would be lost sight of")
    if kind in (Kind.TABLE, Kind.SEQUENCE):
        old = session.relation_name(node.relation)
        move(session, old, f"{old.rpartition('.')[0]}.{new}", kind)
    elif what == ObjectType.OBJECT_ROLE:
        rename_role(database, str(node.subname), new)
    elif what == ObjectType.OBJECT_SCHEMA:
        rename_schema(database, str(node.subname), new)
    elif what in _FUNCTIONS:
        for function in session.functions(node.object):
            old = function.object.name
            start, bracket, arguments = old.partition("(")
            _function_named(session, old, f"{start.partition('.')[0]}.{new}{bracket}{arguments}")
    elif what in _RENAMED_PARTS:
        _rename_part(session, what, session.relation_name(node.relation), str(node.subname), new)
    elif what == ObjectType.OBJECT_COLUMN and node.relation is not None:
        relation = session.relation(session.relation_name(node.relation))
        if node.subname in relation.columns:
            relation.columns.discard(str(node.subname))
            relation.columns.add(new)
        for key, one in list(database.column_grants.items()):
            if (key[0], key[4]) == (relation.object, node.subname):
                del database.column_grants[key]
                database.add_columns(one, [new])


def _rename_part(session: Session, what: ObjectType, table: str, old: str, new: str) -> None:
    relation = session.relation(table)
    if what == ObjectType.OBJECT_POLICY:
        relation.policies = {new if one == old else one for one in relation.policies}
        if (place := relation.open_policies.pop(old, None)) is not None:
            relation.open_policies[new] = place
        return
    if what == ObjectType.OBJECT_TRIGGER:
        relation.triggers = [
            one.named(new) if one.name == old else one for one in relation.triggers
        ]
    else:
        relation.rules = [one.named(new) if one.name == old else one for one in relation.rules]
    relation.disabled = {new if one == old else one for one in relation.disabled}


def _function_named(session: Session, old: str, new: str) -> None:
    """A trigger goes on with its function, whatever its name is then."""
    before, after = old.partition("(")[0], new.partition("(")[0]
    names = {old: new, before: after, before.partition(".")[2]: after}
    rename_objects(session.database, lambda name: names.get(name, name), (Kind.FUNCTION,))


def set_schema(session: Session, node: Any) -> None:
    """ALTER … SET SCHEMA."""
    kind, new = object_kind(node.objectType), str(node.newschema)
    if kind is Kind.FUNCTION:
        for function in session.functions(node.object):
            old = function.object.name
            _function_named(session, old, f"{new}.{old.partition('.')[2]}")
    elif kind in (Kind.TABLE, Kind.SEQUENCE):
        old = session.relation_name(node.relation)
        move(session, old, f"{new}.{old.rpartition('.')[2]}", kind)
    elif node.objectType == ObjectType.OBJECT_EXTENSION:
        session.database.extensions[str(node.object.sval)] = (new, session.place)


def move(session: Session, old: str, new: str, kind: Kind) -> None:
    """Know a relation by another name, with all that is granted on it."""
    session.relation(old, kind)
    rename_objects(
        session.database, lambda name: new if name == old else name, (Kind.TABLE, Kind.SEQUENCE)
    )
