"""What is wrong with a database, rule by rule, whatever the doors it came through."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .membership import Memberships
from .model import PUBLIC, Database, Kind, Object, Place
from .reach import applications, is_application, paths, unsafe_search_path

# Of the extensions that RDS offers, those that neither run SQL that they are handed, nor reach
# other servers, files or programs. RDS user guide, "Supported PostgreSQL extension versions".
ALLOWED_EXTENSIONS: Final = (
    *("bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "earthdistance"),
    *("fuzzystrmatch", "hstore", "intarray", "isn", "ltree", "pg_stat_statements", "pg_trgm"),
    *("pgaudit", "pgcrypto", "pgstattuple", "plpgsql", "seg", "tablefunc", "tsm_system_rows"),
    *("tsm_system_time", "unaccent", "uuid-ossp", "vector", "pg_buffercache", "amcheck"),
)
_ELEVATED: Final = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
_ELEVATED_ROLES: Final = ("rds_superuser", "rdsadmin", "rds_replication")


@dataclass(frozen=True)
class Finding:
    """One violation: `found` is the end of "<place> …", `limit` of "it must …"."""

    rule_id: str
    place: Place
    found: str
    limit: str
    subject: str = ""


@dataclass(frozen=True)
class Choices:
    """What the pack's configuration decides."""

    deleting_roles: frozenset[str] = frozenset()
    """Roles that are meant to delete, where no manifest says so: owners, migrators, retention."""
    tenant_columns: tuple[str, ...] = ("tenant_id",)
    audit_tables: tuple[str, ...] = ("*audit*",)
    extensions: tuple[str, ...] = field(default=ALLOWED_EXTENSIONS)


def findings(database: Database, choices: Choices) -> Iterator[Finding]:
    """Everything that is wrong; the order is certain."""
    yield from deletions(database, choices)
    yield from _elevated(database, choices)
    yield from _public(database, choices)
    yield from _passed_on(database, choices)
    yield from _definers(database)
    yield from _row_security(database, choices)
    yield from _audit(database, choices)
    yield from _extensions(database, choices)


def deletions(database: Database, choices: Choices) -> Iterator[Finding]:
    """Every way of an application to a deletion."""
    apps = applications(database, choices.deleting_roles)
    limit = "leave DELETE and TRUNCATE out of reach of every application role"
    for role in [*apps, PUBLIC]:
        for path in paths(database, role, frozenset(apps)):
            doubt = ", so that it cannot be judged" if path.undecided else ""
            found = f"lets an application delete: {path.text}{doubt}"
            yield Finding("db-app-cannot-delete", path.via, found, limit, role)


def _elevated(database: Database, choices: Choices) -> Iterator[Finding]:
    memberships = Memberships(database)
    limit = "give roles that somebody logs in as no attribute beyond LOGIN"
    for role in sorted(database.roles.values(), key=lambda one: one.name):
        judged = role.login or is_application(database, role.name, choices.deleting_roles)
        for attribute in _ELEVATED:
            if judged and attribute in role.attributes:
                found = f"gives {role.name} {attribute}"
                via = role.attributes_via or role.via
                yield Finding("db-no-elevated-roles", via, found, limit, role.name)
        for group, links in memberships.obtainable(role.name).items():
            if judged and links and group in _ELEVATED_ROLES:
                found = f"makes {role.name} a member of {group}"
                yield Finding("db-no-elevated-roles", links[-1].via, found, limit, role.name)


def _public(database: Database, choices: Choices) -> Iterator[Finding]:
    limit = "grant to named roles, and leave CREATE on schemas to their owner"
    rule = "db-no-public-grants"
    told: set[tuple[object, ...]] = set()
    for one in database.grants.values():
        creating = one.object.kind is Kind.SCHEMA and one.privilege == "CREATE"
        if one.role == PUBLIC and not one.implied:
            found = f"grants {one.privilege} on {one.object} to PUBLIC"
        elif (
            creating
            and one.role not in (PUBLIC, database.owner(one.object))
            and is_application(database, one.role, choices.deleting_roles)
        ):
            found = f"lets {one.role} create in {one.object}"
        else:
            continue
        if (key := (one.via, found)) not in told:
            told.add(key)
            yield Finding(rule, one.via, found, limit, one.role)
    for default in database.defaults.values():
        if default.role == PUBLIC:
            found = (
                f"grants {default.privilege} on each {default.kind} of {default.owner} to PUBLIC"
            )
            yield Finding(rule, default.via, found, limit, PUBLIC)


def _passed_on(database: Database, choices: Choices) -> Iterator[Finding]:
    """Options to pass privileges on, and ALL."""
    every: dict[tuple[Place, str], Object] = {}
    limit = "leave WITH GRANT OPTION and WITH ADMIN OPTION out"
    rule = "db-no-grant-options"
    for one in database.grants.values():
        if not is_application(database, one.role, choices.deleting_roles):
            continue
        if one.grantable and one.role != database.owner(one.object):
            found = f"lets {one.role} pass {one.privilege} on {one.object} on"
            yield Finding(rule, one.via, found, limit, one.role)
        if one.as_all:
            every.setdefault((one.via, one.role), one.object)
    for default in database.defaults.values():
        if not is_application(database, default.role, choices.deleting_roles):
            continue
        if default.grantable:
            found = f"lets {default.role} pass {default.privilege} of each {default.kind} on"
            yield Finding(rule, default.via, found, limit, default.role)
        if default.as_all:
            target = Object(default.kind, f"{default.schema}.*")
            every.setdefault((default.via, default.role), target)
    for one in database.memberships.values():
        if one.admin and is_application(database, one.member, choices.deleting_roles):
            found = f"lets {one.member} make others members of {one.group}"
            yield Finding(rule, one.via, found, limit, one.member)
    for (via, role), target in every.items():
        found = f"grants ALL on {target} to {role}"
        yield Finding("db-grants-named", via, found, "name each privilege", role)


def _definers(database: Database) -> Iterator[Finding]:
    rule, limit = "db-definer-functions-closed", "set a safe search_path and shut PUBLIC out"
    for function in database.functions.values():
        if not function.security_definer:
            continue
        name = function.object.name
        if reason := unsafe_search_path(database, function):
            found = f"makes {name} (SECURITY DEFINER), which {reason}"
            yield Finding(rule, function.via, found, limit, name)
        if any(one.role == PUBLIC for one in database.on(function.object)):
            found = f"lets PUBLIC execute {name} (SECURITY DEFINER)"
            yield Finding(rule, function.via, found, limit, name)


def _row_security(database: Database, choices: Choices) -> Iterator[Finding]:
    rule, limit = "db-row-security", "enable row level security, and force it on its owner"
    for relation in database.relations.values():
        name = relation.object.name
        tenant = sorted(relation.columns.intersection(choices.tenant_columns))
        if relation.policies and not relation.row_security:
            found = f"has policies on {name} while row level security is off"
            yield Finding(rule, relation.via, found, limit, name)
        elif tenant and not relation.row_security:
            found = f"has {tenant[0]} in {name} without row level security"
            yield Finding(rule, relation.via, found, limit, name)
        owner = database.roles.get(relation.owner)
        logs_in = owner is not None and owner.login
        if relation.row_security and logs_in and not relation.forced_row_security:
            found = f"has row level security on {name} that its owner {relation.owner} passes by"
            yield Finding(rule, relation.via, found, limit, name)


def _audit(database: Database, choices: Choices) -> Iterator[Finding]:
    limit = "let applications only add to and read audit tables"
    for one in database.grants.values():
        bare = one.object.name.rpartition(".")[2]
        if one.object.kind is not Kind.TABLE or one.privilege not in ("UPDATE", "DELETE"):
            continue
        judged = one.role == PUBLIC or is_application(database, one.role, choices.deleting_roles)
        audited = any(fnmatch.fnmatchcase(bare, pattern) for pattern in choices.audit_tables)
        if judged and audited and one.role != database.owner(one.object):
            found = f"lets {one.role} {one.privilege} {one.object.name}"
            yield Finding("db-audit-append-only", one.via, found, limit, one.role)


def _extensions(database: Database, choices: Choices) -> Iterator[Finding]:
    rule = "db-extensions-allowed"
    for name, (schema, via) in database.extensions.items():
        if name not in choices.extensions:
            limit = f"be one of {', '.join(choices.extensions)}"
            yield Finding(rule, via, f"creates the extension {name}", limit, name)
        if schema == "public":
            found = f"creates the extension {name} in the schema public"
            yield Finding(rule, via, found, "have a schema of its own", name)
