"""TLS of databases of other engines that stand beside PostgreSQL in one stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, cast

from .databases import CLUSTER, INSTANCE, PARAMETER_GROUP
from .inventory import Resource, Stack
from .requirements import ADVISORY_BELOW_STAGING, contains, number, on_resource
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


def _of_mysql(*engines: str) -> Callable[[Resource], bool]:
    """Whether a cluster is of none of `engines`; without an engine AWS made Aurora MySQL."""

    def is_other(cluster: Resource) -> bool:
        engine = cluster.get("engine")
        return isinstance(engine, str) and bool(engine) and engine.lower() not in engines

    return is_other


RULES: Final = (
    Rule(
        id="rds-mysql-audit-log",
        title="MySQL clusters beside PostgreSQL export their audit log",
        what="enabledCloudwatchLogsExports of every cluster of MySQL has audit.",
        why="Who changed what there could not be said after an incident.",
        remediation='add "audit" to enabled_cloudwatch_logs_exports of the aws.rds.Cluster.',
        severity=Severity.MEDIUM,
        catalogue=("RDS-08",),
        controls=("CKV_AWS_325",),
        types=(CLUSTER,),
        check_resource=on_resource(
            contains("enabledCloudwatchLogsExports", ("audit",), "have audit"),
            unless=_of_mysql("aurora", "aurora-mysql", "mysql"),
        ),
    ),
    Rule(
        id="rds-mysql-backtrack",
        title="Aurora MySQL clusters beside PostgreSQL can be turned back",
        what="backtrackWindow of every Aurora MySQL cluster is more than zero.",
        why="A wrong deletion there needs a whole restore otherwise.",
        remediation="set backtrack_window on the aws.rds.Cluster.",
        severity=Severity.MEDIUM,
        catalogue=("RDS-05",),
        controls=("CKV_AWS_326",),
        types=(CLUSTER,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(
            number("backtrackWindow", default=0, least=1, most=259_200, unit="seconds"),
            unless=_of_mysql("aurora", "aurora-mysql"),
        ),
    ),
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
