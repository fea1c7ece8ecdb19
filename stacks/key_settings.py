"""Settings of the KMS keys."""

from __future__ import annotations

from stacks import forms
from stacks.schema import SettingsGroup, setting

_SOURCE = "AWS KMS developer guide: key policies"
_WHY = "a key of the stack's region; its policy has to let this account's IAM decide"


def _key(purpose: str) -> str | None:
    return setting(
        f"A key that is there already, for {purpose}; without it the program makes one",
        default=None,
        form=forms.KEY_ARN,
        why=_WHY,
        source=_SOURCE,
    )


class KeySettings(SettingsGroup):
    """Customer keys that are shared with other stacks, or outlive this one. Null makes a key."""

    database_arn: str | None = _key("RDS storage, snapshots and Performance Insights")
    backups_arn: str | None = _key("the objects in the backup bucket")
    secrets_arn: str | None = _key("Secrets Manager and the functions' environments")
    telemetry_arn: str | None = _key("log groups, the alarm topic and dead-letter queues")
    hosts_arn: str | None = _key(
        "the hosts' disks (Auto Scaling's service-linked role has to be allowed to use it)"
    )
