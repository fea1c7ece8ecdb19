"""The user data of a PgBouncer host: cloud-config that holds settings, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hosts.cloud_config import (
    CODE_FOLDER,
    certificates_in_hex,
    file,
    fill,
    packed,
    program,
    read,
    text,
)
from hosts.packages import PACKAGES
from hosts.pooler import HEALTH_DATABASE

#: Which modules of this package a host's own programs are made of.
MODULES = (
    *("__init__", "metadata", "services", "pooler", "refresh_credentials"),
    *("health", "lifecycle", "telemetry", "pause", "agent", "instance_connect"),
)
_UNITS = (
    "pgkeep-credentials.service",
    "pgkeep-agent.service",
    "pgkeep-power@.path",
    "pgkeep-power@.service",
)

# Beyond clients and servers: log, DNS, listeners, the journal.
_SPARE_OPEN_FILES = 1024
# Room for several users and databases, each with its own pool of servers.
_POOLS = 16


@dataclass(frozen=True)
class PoolSizes:
    """What one of PgBouncer's databases or users has instead of the defaults; None is a default."""

    pool_size: int | None = None
    reserve_pool_size: int | None = None
    pool_mode: str | None = None
    max_connections: int | None = None
    """Server connections of all pools: PgBouncer's max_db_connections or max_user_connections."""


@dataclass(frozen=True)
class PoolerHostConfig:
    """What makes a PgBouncer host; the names of PgBouncer's own settings with their unit."""

    region: str
    users_secret_arn: str
    server_tls_secret_arn: str
    health_secret_arn: str
    pause_secret_arn: str
    rds_ca_bundle_pem: str
    database_name: str
    database_host: str
    database_port: int
    replica_hosts: list[str]
    """Behind `<database_name>_readonly`, one after the other; none without a read pool."""
    default_pool_size: int
    min_pool_size: int
    reserve_pool_size: int
    reserve_pool_timeout_seconds: int
    max_client_conn: int
    max_prepared_statements: int
    server_lifetime_seconds: int
    server_idle_timeout_seconds: int
    client_idle_timeout_seconds: int
    """0 never ends an idle client."""
    tcp_keepalive_idle_seconds: int
    tcp_keepalive_interval_seconds: int
    refresh_interval_seconds: int
    group_name: str
    """Of the Auto Scaling group; also the metrics' dimension `Pooler`."""
    launch_hook: str
    termination_hook: str
    log_group: str
    health_port: int
    health_interval_seconds: int
    watchdog_minutes: int
    drain_seconds: int
    transaction_grace_seconds: int
    metrics_interval_seconds: int
    zones: list[str]
    reboot_window: str | None = None
    image_has_packages: bool = False
    listen_port: int = 6543
    pool_mode: str = "transaction"
    database_sizes: Mapping[str, PoolSizes] = field(default_factory=dict[str, PoolSizes])
    role_sizes: Mapping[str, PoolSizes] = field(default_factory=dict[str, PoolSizes])

    @property
    def databases(self) -> dict[str, str]:
        """PgBouncer's databases with their connection strings; `<name>_readonly` are replicas."""
        where = f"port={self.database_port} dbname={self.database_name}"
        primary = f"host={self.database_host} {where}"
        databases = {self.database_name: primary}
        if self.replica_hosts:
            hosts = ",".join(self.replica_hosts)
            databases[f"{self.database_name}_readonly"] = (
                f"host={hosts} {where} load_balance_hosts=round-robin"
            )
        databases = {
            name: " ".join([text, *_sizes(self.database_sizes.get(name), "max_db_connections")])
            for name, text in databases.items()
        }
        databases[HEALTH_DATABASE] = (
            f"{primary} pool_size=1 reserve_pool_size=0 pool_mode=transaction max_db_connections=1"
        )
        return databases

    @property
    def users(self) -> dict[str, str]:
        """PgBouncer's users that have settings of their own: both of each role's."""
        return {
            f"{role}_{number}": " ".join(_sizes(sizes, "max_user_connections"))
            for role, sizes in self.role_sizes.items()
            for number in (1, 2)
        }

    @property
    def open_files(self) -> int:
        """File descriptors that PgBouncer may need."""
        servers = (self.default_pool_size + self.reserve_pool_size) * _POOLS
        return self.max_client_conn + servers + _SPARE_OPEN_FILES


def _sizes(sizes: PoolSizes | None, limit: str) -> list[str]:
    if sizes is None:
        return []
    named = {
        "pool_size": sizes.pool_size,
        "reserve_pool_size": sizes.reserve_pool_size,
        "pool_mode": sizes.pool_mode,
        limit: sizes.max_connections,
    }
    return [f"{name}={value}" for name, value in named.items() if value is not None]


def render(config: PoolerHostConfig) -> bytes:
    """The user data, packed; `ValueError` when it is longer than EC2 takes."""
    return packed(cloud_config(config), "pooler hosts", config.rds_ca_bundle_pem)


def cloud_config(config: PoolerHostConfig) -> str:
    """`#cloud-config` text."""
    document = {
        "ssh_pwauth": False,
        "disable_root": True,
        "package_update": False,
        "runcmd": [["/usr/local/sbin/pgkeep-pooler-setup"]],
        "write_files": _files(config),
    }
    return text(document)


def _files(config: PoolerHostConfig) -> list[dict[str, str]]:
    values: dict[str, Any] = {
        **{each.name: getattr(config, each.name) for each in fields(config)},
        "databases": _lines(config.databases),
        "users": _lines(config.users),
        "open_files": config.open_files,
        "refresh_spread_seconds": max(1, config.refresh_interval_seconds // 10),
        "packages": " ".join(PACKAGES),
        "image_has_packages": "yes" if config.image_has_packages else "no",
    }
    units = "/etc/systemd/system"
    return [
        # First what all hosts have in common, last what looks different from all else: so it
        # compresses best.
        *(file(f"{CODE_FOLDER}/hosts/{name}.py", program(name)) for name in MODULES),
        *(file(f"{units}/{name}", read(name)) for name in _UNITS),
        file("/etc/ssh/sshd_config.d/10-pgkeep.conf", read("sshd.conf")),
        file("/etc/sysusers.d/pgkeep.conf", read("sysusers.conf")),
        file("/etc/apt/apt.conf.d/52pgkeep", read("apt.conf")),
        file("/etc/systemd/resolved.conf.d/pgkeep.conf", read("resolved.conf")),
        file("/etc/pgbouncer/pgbouncer.ini", fill("pgbouncer.ini", values)),
        file("/etc/pgkeep/pooler.env", _environment(config)),
        file("/usr/local/sbin/pgkeep-pooler-setup", fill("setup.sh", values), mode="0755"),
        file(f"{units}/pgbouncer.service.d/pgkeep.conf", fill("pgbouncer.service.d.conf", values)),
        file(f"{units}/pgkeep-credentials.timer", fill("pgkeep-credentials.timer", values)),
        file("/etc/pgbouncer/rds-ca-bundle.hex", certificates_in_hex(config.rds_ca_bundle_pem)),
    ]


def _environment(config: PoolerHostConfig) -> str:
    """What the host's own programs read; systemd takes quotes away."""
    variables: dict[str, object] = {
        "AWS_REGION": config.region,
        # Debian's bundle, which has an organisation's own authorities too.
        "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "USERS_SECRET_ARN": config.users_secret_arn,
        "SERVER_TLS_SECRET_ARN": config.server_tls_secret_arn,
        "HEALTH_SECRET_ARN": config.health_secret_arn,
        "PAUSE_SECRET_ARN": config.pause_secret_arn,
        "DATABASE_NAME": config.database_name,
        "LISTEN_PORT": config.listen_port,
        "MIN_POOL_SIZE": config.min_pool_size,
        "HEALTH_PORT": config.health_port,
        "HEALTH_INTERVAL_SECONDS": config.health_interval_seconds,
        "WATCHDOG_MINUTES": config.watchdog_minutes,
        "DRAIN_SECONDS": config.drain_seconds,
        "TRANSACTION_GRACE_SECONDS": config.transaction_grace_seconds,
        "METRICS_INTERVAL_SECONDS": config.metrics_interval_seconds,
        "GROUP_NAME": config.group_name,
        "POOLER_NAME": config.group_name,
        "LAUNCH_HOOK": config.launch_hook,
        "TERMINATION_HOOK": config.termination_hook,
        "LOG_GROUP": config.log_group,
        "REBOOT_WINDOW": config.reboot_window or "",
        "ZONES": f'"{" ".join(config.zones)}"',
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _lines(entries: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {text}" for name, text in entries.items())
