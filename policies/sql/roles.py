"""Statements about roles and their memberships."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast.enums import DropBehavior

from ..database.membership import Memberships
from ..database.model import LIMITS, Membership, Role
from .session import Session, UndecidableError

_ATTRIBUTES = {
    "superuser": "SUPERUSER",
    "createrole": "CREATEROLE",
    "createdb": "CREATEDB",
    "isreplication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}
PASSWORD_RULE = "db-login-role-limits"  # noqa: S105 (the id of a rule)
_CONNECTIONS, _UNTIL, _TIMEOUT = LIMITS


def create_role(session: Session, node: Any) -> None:
    """CREATE ROLE, USER, GROUP."""
    name = str(node.role)
    role = session.database.role(name, session.place)
    role.login = node.stmt_type.name == "ROLESTMT_USER"
    role.made, role.via = True, session.place
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
                _leave(session, name, member, cascade=False)
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
        elif key == "password":
            _password(session, name, value)
        elif key in ("connectionlimit", "validUntil"):
            _limit(role, key, value)
        elif key != "sysid":
            raise UndecidableError(f"has the role option {key}")


def _password(session: Session, name: str, value: Any) -> None:
    if value is not None and not str(value.sval).startswith("SCRAM-SHA-256$"):
        session.note(PASSWORD_RULE, f"gives {name} a password in plain text")


def _limit(role: Role, key: str, value: Any) -> None:
    if key == "connectionlimit":
        limited, limit = value.ival >= 0, _CONNECTIONS
    else:
        limited, limit = str(value.sval).lower() != "infinity", _UNTIL
    (role.limits.add if limited else role.limits.discard)(limit)


def grant_role(session: Session, node: Any) -> None:
    """GRANT and REVOKE of memberships."""
    options = {one.defname: _truth(one.arg) for one in node.opt or ()}
    members = session.roles(node.grantee_roles)
    given = session.role_name(node.grantor) if node.grantor else None
    cascade = node.behavior == DropBehavior.DROP_CASCADE
    for entry in node.granted_roles:
        group = str(entry.priv_name)
        if node.is_grant:
            _join(session, group, members, options, given)
            continue
        for member in members:
            if node.opt:
                _without(session, group, member, next(iter(options)), given, cascade=cascade)
            else:
                _leave(session, group, member, given, cascade=cascade)


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


def _leave(
    session: Session, group: str, member: str, given: str | None = None, *, cascade: bool
) -> None:
    memberships = session.database.memberships
    key = (group, member, _grantor(session, group, given))
    if (known := memberships.pop(key, None)) is not None:
        needed = _passed_on(session, group, member)
        if needed and not cascade:
            memberships[key] = known
            raise UndecidableError(f"fails, because {member} has made {needed} a member of {group}")
        _take_back(session, group, member)


def _passed_on(session: Session, group: str, former: str) -> str:
    """Who is a member by `former`, who administers the group no more."""
    ours = [one for one in session.database.memberships.values() if one.group == group]
    if any(one.admin and one.member == former for one in ours):
        return ""
    return next((one.member for one in ours if one.grantor == former), "")


def _take_back(session: Session, group: str, former: str) -> None:
    """End the memberships that `former` gave while it administered the group (CASCADE)."""
    memberships = session.database.memberships
    if not _passed_on(session, group, former):
        return
    for key, one in list(memberships.items()):
        if (one.group, one.grantor) == (group, former) and key in memberships:
            del memberships[key]
            _take_back(session, group, one.member)


def _without(
    session: Session, group: str, member: str, option: str, given: str | None, *, cascade: bool
) -> None:
    key = (group, member, _grantor(session, group, given))
    if known := session.database.memberships.get(key):
        session.database.memberships[key] = replace(known, **{option: False})
        needed = _passed_on(session, group, member)
        if needed and not cascade:
            session.database.memberships[key] = known
            raise UndecidableError(f"fails, because {member} has made {needed} a member of {group}")
        _take_back(session, group, member)


def drop_role(session: Session, node: Any) -> None:
    """DROP ROLE: its memberships go with it."""
    database = session.database
    for name in session.roles(node.roles):
        database.roles.pop(name, None)
        for key, one in list(database.memberships.items()):
            if name in (one.group, one.member):
                del database.memberships[key]
