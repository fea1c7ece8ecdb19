"""Instance refreshes: replace the members of a group one by one, new before old.

On AWS `MinHealthyPercentage` and `MaxHealthyPercentage` decide whether the new instance comes
first; here it always does, which is what 100 and more than 100 mean there.
"""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from localcloud.instances.scaling.members import now

ACTIVE = ("Pending", "InProgress", "Cancelling")

# "the instance refresh fails if ... not healthy within one hour".
LONGEST_REPLACEMENT = datetime.timedelta(hours=1)


class Scaling(Protocol):
    """What a refresh asks of the groups."""

    def healthy(self, group: Any, member: Any) -> bool:
        """Whether a member is in service and all its load balancers reach it."""
        ...

    def terminate(self, group: Any, member: Any, cause: str) -> None:
        """Take a member out of service."""
        ...


@dataclass
class Refresh:
    """One instance refresh, with the field names of DescribeInstanceRefreshes."""

    auto_scaling_group_name: str
    preferences: dict[str, Any]
    desired_configuration: dict[str, Any]
    instance_refresh_id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "Pending"
    status_reason: str | None = None
    start_time: datetime.datetime = field(default_factory=now)
    end_time: datetime.datetime | None = None
    percentage_complete: int = 0
    instances_to_update: int = 0
    # Instances that still have to go, in order; None until the refresh began.
    old: list[str] | None = None
    total: int = 0
    step_began: datetime.datetime = field(default_factory=now)

    def finish(self, status: str, reason: str | None = None) -> None:
        """Close the refresh."""
        self.status, self.status_reason, self.end_time = status, reason, now()


class Refreshes:
    """The refreshes of all groups."""

    def __init__(self) -> None:
        self._all: list[Refresh] = []

    def start(
        self, group: Any, preferences: dict[str, Any], desired_configuration: dict[str, Any]
    ) -> Refresh:
        """Begin a refresh; the caller made sure that none is active."""
        refresh = Refresh(group.name, preferences, desired_configuration)
        self._all.insert(0, refresh)
        return refresh

    def active(self, group_name: str) -> Refresh | None:
        """The group's refresh that is not over, if any."""
        found = [r for r in self.of(group_name) if r.status in ACTIVE]
        return found[0] if found else None

    def leaving(self, group_name: str) -> list[str]:
        """Ids of the instances that the group's active refresh still has to replace."""
        refresh = self.active(group_name)
        return list(refresh.old or ()) if refresh else []

    def of(self, group_name: str, ids: list[str] | None = None) -> list[Refresh]:
        """The group's refreshes, newest first."""
        return [
            r
            for r in self._all
            if r.auto_scaling_group_name == group_name and (not ids or r.instance_refresh_id in ids)
        ]

    def step(self, group: Any, members: list[Any], scaling: Scaling) -> int:
        """Do what the group's refresh can do now; return how many instances it needs on top."""
        refresh = self.active(group.name)
        if refresh is None:
            return 0
        if refresh.status == "Cancelling":
            refresh.finish("Cancelled", "Cancelled on request")
            return 0
        if refresh.old is None:
            _begin(refresh, group, members)
        refresh.old = _still_there(refresh, members)
        refresh.instances_to_update = len(refresh.old)
        refresh.percentage_complete = (
            100 * (refresh.total - len(refresh.old)) // refresh.total if refresh.total else 100
        )
        if not refresh.old:
            # What the last step launched in addition is now one of the wanted.
            refresh.finish("Successful")
            return 0
        if now() - refresh.step_began > LONGEST_REPLACEMENT:
            refresh.finish("Failed", "A new instance did not become healthy within one hour.")
            return 0
        old = [m for m in members if m.instance.id in refresh.old]
        new = [m for m in members if m.instance.id not in refresh.old]
        ready = all(scaling.healthy(group, m) and _warm(refresh, group, m) for m in new)
        if ready and len(members) > int(group.desired_capacity or 0):
            # One that serves nobody goes first, else one of the fullest zone.
            zones = Counter(member.availability_zone for member in members)
            victim = min(
                old, key=lambda m: (scaling.healthy(group, m), -zones[m.availability_zone])
            )
            scaling.terminate(group, victim, "an instance was replaced by an instance refresh")
            refresh.old.remove(victim.instance.id)
            refresh.step_began = now()
            refresh.instances_to_update = len(refresh.old)
        return 1 if refresh.old else 0


def _begin(refresh: Refresh, group: Any, members: list[Any]) -> None:
    template = refresh.desired_configuration.get("LaunchTemplate")
    if template:
        group._set_launch_configuration("", template, None)
    current = str(group.ec2_launch_template.get_version(group.launch_template_version).number)
    skip = str(refresh.preferences.get("SkipMatching", "")).lower() == "true"
    refresh.old = [
        m.instance.id
        for m in members
        if not (skip and (m.launch_template or {}).get("Version") == current)
    ]
    refresh.total = len(refresh.old)
    refresh.status = "InProgress"
    refresh.step_began = now()


def _still_there(refresh: Refresh, members: list[Any]) -> list[str]:
    # One that was lost meanwhile was replaced from the new template already.
    present = {m.instance.id for m in members}
    return [instance_id for instance_id in refresh.old or [] if instance_id in present]


def _warm(refresh: Refresh, group: Any, member: Any) -> bool:
    """Whether a new member has been in service for the warm-up time.

    AWS takes the health check's grace period (300 s by default) where no warm-up is given; here the
    load balancer's health check alone decides then.
    """
    seconds = refresh.preferences.get("InstanceWarmup")
    if seconds is None:
        seconds = getattr(group, "default_instance_warmup", None)
    since = getattr(member, "in_service_at", None)
    if since is None:
        return True
    return now() - since >= datetime.timedelta(seconds=int(seconds or 0))
