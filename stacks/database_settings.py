"""Settings of the primary database."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks import forms
from stacks.choices import EventCategory, InsightsRetentionDays, LogExport, LogRetentionDays
from stacks.origin_settings import MajorUpgrade, OriginSettings
from stacks.replica_settings import BackupReplication, StorageType
from stacks.schema import SettingsGroup, setting

ParameterName = Annotated[str, Field(pattern=forms.PARAMETER_NAME.pattern)]

_RDS_CREATE = "AWS RDS API reference: CreateDBInstance"
_PG_CLIENT = "PostgreSQL 17 documentation: Client Connection Defaults"


class DatabaseSettings(SettingsGroup):
    """The primary: Amazon RDS for PostgreSQL."""

    name: str = setting(
        "Name of the application's database",
        form=forms.IDENTIFIER,
        why="an unquoted PostgreSQL identifier of at most 63 bytes; RDS refuses others",
        source=_RDS_CREATE,
    )
    identifier: str | None = setting(
        "Name of the instance in RDS; the stack's prefix when left out",
        default=None,
        form=forms.INSTANCE_NAME,
        why="RDS takes 1 to 63 lower-case letters, digits and single hyphens",
        source=_RDS_CREATE,
    )
    origin: OriginSettings = setting(
        "Where the data comes from",
        default=OriginSettings(),
        why="a restored or imported database goes on where another one ended",
    )
    engine_version: Literal["16", "17"] = setting(
        "Major version; minor versions come in the maintenance window",
        default="17",
        why="the client layer dumps up to 17 and roles need 16; a minor pin would go stale",
        source="AWS RDS user guide: upgrading the PostgreSQL DB engine",
    )
    major_upgrade: MajorUpgrade | None = setting(
        "The one change of the major version that is allowed",
        default=None,
        why="a major upgrade restarts the database and cannot be undone but by a restore",
        source="AWS RDS user guide: choosing a major version upgrade for PostgreSQL",
    )
    blue_green_updates: bool = setting(
        "Carry out disruptive changes on a copy and switch over to it",
        default=False,
        why="the switch takes about a minute instead of the whole change",
        source="AWS RDS user guide: blue/green deployments",
    )
    auto_minor_version_upgrade: bool = setting(
        "Take minor versions in the maintenance window",
        default=True,
        why="they carry the security fixes",
        source="AWS RDS user guide: upgrading the minor engine version",
    )
    extended_support: bool = setting(
        "Pay for support after the major version's end; counts when the instance is made",
        default=False,
        why="without it RDS refuses to make an instance of an ended version",
        source="AWS RDS user guide: RDS Extended Support",
    )
    master_username: str = setting(
        "Master user; of a restored or imported database the one that it has",
        default="pgkeep_admin",
        form=forms.IDENTIFIER,
        why="a PostgreSQL identifier; another name replaces the instance",
        source=_RDS_CREATE,
    )
    master_password: Literal["rotated_by_function", "managed_by_rds"] = setting(
        "Who sets the master's password: this program's function, or RDS every seven days",
        default="rotated_by_function",
        why="RDS manages it only for an instance without read replicas",
        source="AWS RDS user guide: password management with AWS Secrets Manager",
    )
    instance_class: str = setting(
        "Machine of the primary",
        form=forms.INSTANCE_CLASS,
        why="RDS names its classes so, unlike EC2 its types",
        source="AWS RDS user guide: DB instance classes",
    )
    allocated_storage_gib: int = setting(
        "Storage to start with",
        unit="GiB",
        ge=20,
        le=65_536,
        why="RDS offers gp3 for PostgreSQL from 20 GiB to 64 TiB, io2 from 100 GiB",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )
    max_allocated_storage_gib: int = setting(
        "Ceiling of storage autoscaling; 0 turns it off",
        unit="GiB",
        ge=0,
        le=65_536,
        why="RDS grows the volume by itself up to here, so that a full disk never stops writes",
        source="AWS RDS user guide: storage autoscaling",
    )
    storage_type: StorageType = setting(
        "gp3, or io2 Block Express for the lowest latency",
        default="gp3",
        why="RDS's current kinds; gp2, io1 and magnetic are their predecessors",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )
    iops: int | None = setting(
        "Provisioned IOPS; the baseline of gp3 when left out",
        default=None,
        unit="IOPS",
        ge=1_000,
        le=256_000,
        why="RDS provisions 12000 to 64000 on gp3 from 400 GiB, 1000 to 256000 on io2",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )
    storage_throughput_mibps: int | None = setting(
        "Provisioned gp3 throughput; the baseline when left out",
        default=None,
        unit="MiB/s",
        ge=500,
        le=4_000,
        why="RDS provisions 500 to 4000 MiB/s on gp3 from 400 GiB",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )
    dedicated_log_volume: bool = setting(
        "Write-ahead log on a volume of its own",
        default=False,
        why="steadier writes for databases over 5 TiB; needs io2",
        source="AWS RDS user guide: dedicated log volume",
    )
    parameters: dict[ParameterName, str | int | float | bool] = setting(
        "PostgreSQL's parameters beyond this program's own, by name, in RDS's unit",
        default={},
        each=forms.PARAMETER_NAME,
        why="they are merged with the program's and checked against the version's parameters",
        source="AWS RDS user guide: working with parameters on RDS for PostgreSQL",
    )
    network_type: Literal["IPV4", "DUAL"] = setting(
        "Addresses of the database: IPv4, or IPv4 and IPv6",
        default="IPV4",
        why="DUAL needs subnets with IPv6 ranges, which only an existing network can have",
        source="AWS RDS user guide: Amazon RDS IP addressing",
    )
    iam_authentication: bool = setting(
        "Let IAM identities log in with short-lived tokens",
        default=True,
        why="administrators then need no password",
        source="AWS RDS user guide: IAM database authentication",
    )
    keep_kms_key: bool = setting(
        "Leave the key behind when the stack is destroyed",
        default=True,
        why="a snapshot whose key is gone cannot be restored",
        source="AWS RDS user guide: encrypting Amazon RDS resources",
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
    availability_zone: str | None = setting(
        "Zone of a database without standby; the network's first when left out",
        default=None,
        form=forms.ZONE,
        why="a zone of the stack's region; another zone replaces the instance",
        source=_RDS_CREATE,
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
    keep_automated_backups: bool = setting(
        "Keep the automated backups for their retention when the database is deleted",
        default=True,
        why="a deletion can then be undone to any second of its last days",
        source="AWS RDS user guide: retaining automated backups",
    )
    pitr_retention_days: int = setting(
        "How far back point-in-time recovery reaches",
        default=30,
        unit="days",
        ge=1,
        le=35,
        why="RDS keeps automated backups for at most 35 days; 0 would turn recovery off, "
        "and RDS makes no read replica without backups",
        source="guide cryptowallet: dev 3, staging 7, prod 30; AWS RDS user guide: 35 at most",
    )
    backup_window: str = setting(
        "When RDS takes its snapshot, UTC",
        default="01:00-01:30",
        form=forms.DAILY_WINDOW,
        why="RDS wants at least 30 minutes outside the maintenance window",
        source=_RDS_CREATE,
    )
    maintenance_window: str = setting(
        "When RDS may restart for minor upgrades, UTC",
        default="sun:03:30-sun:04:30",
        form=forms.WEEKLY_WINDOW,
        why="RDS wants at least 30 minutes outside the backup window",
        source=_RDS_CREATE,
    )
    backup_replication: BackupReplication | None = setting(
        "Automated backups in another region",
        default=None,
        why="point-in-time recovery where the region is lost",
        source="AWS RDS user guide: replicating automated backups to another AWS Region",
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
    performance_insights: bool = setting(
        "Record which statements wait for what",
        default=True,
        why="what made an incident cannot be found out afterwards",
        source="AWS RDS user guide: Performance Insights",
    )
    performance_insights_retention_days: InsightsRetentionDays = setting(
        "How long Performance Insights keeps its samples",
        default=7,
        unit="days",
        why="7 is free; RDS takes 7, months of 31 days, or 731",
        source=_RDS_CREATE,
    )
    performance_insights_kms_key_arn: str | None = setting(
        "Key of the samples; the database's when left out",
        default=None,
        form=forms.KEY_ARN,
        why="samples hold statements; RDS cannot change their key later",
        source=_RDS_CREATE,
    )
    database_insights_mode: Literal["standard", "advanced"] = setting(
        "Mode of CloudWatch Database Insights",
        default="standard",
        why="advanced has fleet views, lock analysis and plans, for a price by vCPU",
        source="Amazon CloudWatch user guide: Database Insights",
    )
    event_categories: tuple[EventCategory, ...] = setting(
        "RDS events of the databases that go to the alarm topic",
        default=(
            "availability", "configuration change", "deletion", "failover", "failure",
            "low storage", "maintenance", "notification", "read replica", "recovery", "security",
        ),
        why="RDS says what it did and what went wrong only there",
        source="AWS RDS user guide: Amazon RDS event categories; Security Hub: RDS.19",
    )  # fmt: skip
    log_exports: tuple[LogExport, ...] = setting(
        "Logs that go to CloudWatch Logs",
        default=("postgresql", "upgrade"),
        why="RDS deletes logs on the instance after days, and with the instance",
        source="AWS RDS API reference: CreateDBInstance, EnableCloudwatchLogsExports",
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

    def instance_name(self, prefix: str) -> str:
        """The primary's name in RDS; `prefix` is the stack's."""
        existing = self.origin.existing
        return (existing.identifier if existing is not None else self.identifier) or prefix
