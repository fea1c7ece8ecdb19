"""Rules for who may do what in the database, over all doors at once.

A stack's role manifests, its `postgresql:*` resources and its migrations (where whoever runs the
rules has read them: `pgkeep check`) fill one model, and each rule tells what it finds in it.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from .database import manifest, resources
from .database.findings import ALLOWED_EXTENSIONS, Choices, Finding, deletions, findings
from .database.migrations import MIGRATIONS, STATEMENT, statement
from .database.model import Database, Place
from .grants import INVOCATION, manifests
from .inventory import Resource, Stack
from .role_manifests import MalformedManifestError, deletion_paths
from .rules import (
    Context,
    Enforcement,
    Environment,
    Outcome,
    Rule,
    Severity,
    StackCheck,
    Unverified,
    Violation,
)

_RUNNER: Final = "(whoever runs the migrations)"
_DELETION_RULE: Final = "db-app-cannot-delete"


@dataclass(frozen=True)
class _Found:
    """All that the doors of one stack come to."""

    findings: tuple[Finding, ...]
    unknown: tuple[Unverified, ...]
    """What no rule could see."""
    resources: Mapping[str, Resource]
    """By URN, which is what places have as their source."""


_judged: weakref.WeakKeyDictionary[Stack, dict[Choices, _Found]] = weakref.WeakKeyDictionary()


def _found(stack: Stack, context: Context) -> _Found:
    choices = _choices(context)
    known = _judged.setdefault(stack, {})
    if choices not in known:
        known[choices] = _judge(stack, choices)
    return known[choices]


def _choices(context: Context) -> Choices:
    def listed(rule: str, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = context.thresholds.get(rule, {}).get(key)
        if not isinstance(value, list):
            return default
        return tuple(one for one in cast("list[object]", value) if isinstance(one, str))

    return Choices(
        frozenset(listed(_DELETION_RULE, "deletingRoles", ())),
        listed("db-row-security", "tenantColumns", ("tenant_id",)),
        listed("db-audit-append-only", "auditTables", ("*audit*",)),
        listed("db-extensions-allowed", "extensions", ALLOWED_EXTENSIONS),
    )


def _judge(stack: Stack, choices: Choices) -> _Found:
    database = Database()
    known: list[tuple[Resource, Mapping[str, object]]] = [
        (resource, one) for resource in stack.of_type(INVOCATION) for one in manifests(resource)
    ]
    for resource, one in known:
        manifest.fill(database, one, Place(resource.urn))
    # grants.py has told already what a manifest alone lets an application delete.
    aware = _told_of(one for _, one in known)
    told = {
        (one.subject, one.found) for one in deletions(database, choices) if one.subject in aware
    }
    declared = stack.of_type(*resources.TYPES)
    unknown = tuple(resources.fill(database, declared))
    notes: list[Finding] = list(resources.notes(declared))
    notes += (note for one, roles in known for note in manifest.notes(roles, Place(one.urn)))
    backs: list[Callable[[Database], Iterator[Finding]]] = []
    for door in stack.of_type(MIGRATIONS):
        own = door.get("manifest")
        roles = cast("dict[str, object]", own) if isinstance(own, dict) else None
        if roles is not None:
            manifest.fill(database, roles, Place(door.urn))
        elif known:
            roles = dict(known[0][1])
        made, back = _run(database, door, roles)
        notes += made
        backs += back
    found = [one for one in findings(database, choices) if (one.subject, one.found) not in told]
    for back in backs:
        before = {(one.rule_id, one.found) for one in found}
        undone = database.copied()
        notes += [one for one in back(undone) if one.rule_id != "db-migrations-keep-data"]
        found += [
            one
            for one in findings(undone, choices)
            if one.rule_id in _JUDGED_GOING_BACK and (one.rule_id, one.found) not in before
        ]
    by_urn = {one.urn: one for one in stack.resources}
    return _Found((*found, *notes), unknown, by_urn)


def _told_of(known: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """The roles of which the rule of single manifests tells a way."""
    found: set[str] = set()
    for one in known:
        with contextlib.suppress(MalformedManifestError):
            found.update(role for role, _ in deletion_paths(one))
    return frozenset(found)


def _run(
    database: Database, door: Resource, roles: Mapping[str, object] | None
) -> tuple[list[Finding], list[Callable[[Database], Iterator[Finding]]]]:
    """Carry out migrations; what they do that only a statement shows, and what undoes them."""
    # pglast is needed only where there is SQL.
    from .sql.interpreter import SqlFile, forward, run
    from .sql.session import Session

    runner = (manifest.owner_of(roles) if roles else "") or _RUNNER
    path = (manifest.schema_of(roles),) if roles else ("public",)
    files = [
        SqlFile(str(cast("dict[str, object]", one)["name"]), cast("dict[str, str]", one)["text"])
        for one in cast("list[object]", door.get("files") or [])
    ]

    def carried_out(target: Database, chosen: list[SqlFile]) -> Iterator[Finding]:
        session = Session(target, runner, path)
        run(session, chosen, fresh_session_per_file=roles is not None)
        for note in session.notes:
            yield Finding(note.rule_id, note.place, note.found, _LIMITS[note.rule_id])

    ups, downs = forward(files)
    back = [functools.partial(carried_out, chosen=downs)] if downs else []
    return list(carried_out(database, ups)), back


# What undoes a migration drops what it made; what it must not do either is give rights.
_JUDGED_GOING_BACK: Final = (_DELETION_RULE, "db-no-elevated-roles", "db-no-public-grants")
_LIMITS: Final = {
    "db-sql-decidable": "say in plain statements what it does",
    "db-migrations-keep-data": "keep rows, columns and tables",
    "db-login-role-limits": "give a SCRAM-SHA-256 verifier, or let the roles function set it",
}


def _check(rule_id: str) -> StackCheck:
    def check(stack: Stack, context: Context) -> Iterator[Outcome]:
        found = _found(stack, context)
        yield from found.unknown
        for one in found.findings:
            if one.rule_id == rule_id:
                resource = found.resources.get(one.place.source)
                if resource is None:
                    resource = statement(one.place.source, one.place.line)
                yield Violation(resource, one.found, one.limit, one.subject)

    return check


_DOORS: Final = (INVOCATION, MIGRATIONS, STATEMENT, *resources.TYPES)
_LIST: Final = {"type": "array", "items": {"type": "string"}}
_MAY_LOSE: Final = {
    **dict.fromkeys(Environment, Enforcement.MANDATORY),
    Environment.LOCAL: Enforcement.ADVISORY,
    Environment.DEV: Enforcement.ADVISORY,
}


def with_all_doors(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules of role manifests, which see the other doors too."""
    return tuple(replace(rule, check_stack=_check(rule.id), joined_types=_DOORS) for rule in rules)


def _rule(
    rule_id: str,
    *,
    enforcement: Mapping[Environment, Enforcement] | None = None,
    setting: tuple[str, str] | None = None,
    severity: Severity = Severity.HIGH,
    title: str,
    what: str,
    why: str,
    remediation: str,
    catalogue: str,
    controls: tuple[str, ...],
) -> Rule:
    schema: dict[str, Mapping[str, object]] = {}
    if setting:
        schema[setting[0]] = {**_LIST, "description": setting[1]}
    return Rule(
        id=rule_id,
        title=title,
        what=what,
        why=why,
        remediation=remediation,
        severity=severity,
        catalogue=(catalogue,),
        controls=controls,
        types=(),
        enforcement=enforcement or dict.fromkeys(Environment, Enforcement.MANDATORY),
        settings_schema=schema,
        check_stack=_check(rule_id),
        joined_types=_DOORS,
    )


RULES: Final = (
    _rule(
        "db-sql-decidable",
        title="What migrations do can be told from their text",
        what=(
            "Migrations have no dynamic SQL, psql command, COPY of a server's file or statement "
            "whose effect on privileges cannot be followed."
        ),
        why="A grant that nobody can see cannot be refused.",
        remediation=(
            "write the statements out; for a reviewed case write an exemption for the line."
        ),
        catalogue="DBG-01",
        controls=(),
    ),
    _rule(
        "db-migrations-keep-data",
        title="Migrations delete nothing",
        what="No migration drops a table, column or schema, empties a table or deletes rows.",
        why="It runs unattended against production; what it deletes only a restore brings back.",
        remediation=(
            "delete by the reviewed retention functions, or write an exemption for the line "
            "with the backup that was verified before."
        ),
        catalogue="DBG-01",
        controls=("squawk/ban-drop-table", "squawk/ban-truncate-cascade"),
        enforcement=_MAY_LOSE,
    ),
    _rule(
        "db-no-elevated-roles",
        title="Roles that log in have no attribute beyond LOGIN",
        what=(
            "No login role is SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS, or "
            "reaches rds_superuser."
        ),
        why="Such a role stands above every grant, or can lift itself there.",
        remediation=(
            "take the attribute or the membership away; the master user is for people in need only."
        ),
        catalogue="DBG-02",
        controls=("4.3", "4.7", "7.1"),
        severity=Severity.CRITICAL,
    ),
    _rule(
        "db-no-public-grants",
        title="Nothing is granted to PUBLIC",
        what="No privilege is granted to PUBLIC, and only the owner may create in a schema.",
        why=(
            "PUBLIC is every role, also those of next year; who may create in a schema can put "
            "a function in the way of another's."
        ),
        remediation="grant to the roles that need it; REVOKE CREATE ON SCHEMA public FROM PUBLIC.",
        catalogue="DBG-03",
        controls=("4.10",),
    ),
    _rule(
        "db-no-grant-options",
        title="Nobody passes privileges on",
        what="No grant to an application has WITH GRANT OPTION, no membership WITH ADMIN OPTION.",
        why="Who may pass a privilege on decides instead of the contract who has it.",
        remediation="leave withGrantOption and withAdminOption out.",
        catalogue="DBG-04",
        controls=("4.6",),
    ),
    _rule(
        "db-grants-named",
        title="Privileges are named one by one",
        what="No grant or default privilege of an application says ALL.",
        why="ALL has DELETE and TRUNCATE in it today, and MAINTAIN since PostgreSQL 17.",
        remediation="list the privileges that the application uses.",
        catalogue="DBG-05",
        controls=("4.6",),
    ),
    _rule(
        "db-definer-functions-closed",
        title="SECURITY DEFINER functions are closed",
        what=(
            "Each has a search_path of its own that ends in pg_temp and in which nobody else "
            "may create, and PUBLIC may not execute it."
        ),
        why=(
            "It runs with its owner's rights: whoever puts a table or function of his own in "
            "its way has them."
        ),
        remediation=(
            "add SET search_path = <schema>, pg_temp, and REVOKE EXECUTE ON FUNCTION … FROM PUBLIC."
        ),
        catalogue="DBG-06",
        controls=("4.5", "splinter/0011", "splinter/0010", "pgspot/PS003", "pgspot/PS004"),
    ),
    _rule(
        "db-row-security",
        title="Tenants see their own rows",
        what=(
            "Tables with policies or a tenant column have row level security, forced where the "
            "owner logs in, and no policy lets all through."
        ),
        why="One forgotten WHERE shows every tenant's rows to one.",
        remediation=(
            "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; write a policy "
            "that compares the tenant column."
        ),
        catalogue="DBG-07",
        controls=("4.7", "splinter/0013", "splinter/0007", "splinter/0024"),
        setting=("tenantColumns", "Columns that say whose a row is."),
    ),
    _rule(
        "db-login-role-limits",
        title="Login roles are limited and have no password in plain text",
        what=(
            "Each login role of a postgresql provider has connectionLimit, validUntil and "
            "statementTimeout, and no password stands in SQL or inputs."
        ),
        why="A leaked password that never ends, or one query too many, takes the database with it.",
        remediation=(
            "set connectionLimit, validUntil and statementTimeout of postgresql.Role; let the "
            "roles function make the password."
        ),
        catalogue="DBG-08",
        controls=("5.5", "5.6", "4.4"),
    ),
    _rule(
        "db-audit-append-only",
        title="Audit tables are only added to",
        what="No application may UPDATE or DELETE a table of the audit trail.",
        why="Whoever breaks in would otherwise clear up after himself.",
        remediation="grant INSERT and SELECT only.",
        catalogue="DBG-10",
        controls=("3.2",),
        setting=("auditTables", "Patterns of the names of tables that are only added to."),
    ),
    _rule(
        "db-audit-guarded",
        title="Audit tables are guarded from their owner",
        what=(
            "A trigger that raises an exception, a rule DO INSTEAD NOTHING or a REVOKE keeps even "
            "the owner of an audit table from UPDATE and DELETE. It is advice: who owns a table "
            "can take the guard off again."
        ),
        why=(
            "Who applies migrations acts as the owner, who needs no grant: one careless statement "
            "rewrites the trail."
        ),
        remediation=(
            "write a function that does RAISE EXCEPTION and a trigger BEFORE UPDATE OR DELETE for "
            "it, or REVOKE UPDATE, DELETE, TRUNCATE from the owner."
        ),
        catalogue="DBG-10",
        controls=("3.2",),
        severity=Severity.MEDIUM,
        enforcement=dict.fromkeys(Environment, Enforcement.ADVISORY),
    ),
    _rule(
        "db-login-roles-bounded",
        title="Login roles of manifests and SQL are limited",
        what=(
            "Each login role that a manifest or SQL makes has a connection limit, an end and a "
            "statement_timeout, its own or of the server. It is advice: neither shows what is set "
            "elsewhere, by a parameter group or by whoever makes the password."
        ),
        why="One role could take every connection, and a password that leaked never ends.",
        remediation=(
            "set connection_limit in the workload's contract; in SQL add CONNECTION LIMIT and "
            "VALID UNTIL, and ALTER ROLE … SET statement_timeout."
        ),
        catalogue="DBG-08",
        controls=("5.5", "5.6", "4.4"),
        severity=Severity.MEDIUM,
        enforcement=dict.fromkeys(Environment, Enforcement.ADVISORY),
    ),
    _rule(
        "db-extensions-allowed",
        title="Extensions are known and not in public",
        what="Only extensions of the list are created, in a schema of their own.",
        why=(
            "Extensions run as their owner: dblink, file_fdw and untrusted languages go past "
            "every grant."
        ),
        remediation="leave it out, or put it into the setting `extensions` after a review.",
        catalogue="DBG-11",
        controls=("1.8", "splinter/0014"),
        setting=("extensions", "Extensions that may be created."),
    ),
)
