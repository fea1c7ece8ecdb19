"""Settings of functions, secrets and alarms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks import forms
from stacks.choices import LogRetentionDays
from stacks.schema import Architecture, SettingsGroup, setting

_LAMBDA = "AWS Lambda developer guide: quotas"

Email = Annotated[str, Field(pattern=forms.EMAIL.pattern)]


class FunctionSettings(SettingsGroup):
    """The Lambda functions that operate the database."""

    architecture: Architecture = setting(
        "Processor of the functions",
        default="arm64",
        why="the archive and the client layer are built for it",
        source="AWS Lambda developer guide: instruction set architectures",
    )
    backup_memory_mib: int = setting(
        "Memory of the backup function, and with it its share of a processor",
        default=2_048,
        unit="MiB",
        ge=256,
        le=10_240,
        why="Lambda offers up to 10240; pg_dump with its upload buffers needs 256",
        source=_LAMBDA,
    )
    backup_timeout_seconds: int = setting(
        "Longest backup",
        default=900,
        unit="seconds",
        ge=60,
        le=900,
        why="Lambda stops every function after 900 seconds",
        source=_LAMBDA,
    )
    log_retention_days: LogRetentionDays = setting(
        "How long the functions' logs are kept",
        default=365,
        unit="days",
        why="the retention periods that CloudWatch Logs offers",
        source="AWS CloudWatch Logs API reference: PutRetentionPolicy; CKV_AWS_338",
    )
    tracing: bool = setting(
        "AWS X-Ray traces each run of a function: when it began, waited, failed, and for how long",
        default=True,
        why="a trace tells a cold start from a slow database; the first 100,000 a month are free",
        source="AWS Lambda developer guide: visualize function invocations using AWS X-Ray",
    )
    reserve_concurrency: bool = setting(
        "Reserve one execution for each function, so that it never runs twice at once",
        default=True,
        why="a new AWS account with a quota of 10 cannot reserve any",
        source=_LAMBDA,
    )


class SecretSettings(SettingsGroup):
    """Secrets Manager and rotation."""

    recovery_window_days: int = setting(
        "How long a deleted secret can be restored; 0 deletes at once",
        default=30,
        unit="days",
        ge=0,
        le=30,
        why="Secrets Manager takes 0 or 7 to 30",
        source="AWS Secrets Manager API reference: DeleteSecret",
    )
    master_rotation_months: Literal[1, 2, 3] = setting(
        "The master password changes on the first day of every so many months, 05:00 UTC",
        default=3,
        unit="months",
        why="passwords rotate at least quarterly",
        source="guides spike-land and instantviz: rotate quarterly",
    )
    login_rotation_days: int = setting(
        "The password of each login role changes every so many days",
        default=30,
        unit="days",
        ge=1,
        le=90,
        why="a role's two users alternate, so that a password lives for two rotations; past 90 "
        "days Security Hub's SecretsManager.4 counts a secret as not rotated",
        source="guides spike-land and instantviz: rotate quarterly (30 days: a password lives 60)",
    )
    server_certificate_days: int = setting(
        "Validity of the pooler's certificate; renewed 30 days before its end",
        default=90,
        unit="days",
        ge=60,
        le=398,
        why="renewal starts 30 days before the end, and browsers' rule caps it at 398",
        source="CA/Browser Forum baseline requirements",
    )
    authority_certificate_days: int = setting(
        "Validity of the pooler's own certificate authority",
        default=3_650,
        unit="days",
        ge=365,
        le=7_300,
        why="clients have to be given a new authority when it ends",
        source="pgkeep's design: the pooler's certificate",
    )
    key_deletion_window_days: int = setting(
        "How long a deleted KMS key can be restored",
        default=30,
        unit="days",
        ge=7,
        le=30,
        why="KMS takes 7 to 30; what the key encrypted is lost with it",
        source="AWS KMS API reference: ScheduleKeyDeletion",
    )


class MonitoringSettings(SettingsGroup):
    """Thresholds of the alarms and who hears of them."""

    emails: tuple[Email, ...] = setting(
        "Addresses that the alarms go to; each has to confirm its subscription",
        default=(),
        each=forms.EMAIL,
        why="an alarm that nobody hears is none",
        source="guide spike-land: key alerts to configure",
    )
    log_deletion_protection: bool = setting(
        "CloudWatch Logs refuses to delete the log groups; a destroyed stack leaves them in AWS",
        default=True,
        why="whoever covers their tracks deletes the logs first",
        source="AWS CloudWatch Logs API reference: PutLogGroupDeletionProtection",
    )
    cpu_percent: int = setting(
        "Alarm when the database's CPU stays above for 15 minutes",
        default=80,
        unit="percent",
        ge=10,
        le=100,
        why="a share of the whole",
        source="AWS RDS user guide: recommended alarms",
    )
    storage_used_percent: int = setting(
        "Alarm when more of the allocated storage is used",
        default=80,
        unit="percent",
        ge=10,
        le=95,
        why="autoscaling acts at 90 percent; someone should know before",
        source="guides spike-land and node-pass: alert over 80 % of disk",
    )
    connections_used_percent: int = setting(
        "Alarm when more of max_connections is used",
        default=80,
        unit="percent",
        ge=10,
        le=95,
        why="past the last connection nobody gets in",
        source="guides spike-land and node-pass: alert over 80 % of connections",
    )
    replica_lag_seconds: int = setting(
        "Alarm when a replica is further behind",
        default=30,
        unit="seconds",
        ge=1,
        le=3_600,
        why="reads on the replica show older data",
        source="guide spike-land: replication lag over 30 seconds",
    )
    backup_age_hours: int = setting(
        "Alarm when the newest whole backup is older",
        default=26,
        unit="hours",
        ge=1,
        le=744,
        why="longer than from one backup to the end of the next one, or it rings without a reason",
        source="guides spike-land and instantviz: at most 24 hours between backups; two hours for "
        "the backup itself",
    )
    pooler_waiting_clients: int = setting(
        "Alarm when more clients wait for a server connection, for 5 minutes",
        default=10,
        unit="clients",
        ge=0,
        le=10_000,
        why="a queue that lasts means pools that are too small, or slow queries",
        source="guide spike-land: key metrics, connection wait time",
    )
    pooler_max_wait_seconds: int = setting(
        "Alarm when a client has waited longer, for 5 minutes",
        default=5,
        unit="seconds",
        ge=1,
        le=600,
        why="that is when the reserve opens; waits that go on are felt by users",
        source="guide spike-land: reserve_pool_timeout 5",
    )
    pooler_pool_use_percent: int = setting(
        "Alarm when more of a pool is in use, for 5 minutes",
        default=80,
        unit="percent",
        ge=10,
        le=100,
        why="past the last connection clients wait",
        source="guide spike-land: connection pool exhaustion over 80 %",
    )
    replication_slot_lag_mib: int = setting(
        "Alarm when a replica in another region has not fetched more of the write-ahead log",
        default=1_024,
        unit="MiB",
        ge=64,
        le=1_048_576,
        why="the primary keeps the log until every replica has it, and its disk fills",
        source="AWS RDS user guide: monitoring RDS for PostgreSQL replication slots",
    )
