"""Every way in which an application role could delete rows, written out.

A way starts with what the role can come to act as (membership with INHERIT, SET or ADMIN) and ends
with a privilege, an ownership, an attribute, a default privilege, or a function, trigger or rule
that deletes with its owner's rights. Whether the role may use the schema is left out of account:
the next grant would change it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .bodies import consequences, named, written
from .membership import DELETING_ROLES, ELEVATED_ROLES, HARMLESS_ROLES, Memberships
from .model import (
    DELETING,
    PUBLIC,
    Database,
    Function,
    Grant,
    Kind,
    Membership,
    Object,
    Place,
    Relation,
    Trigger,
)
from .privileges import holds

# Kinds of role manifests that are meant to delete: the owner of the objects (never logs in), who
# changes the schema, and the reviewed retention functions.
DELETING_KINDS: Final = frozenset({"owner", "migrator", "retention"})
# Where no manifest says what a role is for, its name may: the last word of shop_owner.
_OWNING_NAMES: Final = frozenset({"owner", "owners"})
_DELETING_NAMES: Final = frozenset(
    {"migrator", "migrations", "migration", "migrate", "flyway", "liquibase", "retention"}
)


@dataclass(frozen=True)
class Path:
    """A way to a deletion: `text` has all its steps, `via` is where the last one is said."""

    role: str
    text: str
    via: Place
    undecided: bool = False


def is_application(database: Database, name: str, deleting_roles: frozenset[str]) -> bool:
    """Whether a role (or PUBLIC) must not delete: every role, unless it is said to be one that may.

    That is a kind of the role manifest (an owner that logs in is no mere owner of objects), or the
    argument, or where there is no manifest the last word of its name. PostgreSQL's own roles nobody
    logs in as, grants to pgaudit's say what is logged, and names in parentheses stand for whoever
    applies migrations or resources.
    """
    if name in {*deleting_roles, *DELETING_ROLES, *HARMLESS_ROLES, *ELEVATED_ROLES}:
        return False
    role = database.roles.get(name)
    logs_in = role is not None and role.login
    if name == database.audit_role and not logs_in:
        return False
    if role is None or not role.kind:
        word = name.replace("-", "_").rpartition("_")[2]
        named = word in _DELETING_NAMES or (word in _OWNING_NAMES and not logs_in)
        return not name.startswith(("pg_", "(")) and (database.manifest or not named)
    return role.kind not in DELETING_KINDS or (role.kind == "owner" and role.login)


def applications(database: Database, deleting_roles: frozenset[str]) -> list[str]:
    """Every role that is named anywhere and must not delete; PUBLIC is judged by itself."""
    names = {
        *database.roles,
        *(one.role for one in database.grants.values()),
        *(one.role for one in database.column_grants.values()),
        *(one.role for one in database.defaults.values()),
        *(one.member for one in database.memberships.values()),
        *database.owners.values(),
        *(one.owner for one in database.relations.values()),
    }
    return sorted(
        name for name in names - {PUBLIC, ""} if is_application(database, name, deleting_roles)
    )


def paths(database: Database, role: str, trusted: frozenset[str] = frozenset()) -> list[Path]:
    """Every way of `role` to a deletion. `PUBLIC` has only what every role has.

    `trusted` roles are other applications: their functions do no more than they may.
    """
    memberships = Memberships(database)
    found: list[Path] = []
    for identity, links in memberships.obtainable(role).items():
        steps = [_step(link) for link in links]
        first = [role] if role != PUBLIC else ["every role"]
        for text, via, undecided in _ends(database, memberships, identity, trusted):
            if text.startswith("owns ") and not links and _is_nobody(database, role):
                continue
            found.append(Path(role, " → ".join([*first, *steps, text]), via, undecided))
        if links and not _is_known(database, identity):
            text = f"{identity} is not defined here, so that it cannot be judged"
            found.append(Path(role, " → ".join([*first, *steps, text]), links[-1].via))
    return found


def _is_known(database: Database, name: str) -> bool:
    own = {*HARMLESS_ROLES, *DELETING_ROLES, *ELEVATED_ROLES, database.audit_role}
    return name in own or name in database.roles


def _is_nobody(database: Database, name: str) -> bool:
    """Whether a role is made for nobody to log in as: it may own. Its members are judged."""
    role = database.roles.get(name)
    return role is not None and role.made and not role.login and not database.manifest


def _step(link: Membership) -> str:
    if link.inherit and link.set:
        how = ""
    elif link.inherit or link.set:
        how = " (INHERIT)" if link.inherit else " (SET)"
    else:
        how = " (ADMIN, so that it may make itself a full one)"
    return f"is a member of {link.group}{how}"


_End = tuple[str, Place, bool]


def _ends(
    database: Database, memberships: Memberships, identity: str, trusted: frozenset[str]
) -> Iterator[_End]:
    role = database.roles.get(identity)
    if role is not None and "SUPERUSER" in role.attributes:
        yield "is a superuser", role.attributes_via or role.via, False
    if identity in DELETING_ROLES:
        links = [one for one in database.memberships.values() if one.group == identity]
        yield f"{identity} {DELETING_ROLES[identity]}", links[-1].via if links else Place(""), False
    yield from _granted(database, identity)
    yield from _owned(database, identity)
    for default in database.defaults.values():
        if default.role == identity and default.kind is Kind.TABLE:
            where = f"in {default.schema} " if default.schema else ""
            if default.privilege in DELETING:
                text = f"is granted {default.privilege} on each table that {default.owner} creates"
                yield f"{text} {where}".rstrip(), default.via, False
    yield from _by_functions(database, memberships, identity, trusted)
    yield from _by_writing(database, identity, trusted)


def _granted(database: Database, identity: str) -> Iterator[_End]:
    for one in database.grants.values():
        if one.role != identity or database.owner(one.object) == identity:
            continue
        if one.object.kind is Kind.TABLE and one.privilege in DELETING:
            option = ", and may pass it on" if one.grantable else ""
            yield f"is granted {one.privilege} on {one.object.name}{option}", one.via, False
        elif one.object.kind is Kind.TABLE and one.privilege == "TRIGGER":
            text = f"is granted TRIGGER on {one.object.name}: its triggers run as whoever writes"
            yield f"{text} there", one.via, False


def _owned(database: Database, identity: str) -> Iterator[_End]:
    for relation in database.relations.values():
        if relation.owner == identity and relation.object.kind is Kind.TABLE:
            text = f"owns {relation.object.name}: an owner can DELETE without a grant"
            yield text, relation.via, False
    for target, owner in database.owners.items():
        if owner == identity and target.kind in (Kind.SCHEMA, Kind.DATABASE):
            via = database.owners_via.get(target, Place(""))
            yield f"owns {target}: an owner can drop all that is in it", via, False


def _by_functions(
    database: Database, memberships: Memberships, identity: str, trusted: frozenset[str]
) -> Iterator[_End]:
    """Functions that it may execute and that run with another's rights."""
    for function in database.functions.values():
        if not function.security_definer or function.owner in {identity, *trusted}:
            continue
        if not holds(database, memberships, identity, "EXECUTE", function.object):
            continue
        granted = [
            one
            for one in database.on(function.object)
            if one.role in (identity, PUBLIC) and one.privilege == "EXECUTE"
        ]
        # What it has by inheritance is told of the role that it inherits from.
        if not granted or (identity != PUBLIC and granted[0].role == PUBLIC):
            continue
        start = f"may EXECUTE {function.object.name} (SECURITY DEFINER of {function.owner})"
        for text, undecided in _runs(database, function):
            yield f"{start}, which {text}", function.via, undecided


def _by_writing(database: Database, identity: str, trusted: frozenset[str]) -> Iterator[_End]:
    """Triggers and rules that what it writes sets off, and that run with another's rights."""
    for relation in database.relations.values():
        if relation.owner == identity:
            continue
        events = {
            one.privilege
            for one in (*database.on(relation.object), *_on_columns(database, relation))
            if one.role == identity and one.privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        }
        for table in written(database, relation) if events else ():
            for rule in table.rules:
                if rule.event in events:
                    for end in consequences(database, rule.body):
                        text = f"may {rule.event} {relation.object.name} → the rule {rule.name}"
                        yield f"{text} {end.text}", rule.via, end.undecided
            for trigger in table.triggers:
                for function in named(database, trigger.function):
                    happening = sorted(events.intersection(trigger.events))
                    if not happening or not function.security_definer:
                        continue
                    if function.owner in {identity, *trusted}:
                        continue
                    start = (
                        f"may {happening[0]} {relation.object.name} → its trigger {trigger.name}"
                    )
                    name = f"runs {function.object.name} (SECURITY DEFINER of {function.owner})"
                    for text, undecided in _runs(database, function):
                        yield f"{start} {name}, which {text}", trigger.via, undecided


def _on_columns(database: Database, relation: Relation) -> Iterator[Grant]:
    return (one for one in database.column_grants.values() if one.object == relation.object)


def unguarded(database: Database, relation: Relation) -> list[str]:
    """Which of UPDATE and DELETE not even a trigger, a rule or a REVOKE keeps from the owner."""
    return [
        event
        for event in ("UPDATE", "DELETE")
        if not any(_refuses(database, relation, one, event) for one in relation.triggers)
        and not any(
            one.instead and one.event == event and not (one.body.actions or one.body.calls)
            for one in relation.rules
            if one.name not in relation.disabled
        )
        and any(
            one.privilege == event and one.role == relation.owner
            for one in database.on(relation.object)
        )
    ]


def is_guarded(database: Database, relation: Relation) -> bool:
    """Whether rows stay as they were added, whoever comes."""
    return not unguarded(database, relation)


def _refuses(database: Database, relation: Relation, trigger: Trigger, event: str) -> bool:
    functions = named(database, trigger.function)
    fires = trigger.before and not trigger.conditional and trigger.name not in relation.disabled
    refuses = bool(functions) and all(one.body.refuses for one in functions)
    return fires and event in trigger.events and refuses


def _runs(database: Database, function: Function) -> Iterator[tuple[str, bool]]:
    if reason := unsafe_search_path(database, function):
        yield f"{reason}, so that its caller decides what it runs", False
    for end in consequences(database, function.body):
        yield end.text, end.undecided


def unsafe_search_path(database: Database, function: Function) -> str:
    """Why names in a function's body may mean what its caller wants; empty if they cannot.

    https://www.postgresql.org/docs/17/sql-createfunction.html, "Writing SECURITY DEFINER Functions
    Safely": no schema that others may create in, and pg_temp last, or else it is searched first.
    """
    path = function.search_path
    if path is None:
        return "has no search_path of its own"
    if "$user" in path:
        return "has $user in its search_path"
    for schema in path:
        target = Object(Kind.SCHEMA, schema)
        for one in database.on(target):
            known = (function.owner, database.owner(target))
            judged = is_application(database, one.role, frozenset())
            if one.privilege == "CREATE" and one.role not in known and judged:
                return f"has {schema} in its search_path, where {one.role} may create"
    if not {*path} <= {"", "pg_catalog"} and path[-1] != "pg_temp":
        return "has a search_path that does not end in pg_temp"
    return ""
