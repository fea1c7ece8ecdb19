"""Rules for PostgreSQL's parameters: who gets in, what is logged, what is limited, what is safe.

A parameter that is not set has RDS's default, which counts where it is safe. Values are as RDS
takes them: 0 or 1 for a switch, milliseconds for the timeouts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from .databases import (
    CLUSTER,
    CLUSTER_PARAMETER_GROUP,
    INSTANCE,
    PARAMETER_GROUP,
    POSTGRES_FAMILIES,
)
from .inventory import Resource
from .parameter_joins import of_databases
from .rules import Context, Outcome, ResourceCheck, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, Wrong, contains_unknown, integer, sequence, shown

_LEVELS: Final = (
    *("debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error"),
    *("log", "fatal", "panic"),
)
# Fields without which a log line cannot be put down to a session (CIS PostgreSQL 3.1.24; the
# first is one of two spellings of the time).
_PREFIX_FIELDS: Final = (("%m", "%t", "%n"), ("%p",), ("%u",), ("%d",), ("%r", "%h"))
_WEAK_CIPHERS: Final = re.compile(r"(^|:)\s*\+?(NULL|eNULL|aNULL|EXP|LOW|DES|3DES|RC4|MD5|ADH)\b")


@dataclass(frozen=True)
class Wanted:
    """One parameter and the values that are accepted for it."""

    name: str
    accept: Callable[[str], bool]
    limit: str
    default_is_safe: bool = False
    """RDS's own default is accepted, so that the parameter may be left out."""


def parameters(*wanted: Wanted) -> ResourceCheck:
    """All of `wanted` in a parameter group of PostgreSQL's."""

    def check(group: Resource, _context: Context) -> Iterator[Outcome]:
        family = group.get("family")
        if isinstance(family, str) and not POSTGRES_FAMILIES[group.type].match(family):
            return
        listed = sequence(group.get("parameters"))
        if isinstance(listed, Wrong):
            yield Violation(group, f"has parameters = {shown(listed)}", "be a list of parameters")
            return
        if listed is UNKNOWN or family is UNKNOWN:
            yield Unverified(group, "parameters" if listed is UNKNOWN else "family")
            return
        values = _values(listed)
        for one in wanted:
            yield from _judged(group, one, values.get(one.name, []), listed)

    return check


def _values(listed: list[object]) -> Mapping[str, list[object]]:
    """Every value that is given for each parameter; RDS does not regard the case of names."""
    values: dict[str, list[object]] = {}
    for entry in listed:
        if isinstance(entry, dict):
            fields = cast("dict[str, object]", entry)
            name = fields.get("name")
            if isinstance(name, str):
                values.setdefault(name.lower(), []).append(fields.get("value"))
    return values


def _judged(
    group: Resource, wanted: Wanted, values: list[object], listed: list[object]
) -> Iterator[Outcome]:
    limit = f"set {wanted.name} to {wanted.limit}"
    for value in values:
        if value is UNKNOWN:
            yield Unverified(group, f"the value of {wanted.name}")
            continue
        given = str(value) if isinstance(value, str | int | float) else None
        if given is None or isinstance(value, bool) or not wanted.accept(given.strip()):
            yield Violation(group, f"has {wanted.name} = {shown(value)}", limit, wanted.name)
    if not values and contains_unknown(listed):
        yield Unverified(group, f"parameters, and {wanted.name} among them")
    elif not values and not wanted.default_is_safe:
        yield Violation(group, f"does not set {wanted.name}", limit, wanted.name)


def _on(name: str, *, default_is_safe: bool = False) -> Wanted:
    return Wanted(name, lambda value: value == "1", "1", default_is_safe)


def _off(name: str) -> Wanted:
    return Wanted(name, lambda value: value == "0", "0", default_is_safe=True)


def _not_off(name: str) -> Wanted:
    weak = ("0", "off", "false", "no", "local")
    return Wanted(name, lambda value: value.lower() not in weak, "1 (or on)", True)


def _one_of(name: str, *values: str, default_is_safe: bool = False) -> Wanted:
    return Wanted(name, lambda value: value.lower() in values, " or ".join(values), default_is_safe)


def _between(
    name: str, least: int, most: int, unit: str, *, default_is_safe: bool = False
) -> Wanted:
    def accept(value: str) -> bool:
        found = integer(value, default=-1)
        return isinstance(found, int) and least <= found <= most

    return Wanted(name, accept, f"{least} to {most} {unit}", default_is_safe)


def _has(name: str, *wanted: str) -> Wanted:
    def accept(value: str) -> bool:
        items = {item.strip().lower() for item in value.split(",")}
        # "-ddl" takes a class away again; "all" has every class.
        enough = items.issuperset(wanted) or "all" in items
        return enough and not items & {f"-{item}" for item in wanted}

    return Wanted(name, accept, f"a list with {', '.join(wanted)}")


def _complete_prefix(value: str) -> bool:
    return all(any(field in value for field in fields) for fields in _PREFIX_FIELDS)


def _rule(
    rule_id: str,
    *,
    title: str,
    what: str,
    why: str,
    catalogue: str,
    controls: tuple[str, ...],
    wanted: tuple[Wanted, ...],
    severity: Severity = Severity.MEDIUM,
    databases: bool = False,
) -> Rule:
    """A rule of this theme: what differs between them, and what they share."""
    names = " and ".join(one.name for one in wanted)
    check = parameters(*wanted)
    return Rule(
        id=rule_id,
        title=title,
        what=what,
        why=why,
        remediation=f"set {names} in the parameter group (components/parameter_group.py, or "
        "parameters of aws.rds.ParameterGroup).",
        severity=severity,
        catalogue=(catalogue,),
        controls=controls,
        types=(PARAMETER_GROUP, CLUSTER_PARAMETER_GROUP),
        exemption_names_subject=len(wanted) > 1,
        check_resource=check,
        # RDS's default groups do not have it, and a source judges the database for it.
        check_stack=of_databases(check, f"have a parameter group that sets {names}")
        if databases
        else None,
        joined_types=(INSTANCE, CLUSTER) if databases else (),
    )


RULES: Final = (
    _rule(
        "pg-modern-tls",
        title="Connections use TLS 1.2 or newer and no weak cipher",
        what="ssl_min_protocol_version is TLSv1.2 or TLSv1.3; ssl_ciphers names no weak cipher.",
        why="Older protocols and ciphers can be broken by whoever records the traffic.",
        catalogue="PGP-02",
        controls=("6.8", "6.10"),
        wanted=(
            _one_of("ssl_min_protocol_version", "tlsv1.2", "tlsv1.3", default_is_safe=True),
            Wanted(
                "ssl_ciphers",
                lambda value: bool(value) and not _WEAK_CIPHERS.search(value),
                "ciphers without NULL, EXPORT, LOW, DES, RC4, MD5 and anonymous ones",
                default_is_safe=True,
            ),
        ),
        severity=Severity.HIGH,
    ),
    _rule(
        "pg-scram-passwords",
        title="Passwords are kept and checked with SCRAM only",
        what="password_encryption is scram-sha-256 and rds.accepted_password_auth_method is scram.",
        why="An MD5 hash is as good as the password, and MD5 logins can be replayed.",
        catalogue="PGP-03",
        controls=("5.12",),
        wanted=(
            _one_of("password_encryption", "scram-sha-256"),
            _one_of("rds.accepted_password_auth_method", "scram"),
        ),
        severity=Severity.HIGH,
    ),
    _rule(
        "pg-log-connections",
        title="Every login is logged",
        what="log_connections is 1, or all.",
        why="Who was in the database at the time of an incident cannot be told otherwise.",
        catalogue="PGP-04",
        controls=("3.1.20",),
        wanted=(_one_of("log_connections", "1", "all"),),
    ),
    _rule(
        "pg-log-disconnections",
        title="The end of every session is logged",
        what="log_disconnections is 1.",
        why="How long a session lasted cannot be told otherwise.",
        catalogue="PGP-05",
        controls=("3.1.21",),
        wanted=(_on("log_disconnections"),),
    ),
    _rule(
        "pg-log-ddl",
        title="Changes of the schema are logged",
        what="log_statement is ddl, mod or all.",
        why="A dropped table would leave no trace of who dropped it.",
        catalogue="PGP-06",
        controls=("CKV2_AWS_30", "CKV2_AWS_27", "3.1.25"),
        databases=True,
        wanted=(_one_of("log_statement", "ddl", "mod", "all"),),
    ),
    _rule(
        "pg-log-slow-statements",
        title="Slow statements are logged",
        what="log_min_duration_statement is at least 0 and at most one minute.",
        why="What made the database slow cannot be found out afterwards.",
        catalogue="PGP-07",
        controls=("CKV2_AWS_30", "CKV2_AWS_27"),
        databases=True,
        wanted=(_between("log_min_duration_statement", 0, 60_000, "milliseconds"),),
    ),
    _rule(
        "pg-audit",
        title="pgaudit records writes, schema changes and role changes",
        what="shared_preload_libraries has pgaudit, pgaudit.log has ddl, role and write, and "
        "pgaudit.role is rds_pgaudit.",
        why="The server's own log misses what happens inside functions and DO blocks.",
        catalogue="PGP-08",
        controls=("3.2",),
        wanted=(
            _has("shared_preload_libraries", "pgaudit"),
            _has("pgaudit.log", "ddl", "role", "write"),
            _one_of("pgaudit.role", "rds_pgaudit"),
        ),
        severity=Severity.HIGH,
    ),
    _rule(
        "pg-log-errors",
        title="Warnings are logged, and errors with their statement",
        what="log_min_messages is warning or more verbose, log_min_error_statement error or more "
        "verbose.",
        why="Refused permissions and failed statements are the first signs of an attack.",
        catalogue="PGP-09",
        controls=("3.1.14", "3.1.15"),
        wanted=(
            _one_of("log_min_messages", *_LEVELS[:8], default_is_safe=True),
            _one_of("log_min_error_statement", *_LEVELS[:9], default_is_safe=True),
        ),
    ),
    _rule(
        "pg-no-debug-output",
        title="Parse trees and plans are not printed into the log",
        what="debug_print_parse, debug_print_rewritten and debug_print_plan are 0.",
        why="They fill the log with the values of statements and hide everything else.",
        catalogue="PGP-10",
        controls=("3.1.16", "3.1.17", "3.1.18"),
        wanted=(
            _off("debug_print_parse"),
            _off("debug_print_rewritten"),
            _off("debug_print_plan"),
        ),
    ),
    _rule(
        "pg-log-lines-complete",
        title="Log lines say when, who, from where, in full",
        what="log_error_verbosity is default or verbose, log_hostname 0, log_timezone UTC, and "
        "log_line_prefix has time, process, user, database and address.",
        why="Lines of several services cannot be put together without these fields.",
        catalogue="PGP-11",
        controls=("3.1.22", "3.1.23", "3.1.24", "3.1.26"),
        wanted=(
            _one_of("log_error_verbosity", "default", "verbose", default_is_safe=True),
            _off("log_hostname"),
            Wanted(
                "log_line_prefix",
                _complete_prefix,
                "a prefix with %t (or %m), %p, %u, %d and %r (or %h)",
                default_is_safe=True,
            ),
            _one_of("log_timezone", "utc", "gmt", "etc/utc", default_is_safe=True),
        ),
    ),
    _rule(
        "pg-log-operations",
        title="Replication, lock waits, checkpoints and vacuums are logged",
        what="log_replication_commands, log_lock_waits and log_checkpoints are 1, and "
        "log_autovacuum_min_duration is not negative.",
        why="An unknown replication client, or a table that is never vacuumed, goes unnoticed.",
        catalogue="PGP-12",
        controls=("7.2",),
        wanted=(
            _on("log_replication_commands"),
            _on("log_lock_waits"),
            _on("log_checkpoints", default_is_safe=True),
            _between("log_autovacuum_min_duration", 0, 2_147_483_647, "milliseconds"),
        ),
    ),
    _rule(
        "pg-restricted-password-commands",
        title="Only members of rds_password set passwords",
        what="rds.restrict_password_commands is 1.",
        why="Any user could give itself a weak password that never expires.",
        catalogue="PGP-13",
        controls=("5.6",),
        wanted=(_on("rds.restrict_password_commands"),),
    ),
    _rule(
        "pg-bounded-sessions",
        title="No session holds a connection or a lock for ever",
        what="statement_timeout, lock_timeout and idle_in_transaction_session_timeout are set, and "
        "authentication_timeout is at most two minutes.",
        why="One forgotten transaction would stop vacuum, and one lock the whole application.",
        catalogue="PGP-14",
        controls=("5.7", "squawk/require-timeout-settings"),
        wanted=(
            _between("statement_timeout", 1, 3_600_000, "milliseconds"),
            _between("lock_timeout", 1, 600_000, "milliseconds"),
            _between("idle_in_transaction_session_timeout", 1, 3_600_000, "milliseconds"),
            _between("authentication_timeout", 1, 120, "seconds", default_is_safe=True),
        ),
    ),
    _rule(
        "pg-durable-writes",
        title="Committed data survives a crash, and vacuum and row security work",
        what="fsync, full_page_writes, synchronous_commit, autovacuum, row_security are not off.",
        why="A crash would lose or corrupt what was reported as committed.",
        catalogue="PGP-15",
        controls=("6.4", "6.6", "4.7"),
        wanted=(
            _not_off("fsync"),
            _not_off("full_page_writes"),
            _not_off("synchronous_commit"),
            _not_off("autovacuum"),
            _not_off("row_security"),
        ),
        severity=Severity.CRITICAL,
    ),
)
