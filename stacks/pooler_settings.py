"""Settings of the PgBouncer hosts. The pool numbers are those of the spike-land guide."""

from __future__ import annotations

from typing import Literal

from stacks import forms
from stacks.choices import LogRetentionDays
from stacks.schema import Architecture, SettingsGroup, setting

PoolMode = Literal["transaction", "session"]
# Of the load balancer's checks: so many in a row decide that a host is (not) healthy.
HEALTH_THRESHOLD = 2

_GUIDE = "guide spike-land: PgBouncer configuration (production)"
_PGBOUNCER = "PgBouncer documentation: pgbouncer.ini"
_ZONES = "AWS EC2 Auto Scaling user guide: benefits across Availability Zones"
_LIMITS = "PostgreSQL 17 documentation: max_connections"
_REFRESH = "AWS EC2 Auto Scaling user guide: instance refresh"
_POOL_MODE_WHY = (
    "`statement` would refuse every transaction of several statements, so it is not offered; "
    "`session` keeps a server connection for each client"
)


class PooledDatabase(SettingsGroup):
    """Sizes of one of PgBouncer's databases, in place of the pooler's own."""

    name: str = setting(
        "The database's name, or `<name>_readonly` for the replicas",
        form=forms.IDENTIFIER,
        why="one of the names that clients connect to",
        source=_PGBOUNCER,
    )
    pool_size: int | None = setting(
        "Server connections for each user of this database",
        default=None,
        unit="connections",
        ge=1,
        le=1_000,
        why="pooler.default_pool_size where left out",
        source=_PGBOUNCER,
    )
    reserve_pool_size: int | None = setting(
        "Extra server connections when clients of this database wait",
        default=None,
        unit="connections",
        ge=0,
        le=1_000,
        why="pooler.reserve_pool_size where left out",
        source=_PGBOUNCER,
    )
    pool_mode: PoolMode | None = setting(
        "When a server connection goes back to the pool of this database",
        default=None,
        why=_POOL_MODE_WHY,
        source=_PGBOUNCER,
    )


class PooledRole(SettingsGroup):
    """Sizes of one login role of the workload, for both of its alternating users."""

    name: str = setting(
        "The role's name in the workload's contract",
        form=forms.ROLE_NAME,
        why="its users are `<name>_1` and `<name>_2`",
        source=_PGBOUNCER,
    )
    pool_size: int | None = setting(
        "Server connections for each user of this role and database",
        default=None,
        unit="connections",
        ge=1,
        le=1_000,
        why="the database's pool size where left out",
        source=_PGBOUNCER,
    )
    max_connections: int | None = setting(
        "Server connections of each user of this role in all databases of a host",
        default=None,
        unit="connections",
        ge=1,
        le=5_000,
        why="no limit but the pools' where left out",
        source=_PGBOUNCER,
    )
    pool_mode: PoolMode | None = setting(
        "When a server connection goes back to the pool of this role",
        default=None,
        why=_POOL_MODE_WHY,
        source=_PGBOUNCER,
    )


class PoolerSettings(SettingsGroup):
    """PgBouncer hosts behind the internal load balancer."""

    host_count: int | None = setting(
        "Hosts in all, spread over the zones; an alternative to hosts_per_zone",
        default=None,
        unit="hosts",
        ge=1,
        le=16,
        why="staging and prod need two: one host is a single point of failure",
        source=_ZONES,
    )
    hosts_per_zone: int | None = setting(
        "Hosts in each zone; 1 when this and host_count are left out",
        default=None,
        unit="hosts",
        ge=1,
        le=4,
        why="with one host a zone a lost zone loses no more than its own host",
        source=_ZONES,
    )
    instance_type: str = setting(
        "Machine of a host",
        form=forms.INSTANCE_TYPE,
        why="EC2 names its types so",
        source="AWS EC2 user guide: instance types",
    )
    architecture: Architecture = setting(
        "Processor of the hosts; decides which Debian 13 image they boot",
        default="arm64",
        why="it must be the instance type's",
        source="AWS EC2 user guide: instance types",
    )
    image_id: str | None = setting(
        "An image to stay with; left out, hosts follow the newest Debian 13 and are replaced by "
        "the first `up` after each of its releases",
        default=None,
        form=forms.IMAGE,
        why="an AWS image id",
        source="Debian wiki: Cloud/AmazonEC2Image/Trixie",
    )
    image_has_packages: bool = setting(
        "The image was made by `python -m hosts.image`: hosts install nothing and need no internet",
        default=False,
        why="a host that has no way to a Debian mirror must not wait for one",
        source="AWS EC2 user guide: create an AMI; docs/pooler.md",
    )
    max_host_lifetime_days: int | None = setting(
        "A host is replaced, with draining, when it is this old",
        default=30,
        unit="days",
        ge=1,
        le=365,
        why="kernels and libraries in use change only with a new boot; none turns it off",
        source="AWS EC2 Auto Scaling user guide: maximum instance lifetime (1 to 365 days)",
    )
    reboot_window: str | None = setting(
        "When a host may reboot for a security update, UTC; each zone has its own part of it",
        default=None,
        form=forms.DAILY_WINDOW,
        why="left out, a new kernel comes with the host's replacement",
        source="Debian wiki: UnattendedUpgrades",
    )
    root_volume_gib: int = setting(
        "Root volume of a host",
        default=10,
        unit="GiB",
        ge=8,
        le=100,
        why="Debian's cloud image needs 8; a host keeps no data",
        source="Debian wiki: Cloud/AmazonEC2Image",
    )
    port: int = setting(
        "Port for clients",
        default=6_543,
        unit="TCP port",
        ge=1_024,
        le=65_535,
        why="PgBouncer does not run as root",
        source=_GUIDE,
    )
    pool_mode: PoolMode = setting(
        "When a server connection goes back to its pool",
        default="transaction",
        why=_POOL_MODE_WHY,
        source=_GUIDE,
    )
    default_pool_size: int = setting(
        "Server connections for each user and database",
        default=20,
        unit="connections",
        ge=1,
        le=1_000,
        why="all pools of all hosts must fit into the database's max_connections",
        source=_GUIDE,
    )
    min_pool_size: int = setting(
        "Server connections kept open when idle",
        default=5,
        unit="connections",
        ge=0,
        le=1_000,
        why="a sudden load should not wait for logins",
        source=_GUIDE,
    )
    reserve_pool_size: int = setting(
        "Extra server connections when clients wait",
        default=5,
        unit="connections",
        ge=0,
        le=1_000,
        why="they count against max_connections too",
        source=_GUIDE,
    )
    reserve_pool_timeout_seconds: int = setting(
        "How long a client waits before the reserve opens",
        default=5,
        unit="seconds",
        ge=1,
        le=60,
        why="PgBouncer reads 0 as `reserve never used`",
        source=_GUIDE,
    )
    max_client_connections: int = setting(
        "Clients that one host accepts",
        default=1_000,
        unit="connections",
        ge=100,
        le=50_000,
        why="each needs a file descriptor and about 2 KiB",
        source=_GUIDE,
    )
    max_prepared_statements: int = setting(
        "Prepared statements followed for each connection in transaction pooling",
        default=200,
        unit="statements",
        ge=0,
        le=10_000,
        why="drivers such as psycopg and Prisma prepare statements by themselves",
        source=_PGBOUNCER,
    )
    server_lifetime_seconds: int = setting(
        "A server connection is replaced after this time",
        default=3_600,
        unit="seconds",
        ge=60,
        le=86_400,
        why="after a failover old connections must go",
        source=_GUIDE,
    )
    server_idle_timeout_seconds: int = setting(
        "An idle server connection is closed after this time",
        default=600,
        unit="seconds",
        ge=10,
        le=86_400,
        why="idle connections take memory on the database",
        source=_GUIDE,
    )
    client_idle_timeout_seconds: int = setting(
        "A client that is idle for so long, and in no transaction, is disconnected; 0 never does",
        default=0,
        unit="seconds",
        ge=0,
        le=86_400,
        why="an idle client costs the pooler little, and a driver's pool keeps such connections; "
        "it is for clients that forget them",
        source=_PGBOUNCER,
    )
    databases: tuple[PooledDatabase, ...] = setting(
        "Databases with sizes of their own",
        default=(),
        why="all pools of all hosts must fit into the database's max_connections",
        source=_PGBOUNCER,
    )
    roles: tuple[PooledRole, ...] = setting(
        "Login roles with sizes of their own",
        default=(),
        why="all pools of all hosts must fit into the database's max_connections",
        source=_PGBOUNCER,
    )
    read_pool: bool = setting(
        "Offer the replicas as database `<name>_readonly`, one after the other",
        default=True,
        why="readers then share the pooler's certificate, users and limits",
        source=_PGBOUNCER,
    )
    superuser_connections: int = setting(
        "Connections that PostgreSQL and RDS keep for themselves",
        default=5,
        unit="connections",
        ge=3,
        le=50,
        why="superuser_reserved_connections (3) and rds.rds_superuser_reserved_connections (2)",
        source="PostgreSQL 17 documentation: superuser_reserved_connections",
    )
    administrator_connections: int = setting(
        "Connections kept for people and for migration runners",
        default=3,
        unit="connections",
        ge=1,
        le=100,
        why="whoever repairs must get in while the pools are full",
        source=_LIMITS,
    )
    function_connections: int = setting(
        "Connections kept for the functions: backup 5, migrations, roles, master password",
        default=8,
        unit="connections",
        ge=4,
        le=200,
        why="pg_dump and a rotation must get in while the pools are full",
        source=_LIMITS,
    )
    tcp_keepalive_idle_seconds: int = setting(
        "A silent connection is probed after this time",
        default=60,
        unit="seconds",
        ge=5,
        le=5_999,
        why="before the load balancer forgets the connection",
        source=_PGBOUNCER,
    )
    tcp_keepalive_interval_seconds: int = setting(
        "Time between two probes; after three without an answer the connection is closed",
        default=10,
        unit="seconds",
        ge=1,
        le=600,
        why="a client that is gone must give its server connection back",
        source=_PGBOUNCER,
    )
    load_balancer_idle_timeout_seconds: int = setting(
        "The load balancer forgets a connection that was silent for this time",
        default=350,
        unit="seconds",
        ge=60,
        le=6_000,
        why="the range that AWS offers for TCP listeners",
        source="AWS Network Load Balancer guide: TCP idle timeout (60 to 6000 seconds)",
    )
    health_port: int = setting(
        "Port of the hosts' health endpoint, open to the load balancer only",
        default=8_008,
        unit="TCP port",
        ge=1_024,
        le=65_535,
        why="the endpoint does not run as root, and it is not the port for clients",
        source="AWS Network Load Balancer guide: health checks",
    )
    health_interval_seconds: int = setting(
        "How often a host proves a query, and the load balancer asks for the result",
        default=10,
        unit="seconds",
        ge=5,
        le=300,
        why="the range that AWS offers",
        source="AWS Network Load Balancer guide: health checks",
    )
    registration_seconds: int = setting(
        "How long the load balancer takes to register a new host; with three health checks more it "
        "is warm, and an instance refresh replaces the next one",
        default=60,
        unit="seconds",
        ge=0,
        le=600,
        why="until then it serves nobody, and another one that goes would be missed",
        source="AWS Network Load Balancer guide: register targets (a few minutes at most)",
    )
    watchdog_minutes: int = setting(
        "A host whose PgBouncer has not answered for this time powers itself off for a new one",
        default=10,
        unit="minutes",
        ge=3,
        le=120,
        why="a database that is away is no reason: only PgBouncer itself is",
        source="docs/pooler.md: health",
    )
    drain_seconds: int = setting(
        "A host that leaves serves its clients for this time before it ends them between "
        "two transactions",
        default=60,
        unit="seconds",
        ge=10,
        le=3_000,
        why="time to leave by themselves, and for the load balancer to send nobody new: two of its "
        "checks, of five seconds at least",
        source=_REFRESH,
    )
    transaction_grace_seconds: int = setting(
        "Longest wait for running transactions after that",
        default=120,
        unit="seconds",
        ge=10,
        le=3_600,
        why="longer than the database's statement timeout",
        source=_REFRESH,
    )
    metrics_interval_seconds: int = setting(
        "How often a host publishes its metrics",
        default=60,
        unit="seconds",
        ge=10,
        le=300,
        why="alarms look at minutes; each sample has a price",
        source="AWS CloudWatch user guide: embedded metric format",
    )
    log_retention_days: LogRetentionDays = setting(
        "How long PgBouncer's logs and metric events are kept",
        default=365,
        unit="days",
        why="the retention periods that CloudWatch Logs offers; audits ask for a year",
        source="AWS CloudWatch Logs API reference: PutRetentionPolicy; CKV_AWS_338",
    )
    refresh_interval_seconds: int = setting(
        "How often a host reads its users and certificate from Secrets Manager",
        default=60,
        unit="seconds",
        ge=5,
        le=600,
        why="a rotation waits for it, and Lambda ends every function after 900 seconds; each read "
        "has a price",
        source="pgkeep's design: rotation without a lost transaction",
    )
