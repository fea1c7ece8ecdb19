"""Parameters of the family postgres17: what exists, RDS's own defaults, and what is refused.

`parameters_postgres17.jsonl` is `pg_settings` of the engine with RDS's libraries loaded. RDS's own
defaults and its `rds.*` parameters stand here; source: `aws rds describe-db-parameters` on the
default group, as published in AWS's user guide ("Parameters for RDS for PostgreSQL").
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcloud.databases.engine import PRELOAD_LIBRARIES, SUPPORTED_EXTENSIONS
from localcloud.databases.formulas import FormulaError, evaluate, is_formula
from localcloud.databases.instance_classes import InstanceClass

FAMILY = "postgres17"
DEFAULT_GROUP = f"default.{FAMILY}"

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

# AWS, "DB parameter formula variables".
_VARIABLES = ("DBInstanceClassMemory", "DBInstanceVCPU", "AllocatedStorage", "EndPointPort")

# What RDS keeps for itself: IsModifiable is false, ModifyDBParameterGroup refuses it.
_NOT_MODIFIABLE = frozenset({
    "allow_alter_system", "archive_cleanup_command", "archive_command", "archive_library",
    "archive_mode", "archive_timeout", "bonjour", "bonjour_name", "cluster_name", "config_file",
    "data_directory", "data_sync_retry", "debug_assertions", "event_source", "external_pid_file",
    "fsync", "full_page_writes", "hba_file", "ident_file", "listen_addresses", "log_directory",
    "log_truncate_on_rotation", "logging_collector", "port", "primary_conninfo",
    "primary_slot_name", "promote_trigger_file", "recovery_end_command",
    "recovery_init_sync_method", "recovery_target", "recovery_target_action",
    "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name",
    "recovery_target_time", "recovery_target_timeline", "recovery_target_xid",
    "restart_after_crash", "restore_command", "ssl", "ssl_ca_file", "ssl_cert_file", "ssl_crl_dir",
    "ssl_crl_file", "ssl_dh_params_file", "ssl_key_file", "ssl_passphrase_command",
    "ssl_passphrase_command_supports_reload", "superuser_reserved_connections", "syslog_facility",
    "syslog_ident", "syslog_sequence_numbers", "syslog_split_messages", "unix_socket_directories",
    "unix_socket_group", "unix_socket_permissions", "wal_level",
})  # fmt: skip


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


def _managed(
    name: str, type_: str, default: str | None, description: str, *, static: bool = False,
    values: tuple[str, ...] = (), modifiable: bool = True,
    limits: tuple[str, str] | None = None,
) -> Parameter:  # fmt: skip
    low, high = limits or (None, None)
    return Parameter(name, type_, static, modifiable, default, description, low, high, values)


_MANAGED = (
    _managed(
        "rds.accepted_password_auth_method", "enum", "md5+scram",
        "Force authentication for connections with passwords stored locally.",
        values=("md5+scram", "scram"),
    ),
    _managed("rds.adaptive_autovacuum", "bool", "1", "RDS adapts autovacuum to wraparound risk."),
    _managed(
        "rds.extensions", "string", ", ".join(sorted(SUPPORTED_EXTENSIONS)),
        "List of extensions provided by RDS.", modifiable=False,
    ),
    _managed(
        "rds.force_admin_logging_level", "enum", None,
        "See log messages for RDS admin user actions.",
        values=("disabled", "debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice",
                "warning", "error", "log", "fatal", "panic"),
    ),
    _managed(
        "rds.force_autovacuum_logging_level", "enum", "warning",
        "See log messages related to autovacuum operations.",
        values=("disabled", "debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice",
                "warning", "error", "log", "fatal", "panic"),
    ),
    _managed("rds.force_ssl", "bool", "1", "Force SSL connections."),
    _managed(
        "rds.log_retention_period", "integer", "4320",
        "Minutes after which RDS deletes PostgreSQL logs.", limits=("1440", "10080"),
    ),
    _managed(
        "rds.logical_replication", "bool", "0", "Enables logical decoding.", static=True
    ),
    _managed(
        "rds.rds_superuser_reserved_connections", "integer", "2",
        "Connection slots reserved for rds_superuser.", static=True, limits=("0", "8388607"),
    ),
    _managed(
        "rds.restrict_password_commands", "bool", None,
        "Restricts password-related commands to members of rds_password.", static=True,
    ),
)  # fmt: skip


@cache
def catalogue() -> Mapping[str, Parameter]:
    """All parameters of the family by lower-case name."""
    file = Path(__file__).with_name("parameters_postgres17.jsonl")
    found = {parameter.name: parameter for parameter in _MANAGED}
    for line in file.read_text(encoding="utf-8").splitlines():
        parameter = _from_setting(json.loads(line))
        found[parameter.name] = parameter
    return dict(sorted(found.items()))


def _from_setting(setting: dict[str, str | None]) -> Parameter:
    name, context = str(setting["name"]).lower(), setting["context"]
    unit = setting.get("unit")
    return Parameter(
        name=name,
        type=str(setting["type"]),
        static=context == "postmaster",
        modifiable=context != "internal" and name not in _NOT_MODIFIABLE,
        default=_RDS_DEFAULTS.get(name),
        description=(f"({unit}) " if unit else "") + str(setting["description"]),
        minimum=setting.get("min"),
        maximum=setting.get("max"),
        values=tuple(setting.get("values") or ()),
        unit=unit,
    )


def is_system_default(name: str) -> bool:
    """Whether RDS, not the engine, gives the default (Source is `system`)."""
    return name in _RDS_DEFAULTS or name.startswith("rds.")


def refusal(name: str, value: str | None, apply_method: str | None) -> tuple[str, str] | None:
    """Why ModifyDBParameterGroup refuses this change: AWS's error code and message, or None."""
    parameter = catalogue().get(name.lower())
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
        evaluate(value, dict.fromkeys(_VARIABLES, 2**34))
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
    user: Mapping[str, str], instance_class: InstanceClass, port: int, storage_bytes: int
) -> dict[str, str]:
    """Return every set parameter with its formula computed: RDS's defaults, then the user's."""
    figures = (instance_class.memory_bytes, instance_class.processors, storage_bytes, port)
    variables = dict[str, int](zip(_VARIABLES, figures, strict=True))
    chosen = {p.name: p.default for p in catalogue().values() if p.default is not None}
    chosen |= {name.lower(): value for name, value in user.items()}
    return {name: _computed(name, value, variables) for name, value in chosen.items()}


def _computed(name: str, value: str, variables: Mapping[str, int]) -> str:
    parameter = catalogue()[name]
    if parameter.type in ("integer", "real") and is_formula(value):
        return str(evaluate(value, variables))
    return value
