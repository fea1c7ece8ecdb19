"""Settings of the primary database and its read replicas."""

from __future__ import annotations

from typing import Literal

from stacks.schema import SettingsGroup, setting

LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827
]

_INSTANCE_CLASS = r"^db\.[a-z0-9]+\.(micro|small|medium|large|[0-9]*xlarge)$"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_RDS_CREATE = "AWS RDS API reference: CreateDBInstance"
_PG_CLIENT = "PostgreSQL 17 documentation: Client Connection Defaults"


class DatabaseSettings(SettingsGroup):
    """The primary: Amazon RDS for PostgreSQL."""

    name: str = setting(
        "Name of the application's database",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        why="an unquoted PostgreSQL identifier of at most 63 bytes; RDS refuses others",
        source=_RDS_CREATE,
    )
    engine_version: Literal["17"] = setting(
        "Major version; minor versions come in the maintenance window",
        default="17",
        why="parameters, client layer and tests are written for 17; a minor pin would go stale",
        source="AWS RDS user guide: upgrading the PostgreSQL DB engine",
    )
    instance_class: str = setting(
        "Machine of the primary",
        pattern=_INSTANCE_CLASS,
        why="an RDS instance class such as db.r7g.large",
        source="AWS RDS user guide: DB instance classes",
    )
    allocated_storage_gib: int = setting(
        "gp3 storage to start with",
        unit="GiB",
        ge=20,
        le=65_536,
        why="RDS offers gp3 for PostgreSQL from 20 GiB to 64 TiB",
        source="AWS RDS user guide: gp3 storage",
    )
    max_allocated_storage_gib: int = setting(
        "Ceiling of storage autoscaling",
        unit="GiB",
        ge=22,
        le=65_536,
        why="RDS grows the volume by itself up to here, so that a full disk never stops writes",
        source="AWS RDS user guide: storage autoscaling",
    )
    max_connections: int | None = setting(
        "Connections that PostgreSQL accepts; the pooler's budget is taken from them. Left out, "
        "RDS decides by memory and the budget uses an estimate",
        default=None,
        unit="connections",
        ge=50,
        le=5_000,
        why="RDS's own default never passes 5000, and below 50 no pool of two hosts fits",
        source="AWS RDS user guide: maximum number of database connections",
    )
    multi_az: bool = setting(
        "A synchronous standby in a second zone",
        default=True,
        why="a lost zone must not lose the database in staging and prod",
        source="AWS RDS user guide: Multi-AZ DB instance deployments",
    )
    deletion_protection: bool = setting(
        "RDS and Pulumi both refuse to delete the database, its keys, secrets and backups",
        default=True,
        why="one wrong `destroy` must not end staging or prod",
        source="AWS RDS user guide: deletion protection",
    )
    final_snapshot: bool = setting(
        "Take a snapshot when the database is deleted",
        default=True,
        why="a deletion meant for another stack can then be undone",
        source="AWS RDS user guide: deleting a DB instance",
    )
    pitr_retention_days: int = setting(
        "How far back point-in-time recovery reaches",
        default=30,
        unit="days",
        ge=1,
        le=35,
        why="RDS keeps automated backups for at most 35 days, and 0 would turn recovery off",
        source="guide cryptowallet: dev 3, staging 7, prod 30; AWS RDS user guide: 35 at most",
    )
    backup_window: str = setting(
        "When RDS takes its snapshot, UTC",
        default="01:00-01:30",
        unit="HH:MM-HH:MM",
        pattern=rf"^{_TIME}-{_TIME}$",
        why="RDS wants at least 30 minutes outside the maintenance window",
        source=_RDS_CREATE,
    )
    maintenance_window: str = setting(
        "When RDS may restart for minor upgrades, UTC",
        default="sun:03:30-sun:04:30",
        unit="ddd:HH:MM-ddd:HH:MM",
        pattern=rf"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$",
        why="RDS wants at least 30 minutes outside the backup window",
        source=_RDS_CREATE,
    )
    apply_changes_immediately: bool = setting(
        "Apply changes at once instead of in the maintenance window",
        default=False,
        why="a change that restarts the database belongs in the window in staging and prod",
        source="AWS RDS API reference: ModifyDBInstance",
    )
    ca_certificate: Literal["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"] = setting(
        "Certificate authority of the database's TLS certificate",
        default="rds-ca-rsa2048-g1",
        why="the authorities that AWS runs since 2024; rds-ca-2019 has expired",
        source="AWS RDS user guide: certificate authorities",
    )
    ca_bundle_path: str = setting(
        "Roots that clients verify the database against; {region} and ${VARIABLE:-default} expand",
        default="stacks/rds_ca/{region}.pem",
        unit="path from the repository's root",
        min_length=1,
        why="verify-full needs the authority's certificate",
        source="AWS RDS user guide: certificate bundles by region",
    )
    monitoring_interval_seconds: Literal[0, 1, 5, 10, 15, 30, 60] = setting(
        "Enhanced monitoring interval; 0 is off",
        default=60,
        unit="seconds",
        why="the intervals that RDS offers",
        source=_RDS_CREATE,
    )
    performance_insights_retention_days: Literal[7, 31, 62, 93, 186, 372, 731] = setting(
        "How long Performance Insights keeps its samples",
        default=7,
        unit="days",
        why="7 is free; RDS takes 7, months of 31 days, or 731",
        source=_RDS_CREATE,
    )
    log_retention_days: LogRetentionDays = setting(
        "How long PostgreSQL's logs (connections, DDL, slow queries, pgaudit) are kept",
        default=365,
        unit="days",
        why="the retention periods that CloudWatch Logs offers; audits ask for a year",
        source="AWS CloudWatch Logs API reference: PutRetentionPolicy; CKV_AWS_338",
    )
    slow_query_milliseconds: int = setting(
        "Statements that take longer are logged",
        default=1_000,
        unit="milliseconds",
        ge=10,
        le=60_000,
        why="logging everything would fill the log, and nothing would hide slow queries",
        source="guide node-pass: alert on queries over 1 second",
    )
    statement_timeout_seconds: int = setting(
        "Longest statement of any session that sets none itself (pg_dump and migrations do)",
        default=60,
        unit="seconds",
        ge=1,
        le=3_600,
        why="one runaway query must not hold a pooled connection for ever",
        source=_PG_CLIENT,
    )
    lock_timeout_seconds: int = setting(
        "Longest wait for a lock",
        default=10,
        unit="seconds",
        ge=1,
        le=600,
        why="a queue behind one lock stops the whole application",
        source=_PG_CLIENT,
    )
    idle_in_transaction_timeout_seconds: int = setting(
        "Longest idle time inside a transaction",
        default=60,
        unit="seconds",
        ge=1,
        le=3_600,
        why="an idle transaction holds its locks and a pooled connection",
        source=_PG_CLIENT,
    )


class ReplicaSettings(SettingsGroup):
    """Asynchronous read replicas in the same region."""

    count: int = setting(
        "How many",
        default=1,
        unit="replicas",
        ge=1,
        le=15,
        why="`readonly` users read on a replica; RDS allows 15 of one source",
        source="AWS RDS user guide: working with DB instance read replicas",
    )
    instance_class: str | None = setting(
        "Machine of a replica; the primary's when left out",
        default=None,
        pattern=_INSTANCE_CLASS,
        why="a replica must keep up with the primary's writes",
        source="AWS RDS user guide: working with DB instance read replicas",
    )
