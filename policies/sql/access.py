"""Statements about roles and privileges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast.enums import DropBehavior, GrantTargetType, ObjectType, VariableSetKind

from ..database.membership import Memberships
from ..database.model import PUBLIC, DefaultGrant, Kind, Membership, Object
from ..database.privileges import (
    StillNeededError,
    all_privileges,
    change_owner,
    created,
    dropped,
    grant,
    revoke,
)
from .session import EVERY_OTHER, Session, UndecidableError, object_kind

_ATTRIBUTES = {
    "superuser": "SUPERUSER",
    "createrole": "CREATEROLE",
    "createdb": "CREATEDB",
    "isreplication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}
LIMITS_RULE = "db-login-role-limits"


def create_role(session: Session, node: Any) -> None:
    """CREATE ROLE, USER, GROUP."""
    name = str(node.role)
    role = session.database.role(name, session.place)
    role.login = node.stmt_type.name == "ROLESTMT_USER"
    _options(session, name, node.options)
    # https://www.postgresql.org/docs/17/runtime-config-client.html: createrole_self_grant is empty,
    # so that its creator administers the role and no more.
    if not Memberships(session.database).is_superuser(session.role):
        _join(session, name, [session.role], {"admin": True, "inherit": False, "set": False})


def alter_role(session: Session, node: Any) -> None:
    """ALTER ROLE, ALTER GROUP … ADD or DROP USER."""
    name = session.role_name(node.role)
    dropping = any(one.defname == "rolemembers" for one in node.options or ()) and node.action < 0
    if dropping:
        for option in node.options:
            for member in session.roles(option.arg):
                _leave(session, name, member)
        return
    session.database.role(name, session.place)
    _options(session, name, node.options)


def _options(session: Session, name: str, options: Any) -> None:
    role = session.database.role(name, session.place)
    # (INHERIT is the default of memberships that are made in the same statement.)
    ordered = sorted(options or (), key=lambda one: one.defname != "inherit")
    for option in ordered:
        key, value = option.defname, option.arg
        if key in _ATTRIBUTES:
            if value.boolval:
                role.attributes.add(_ATTRIBUTES[key])
                role.attributes_via = session.place
            else:
                role.attributes.discard(_ATTRIBUTES[key])
        elif key == "canlogin":
            role.login = bool(value.boolval)
        elif key == "inherit":
            role.inherit = bool(value.boolval)
        elif key == "addroleto":
            for group in session.roles(value):
                _join(session, group, [name], {})
        elif key in ("rolemembers", "adminmembers"):
            admin = {"admin": True} if key == "adminmembers" else {}
            _join(session, name, session.roles(value), admin)
        elif key == "password" and value is not None:
            secret = str(value.sval)
            if not secret.startswith("SCRAM-SHA-256$"):
                session.note(LIMITS_RULE, f"gives {name} a password in plain text")
        elif key not in ("connectionlimit", "validUntil", "password", "sysid"):
            raise UndecidableError(f"has the role option {key}")


def grant_role(session: Session, node: Any) -> None:
    """GRANT and REVOKE of memberships."""
    options = {one.defname: _truth(one.arg) for one in node.opt or ()}
    members = session.roles(node.grantee_roles)
    for entry in node.granted_roles:
        group = str(entry.priv_name)
        if node.is_grant:
            given = session.role_name(node.grantor) if node.grantor else None
            _join(session, group, members, options, given)
            continue
        for member in members:
            if node.opt:
                _without(session, group, member, next(iter(options)))
            else:
                _leave(session, group, member)


def _truth(value: Any) -> bool:
    return bool(getattr(value, "boolval", True))


def _grantor(session: Session, group: str, given: str | None) -> str:
    """As whom a membership is granted (check_role_grantor of PostgreSQL 16 and later)."""
    if given is not None:
        return given
    memberships = Memberships(session.database)
    if memberships.is_superuser(session.role):
        return "(superuser)"
    for role in memberships.inherited(session.role):
        if any(one.group == group and one.admin for one in memberships.of(role)):
            return role
    return "(superuser)"


def _join(
    session: Session,
    group: str,
    members: list[str],
    options: dict[str, bool],
    given: str | None = None,
) -> None:
    grantor = _grantor(session, group, given)
    for member in members:
        key = (group, member, grantor)
        known = session.database.memberships.get(key)
        role = session.database.roles.get(member)
        if known is None:
            inherit = role.inherit if role is not None else True
            known = Membership(group, member, grantor, session.place, inherit=inherit)
        session.database.memberships[key] = replace(known, via=session.place, **options)


def _leave(session: Session, group: str, member: str) -> None:
    grantor = _grantor(session, group, None)
    if session.database.memberships.pop((group, member, grantor), None) is not None:
        _take_back(session, group, member)


def _take_back(session: Session, group: str, former: str) -> None:
    """End the memberships that `former` gave while it administered the group (CASCADE)."""
    memberships = session.database.memberships
    if any(
        one.admin and one.member == former for one in memberships.values() if one.group == group
    ):
        return
    for key, one in list(memberships.items()):
        if (one.group, one.grantor) == (group, former) and key in memberships:
            del memberships[key]
            _take_back(session, group, one.member)


def _without(session: Session, group: str, member: str, option: str) -> None:
    key = (group, member, _grantor(session, group, None))
    if known := session.database.memberships.get(key):
        session.database.memberships[key] = replace(known, **{option: False})
        _take_back(session, group, member)


def drop_role(session: Session, node: Any) -> None:
    """DROP ROLE: its memberships go with it."""
    database = session.database
    for name in session.roles(node.roles):
        database.roles.pop(name, None)
        for key, one in list(database.memberships.items()):
            if name in (one.group, one.member):
                del database.memberships[key]


def grant_privileges(session: Session, node: Any) -> None:
    """GRANT and REVOKE of privileges."""
    kind = object_kind(node.objtype)
    if node.targtype == GrantTargetType.ACL_TARGET_ALL_IN_SCHEMA:
        targets = _all_in(session, kind, [str(one.sval) for one in node.objects])
    else:
        try:
            targets = session.objects(node.objtype, node.objects)
        except UndecidableError:
            if not node.is_grant:
                return  # A REVOKE takes away, whatever it is.
            raise
    roles = session.roles(node.grantees)
    for target in targets:
        # A column's privilege is no privilege on the table.
        entries = [one for one in node.privileges or () if not one.cols]
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


def set_variable(session: Session, node: Any) -> None:
    """SET and RESET of who acts and where names are looked up."""
    name = (node.name or "").lower()
    if node.kind == VariableSetKind.VAR_RESET_ALL:
        session.search_path = session.initial_path
        return
    if name not in ("role", "search_path", "session_authorization"):
        return
    if node.is_local and session.local is None:
        session.local = (session.role, session.search_path)
    values = [str(getattr(one.val, "sval", "")) for one in node.args or ()]
    default = node.kind != VariableSetKind.VAR_SET_VALUE
    if name == "search_path":
        path = tuple(one for one in values if one != "$user")
        session.search_path = session.initial_path if default else path
        return
    # In the migrations' own session the login role is the runner, or may be it.
    session.role = session.runner if default or values[:1] in (["none"], ["default"]) else values[0]


def end_transaction(session: Session, node: Any) -> None:
    """COMMIT ends what SET LOCAL set; a ROLLBACK would undo what was read as done."""
    kind = node.kind.name.removeprefix("TRANS_STMT_")
    if kind in ("ROLLBACK", "ROLLBACK_TO", "PREPARE", "COMMIT_PREPARED", "ROLLBACK_PREPARED"):
        raise UndecidableError(f"is a {kind.replace('_', ' ')}, which undoes what is read before")
    if kind == "COMMIT" and session.local is not None:
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
    for default, one in list(database.defaults.items()):
        if one.role in roles or one.owner in roles:
            del database.defaults[default]
    database.withheld = {one for one in database.withheld if one[0] not in roles}
