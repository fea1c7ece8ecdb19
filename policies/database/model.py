"""Roles, memberships, objects and grants of one database, as PostgreSQL keeps them.

The doors (role manifests, `postgresql:*` resources, SQL) fill a `Database`; `membership` and
`reach` ask it. Names are as the catalogue has them: folded, without quotes; relations and functions
are "schema.name", functions with their argument types.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

PUBLIC: Final = "PUBLIC"
DELETING: Final = ("DELETE", "TRUNCATE")

# https://www.postgresql.org/docs/17/ddl-priv.html, table 5.2
PRIVILEGES: Final = {
    "table": ("SELECT", "INSERT", "UPDATE", *DELETING, "REFERENCES", "TRIGGER", "MAINTAIN"),
    "sequence": ("SELECT", "UPDATE", "USAGE"),
    "schema": ("USAGE", "CREATE"),
    "database": ("CREATE", "CONNECT", "TEMPORARY"),
    "function": ("EXECUTE",),
    "other": ("USAGE", "SET", "ALTER SYSTEM", "CREATE"),
}


# A name that only a running statement knows. No role has it, so that what it is given is told.
ANY_NAME: Final = "<any name>"
# What a login role is limited by.
LIMITS: Final = ("CONNECTION LIMIT", "VALID UNTIL", "statement_timeout")


class Kind(StrEnum):
    """What an object is, as far as its privileges differ."""

    TABLE = "table"
    """Whatever has rows: tables, views, materialized views, foreign tables."""
    SEQUENCE = "sequence"
    SCHEMA = "schema"
    DATABASE = "database"
    FUNCTION = "function"
    OTHER = "other"
    """Types, languages, parameters, tablespaces: nothing of theirs deletes rows."""


@dataclass(frozen=True, order=True)
class Place:
    """Where something is said: a file and a line, or a resource and 0."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        """`file:line`."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, order=True)
class Object:
    """What a privilege is on."""

    kind: Kind
    name: str

    @property
    def schema(self) -> str:
        """The schema of a relation or function; itself for a schema."""
        return self.name if self.kind is Kind.SCHEMA else self.name.partition(".")[0]

    def __str__(self) -> str:
        """Kind and name, as messages have them."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Grant:
    """`role` has `privilege` on `object` from `grantor`; `via` is where that is said."""

    role: str
    privilege: str
    object: Object
    grantor: str
    via: Place
    grantable: bool = False
    implied: bool = False
    """By PostgreSQL itself: PUBLIC may execute every new function."""
    as_all: bool = False
    """Written as ALL PRIVILEGES."""


@dataclass(frozen=True)
class Membership:
    """`member` is in `group`, with the options of PostgreSQL 16 and later."""

    group: str
    member: str
    grantor: str
    via: Place
    inherit: bool = True
    """Has the group's privileges without doing anything."""
    set: bool = True
    """May become the group (SET ROLE)."""
    admin: bool = False
    """May make others, and itself, members with any option."""


@dataclass
class Role:
    """A role and its attributes."""

    name: str
    via: Place
    kind: str = ""
    """Of a role manifest; empty where only SQL or resources know the role."""
    login: bool = False
    inherit: bool = True
    attributes: set[str] = field(default_factory=set[str])
    """Of SUPERUSER, CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS."""
    attributes_via: Place | None = None
    limits: set[str] = field(default_factory=set[str])
    """Which of `LIMITS` it has, where SQL or a manifest makes the role."""
    made: bool = False
    """By a statement or a manifest that is at hand, not only named there."""


@dataclass
class Relation:
    """Something with rows, or a sequence."""

    object: Object
    owner: str
    via: Place
    parents: set[str] = field(default_factory=set[str])
    """Tables that it is a partition or a child of: what deletes there deletes here."""
    rules: list[Effect] = field(default_factory=list["Effect"])
    triggers: list[Trigger] = field(default_factory=list["Trigger"])
    columns: set[str] = field(default_factory=set[str])
    policies: set[str] = field(default_factory=set[str])
    open_policies: dict[str, Place] = field(default_factory=dict[str, Place])
    """Policies that let every row through."""
    reads: tuple[str, ...] = ()
    """Of a view: the relations that it reads, or writes to, with its owner's rights."""
    writes_through: bool = False
    """Of a view: of one relation, so that what is written there is written here."""
    invoker: bool = False
    """Of a view: security_invoker, with the rights of whoever asks."""
    disabled: set[str] = field(default_factory=set[str])
    """Names of triggers and rules that do not fire."""
    unguarded_via: Place | None = None
    """Where the last guard against changes was taken away."""
    row_security: bool = False
    forced_row_security: bool = False


@dataclass(frozen=True)
class Effect:
    """What a rule of a relation does when `event` happens there, with its owner's rights."""

    name: str
    event: str
    body: Body
    via: Place
    instead: bool = False
    """DO INSTEAD, without a condition."""

    def named(self, name: str) -> Effect:
        """The same under another name."""
        return replace(self, name=name)


@dataclass(frozen=True)
class Body:
    """What a function or a rule does, as far as it can be told from its text."""

    actions: tuple[tuple[str, str], ...] = ()
    """Events (INSERT, UPDATE, DELETE, TRUNCATE, DROP) and the relations that they happen to."""
    calls: tuple[str, ...] = ()
    """Names of functions that it calls, as written."""
    undecided: tuple[str, ...] = ()
    """Why it could not be decided what the body does, as ends of the sentence "it …"."""
    refuses: bool = False
    """Raises an exception, or leaves the row as it is, whatever happens."""


@dataclass(frozen=True)
class Trigger:
    """A trigger: a function that runs on an event, whoever may execute it."""

    name: str
    events: tuple[str, ...]
    function: str
    via: Place
    before: bool = False
    """BEFORE or INSTEAD OF, so that it can stop what happens."""
    conditional: bool = False
    """With a WHEN, or only for some columns."""

    def named(self, name: str) -> Trigger:
        """The same under another name."""
        return replace(self, name=name)


@dataclass
class Function:
    """A function or procedure."""

    object: Object
    owner: str
    via: Place
    language: str = "sql"
    security_definer: bool = False
    search_path: tuple[str, ...] | None = None
    """`None`: its caller's."""
    body: Body = field(default_factory=Body)


@dataclass(frozen=True)
class DefaultGrant:
    """What each object of `kind` that `owner` creates in `schema` (empty: anywhere) will grant."""

    owner: str
    schema: str
    kind: Kind
    role: str
    privilege: str
    via: Place
    grantable: bool = False
    as_all: bool = False


@dataclass
class Database:
    """Everything that is known of one database."""

    roles: dict[str, Role] = field(default_factory=dict[str, Role])
    memberships: dict[tuple[str, str, str], Membership] = field(
        default_factory=dict[tuple[str, str, str], Membership]
    )
    """By group, member and grantor."""
    grants: dict[tuple[Object, str, str, str], Grant] = field(
        default_factory=dict[tuple[Object, str, str, str], Grant]
    )
    """By object, role, privilege and grantor."""
    column_grants: dict[tuple[Object, str, str, str, str], Grant] = field(
        default_factory=dict[tuple[Object, str, str, str, str], Grant]
    )
    """The same for columns: by object, role, privilege, grantor and column."""
    limits: set[str] = field(default_factory=set[str])
    """What the database or server sets for every session, of `LIMITS`."""
    manifest: bool = False
    """Whether a role manifest says what roles are for; otherwise their names may."""
    audit_role: str = "rds_pgaudit"
    """Grants to the role of pgaudit.role say what is logged; nobody uses them."""
    owners: dict[Object, str] = field(default_factory=dict[Object, str])
    """Of schemas and databases; relations and functions know their own."""
    owners_via: dict[Object, Place] = field(default_factory=dict[Object, Place])
    relations: dict[str, Relation] = field(default_factory=dict[str, Relation])
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    defaults: dict[tuple[str, str, Kind, str, str], DefaultGrant] = field(
        default_factory=dict[tuple[str, str, Kind, str, str], DefaultGrant]
    )
    """By owner, schema, kind, role and privilege."""
    withheld: set[tuple[str, Kind, str, str]] = field(
        default_factory=set[tuple[str, Kind, str, str]]
    )
    """Owner, kind, role and privilege: what the owner's default privileges take from PostgreSQL's
    own ones (itself everything, PUBLIC the execution of functions)."""
    extensions: dict[str, tuple[str, Place]] = field(default_factory=dict[str, tuple[str, Place]])
    """Schema and place of each one."""

    def copied(self) -> Database:
        """The same again: what is changed in it does not change this one."""
        return copy.deepcopy(self)

    def role(self, name: str, via: Place) -> Role:
        """The role, which need not have been created where it can be seen."""
        return self.roles.setdefault(name, Role(name, via))

    def owner(self, target: Object) -> str | None:
        """Who owns an object, if that is known."""
        if target.kind is Kind.FUNCTION:
            function = self.functions.get(target.name)
            return function.owner if function else None
        if target.kind in (Kind.TABLE, Kind.SEQUENCE):
            relation = self.relations.get(target.name)
            return relation.owner if relation else None
        return self.owners.get(target)

    def on(self, target: Object) -> Iterator[Grant]:
        """The grants on one object."""
        return (grant for grant in self.grants.values() if grant.object == target)

    def add(self, grant: Grant) -> None:
        """Add a grant; one of the same grantor keeps its grant option."""
        key = (grant.object, grant.role, grant.privilege, grant.grantor)
        known = self.grants.get(key)
        if known is None or (grant.grantable and not known.grantable):
            self.grants[key] = grant

    def add_columns(self, grant: Grant, columns: Iterable[str]) -> None:
        """Add a grant on some columns of a table."""
        for column in columns:
            key = (grant.object, grant.role, grant.privilege, grant.grantor, column)
            known = self.column_grants.get(key)
            if known is None or grant.grantable:
                self.column_grants[key] = grant
