"""Roles, memberships, objects and grants of one database, as PostgreSQL keeps them.

The doors (role manifests, `postgresql:*` resources, SQL) fill a `Database`; `membership` and
`reach` ask it. Names are as the catalogue has them: folded, without quotes; relations and functions
are "schema.name", functions with their argument types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
    row_security: bool = False
    forced_row_security: bool = False


@dataclass(frozen=True)
class Effect:
    """What a rule of a relation does when `event` happens there, with its owner's rights."""

    name: str
    event: str
    body: Body
    via: Place


@dataclass(frozen=True)
class Body:
    """What a function or a rule does, as far as it can be told from its text."""

    actions: tuple[tuple[str, str], ...] = ()
    """Events (INSERT, UPDATE, DELETE, TRUNCATE, DROP) and the relations that they happen to."""
    calls: tuple[str, ...] = ()
    """Names of functions that it calls, as written."""
    undecided: tuple[str, ...] = ()
    """Why it could not be decided what the body does, as ends of the sentence "it …"."""


@dataclass(frozen=True)
class Trigger:
    """A trigger: a function that runs on an event, whoever may execute it."""

    name: str
    events: tuple[str, ...]
    function: str
    via: Place


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
