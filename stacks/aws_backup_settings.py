"""Settings of AWS Backup: snapshots of the primary in a vault, copied elsewhere."""

from __future__ import annotations

from typing import Any, Literal

from stacks import forms
from stacks.schema import SettingsGroup, setting

_COPIES = "AWS Backup developer guide: creating backup copies across Regions and accounts"
_LOCK = "AWS Backup developer guide: AWS Backup Vault Lock"


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


def _schedule(class_: str, default: str, why: str = "a cron expression of six fields") -> Any:
    return setting(
        f"When the {class_} one is made, in UTC",
        default=default,
        form=forms.CRON,
        why=why,
        source="AWS Backup developer guide: backup plan options and configuration",
    )


class AwsBackupSettings(SettingsGroup):
    """Snapshots of the primary that AWS Backup makes, keeps in a vault and copies.

    The classes daily, weekly and monthly have the retention that `backups` gives them.
    """

    region: str = setting(
        "Region of the copies",
        form=forms.REGION,
        why="the loss of a region must not take database and backups together",
        source=_COPIES,
    )
    kms_key_arn: str | None = setting(
        "Key of the copies, in their region; without it the program makes one",
        default=None,
        form=forms.KEY_ARN,
        why="a copy is encrypted under the key of the vault it goes to",
        source="AWS Backup developer guide: encryption for backups",
    )
    account_vault_arn: str | None = setting(
        "A vault of another account in the stack's region, which gets copies too",
        default=None,
        form=forms.VAULT_ARN,
        why="whoever takes this account over can destroy what is in it",
        source=_COPIES,
    )
    daily_schedule: str = _schedule(
        "daily",
        "cron(0 5 * * ? *)",
        why="a cron expression of six fields; not within the instance's backup window",
    )
    weekly_schedule: str = _schedule("weekly", "cron(0 6 ? * SUN *)")
    monthly_schedule: str = _schedule("monthly", "cron(0 7 1 * ? *)")
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
