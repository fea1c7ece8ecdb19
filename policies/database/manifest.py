"""The role manifest as a door: what the roles function will make of the database.

Its reader is lenient: what is malformed is refused by `grants.py`, which reads it first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from ..values import UNKNOWN, contains_unknown, one_or_many
from .findings import Finding
from .model import (
    LIMITS,
    Database,
    DefaultGrant,
    Grant,
    Kind,
    Membership,
    Object,
    Place,
    Relation,
)
from .privileges import all_privileges, created

EVERY_OBJECT = "*"
_KINDS = {"table": Kind.TABLE, "view": Kind.TABLE, "sequence": Kind.SEQUENCE, "schema": Kind.SCHEMA}
# Whatever way they are written: create_role, createRole, CREATEROLE.
_ATTRIBUTES = {
    "superuser": "SUPERUSER",
    "createrole": "CREATEROLE",
    "createdb": "CREATEDB",
    "createdatabase": "CREATEDB",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
    "bypassrowlevelsecurity": "BYPASSRLS",
}


def owner_of(manifest: Mapping[str, object]) -> str:
    """The role that owns what migrations create."""
    return next((_text(one, "name") for one in _roles(manifest) if one.get("kind") == "owner"), "")


def schema_of(manifest: Mapping[str, object]) -> str:
    """The workload's schema."""
    return _text(manifest, "schema") or "public"


def fill(database: Database, manifest: Mapping[str, object], via: Place) -> None:
    """Add the roles of a manifest with their memberships, ownerships and grants."""
    owner, schema = owner_of(manifest), schema_of(manifest)
    database.manifest = True
    for fields in _roles(manifest):
        role = database.role(_text(fields, "name"), via)
        role.kind = _text(fields, "kind").lower() or "unknown"
        role.login = fields.get("login") is not False
        role.attributes |= {
            _ATTRIBUTES[attribute]
            for key, value in fields.items()
            if (attribute := key.replace("_", "").lower()) in _ATTRIBUTES
            and value not in (None, False)
        }
        role.made, role.limits = True, set(_limits(fields))
    if owner:
        target = Object(Kind.SCHEMA, schema)
        database.owners[target], database.owners_via[target] = owner, via
        created(database, target, owner, via)
    for fields in _roles(manifest):
        name = _text(fields, "name")
        for group in _texts(fields.get("member_of")):
            database.memberships[group, name, owner] = Membership(group, name, owner, via)
        for member in _texts(fields.get("members")):
            database.memberships[name, member, owner] = Membership(name, member, owner, via)
        for grant in one_or_many(fields.get("grants")):
            if isinstance(grant, dict):
                # Without an owner it owns what it uses; one that is not known yet is noted.
                mapping = cast("dict[str, object]", grant)
                own = owner or ("" if contains_unknown(manifest.get("roles")) else name)
                _grant(database, mapping, name, (own, schema), via)


def notes(manifest: Mapping[str, object], via: Place) -> Iterator[Finding]:
    """Passwords that stand in a manifest."""
    for fields in _roles(manifest):
        password = fields.get("password")
        if password not in (None, UNKNOWN) and not str(password).startswith("SCRAM-SHA-256$"):
            found = f"has a password for {_text(fields, 'name')}"
            yield Finding("db-login-role-limits", via, found, "let the roles function make it")


def _limits(fields: Mapping[str, object]) -> Iterator[str]:
    """What the roles function limits: passwords end by rotation, and statements by the server's
    parameter group where the manifest has no time of its own."""
    connections, until, timeout = LIMITS
    limit = fields.get("connection_limit")
    # What is not known yet is noted for every rule of manifests.
    unknown = UNKNOWN in (limit, fields.get("login"))
    if unknown or (isinstance(limit, int) and limit > 0):
        yield connections
    yield from (until, timeout)


def _grant(
    database: Database,
    grant: Mapping[str, object],
    role: str,
    own: tuple[str, str],
    via: Place,
) -> None:
    """`own` is the manifest's owner and schema."""
    owner, own_schema = own
    kind = _KINDS.get((_text(grant, "object_type") or "table").lower().rstrip("s"), Kind.OTHER)
    schema = _text(grant, "schema") or own_schema
    listed = [text.upper() for text in _texts(grant.get("privileges"))]
    every = "ALL" in listed or "ALL PRIVILEGES" in listed
    grantable = grant.get("with_grant_option") is True
    for name in _texts(grant.get("objects")):
        bare = kind in (Kind.SCHEMA, Kind.OTHER)
        target = Object(kind, name if bare else f"{schema}.{name}")
        if kind in (Kind.TABLE, Kind.SEQUENCE) and target.name not in database.relations:
            database.relations[target.name] = Relation(target, owner, via)
            created(database, target, owner, via)
        for text in all_privileges(target) if every else listed:
            privilege, columns = _columns(text, grant)
            given = Grant(role, privilege, target, owner, via, grantable, as_all=every)
            if columns:
                database.add_columns(given, columns)
                continue
            database.add(given)
            if name == EVERY_OBJECT and not bare:
                key = (owner, schema, kind, role, privilege)
                database.defaults[key] = DefaultGrant(*key, via, grantable, every)


def _columns(privilege: str, grant: Mapping[str, object]) -> tuple[str, list[str]]:
    """A privilege and its columns: `UPDATE (status)`, or the grant's `columns`."""
    name, bracket, rest = privilege.partition("(")
    inside = [one.strip().lower() for one in rest.rstrip(") ").split(",")] if bracket else []
    return name.strip(), inside or _texts(grant.get("columns"))


def _roles(manifest: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for entry in one_or_many(manifest.get("roles")):
        if isinstance(entry, dict):
            fields = cast("dict[str, object]", entry)
            if _text(fields, "name"):
                yield fields


def _texts(value: object) -> list[str]:
    return [one for one in one_or_many(value) if isinstance(one, str)]


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
