"""Settings of the host that makes the backups that take longer than a function may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facts import ec2
from stacks import forms
from stacks.schema import Architecture, SettingsGroup, setting

if TYPE_CHECKING:
    from stacks.settings import Settings

# The first that the region offers: two processors of a kind that does not run out of credits.
_INSTANCE_TYPES: dict[Architecture, tuple[str, ...]] = {
    "arm64": ("c6g.large",),
    "x86_64": ("c6i.large", "c7i.large", "t3.large"),
}


class BackupWorkerSettings(SettingsGroup):
    """A host that is there only while it makes a backup; between two it costs nothing."""

    enabled: bool = setting(
        "Hand over a backup that would pass the function's time limit to a host of its own; "
        "without it see `backups.snapshot_export`",
        default=True,
        why="the Auto Scaling group is empty between two backups, and empty groups have no price",
        source="AWS Lambda developer guide: quotas, a function runs 15 minutes at most",
    )
    instance_type: str | None = setting(
        "Machine of the worker; left out, two processors of `functions.architecture`",
        default=None,
        form=forms.INSTANCE_TYPE,
        why="an EC2 instance type of the architecture that the functions' archive is built for",
        source="AWS EC2 user guide: instance types",
    )
    longest_hours: int = setting(
        "Longest backup of a worker; a longer one is refused before it begins, and a worker that "
        "is still there an hour later raises an alarm",
        default=6,
        unit="hours",
        ge=1,
        le=20,
        why="a backup a day has to end before the next one",
        source="pgkeep's design: never a run that hopes",
    )
    image_id: str | None = setting(
        "Image of Debian 13 to stay with; left out, the newest (or `pooler.image_id`, where it is "
        "of the same architecture)",
        default=None,
        form=forms.IMAGE,
        why="an AWS image id",
        source="AWS EC2 user guide: AMIs",
    )
    root_volume_gib: int = setting(
        "Disk of the worker; a backup never touches it",
        default=8,
        unit="GiB",
        ge=8,
        le=100,
        why="Debian's image needs 8",
        source="https://wiki.debian.org/Cloud/AmazonEC2Image",
    )


def worker_instance_type(settings: Settings) -> str:
    """The worker's machine: the one that is set, or the first of ours that the region offers."""
    chosen = settings.backups.worker.instance_type
    if chosen is not None:
        return chosen
    ours = _INSTANCE_TYPES[settings.functions.architecture]
    offered = ec2.instance_types(settings.region) if settings.region is not None else None
    return next((one for one in ours if offered is None or one in offered), ours[-1])
