"""Outside demands on databases: Security Hub's RDS controls and checkov's checks of aws_db_*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ..databases import (
    CLUSTER,
    INSTANCE,
    PARAMETER_GROUP,
    POSTGRES_FAMILIES,
    forced,
)
from ..inventory import Resource, Stack
from ..requirements import at_least, contains, flag, number, on_resource, text_where
from ..rules import Context, Outcome, ResourceCheck, StackCheck, Violation
from ..values import UNKNOWN, sequence

_EXPORTS: Final = "enabledCloudwatchLogsExports"
# CreateDBInstance and CreateDBCluster keep one day if nothing is said.
_DEFAULT_DAYS: Final = 1
# The first major version whose default group has rds.force_ssl = 1: AWS, "Requiring an SSL
# connection to a PostgreSQL DB instance".
_FORCED_SINCE: Final = 15
# The names that RDS's console and documentation give; AWS Config rds-instance-default-admin-check.
_DEFAULT_USERNAMES: Final = ("admin", "postgres")


def kept_for(days: int) -> ResourceCheck:
    """Automated backups for at least `days`."""
    return on_resource(number("backupRetentionPeriod", default=_DEFAULT_DAYS, least=days, most=35))


def _username(database: Resource, context: Context) -> Iterator[Outcome]:
    name = "masterUsername" if database.type == CLUSTER else "username"
    yield from on_resource(
        text_where(name, lambda found: found not in _DEFAULT_USERNAMES, "be another")
    )(database, context)


def _not_serverless(cluster: Resource, _context: Context) -> Iterator[Outcome]:
    """Aurora Serverless (v1) is always encrypted."""
    if cluster.get("engineMode") != "serverless":
        yield Violation(cluster, "is not encrypted", "be encrypted")


def _of_aurora(database: Resource, _context: Context) -> Iterator[Outcome]:
    """Any violation of the rule, on databases of Aurora."""
    if str(database.get("engine")).startswith("aurora"):
        yield Violation(database, "has a version with the defect", "be newer")


def _group_in_stack_forces_ssl(stack: Stack, _context: Context) -> Iterator[Outcome]:
    """CKV2_AWS_69 asks only databases whose parameter group the program has."""
    for database in stack.of_type(INSTANCE):
        groups = stack.referenced(database, "parameterGroupName", [PARAMETER_GROUP], ("name", "id"))
        for group in groups if isinstance(groups, list) else []:
            if _is_postgres(group) and any(True for _ in forced(group)):
                yield Violation(database, "may be reached without TLS", "force TLS")


def _default_or_group_forces_ssl(stack: Stack, _context: Context) -> Iterator[Outcome]:
    """RDS.38 judges the value in force: of the group, of AWS's default group, of the default."""
    for database in stack.of_type(INSTANCE):
        groups = stack.referenced(database, "parameterGroupName", [PARAMETER_GROUP], ("name", "id"))
        if groups is UNKNOWN:
            continue
        limit = "have rds.force_ssl = 1"
        for group in groups:
            said = [one for one in forced(group) if isinstance(one, Violation)]
            silent = said and not _says(group, "rds.force_ssl")
            if said and not (silent and _major(group.get("family")) >= _FORCED_SINCE):
                yield Violation(database, "may be reached without TLS", limit)
        if not groups and not _is_forced_by_default(database):
            yield Violation(database, "may be reached without TLS", limit)


def _is_forced_by_default(database: Resource) -> bool:
    """Whether AWS's own default group is in force, of a version that requires TLS."""
    name = database.get("parameterGroupName")
    own_group = name not in (None, "") and not str(name).startswith("default.")
    return not own_group and _major(database.get("engineVersion")) >= _FORCED_SINCE


def _major(version: object) -> int:
    """17 of "17.4" and of "postgres17"; 0 of what is no version."""
    digits = str(version).removeprefix("postgres").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0


def _is_postgres(group: Resource) -> bool:
    family = group.get("family")
    return not isinstance(family, str) or bool(POSTGRES_FAMILIES[group.type].match(family))


def _says(group: Resource, parameter: str) -> bool:
    parameters = sequence(group.get("parameters"))
    entries = parameters if isinstance(parameters, list) else []
    return any(isinstance(one, dict) and one.get("name") == parameter for one in entries)


_any_log: Final = on_resource(at_least(_EXPORTS, 1, "log"))
_postgresql_log: Final = on_resource(contains(_EXPORTS, ("postgresql",), "have postgresql"))

RESOURCES: Final[Mapping[str, Mapping[str, ResourceCheck]]] = {
    "rds-pitr-retention": {
        "CKV_AWS_133": kept_for(1),
        "RDS.11": kept_for(7),
        "rds-instance-backup-enabled": kept_for(1),
        "configureBackupRetention": kept_for(3),
    },
    "rds-storage-encrypted": {"CKV_AWS_96": _not_serverless},
    "rds-logs-exported": {
        "CKV_AWS_129": _any_log,
        "CKV_AWS_324": _any_log,
        "RDS.36": _postgresql_log,
        "rds-postgresql-logs-to-cloudwatch": _postgresql_log,
    },
    "rds-no-file-read": {
        "CKV_AWS_388": _of_aurora,
    },
    # On unless it is switched off.
    "rds-minor-upgrades": dict.fromkeys(
        ("RDS.13", "3.2.2"), on_resource(flag("autoMinorVersionUpgrade", True, default=True))
    ),
    "rds-master-username": {"RDS.25": _username},
    "rds-proxy-tls": {"RDS.43": on_resource(flag("requireTls", True, default=False))},
}
JOINS: Final[Mapping[str, Mapping[str, StackCheck]]] = {
    "rds-ssl-enforced": {
        "CKV2_AWS_69": _group_in_stack_forces_ssl,
        "RDS.38": _default_or_group_forces_ssl,
        "rds-postgres-instance-encrypted-in-transit": _default_or_group_forces_ssl,
    },
}
