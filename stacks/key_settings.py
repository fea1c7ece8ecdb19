"""Settings of the KMS keys."""

from __future__ import annotations

from stacks.backup_settings import KeyArn
from stacks.schema import SettingsGroup, setting

_SOURCE = "AWS KMS developer guide: key policies"
_WHY = "the ARN of a key of the stack's region; its policy has to let this account's IAM decide"


def _key(purpose: str) -> KeyArn | None:
    return setting(
        f"A key that is there already, for {purpose}; without it the program makes one",
        default=None,
        why=_WHY,
        source=_SOURCE,
    )


class KeySettings(SettingsGroup):
    """Customer keys that are shared with other stacks, or outlive this one. Null makes a key."""

    database_arn: KeyArn | None = _key("RDS storage, snapshots and Performance Insights")
    backups_arn: KeyArn | None = _key("the objects in the backup bucket")
    secrets_arn: KeyArn | None = _key("Secrets Manager and the functions' environments")
    telemetry_arn: KeyArn | None = _key("log groups, the alarm topic and dead-letter queues")
