"""What is wrong with a database, rule by rule, whatever the doors it came through."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from .membership import ELEVATED_ROLES, Memberships
from .model import ANY_NAME, LIMITS, PUBLIC, Database, Kind, Object, Place, Relation
from .reach import applications, is_application, paths, unguarded, unsafe_search_path

# Of the extensions that RDS offers, those that neither run SQL that they are handed, nor reach
# other servers, files or programs. RDS user guide, "Supported PostgreSQL extension versions".
ALLOWED_EXTENSIONS: Final = (
    *("bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "earthdistance"),
    *("fuzzystrmatch", "hstore", "intarray", "isn", "ltree", "pg_stat_statements", "pg_trgm"),
    *("pgaudit", "pgcrypto", "pgstattuple", "plpgsql", "seg", "tablefunc", "tsm_system_rows"),
    *("tsm_system_time", "unaccent", "uuid-ossp", "vector", "pg_buffercache", "amcheck"),
)
_ELEVATED: Final = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")


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
    yield from _unbounded(database)
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
    rule, memberships = "db-no-elevated-roles", Memberships(database)
    limit = "give roles that somebody logs in as no attribute beyond LOGIN"
    apps = applications(database, choices.deleting_roles)
    for name in sorted({*apps, *(one.name for one in database.roles.values() if one.login)}):
        role = database.roles.get(name)
        for attribute in _ELEVATED:
            if role is not None and attribute in role.attributes:
                via = role.attributes_via or role.via
                yield Finding(rule, via, f"gives {name} {attribute}", limit, name)
        for group, links in memberships.obtainable(name).items():
            if links and group in ELEVATED_ROLES:
                found = f"makes {name} a member of {group}"
                yield Finding(rule, links[-1].via, found, limit, name)


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
    for (target, role, privilege, _, column), one in database.column_grants.items():
        if role == PUBLIC:
            found = f"grants {privilege} ({column}) on {target} to PUBLIC"
            yield Finding(rule, one.via, found, limit, PUBLIC)
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
    for one in (*database.grants.values(), *database.column_grants.values()):
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
        # (What a loop does to tables that only it knows is not counted either way.)
        if relation.policies and not relation.row_security and ANY_NAME not in name:
            found = f"has policies on {name} while row level security is off"
            yield Finding(rule, relation.via, found, limit, name)
        elif tenant and not relation.row_security and not name.startswith("pg_temp."):
            found = f"has {tenant[0]} in {name} without row level security"
            yield Finding(rule, relation.via, found, limit, name)
        owner = database.roles.get(relation.owner)
        logs_in = owner is not None and owner.login
        if relation.row_security and logs_in and not relation.forced_row_security:
            found = f"has row level security on {name} that its owner {relation.owner} passes by"
            yield Finding(rule, relation.via, found, limit, name)
        for policy, via in relation.open_policies.items():
            found = f"has the policy {policy} on {name} let all through"
            yield Finding(rule, via, found, "compare a column with who is asking", name)
        yield from _seen_through(database, relation, choices)


def _seen_through(database: Database, view: Relation, choices: Choices) -> Iterator[Finding]:
    """A view shows what its owner may see, who passes by row level security that is not forced."""
    hidden = [
        table.object.name
        for name in view.reads
        if (table := database.relations.get(name)) is not None
        and table.row_security
        and table.owner == view.owner
        and not table.forced_row_security
    ]
    readers = [
        one.role
        for one in database.on(view.object)
        if one.role != view.owner and is_application(database, one.role, choices.deleting_roles)
    ]
    if hidden and readers and not view.invoker:
        found = f"shows {readers[0]} {hidden[0]} past its row level security by the view"
        limit = "be a view WITH (security_invoker = true)"
        name = view.object.name
        yield Finding("db-row-security", view.via, f"{found} {name}", limit, name)


def _is_audited(target: Object, choices: Choices) -> bool:
    # A schema of audit tables is one too.
    names = target.name.split(".")
    named = any(
        fnmatch.fnmatchcase(name, pattern) for name in names for pattern in choices.audit_tables
    )
    return target.kind is Kind.TABLE and named and not target.name.startswith("pg_temp.")


def _audit(database: Database, choices: Choices) -> Iterator[Finding]:
    rule, limit = "db-audit-append-only", "let applications only add to and read audit tables"
    for one in (*database.grants.values(), *database.column_grants.values()):
        if one.privilege not in ("UPDATE", "DELETE", "TRUNCATE"):
            continue
        judged = is_application(database, one.role, choices.deleting_roles)
        if judged and _is_audited(one.object, choices) and one.role != database.owner(one.object):
            found = f"lets {one.role} {one.privilege} {one.object.name}"
            yield Finding(rule, one.via, found, limit, one.role)
    for relation in database.relations.values():
        name = relation.object.name
        if not _is_audited(relation.object, choices) or relation.reads:
            continue
        open_events = unguarded(database, relation)
        if open_events and relation.unguarded_via is not None:
            found = f"takes the guard against {', '.join(open_events)} off {name}"
            limit_here = "leave the trigger or rule that guards it"
            yield Finding(rule, relation.unguarded_via, found, limit_here, name)
        elif open_events and not name.endswith(".*"):
            found = f"lets the owner {relation.owner} {', '.join(open_events)} {name}"
            limit_here = (
                "have a BEFORE trigger that raises an exception, or a REVOKE from the owner"
            )
            yield Finding("db-audit-guarded", relation.via, found, limit_here, name)
    yield from _audit_role(database)


def _audit_role(database: Database) -> Iterator[Finding]:
    """Who is, or is in, the role of pgaudit.role has all that it is granted to be logged."""
    name, rule = database.audit_role, "db-audit-append-only"
    role = database.roles.get(name)
    if role is not None and role.login:
        limit = "be a role that nobody logs in as"
        yield Finding(rule, role.via, f"lets somebody log in as {name}", limit, name)
    for one in database.memberships.values():
        if one.group == name and (one.inherit or one.set):
            found = f"makes {one.member} a member of {name}, which says what is logged"
            yield Finding(rule, one.via, found, "leave it without members", name)


def _unbounded(database: Database) -> Iterator[Finding]:
    """Login roles that a manifest or SQL makes without limits; resources have their own rule."""
    for role in database.roles.values():
        missing = [one for one in LIMITS if one not in role.limits | database.limits]
        if role.made and role.login and missing:
            found = f"makes {role.name} without {', '.join(missing)}"
            limit = "limit connections, time and statements of login roles"
            yield Finding("db-login-roles-bounded", role.via, found, limit, role.name)


def _extensions(database: Database, choices: Choices) -> Iterator[Finding]:
    rule = "db-extensions-allowed"
    for name, (schema, via) in database.extensions.items():
        if name not in choices.extensions:
            limit = f"be one of {', '.join(choices.extensions)}"
            yield Finding(rule, via, f"creates the extension {name}", limit, name)
        if schema == "public":
            found = f"creates the extension {name} in the schema public"
            yield Finding(rule, via, found, "have a schema of its own", name)
