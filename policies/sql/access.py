"""Statements about privileges and owners."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast.enums import DropBehavior, GrantTargetType, ObjectType

from ..database.model import PUBLIC, DefaultGrant, Grant, Kind, Object
from ..database.privileges import (
    StillNeededError,
    all_privileges,
    best_grantor,
    change_owner,
    created,
    dropped,
    grant,
    revoke,
)
from ..database.reach import is_application
from .session import EVERY_OTHER, Session, UndecidableError, object_kind


def grant_privileges(session: Session, node: Any) -> None:
    """GRANT and REVOKE of privileges."""
    kind = object_kind(node.objtype)
    if node.targtype == GrantTargetType.ACL_TARGET_ALL_IN_SCHEMA:
        targets = _all_in(session, kind, [str(one.sval) for one in node.objects])
    else:
        try:
            targets = session.objects(node.objtype, node.objects)
        except UndecidableError:
            # A REVOKE takes away, whatever it is; who may delete anyway may run what deletes.
            if not node.is_grant or not _to_applications(session, node.grantees):
                return
            raise
    roles = session.roles(node.grantees)
    for target in targets:
        # A column's privilege is no privilege on the table.
        entries = [one for one in node.privileges or () if not one.cols]
        for one in node.privileges or ():
            if one.cols:
                _columns(session, node, target, one, roles)
        if node.privileges and not entries:
            continue
        privileges = [str(one.priv_name).upper() for one in entries] or all_privileges(target)
        if target.kind is Kind.TABLE and object_kind(node.objtype) is Kind.SEQUENCE:
            continue
        if node.is_grant:
            grant(
                session.database,
                session.role,
                target,
                privileges,
                roles,
                via=session.place,
                grantable=bool(node.grant_option),
                as_all=not node.privileges,
            )
            continue
        try:
            revoke(
                session.database,
                session.role,
                target,
                privileges,
                roles,
                option_only=bool(node.grant_option),
                cascade=node.behavior == DropBehavior.DROP_CASCADE,
            )
        except StillNeededError as error:
            raise UndecidableError(f"fails, because {error}") from None


def _to_applications(session: Session, grantees: Any) -> bool:
    return any(
        is_application(session.database, role, frozenset()) for role in session.roles(grantees)
    )


def _columns(session: Session, node: Any, target: Object, entry: Any, roles: list[str]) -> None:
    privilege, columns = (
        str(entry.priv_name or "all").upper(),
        [str(one.sval) for one in entry.cols],
    )
    listed = ("SELECT", "INSERT", "UPDATE", "REFERENCES") if privilege == "ALL" else (privilege,)
    database = session.database
    for role, one in ((role, one) for role in roles for one in listed):
        grantor, allowed = best_grantor(database, session.role, target, [one])
        if node.is_grant and allowed:
            option = bool(node.grant_option)
            given = Grant(role, one, target, grantor, session.place, option)
            database.add_columns(given, columns)
        elif not node.is_grant:
            for column in columns:
                key = (target, role, one, grantor, column)
                if (held := database.column_grants.pop(key, None)) and node.grant_option:
                    database.column_grants[key] = replace(held, grantable=False)


def _all_in(session: Session, kind: Kind, schemas: list[str]) -> list[Object]:
    database = session.database
    for schema in schemas:
        if kind in (Kind.TABLE, Kind.SEQUENCE):
            session.relation(f"{schema}.{EVERY_OTHER}", kind)
    if kind is Kind.FUNCTION:
        return [one.object for one in database.functions.values() if one.object.schema in schemas]
    return [
        one.object
        for one in database.relations.values()
        if one.object.schema in schemas and one.object.kind is kind
    ]


def default_privileges(session: Session, node: Any) -> None:
    """ALTER DEFAULT PRIVILEGES."""
    options = {one.defname: one.arg for one in node.options or ()}
    owners = session.roles(options.get("roles")) or [session.role]
    schemas = [str(one.sval) for one in options.get("schemas") or ()] or [""]
    action = node.action
    kind = object_kind(action.objtype)
    listed = [str(one.priv_name).upper() for one in action.privileges or ()]
    database = session.database
    defaults = database.defaults
    for owner, schema, role in (
        (owner, schema, role)
        for owner in owners
        for schema in schemas
        for role in session.roles(action.grantees)
    ):
        for privilege in listed or all_privileges(kind):
            key = (owner, schema, kind, role, privilege)
            if action.is_grant:
                given = DefaultGrant(
                    owner, schema, kind, role, privilege, session.place,
                    bool(action.grant_option), as_all=not listed,
                )  # fmt: skip
                defaults[key] = given
            elif action.grant_option and key in defaults:
                defaults[key] = replace(defaults[key], grantable=False)
            elif not action.grant_option:
                defaults.pop(key, None)
            # PostgreSQL's own defaults can only be taken away for all schemas.
            if not schema and role in (owner, PUBLIC) and not action.grant_option:
                change = database.withheld.discard if action.is_grant else database.withheld.add
                change((owner, kind, role, privilege))


def transaction(session: Session, node: Any) -> None:
    """COMMIT ends what SET LOCAL set; ROLLBACK undoes what was read since BEGIN or SAVEPOINT."""
    kind = node.kind.name.removeprefix("TRANS_STMT_")
    if kind in ("BEGIN", "START", "SAVEPOINT"):
        session.save(str(node.savepoint_name or ""))
    elif kind in ("ROLLBACK", "ROLLBACK_TO"):
        if not session.undo(str(node.savepoint_name or "")):
            what = kind.replace("_", " ")
            raise UndecidableError(f"is a {what}, which undoes what is read before")
    elif kind in ("PREPARE", "COMMIT_PREPARED", "ROLLBACK_PREPARED"):
        raise UndecidableError(f"is a {kind.replace('_', ' ')}, which another session ends")
    elif kind == "COMMIT":
        session.saved.clear()
        if session.local is not None:
            (session.role, session.search_path), session.local = session.local, None


def create_schema(session: Session, node: Any) -> tuple[str, list[Any]]:
    """CREATE SCHEMA; returns its name and the statements that stand inside it."""
    owner = session.role_name(node.authrole) if node.authrole else session.role
    target = Object(Kind.SCHEMA, str(node.schemaname or owner))
    if target not in session.database.owners:
        session.database.owners[target] = owner
        session.database.owners_via[target] = session.place
        created(session.database, target, owner, session.place)
    return target.name, list(node.schemaElts or ())


def alter_owner(session: Session, node: Any) -> None:
    """ALTER … OWNER TO, of whatever is no table."""
    kind = object_kind(node.objectType)
    if node.objectType in (ObjectType.OBJECT_FDW, ObjectType.OBJECT_FOREIGN_SERVER):
        raise UndecidableError("gives away a foreign server")
    if kind is Kind.OTHER:
        return
    owner = session.role_name(node.newowner)
    for target in session.objects(node.objectType, [node.object]):
        change_owner(session.database, target, owner)
        if kind in (Kind.SCHEMA, Kind.DATABASE):
            session.database.owners_via[target] = session.place
        elif kind is Kind.FUNCTION:
            session.database.functions[target.name].via = session.place


def reassign_owned(session: Session, node: Any) -> None:
    """REASSIGN OWNED BY … TO."""
    new, old = session.role_name(node.newrole), set(session.roles(node.roles))
    database = session.database
    owned = [
        *(one.object for one in database.relations.values() if one.owner in old),
        *(one.object for one in database.functions.values() if one.owner in old),
        *(target for target, owner in database.owners.items() if owner in old),
    ]
    for target in owned:
        change_owner(database, target, new)
        if target.kind in (Kind.TABLE, Kind.SEQUENCE):
            database.relations[target.name].via = session.place


def drop_owned(session: Session, node: Any) -> None:
    """DROP OWNED BY: the objects, the grants to and the default privileges of the roles."""
    roles = set(session.roles(node.roles))
    database = session.database
    for relation in list(database.relations.values()):
        if relation.owner in roles:
            dropped(database, relation.object)
            session.note("db-migrations-keep-data", f"drops {relation.object.name}")
    for function in list(database.functions.values()):
        if function.owner in roles:
            dropped(database, function.object)
    for target, owner in list(database.owners.items()):
        if owner in roles:
            dropped(database, target)
    for one in list(database.grants.values()):
        if one.role in roles:
            revoke(database, session.role, one.object, [one.privilege], [one.role], cascade=True)
    for key in [one for one in database.column_grants if one[1] in roles]:
        if best_grantor(database, session.role, key[0], [key[2]])[0] == key[3]:
            del database.column_grants[key]
    for default, one in list(database.defaults.items()):
        if one.role in roles or one.owner in roles:
            del database.defaults[default]
    database.withheld = {one for one in database.withheld if one[0] not in roles}
