"""PostgreSQL's parameters: what is enforced, logged and limited on every instance."""

from __future__ import annotations

from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from facts import postgresql_parameters
from stacks.database_settings import DatabaseSettings

_BOOLEANS = {"on": "1", "true": "1", "yes": "1", "off": "0", "false": "0", "no": "0"}


class Parameter(NamedTuple):
    """One parameter, named and written as RDS gives it back, so that no run finds a change."""

    name: str
    value: str

    @property
    def apply_method(self) -> str:
        """`immediate`, or `pending-reboot` for one that takes effect at the next restart.

        RDS refuses the first for a static parameter and takes the second for every one.
        """
        known = postgresql_parameters.parameter(self.name)
        return known.apply_method if known is not None else "pending-reboot"


def parameters(database: DatabaseSettings) -> list[Parameter]:
    """Every parameter that differs from RDS's default or must not depend on it, by name."""

    def milliseconds(seconds: int) -> str:
        return str(seconds * 1_000)

    ours = [
        # Who gets in: TLS 1.2 or newer and SCRAM only.
        Parameter("rds.force_ssl", "1"),
        Parameter("ssl_min_protocol_version", "TLSv1.2"),
        Parameter("password_encryption", "scram-sha-256"),
        Parameter("rds.accepted_password_auth_method", "scram"),
        # Only members of rds_password, as the master is, set passwords. RDS user guide.
        Parameter("rds.restrict_password_commands", "1"),
        *_max_connections(database),
        # What is recorded.
        Parameter("shared_preload_libraries", "pg_stat_statements,pgaudit"),
        Parameter("pgaudit.log", "ddl,role,write"),
        # Object audit: what is granted to this role is logged. AWS RDS user guide: pgaudit.
        Parameter("pgaudit.role", "rds_pgaudit"),
        Parameter("log_connections", "1"),
        Parameter("log_disconnections", "1"),
        Parameter("log_statement", "ddl"),
        Parameter("log_min_duration_statement", str(database.slow_query_milliseconds)),
        Parameter("log_lock_waits", "1"),
        Parameter("log_replication_commands", "1"),
        Parameter("log_min_messages", "warning"),
        Parameter("log_min_error_statement", "error"),
        # Milliseconds; autovacuum runs that take longer show tables that outgrow it.
        Parameter("log_autovacuum_min_duration", "10000"),
        # How long anything may hold a connection or a lock, in milliseconds.
        Parameter("statement_timeout", milliseconds(database.statement_timeout_seconds)),
        Parameter("lock_timeout", milliseconds(database.lock_timeout_seconds)),
        Parameter(
            "idle_in_transaction_session_timeout",
            milliseconds(database.idle_in_transaction_timeout_seconds),
        ),
    ]
    merged = {parameter.name: parameter for parameter in ours}
    merged |= {
        parameter.name: parameter
        for parameter in (_given(name, value) for name, value in database.parameters.items())
    }
    return sorted(merged.values())


def _given(name: str, value: str | float | bool) -> Parameter:
    """A parameter of the settings: its name in lower case, switches as 0 and 1, lists tight."""
    known = postgresql_parameters.parameter(name)
    text = str(value).strip()
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    if isinstance(value, bool) or (known is not None and known.type == "bool"):
        text = _BOOLEANS.get(text.lower(), text)
    if name.lower() == "shared_preload_libraries":
        text = ",".join(item.strip() for item in text.split(","))
    return Parameter(name.lower(), text)


def _max_connections(database: DatabaseSettings) -> list[Parameter]:
    """None where RDS decides by the machine's memory."""
    if database.max_connections is None:
        return []
    return [Parameter("max_connections", str(database.max_connections))]


def parameter_group(
    name: str, deployment: Deployment, opts: pulumi.ResourceOptions
) -> aws.rds.ParameterGroup:
    """The group that the primary and its replicas of one region share.

    Its name carries the major version: the group of the next one is made before the instance takes
    it, and the old one goes last.
    """
    database = deployment.settings.database
    family = f"postgres{database.engine_version}"
    return aws.rds.ParameterGroup(
        f"{name}-parameters",
        region=deployment.other_region,
        name=deployment.name(family),
        family=family,
        description=f"{deployment.settings.prefix}: TLS, SCRAM, audit, logging, timeouts",
        parameters=[
            {
                "name": parameter.name,
                "value": parameter.value,
                "apply_method": parameter.apply_method,
            }
            for parameter in parameters(database)
        ],
        tags=deployment.tags(deployment.name(family)),
        opts=opts,
    )
