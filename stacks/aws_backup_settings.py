"""Settings of AWS Backup: snapshots of the primary in a vault, copied elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.schema import SettingsGroup, setting

_VAULT = r"arn:aws[a-z-]*:backup:[a-z0-9-]+:[0-9]{12}:backup-vault:[A-Za-z0-9_-]{2,50}"
_COPIES = "AWS Backup developer guide: creating backup copies across Regions and accounts"
_LOCK = "AWS Backup developer guide: AWS Backup Vault Lock"
_SCHEDULE = r"^cron\([0-9A-Za-z*?,/#\- ]+\)$"
_KEY_ARN = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-zA-Z-]+$"


class VaultLockSettings(SettingsGroup):
    """Vault lock: nothing in the vault is kept shorter than a class says, nor deleted early."""

    mode: Literal["governance", "compliance", "off"] = setting(
        "Who may lift it: roles with the permission, nobody after the grace time, or no lock",
        default="governance",
        why="compliance cannot be undone: not by AWS, and a wrong retention is paid to its end",
        source=_LOCK,
    )
    changeable_for_days: int = setting(
        "Grace time of compliance mode",
        default=7,
        unit="days",
        ge=3,
        le=36_500,
        why="AWS Backup takes 3 days or more; until its end the lock can be changed or removed",
        source=_LOCK,
    )


class AwsBackupSettings(SettingsGroup):
    """Snapshots of the primary that AWS Backup makes, keeps in a vault and copies.

    The classes daily, weekly and monthly have the retention that `backups` gives them.
    """

    region: str = setting(
        "Region of the copies",
        pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$",
        why="the loss of a region must not take database and backups together",
        source=_COPIES,
    )
    kms_key_arn: Annotated[str, Field(pattern=_KEY_ARN)] | None = setting(
        "Key of the copies, in their region; without it the program makes one",
        default=None,
        why="a copy is encrypted under the key of the vault it goes to",
        source="AWS Backup developer guide: encryption for backups",
    )
    account_vault_arn: Annotated[str, Field(pattern=rf"^{_VAULT}$")] | None = setting(
        "A vault of another account in the stack's region, which gets copies too",
        default=None,
        why="whoever takes this account over can destroy what is in it",
        source=_COPIES,
    )
    daily_schedule: str = setting(
        "When the daily one is made, in UTC",
        default="cron(0 5 * * ? *)",
        pattern=_SCHEDULE,
        why="a cron expression of six fields; not within the instance's backup window",
        source="AWS Backup developer guide: backup plan options and configuration",
    )
    weekly_schedule: str = setting(
        "When the weekly one is made, in UTC",
        default="cron(0 6 ? * SUN *)",
        pattern=_SCHEDULE,
        why="a cron expression of six fields",
        source="AWS Backup developer guide: backup plan options and configuration",
    )
    monthly_schedule: str = setting(
        "When the monthly one is made, in UTC",
        default="cron(0 7 1 * ? *)",
        pattern=_SCHEDULE,
        why="a cron expression of six fields",
        source="AWS Backup developer guide: backup plan options and configuration",
    )
    lock: VaultLockSettings = setting(
        "Vault lock", default=VaultLockSettings(), why="a stolen role must not end the backups"
    )

    @property
    def schedules(self) -> dict[str, str]:
        """Schedule of each class."""
        return {
            "daily": self.daily_schedule,
            "weekly": self.weekly_schedule,
            "monthly": self.monthly_schedule,
        }

    @property
    def other_account(self) -> str | None:
        """The account of `account_vault_arn`."""
        return None if self.account_vault_arn is None else self.account_vault_arn.split(":")[4]
