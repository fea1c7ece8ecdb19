"""Settings of the logical backups in S3: classes, Object Lock, copies elsewhere, records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks import forms
from stacks.aws_backup_settings import AwsBackupSettings
from stacks.backup_worker_settings import BackupWorkerSettings
from stacks.schema import SettingsGroup, setting
from stacks.snapshot_export_settings import SnapshotExportSettings

_GUIDE = "guide spike-land: backup retention policy"
_SCHEDULES = "AWS EventBridge Scheduler user guide: schedule types"
_SCHEDULE_WHY = "an expression of EventBridge Scheduler, evaluated in UTC"
_STORAGE_CLASSES = "AWS S3 user guide: storage classes; transitioning objects using lifecycle"
_LOCK = "AWS S3 user guide: locking objects with Object Lock"
_REPLICATION = "AWS S3 user guide: replicating objects within and across Regions"

StorageClass = Literal[
    "STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER",
    "DEEP_ARCHIVE",
]  # fmt: skip
RoleArn = Annotated[str, Field(pattern=forms.ROLE_ARN.pattern)]


def _retention(description: str, *, default: int, least: int, why: str) -> int:
    return setting(
        description, default=default, unit="days", ge=least, le=3_650, why=why, source=_GUIDE
    )


def _kept(description: str, *, default: int | None, source: str = _GUIDE) -> int | None:
    return setting(
        description,
        default=default,
        unit="days",
        ge=1,
        le=3_650,
        why="S3 expires them after this time; null keeps them until a person removes them",
        source=source,
    )


def _schedule(description: str, default: str, source: str = _SCHEDULES) -> str:
    return setting(
        description, default=default, form=forms.SCHEDULE, why=_SCHEDULE_WHY, source=source
    )


def _storage_class(default: StorageClass) -> StorageClass:
    return setting(
        "Storage class that backups move to",
        default=default,
        why="the storage classes that a lifecycle rule may name; STANDARD moves nothing",
        source=_STORAGE_CLASSES,
    )


class _Class(SettingsGroup):
    """What all classes of backup have."""

    transition_after_days: int = setting(
        "Age at which backups of the class move to `storage_class`",
        default=30,
        unit="days",
        ge=0,
        le=3_650,
        why="S3 moves nothing to an infrequent-access class before day 30",
        source=_STORAGE_CLASSES,
    )


class DailyBackups(_Class):
    """Daily backups."""

    retention_days: int = _retention(
        "Daily backups are kept", default=30, least=1, why="S3 expires them after this time"
    )
    schedule: str = _schedule(
        "When the daily backup starts",
        "cron(0 2 * * ? *)",
        "guides spike-land and cryptowallet: 02:00 daily; " + _SCHEDULES,
    )
    storage_class: StorageClass = _storage_class("STANDARD")


class WeeklyBackups(_Class):
    """Weekly backups."""

    retention_days: int = _retention(
        "Weekly backups are kept (12 weeks)",
        default=84,
        least=7,
        why="longer than daily ones, or the class would be pointless",
    )
    schedule: str = _schedule("When the weekly backup starts", "cron(30 2 ? * SUN *)")
    storage_class: StorageClass = _storage_class("STANDARD_IA")


class MonthlyBackups(_Class):
    """Monthly backups."""

    retention_days: int = _retention(
        "Monthly backups are kept (12 months)",
        default=365,
        least=31,
        why="longer than weekly ones, or the class would be pointless",
    )
    schedule: str = _schedule("When the monthly backup starts", "cron(0 3 1 * ? *)")
    storage_class: StorageClass = _storage_class("GLACIER_IR")


class PreMigrationBackups(_Class):
    """Backups taken before a migration or a restore over the database."""

    retention_days: int | None = _kept("Backups before a migration are kept", default=None)
    storage_class: StorageClass = _storage_class("STANDARD_IA")


class ManualBackups(_Class):
    """Backups that a person asked for."""

    retention_days: int | None = _kept(
        "Backups that a person asked for are kept", default=90, source="pgkeep's design"
    )
    storage_class: StorageClass = _storage_class("STANDARD_IA")


BackupClass = DailyBackups | WeeklyBackups | MonthlyBackups | PreMigrationBackups | ManualBackups


class ObjectLockSettings(SettingsGroup):
    """Every new version cannot be deleted by anybody for a time, stolen credentials included."""

    mode: Literal["governance", "compliance", "off"] = setting(
        "`governance`: only a break-glass role may delete a locked version; `compliance`: nobody "
        "may, not even the account's root user; `off`: no lock by default",
        default="governance",
        why="the two modes of S3",
        source=_LOCK,
    )
    retention_days: int = setting(
        "How long a new version is locked",
        default=30,
        unit="days",
        ge=1,
        le=3_650,
        why="no longer than any class keeps its backups, or S3 could not expire them",
        source=_LOCK,
    )
    reason: str | None = setting(
        "Why compliance outside prod is right",
        default=None,
        min_length=1,
        why="elsewhere objects that nobody can remove are a mistake in most cases",
        source="pgkeep's design: an exception states its reason",
    )


class ReplicationSettings(SettingsGroup):
    """A copy of every backup in another region or account, made by S3."""

    region: str = setting(
        "Region of the copies",
        form=forms.REGION,
        why="S3 copies within a region only to another account",
        source=_REPLICATION,
    )
    bucket_arn: str | None = setting(
        "A bucket that is there already, for example in another account; without it the program "
        "makes one",
        default=None,
        form=forms.BUCKET_ARN,
        why="the bucket needs versioning and Object Lock",
        source=_REPLICATION,
    )
    account_id: str | None = setting(
        "Account of `bucket_arn`, when it is another one: the copies then belong to it",
        default=None,
        form=forms.ACCOUNT,
        why="quoted in the file, for a number would lose its leading zero",
        source="AWS S3 user guide: changing the replica owner",
    )
    key_arn: str | None = setting(
        "Key of the copies, in their region; without it the program makes one for its own bucket",
        default=None,
        form=forms.KEY_ARN,
        why="S3 cannot use a key of another region, nor an alias of another account",
        source="AWS S3 user guide: replicating encrypted objects",
    )
    storage_class: StorageClass = setting(
        "Storage class of the copies",
        default="STANDARD_IA",
        why="a copy is read only when the region with the original is lost",
        source=_REPLICATION,
    )
    time_control: bool = setting(
        "S3 promises the copy within 15 minutes and measures it; costs extra",
        default=False,
        why="without it most copies take minutes, and some take hours",
        source="AWS S3 user guide: meeting compliance requirements with S3 RTC",
    )
    signing_key_replica: bool = setting(
        "The key that signs manifests is a multi-Region key with a replica in the copies' region; "
        "in a stack that is deployed the change makes another key (docs/backups.md, Signatures)",
        default=False,
        why="without a replica nothing verifies a copy once the stack's region is gone; each of "
        "the two is 1 USD a month",
        source="AWS KMS developer guide: multi-Region keys; HMAC keys",
    )


class InventorySettings(SettingsGroup):
    """S3's own list of all objects and versions, with encryption, lock and replication status."""

    enabled: bool = setting(
        "Write the inventory to the log bucket",
        default=True,
        why="shows what is there without the right to list the bucket",
        source="AWS S3 user guide: S3 Inventory",
    )
    frequency: Literal["Daily", "Weekly"] = setting(
        "How often it is written",
        default="Weekly",
        why="the two frequencies of S3",
        source="AWS S3 user guide: S3 Inventory",
    )


class BackupSettings(SettingsGroup):
    """Logical backups in S3, by class."""

    daily: DailyBackups = setting(
        "Daily backups", default=DailyBackups(), why="a class of its own retention"
    )
    weekly: WeeklyBackups = setting(
        "Weekly backups", default=WeeklyBackups(), why="a class of its own retention"
    )
    monthly: MonthlyBackups = setting(
        "Monthly backups", default=MonthlyBackups(), why="a class of its own retention"
    )
    pre_migration: PreMigrationBackups = setting(
        "Backups before a migration",
        default=PreMigrationBackups(),
        why="a class of its own retention",
    )
    manual: ManualBackups = setting(
        "Backups that a person asked for",
        default=ManualBackups(),
        why="a class of its own retention",
    )
    noncurrent_retention_days: int = setting(
        "Overwritten or deleted versions are kept",
        default=30,
        unit="days",
        ge=1,
        le=3_650,
        why="time to notice a wrong deletion",
        source="AWS S3 user guide: lifecycle and versioning",
    )
    object_lock: ObjectLockSettings = setting(
        "Object Lock", default=ObjectLockSettings(), why="a stolen role must not end the backups"
    )
    replication: ReplicationSettings | None = setting(
        "Copies in another region or account; null makes none",
        default=None,
        why="a lost region or account must not lose the backups",
        source=_REPLICATION,
    )
    aws_backup: AwsBackupSettings | None = setting(
        "Snapshots of the primary by AWS Backup, copied to another region and account; null makes "
        "none",
        default=None,
        why="a lock that no role of the stack can lift, and copies in an account of their own; it "
        "costs the storage of every snapshot once more, so that it is a choice",
        source="AWS Security Hub: RDS.26, Backup.1; CKV2_AWS_8",
    )
    access_logs: bool = setting(
        "S3 writes who used the bucket to the log bucket",
        default=True,
        why="who read or tried to remove a backup is asked months later",
        source="AWS Security Hub: S3.9; CKV_AWS_18",
    )
    log_retention_days: int = setting(
        "Access logs and inventories are kept",
        default=365,
        unit="days",
        ge=1,
        le=3_650,
        why="S3 expires them after this time",
        source="CIS AWS Foundations Benchmark: logs of a year",
    )
    inventory: InventorySettings = setting(
        "S3 Inventory", default=InventorySettings(), why="a list that does not rest on our code"
    )
    worker: BackupWorkerSettings = setting(
        "Who makes backups that take longer than a function may",
        default=BackupWorkerSettings(),
        why="a backup that a database has outgrown must not end without anybody's decision",
    )
    snapshot_export: SnapshotExportSettings = setting(
        "What is made in their place without a worker",
        default=SnapshotExportSettings(),
        why="a backup that a database has outgrown must not end without anybody's decision",
    )
    break_glass_role_arns: tuple[RoleArn, ...] = setting(
        "Roles that may delete a version for good or end a governance lock; nobody else may",
        default=(),
        each=forms.ROLE_ARN,
        why="roles of people, with a second factor; a user's keys can be stolen",
        source=_LOCK,
    )
    sign_manifests: bool = setting(
        "Manifests are signed with an HMAC key in KMS, and only signed ones are backups",
        default=True,
        why="who can write to the bucket still cannot make a backup that pgkeep restores; one from "
        "before it was set is restored by its id with --unsigned. A key is 1 USD a month, and an "
        "endpoint of KMS about 8 USD a zone",
        source="AWS KMS developer guide: HMAC keys",
    )
    hash_tables_up_to_gib: int | None = setting(
        "Tables above it are counted and not hashed; left out, all are hashed",
        default=None,
        unit="GiB",
        ge=1,
        le=32_768,
        why="hashing reads a table once more; without a hash a restore proves the number of its "
        "rows and not what is in them, and says so",
        source="pgkeep's design: counts and hashes of every table",
    )
    keep_bucket: bool = setting(
        "Refuse to delete the bucket, and the vaults of AWS Backup, while they hold backups",
        default=True,
        why="deleting a stack must not delete its backups in staging and prod",
        source="AWS Security Hub: S3.20",
    )

    @property
    def exports_snapshots(self) -> bool:
        """Whether RDS exports a snapshot of what the function has no time for."""
        return self.snapshot_export.enabled and not self.worker.enabled

    @property
    def classes(self) -> dict[str, BackupClass]:
        """The classes by the first part of their objects' keys."""
        return {
            "daily": self.daily,
            "weekly": self.weekly,
            "monthly": self.monthly,
            "pre-migration": self.pre_migration,
            "manual": self.manual,
        }

    @property
    def largest_hashed_table_bytes(self) -> int | None:
        """`hash_tables_up_to_gib` in bytes."""
        return None if self.hash_tables_up_to_gib is None else self.hash_tables_up_to_gib * 1024**3

    @property
    def retention_days(self) -> dict[str, int]:
        """How long each class that expires is kept."""
        return {
            name: class_.retention_days
            for name, class_ in self.classes.items()
            if class_.retention_days is not None
        }
