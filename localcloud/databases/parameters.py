"""Parameters of the families postgres16 and postgres17: what exists, RDS's defaults, refusals.

Which parameters there are is known from facts/postgresql_parameters.py. RDS's own defaults stand
here; source: `aws rds describe-db-parameters` on the default group, as published in AWS's user
guide ("Parameters for RDS for PostgreSQL").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from facts import postgresql_parameters
from facts.parameter_formulas import VARIABLES, FormulaError, evaluate, is_formula
from localcloud.databases.engine import PRELOAD_LIBRARIES, SUPPORTED_EXTENSIONS
from localcloud.databases.instance_classes import InstanceClass

FAMILIES = ("postgres16", "postgres17")

# Defaults that RDS sets differently from PostgreSQL; units are PostgreSQL's own.
_RDS_DEFAULTS = {
    "archive_timeout": "300",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_max_workers": "GREATEST({DBInstanceClassMemory/64371566592},3)",
    "autovacuum_naptime": "15",
    "autovacuum_vacuum_cost_limit": "GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)",
    "autovacuum_vacuum_scale_factor": "0.1",
    "checkpoint_completion_target": "0.9",
    "client_encoding": "UTF8",
    "effective_cache_size": "{DBInstanceClassMemory/16384}",
    "fsync": "1",
    "full_page_writes": "1",
    "idle_in_transaction_session_timeout": "86400000",
    "lo_compat_privileges": "0",
    "log_autovacuum_min_duration": "10000",
    "log_checkpoints": "1",
    "log_destination": "stderr",
    "log_file_mode": "0644",
    "log_filename": "postgresql.log.%Y-%m-%d-%H",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    "log_rotation_age": "60",
    "log_timezone": "UTC",
    "log_truncate_on_rotation": "0",
    "logging_collector": "1",
    "maintenance_work_mem": "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
    "max_locks_per_transaction": "64",
    "max_prepared_transactions": "0",
    "max_replication_slots": "20",
    "max_stack_depth": "6144",
    "max_wal_senders": "20",
    "max_wal_size": "2048",
    "max_worker_processes": "8",
    "min_wal_size": "192",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "{DBInstanceClassMemory/32768}",
    "shared_preload_libraries": "pg_stat_statements",
    "ssl_min_protocol_version": "TLSv1.2",
    "superuser_reserved_connections": "3",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "track_activity_query_size": "4096",
    "track_functions": "pl",
    "track_io_timing": "1",
    "wal_keep_size": "2048",
    "wal_receiver_timeout": "30000",
    "wal_sender_timeout": "30000",
}

# Their libraries are not in the local engine: a name that nothing reads must not be accepted.
_WITHOUT_LIBRARY = ("cron.",)


@dataclass(frozen=True)
class Parameter:
    """One parameter of the family."""

    name: str
    type: str  # bool, integer, real, string or enum
    static: bool  # a change needs a reboot
    modifiable: bool
    default: str | None  # None: not set, the engine's own default counts
    description: str
    minimum: str | None = None
    maximum: str | None = None
    values: tuple[str, ...] = ()
    unit: str | None = None

    @property
    def managed(self) -> bool:
        """Whether RDS acts on it itself instead of passing it to PostgreSQL."""
        return self.name.startswith("rds.")

    @property
    def allowed_values(self) -> str | None:
        """As DescribeDBParameters shows them."""
        if self.type == "bool":
            return "0,1"
        if self.values:
            return ",".join(self.values)
        if self.minimum is not None:
            return f"{self.minimum}-{self.maximum}"
        return None


def family_of(version: str | int) -> str:
    """The family of an engine version such as "17.6" or 17."""
    return f"postgres{str(version).partition('.')[0]}"


def default_group(family: str) -> str:
    """Name of the group that RDS makes itself."""
    return f"default.{family}"


@cache
def catalogue(family: str) -> Mapping[str, Parameter]:
    """All parameters of the family by lower-case name."""
    return {
        name: _local(known)
        for name, known in sorted(postgresql_parameters.catalogue(family).items())
        if not name.startswith(_WITHOUT_LIBRARY)
    }


def _local(known: postgresql_parameters.PostgresqlParameter) -> Parameter:
    managed = known.name.startswith("rds.")
    default = known.default if managed else _RDS_DEFAULTS.get(known.name)
    if known.name == "rds.extensions":
        default = ", ".join(sorted(SUPPORTED_EXTENSIONS))
    return Parameter(
        name=known.name,
        type=known.type,
        static=known.static,
        modifiable=known.modifiable,
        default=default,
        description=(f"({known.unit}) " if known.unit else "") + known.description,
        minimum=known.minimum,
        maximum=known.maximum,
        values=known.values,
        unit=known.unit,
    )


def is_system_default(name: str) -> bool:
    """Whether RDS, not the engine, gives the default (Source is `system`)."""
    return name in _RDS_DEFAULTS or name.startswith("rds.")


def refusal(
    family: str, name: str, value: str | None, apply_method: str | None
) -> tuple[str, str] | None:
    """Why ModifyDBParameterGroup refuses this change: AWS's error code and message, or None."""
    parameter = catalogue(family).get(name.lower())
    if parameter is None:
        return "InvalidParameterValue", f"Could not find parameter with name: {name}"
    if not parameter.modifiable:
        return "InvalidParameterValue", f"The parameter {name} cannot be modified."
    if parameter.static and apply_method == "immediate":
        return (
            "InvalidParameterCombination",
            f"cannot use immediate apply method for static parameter: {name}; "
            "use pending-reboot and reboot the DB instance.",
        )
    if value is not None and not _allowed(parameter, value):
        return (
            "InvalidParameterValue",
            f"Invalid parameter value: {value} for: {name} allowed values are: "
            f"{parameter.allowed_values or _preload_libraries()}",
        )
    return None


def _allowed(parameter: Parameter, value: str) -> bool:
    if parameter.name == "shared_preload_libraries":
        return {item.strip() for item in value.split(",") if item.strip()} <= PRELOAD_LIBRARIES
    match parameter.type:
        case "bool":
            return value.lower() in ("0", "1", "on", "off", "true", "false", "yes", "no")
        case "enum":
            # PostgreSQL lists no booleans for on/off; RDS takes 0 and 1.
            return value.lower() in {*(allowed.lower() for allowed in parameter.values), "0", "1"}
        case "integer" | "real":
            return _is_formula(value) or _in_range(parameter, value)
        case _:
            return "\n" not in value and "\0" not in value


def _is_formula(value: str) -> bool:
    # Any class does: only the grammar is checked.
    try:
        evaluate(value, dict.fromkeys(VARIABLES, 2**34))
    except FormulaError:
        return False
    return is_formula(value)


def _in_range(parameter: Parameter, value: str) -> bool:
    try:
        # File modes are octal.
        number = float(int(value, 8) if value.startswith("0") and len(value) > 1 else value)
    except ValueError:
        return False
    low, high = float(parameter.minimum or "-inf"), float(parameter.maximum or "inf")
    return low <= number <= high and (parameter.type == "real" or number.is_integer())


def _preload_libraries() -> str:
    return ",".join(sorted(PRELOAD_LIBRARIES))


def resolve(
    family: str,
    user: Mapping[str, str],
    instance_class: InstanceClass,
    port: int,
    storage_bytes: int,
) -> dict[str, str]:
    """Return every set parameter with its formula computed: RDS's defaults, then the user's."""
    figures = (instance_class.memory_bytes, instance_class.processors, storage_bytes, port)
    variables = dict[str, int](zip(VARIABLES, figures, strict=True))
    known = catalogue(family)
    chosen = {p.name: p.default for p in known.values() if p.default is not None}
    chosen |= {name.lower(): value for name, value in user.items()}
    return {name: _computed(known[name], value, variables) for name, value in chosen.items()}


def _computed(parameter: Parameter, value: str, variables: Mapping[str, int]) -> str:
    if parameter.type in ("integer", "real") and is_formula(value):
        return str(evaluate(value, variables))
    return value
