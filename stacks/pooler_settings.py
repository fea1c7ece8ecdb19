"""Settings of the PgBouncer hosts. The pool numbers are those of the spike-land guide."""

from __future__ import annotations

from stacks.schema import Architecture, SettingsGroup, setting

_GUIDE = "guide spike-land: PgBouncer configuration (production)"
_PGBOUNCER = "PgBouncer documentation: pgbouncer.ini"


class PoolerSettings(SettingsGroup):
    """PgBouncer hosts behind the internal load balancer."""

    host_count: int = setting(
        "Hosts, spread over the zones",
        default=2,
        unit="hosts",
        ge=2,
        le=16,
        why="one host is a single point of failure",
        source="AWS EC2 Auto Scaling user guide: benefits across Availability Zones",
    )
    instance_type: str = setting(
        "Machine of a host",
        pattern=r"^[a-z0-9-]+\.[a-z0-9]+$",
        why="an EC2 instance type such as t4g.small",
        source="AWS EC2 user guide: instance types",
    )
    architecture: Architecture = setting(
        "Processor of the hosts; decides which Debian 13 image they boot",
        default="arm64",
        why="it must be the instance type's",
        source="AWS EC2 user guide: instance types",
    )
    image_id: str | None = setting(
        "An image to boot instead of the newest Debian 13 (which changes at each Debian release)",
        default=None,
        pattern=r"^ami-[0-9a-f]{8,17}$",
        why="an AWS image id",
        source="Debian wiki: Cloud/AmazonEC2Image/Trixie",
    )
    ssh_key_name: str | None = setting(
        "EC2 key pair of the `admin` user; none where Instance Connect is used",
        default=None,
        pattern=r"^[\x21-\x7e]{1,255}$",
        why="standing keys are for the local cloud only",
        source="AWS EC2 user guide: key pairs",
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
    refresh_interval_seconds: int = setting(
        "How often a host reads its users and certificate from Secrets Manager",
        default=60,
        unit="seconds",
        ge=5,
        le=900,
        why="a rotated user must be known well before the next rotation; each read has a price",
        source="pgkeep's design: rotation without a lost transaction",
    )
