"""Settings of the restore test that runs by itself."""

from __future__ import annotations

from stacks import forms
from stacks.schema import SettingsGroup, setting

_GUIDE = "guide cryptowallet: backup restore testing every 90 days"


class RestoreTestSettings(SettingsGroup):
    """On schedule a point in time and a dump are restored to a scratch instance and proven; the
    instance is deleted afterwards.
    """

    enabled: bool = setting(
        "Test restores by itself",
        default=True,
        why="a backup that was never restored is a hope; the scratch instance costs while it lives",
        source=f"{_GUIDE}; docs/restores.md",
    )
    schedule: str = setting(
        "When the weekly test begins: a point in time and the newest daily backup",
        default="cron(0 6 ? * SUN *)",
        form=forms.CRON,
        why="an expression of EventBridge Scheduler, evaluated in UTC; a rate would begin at once, "
        "before there is a backup",
        source="AWS EventBridge Scheduler user guide: schedule types",
    )
    monthly_schedule: str = setting(
        "When the monthly test begins: a point in time and the newest monthly backup, or the "
        "newest weekly one while there is none",
        default="cron(0 18 2 * ? *)",
        form=forms.CRON,
        why="after the monthly backup, and twelve hours from the weekly test: there is one scratch "
        "instance",
        source="guide node-pass: monthly test of point-in-time recovery",
    )
    maximum_age_days: int = setting(
        "Alarm when the last proven test is older",
        default=90,
        unit="days",
        ge=1,
        le=90,
        why="no longer than the guide allows",
        source=_GUIDE,
    )
    scratch_oldest_hours: int = setting(
        "A scratch instance that is older is deleted and the test has failed",
        default=6,
        unit="hours",
        ge=1,
        le=48,
        why="it costs as much as the primary; very large databases take hours to restore",
        source="AWS RDS user guide: restoring a DB instance to a specified time",
    )
