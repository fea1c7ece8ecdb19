"""Spoilt and other good values of each rule's properties, for `test_specs.py`."""

from __future__ import annotations

from typing import Any, Final

from tests.policies import spec_table_network
from tests.policies.spec_table_accounts import ACCOUNTS, ACCOUNTS_ALSO_GOOD
from tests.policies.spec_table_hosts import HOSTS, HOSTS_ALSO_GOOD
from tests.policies.spec_table_joins import JOINS, JOINS_ALSO_GOOD
from tests.policies.spec_table_network import ABSENT, NOT_FALSE, NOT_GIVEN, NOT_TRUE, Spoils
from tests.policies.spec_table_privileges import PRIVILEGES, PRIVILEGES_ALSO_GOOD

# Rules with a test module of their own.
ELSEWHERE: Final = {
    "rds-ssl-enforced",
    "rds-storage-encrypted",
    "rds-not-public",
    "rds-pitr-retention",
    "s3-public-access-blocked",
    "s3-tls-only",
    "iam-no-wildcard-actions",
    "iam-no-wildcard-resources",
    "iam-no-wildcard-trust",
    "db-app-cannot-delete",
    "db-audit-append-only",  # all of SQL and its rules: test_sql*.py, test_database_*.py
    "db-audit-guarded",
    "db-definer-functions-closed",
    "db-extensions-allowed",
    "db-grants-named",
    "db-login-role-limits",
    "db-login-roles-bounded",
    "db-migrations-keep-data",
    "db-no-elevated-roles",
    "db-no-grant-options",
    "db-no-public-grants",
    "db-row-security",
    "db-sql-decidable",
    "iam-no-users",  # every resource of its types is refused: test_agreement.py
    "iam-no-console-users",  # needs a user, which iam-no-users refuses: test_agreement.py
    "rds-ssl-other-engines",  # the good group is PostgreSQL's: test_joins.py
    "rds-stateful-protected",  # judges an option, no property: test_joins.py
    "rds-mysql-audit-log",  # the good databases are PostgreSQL: test_outside_demands.py
    "rds-mysql-backtrack",
    "s3-public-acl-tls",  # needs a public ACL, which s3-no-public-acl refuses
    "net-endpoints-exist",  # needs a VPC with a database: test_joins.py
    "net-no-default-vpc",  # every resource of its type is refused: test_agreement.py
}


# Places of the good stack's parameters in its group; the first one is rds.force_ssl.
_PLACES: Final = {
    name: f"parameters/{place}"
    for place, name in enumerate(
        (
            *("ssl_min_protocol_version", "password_encryption"),
            *("rds.accepted_password_auth_method", "log_connections", "log_disconnections"),
            *("log_statement", "log_min_duration_statement", "shared_preload_libraries"),
            *("pgaudit.log", "pgaudit.role", "log_replication_commands", "log_lock_waits"),
            *("log_autovacuum_min_duration", "rds.restrict_password_commands"),
            *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"),
        ),
        start=1,
    )
}


def _parameter(name: str, *values: Any, required: bool = True) -> Spoils:
    """The parameter with each bad value and without one, and if `required` not set at all."""
    place = _PLACES[name]
    spoils: Spoils = [("group", f"{place}/value", [*values, None, True, [], {}])]
    if required:
        spoils.append(("group", f"{place}/name", ["work_mem"]))
    return spoils


def _other(name: str, *values: Any) -> Spoils:
    """A parameter that the good stack leaves at its default, with each value."""
    return [("group", "parameters/1", [{"name": name, "value": value} for value in values])]


SPECS: Final[dict[str, Spoils]] = {
    **spec_table_network.SPECS,
    **PRIVILEGES,
    **HOSTS,
    **JOINS,
    **ACCOUNTS,
    "rds-customer-key": [("db", "kmsKeyId", NOT_GIVEN)],
    "rds-multi-az": [("db", "multiAz", NOT_TRUE)],
    "rds-deletion-protected": [
        ("db", "deletionProtection", NOT_TRUE),
        ("replica", "deletionProtection", NOT_TRUE),
    ],
    "rds-final-snapshot": [
        ("db", "skipFinalSnapshot", NOT_FALSE),
        ("db", "finalSnapshotIdentifier", NOT_GIVEN),
        ("db", "deleteAutomatedBackups", [*NOT_FALSE, ABSENT]),
    ],
    "rds-logs-exported": [
        (
            "db",
            "enabledCloudwatchLogsExports",
            [ABSENT, [], ["postgresql"], ["upgrade"], "postgresql", {"postgresql": "upgrade"}],
        ),
        ("replica", "enabledCloudwatchLogsExports", [ABSENT, ["iam-db-auth-error"]]),
    ],
    "rds-enhanced-monitoring": [
        ("db", "monitoringInterval", [ABSENT, 0, "0", -1, 61, True, "often", 1.5, []]),
        ("replica", "monitoringInterval", [0]),
    ],
    "rds-monitoring-role": [("db", "monitoringRoleArn", NOT_GIVEN)],
    "rds-performance-insights": [("db", "performanceInsightsEnabled", NOT_TRUE)],
    "rds-performance-insights-key": [("db", "performanceInsightsKmsKeyId", NOT_GIVEN)],
    "rds-iam-authentication": [("db", "iamDatabaseAuthenticationEnabled", NOT_TRUE)],
    "rds-minor-upgrades": [("db", "autoMinorVersionUpgrade", NOT_TRUE)],
    "rds-no-major-upgrades": [("db", "allowMajorVersionUpgrade", NOT_FALSE)],
    "rds-tags-on-snapshots": [("db", "copyTagsToSnapshot", NOT_TRUE)],
    "rds-current-authority": [("db", "caCertIdentifier", ["rds-ca-2019", "", "mine", 5, []])],
    "rds-supported-version": [
        ("db", "engineVersion", ["9.6.22", "12", "13.", "x", "12.7", "11-R1", 17, ["17"], {}])
    ],
    "rds-no-file-read": [
        ("db", "engineVersion", ["13.2", "13.2-R1", "12.6", "11.11", "10.16", "9.6.21", "13.0"])
    ],
    "rds-master-username": [
        ("db", "username", [ABSENT, "", "postgres", "Admin", "ROOT", "master", 5, []])
    ],
    "rds-no-stored-password": [("db", "password", ["hunter2", 5, {"a": 1}])],
    "rds-bounded-storage": [
        ("db", "maxAllocatedStorage", [ABSENT, 0, 19, 65_537, "much", True]),
        ("db", "storageType", [ABSENT, "gp2", "standard", "", 3]),
    ],
    "pg-modern-tls": [
        *_parameter("ssl_min_protocol_version", "TLSv1", "TLSv1.1", "", required=False),
        *_other("ssl_ciphers", "", "HIGH:RC4", "HIGH:aNULL", "NULL", "HIGH:+3DES"),
    ],
    "pg-scram-passwords": [
        *_parameter("password_encryption", "md5", "", "scram"),
        *_parameter("rds.accepted_password_auth_method", "md5+scram", "md5", ""),
    ],
    "pg-log-connections": _parameter("log_connections", "0", "", "off", "receipt"),
    "pg-log-disconnections": _parameter("log_disconnections", "0", "", "2"),
    "pg-log-ddl": _parameter("log_statement", "none", "", "0"),
    "pg-log-slow-statements": _parameter(
        "log_min_duration_statement", "-1", "60001", "", "1s", "1.5"
    ),
    "pg-audit": [
        *_parameter("shared_preload_libraries", "pg_stat_statements", "", "pgaudit2"),
        *_parameter("pgaudit.log", "ddl,role", "write", "none", "", "all,-write"),
        *_parameter("pgaudit.role", "postgres", ""),
    ],
    "pg-log-errors": [
        *_other("log_min_messages", "error", "fatal", "panic", "log", "", 0),
        *_other("log_min_error_statement", "fatal", "panic", "log", "", "off"),
    ],
    "pg-no-debug-output": [
        *_other("debug_print_parse", "1", "on", ""),
        *_other("debug_print_rewritten", "1", "on"),
        *_other("debug_print_plan", "1", 1),
    ],
    "pg-log-lines-complete": [
        *_other("log_error_verbosity", "terse", ""),
        *_other("log_hostname", "1", ""),
        *_other(
            "log_line_prefix",
            *("", "%m %p %u %d", "%m %p %u %r", "%m %p %d %r", "%m %u %d %r", "%p %u %d %r"),
        ),
        *_other("log_timezone", "Europe/Berlin", ""),
    ],
    "pg-log-operations": [
        *_parameter("log_replication_commands", "0", ""),
        *_parameter("log_lock_waits", "0", ""),
        *_parameter("log_autovacuum_min_duration", "-1", ""),
        *_other("log_checkpoints", "0", "", "off"),
    ],
    "pg-restricted-password-commands": _parameter("rds.restrict_password_commands", "0", ""),
    "pg-bounded-sessions": [
        *_parameter("statement_timeout", "0", "3600001", "-1", ""),
        *_parameter("lock_timeout", "0", "600001", ""),
        *_parameter("idle_in_transaction_session_timeout", "0", "3600001", "86400000"),
        *_other("authentication_timeout", "0", "121", ""),
    ],
    "pg-durable-writes": [
        *_other("fsync", "0", "off"),
        *_other("full_page_writes", "0", "false"),
        *_other("synchronous_commit", "off", "local", "0"),
        *_other("autovacuum", "0", "no"),
        *_other("row_security", "0", "OFF"),
    ],
}

ALSO_GOOD: Final[dict[str, Spoils]] = {
    **spec_table_network.ALSO_GOOD,
    **PRIVILEGES_ALSO_GOOD,
    **HOSTS_ALSO_GOOD,
    **JOINS_ALSO_GOOD,
    **ACCOUNTS_ALSO_GOOD,
    "rds-multi-az": [("db", "multiAz", ["true"]), ("replica", "multiAz", [False])],
    "rds-customer-key": [("replica", "identifier", ["db-3"])],
    "rds-final-snapshot": [("replica", "skipFinalSnapshot", [True])],
    "rds-logs-exported": [("db", "engine", ["mysql"])],
    "rds-performance-insights-key": [("db", "performanceInsightsEnabled", [False, ABSENT])],
    "rds-monitoring-role": [("db", "monitoringInterval", [0, ABSENT])],
    "rds-current-authority": [("db", "caCertIdentifier", [ABSENT, "rds-ca-ecc384-g1"])],
    "rds-supported-version": [
        ("db", "engineVersion", [ABSENT, "13.3", "14", "17.4", "17.4-R2", "19"]),
    ],
    "rds-no-file-read": [("db", "engineVersion", ["13", "13.3", "12.7", "9.6.22", "17.0"])],
    "rds-master-username": [("replica", "identifier", ["db-3"])],
    "rds-enhanced-monitoring": [("db", "monitoringInterval", [1, "60", 60.0])],
    "pg-modern-tls": [
        ("group", f"{_PLACES['ssl_min_protocol_version']}/value", ["TLSv1.3"]),
        *_other("ssl_ciphers", "HIGH:!aNULL:!3DES", "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
    "pg-log-connections": [("group", f"{_PLACES['log_connections']}/value", [1, "all"])],
    "pg-log-ddl": [("group", f"{_PLACES['log_statement']}/value", ["mod", "all"])],
    "pg-log-slow-statements": [
        ("group", f"{_PLACES['log_min_duration_statement']}/value", ["0", 60_000])
    ],
    "pg-audit": [("group", f"{_PLACES['pgaudit.log']}/value", ["all", "write, ddl, role"])],
    "pg-log-errors": _other("log_min_messages", "warning", "notice", "debug5"),
    "pg-log-lines-complete": _other("log_line_prefix", "%t:%r:%u@%d:[%p]:", "%m %h %u %d %p"),
    "pg-durable-writes": _other("synchronous_commit", "on", "remote_apply"),
    "pg-scram-passwords": [("group", "family", ["mysql8.0"])],
}
