"""TLS of databases of other engines that stand beside PostgreSQL in one stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from .databases import INSTANCE, PARAMETER_GROUP
from .inventory import Resource, Stack
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many, shown

# Family of the group -> the parameter that refuses plain text, and its values.
# AWS RDS user guide, "Using SSL/TLS to encrypt a connection to a DB instance", by engine.
_PARAMETERS: Final = (
    (re.compile(r"mariadb|mysql", re.IGNORECASE), "require_secure_transport", {"1", "on", "true"}),
    (re.compile(r"sqlserver", re.IGNORECASE), "rds.force_ssl", {"1"}),
    (re.compile(r"db2", re.IGNORECASE), "db2comm", {"ssl"}),
)


def _plain_text_refused(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for database in stack.of_type(INSTANCE):
        groups = stack.referenced(database, "parameterGroupName", [PARAMETER_GROUP], ("name", "id"))
        for group in groups if groups is not UNKNOWN else ():
            family = group.get("family")
            for pattern, name, accepted in _PARAMETERS:
                if isinstance(family, str) and pattern.search(family):
                    yield from _judged(database, group, name, accepted)


def _judged(
    database: Resource, group: Resource, name: str, accepted: set[str]
) -> Iterator[Outcome]:
    parameters = group.get("parameters")
    for parameter in one_or_many(parameters):
        fields = cast("dict[str, object]", parameter) if isinstance(parameter, dict) else {}
        if str(fields.get("name")).lower() != name:
            continue
        value = fields.get("value")
        if value is UNKNOWN:
            yield Unverified(database, f"{name} of {group.label}")
        elif str(value).lower() not in accepted:
            found = f"uses {group.label}, which has {name} = {shown(value)}"
            yield Violation(database, found, f"have {name} = {' or '.join(sorted(accepted))}")
        return
    if contains_unknown(parameters):
        yield Unverified(database, f"parameters of {group.label}")
    else:
        found = f"uses {group.label}, which does not set {name}"
        yield Violation(database, found, f"have {name} = {' or '.join(sorted(accepted))}")


RULES: Final = (
    Rule(
        id="rds-ssl-other-engines",
        title="Databases of other engines refuse plain text too",
        what="A parameter group of MySQL, MariaDB, SQL Server or Db2 requires TLS.",
        why="A database beside PostgreSQL takes the same passwords over the same network.",
        remediation="set require_secure_transport = 1 (MySQL, MariaDB), rds.force_ssl = 1 (SQL "
        "Server) or db2comm = SSL (Db2) in the aws.rds.ParameterGroup.",
        severity=Severity.CRITICAL,
        catalogue=("PGP-01",),
        controls=("CKV2_AWS_69",),
        types=(),
        check_stack=_plain_text_refused,
        joined_types=(INSTANCE, PARAMETER_GROUP),
    ),
)
