"""`postgresql:*` resources (pulumi-postgresql 3.18) as a door.

Order does not matter here as it does in SQL: roles and objects come first, then what is granted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Final, cast

from ..inventory import Resource
from ..rules import Unverified
from ..values import UNKNOWN, Wrong, boolean, contains_unknown, integer, one_or_many, text
from .findings import Finding
from .model import (
    LIMITS,
    PUBLIC,
    Body,
    Database,
    DefaultGrant,
    Function,
    Grant,
    Kind,
    Membership,
    Object,
    Place,
    Relation,
)
from .privileges import all_privileges, created

_PREFIX: Final = "postgresql:index/"
ROLE: Final = f"{_PREFIX}role:Role"
GRANT: Final = f"{_PREFIX}grant:Grant"
GRANT_ROLE: Final = f"{_PREFIX}grantRole:GrantRole"
DEFAULTS: Final = (
    f"{_PREFIX}defaultPrivileges:DefaultPrivileges",
    f"{_PREFIX}defaultPrivileg:DefaultPrivileg",
)
SCHEMA: Final = f"{_PREFIX}schema:Schema"
DATABASE: Final = f"{_PREFIX}database:Database"
FUNCTION: Final = f"{_PREFIX}function:Function"
EXTENSION: Final = f"{_PREFIX}extension:Extension"
TYPES: Final = (ROLE, GRANT, GRANT_ROLE, *DEFAULTS, SCHEMA, DATABASE, FUNCTION, EXTENSION)
# What a rule needs a value for; unknown ones are noted.
_READ: Final = {
    ROLE: ("name", "login", "inherit", "superuser", "createRole", "createDatabase", "replication")
    + ("bypassRowLevelSecurity", "roles", "connectionLimit", "validUntil", "statementTimeout"),
    GRANT: ("role", "schema", "objectType", "objects", "columns", "privileges", "withGrantOption"),
    GRANT_ROLE: ("role", "grantRole", "withAdminOption"),
    **dict.fromkeys(
        DEFAULTS, ("role", "owner", "schema", "objectType", "privileges", "withGrantOption")
    ),
    SCHEMA: ("name", "owner", "policies"),
    DATABASE: ("name", "owner"),
    FUNCTION: ("name", "schema", "securityDefiner", "language", "body", "args", "returns"),
    EXTENSION: ("name", "schema"),
}
# What is granted comes last, because order does not matter to the provider.
_ORDER: Final = (ROLE, DATABASE, SCHEMA, EXTENSION, *DEFAULTS, FUNCTION, GRANT_ROLE, GRANT)
_ATTRIBUTES: Final = {
    "superuser": "SUPERUSER",
    "createRole": "CREATEROLE",
    "createDatabase": "CREATEDB",
    "replication": "REPLICATION",
    "bypassRowLevelSecurity": "BYPASSRLS",
}
_PROVIDER_USER: Final = "(the provider's user)"
_NO_LIMIT: Final = -1
_LIMITS_RULE: Final = "db-login-role-limits"


def fill(database: Database, resources: Sequence[Resource]) -> Iterator[Unverified]:
    """Add resources; yields what is unknown, for every rule.

    A value of a wrong type is read as the one that allows most. What is not known yet gives no
    right: it is noted, and judged when it is known.
    """
    for one in sorted(resources, key=lambda one: _ORDER.index(one.type)):
        for key in _READ[one.type]:
            if contains_unknown(one.get(key)):
                yield Unverified(one, key)
        _FILL[one.type](database, one, Place(one.urn))


def notes(resources: Sequence[Resource]) -> Iterator[Finding]:
    """Limits of login roles, which are no part of who may do what."""
    for role in resources:
        if role.type == ROLE and boolean(role.get("login"), default=False) not in (False, UNKNOWN):
            place, name = Place(role.urn), _text(role, "name") or role.name
            connections = integer(role.get("connectionLimit"), default=_NO_LIMIT)
            if connections == _NO_LIMIT or isinstance(connections, Wrong):
                yield _limit(place, f"has no connectionLimit for {name}", "set connectionLimit")
            if text(role.get("validUntil"), default="infinity") in ("infinity", ""):
                yield _limit(place, f"lets {name} log in for ever", "set validUntil")
            timeout = integer(role.get("statementTimeout"), default=0)
            if timeout == 0 or isinstance(timeout, Wrong):
                yield _limit(place, f"has no statementTimeout for {name}", "set statementTimeout")
            if role.get("password") is not None and "password" not in role.hidden:
                yield _limit(place, f"has a password for {name}", "use passwordWo")


def _limit(place: Place, found: str, limit: str) -> Finding:
    return Finding(_LIMITS_RULE, place, found, limit)


def _role(database: Database, one: Resource, via: Place) -> None:
    name = _text(one, "name") or one.name
    role = database.role(name, via)
    role.login |= boolean(one.get("login"), default=False) not in (False, UNKNOWN)
    role.made, role.limits = True, set(LIMITS)  # `notes` judges them.
    role.inherit = boolean(one.get("inherit"), default=True) is not False
    for key, attribute in _ATTRIBUTES.items():
        if boolean(one.get(key), default=False) not in (False, UNKNOWN):
            role.attributes.add(attribute)
            role.attributes_via = via
    for group in _texts(one.get("roles")):
        key = (group, name, _PROVIDER_USER)
        database.memberships[key] = Membership(*key, via, inherit=role.inherit)


def _grant_role(database: Database, one: Resource, via: Place) -> None:
    member, group = _text(one, "role"), _text(one, "grantRole")
    admin = boolean(one.get("withAdminOption"), default=False) not in (False, UNKNOWN)
    role = database.roles.get(member)
    inherit = role.inherit if role is not None else True
    if member and group:
        key = (group, member, _PROVIDER_USER)
        database.memberships[key] = Membership(*key, via, inherit=inherit, admin=admin)


def _grant(database: Database, one: Resource, via: Place) -> None:
    role, kind = _grantee(one), _kind(one)
    listed, every = _privileges(one, kind)
    option = boolean(one.get("withGrantOption"), default=False) not in (False, UNKNOWN)
    columns = _texts(one.get("columns"))
    for target in _targets(database, one, kind):
        owner = database.owner(target) or _PROVIDER_USER
        known = target.name in database.relations
        if kind in (Kind.TABLE, Kind.SEQUENCE) and not known:
            database.relations[target.name] = Relation(target, owner, via)
            created(database, target, owner, via)
        if kind is Kind.FUNCTION and role == PUBLIC:
            # The provider revokes everything before it grants: PostgreSQL's own grant goes too.
            database.grants.pop((target, PUBLIC, "EXECUTE", owner), None)
        for privilege in listed:
            given = Grant(role, privilege, target, owner, via, option, as_all=every)
            if columns:
                database.add_columns(given, columns)
            else:
                database.add(given)


def _targets(database: Database, one: Resource, kind: Kind) -> list[Object]:
    """What a grant is on; without `objects` everything of the schema."""
    schema, names = _text(one, "schema") or "public", _texts(one.get("objects"))
    if kind is Kind.SCHEMA:
        return [Object(kind, schema)]
    if kind is Kind.DATABASE:
        return [Object(kind, _text(one, "database"))]
    if kind is not Kind.FUNCTION:
        return [Object(kind, f"{schema}.{name}") for name in names or ["*"]]
    known = [
        function.object
        for function in database.functions.values()
        if function.object.schema == schema
        and (not names or _bare(function.object.name) in [_bare(f".{name}") for name in names])
    ]
    return known or [Object(kind, f"{schema}.{name}") for name in names or ["*"]]


def _bare(function: str) -> str:
    """The name of a function without its schema and arguments."""
    return function.partition("(")[0].rpartition(".")[2].strip('"')


def _defaults(database: Database, one: Resource, via: Place) -> None:
    kind, role = _kind(one), _grantee(one)
    listed, every = _privileges(one, kind)
    option = boolean(one.get("withGrantOption"), default=False) not in (False, UNKNOWN)
    owner, schema = _text(one, "owner"), _text(one, "schema")
    if kind is Kind.FUNCTION and role == PUBLIC and not schema:
        database.withheld.add((owner, kind, PUBLIC, "EXECUTE"))
    for privilege in listed:
        key = (owner, schema, kind, role, privilege)
        database.defaults[key] = DefaultGrant(*key, via, option, as_all=every)


def _schema(database: Database, one: Resource, via: Place) -> None:
    target = Object(Kind.SCHEMA, _text(one, "name") or one.name)
    owner = _text(one, "owner") or _PROVIDER_USER
    database.owners[target], database.owners_via[target] = owner, via
    created(database, target, owner, via)
    for policy in one_or_many(one.get("policies")):
        fields = cast("dict[str, object]", policy) if isinstance(policy, dict) else {}
        role = fields.get("role")
        if role is UNKNOWN:
            continue
        grantee = _public_or(role if isinstance(role, str) else "")
        for key, privilege in (("create", "CREATE"), ("usage", "USAGE")):
            option = fields.get(f"{key}WithGrant") is True
            if fields.get(key) is True or option:
                database.add(Grant(grantee, privilege, target, owner, via, option))


def _database(database: Database, one: Resource, via: Place) -> None:
    target = Object(Kind.DATABASE, _text(one, "name") or one.name)
    database.owners[target] = _text(one, "owner") or _PROVIDER_USER
    database.owners_via[target] = via


def _function(database: Database, one: Resource, via: Place) -> None:
    reason = "has a body that nobody can read without the package pglast"
    # Needed only where there is a function.
    if importlib.util.find_spec("pglast") is not None:
        from ..sql.provider_function import create

        reason = create(database, one, _PROVIDER_USER, via)
    if not reason:
        return
    schema, name = _text(one, "schema") or "public", _text(one, "name") or one.name
    definer = boolean(one.get("securityDefiner"), default=False) not in (False, UNKNOWN)
    target = Object(Kind.FUNCTION, f"{schema}.{name}({one.name})")
    function = Function(target, _PROVIDER_USER, via, _text(one, "language"), definer)
    function.body = Body(undecided=(reason,))
    database.functions[target.name] = function
    created(database, target, _PROVIDER_USER, via)


def _extension(database: Database, one: Resource, via: Place) -> None:
    if UNKNOWN not in (one.get("name"), one.get("schema")):
        name, schema = _text(one, "name") or one.name, _text(one, "schema") or "public"
        database.extensions[name] = (schema, via)


_FILL: Final = {
    ROLE: _role,
    GRANT: _grant,
    GRANT_ROLE: _grant_role,
    **dict.fromkeys(DEFAULTS, _defaults),
    SCHEMA: _schema,
    DATABASE: _database,
    FUNCTION: _function,
    EXTENSION: _extension,
}


def _kind(one: Resource) -> Kind:
    kind = _text(one, "objectType").lower()
    if kind in ("function", "procedure", "routine"):
        return Kind.FUNCTION
    known = {"schema": Kind.SCHEMA, "sequence": Kind.SEQUENCE, "database": Kind.DATABASE}
    # What is no known word is read as what has rows.
    other = kind in ("type", "foreign_data_wrapper", "foreign_server")
    return Kind.OTHER if other else known.get(kind, Kind.TABLE)


def _privileges(one: Resource, kind: Kind) -> tuple[tuple[str, ...], bool]:
    if UNKNOWN in (one.get("role"), one.get("objectType")):
        return (), False
    listed = [" ".join(word.upper().split()) for word in _texts(one.get("privileges"))]
    if not {"ALL", "ALL PRIVILEGES"}.isdisjoint(listed):
        return all_privileges(kind), True
    unreadable = [
        item
        for item in one_or_many(one.get("privileges"))
        if not isinstance(item, str) and item is not UNKNOWN
    ]
    # What cannot be read is taken for all.
    return (all_privileges(kind), True) if unreadable else (tuple(listed), False)


def _grantee(one: Resource) -> str:
    return _public_or(_text(one, "role"))


def _public_or(name: str) -> str:
    return PUBLIC if name.lower() in ("", "public") else name


def _text(one: Resource, key: str) -> str:
    value = text(one.get(key))
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [item for item in one_or_many(value) if isinstance(item, str)]
