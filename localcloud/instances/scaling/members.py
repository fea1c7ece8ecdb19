"""An instance of a group, and the group's record of what it did."""

import datetime
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.autoscaling.models import InstanceState

PENDING = "Pending"
IN_SERVICE = "InService"
TERMINATING = "Terminating"
# Held up by a lifecycle hook.
PENDING_WAIT = "Pending:Wait"
TERMINATING_WAIT = "Terminating:Wait"
STANDBY = "Standby"
STARTING = (PENDING, PENDING_WAIT)
LEAVING = (TERMINATING, TERMINATING_WAIT)

# DescribeScalingActivities goes back six weeks; so many are more than a local cloud makes.
_KEPT_ACTIVITIES = 200


def now() -> datetime.datetime:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def target_state(instance: Any) -> str | None:
    """What its group wants an instance to become, as it reads in its metadata; None without one."""
    group = getattr(instance, "autoscaling_group", None)
    for member in group.instance_states if group else []:
        if member.instance is instance:
            if member.lifecycle_state == STANDBY:
                return STANDBY
            return "Terminated" if member.lifecycle_state in LEAVING else IN_SERVICE
    return None


class Member(InstanceState):
    """moto's record of an instance in a group, with the template version that it was made of."""

    def __init__(self, instance: Any, group: Any, template: dict[str, str]) -> None:
        super().__init__(
            instance,
            lifecycle_state=PENDING,
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
            autoscaling_group=group,
        )
        self._template = template
        self.launched_at = now()
        self.in_service_at: datetime.datetime | None = None
        # Lifecycle transitions of which every hook is through.
        self.passed: set[str] = set()
        # Set once its termination has been asked of EC2.
        self.ended = False

    @property
    def launch_template(self) -> dict[str, str]:
        """The template version at launch; moto says the group's default one."""
        return self._template

    @property
    def version(self) -> str:
        """Number of the template version that the instance was made of."""
        return self._template["Version"]


@dataclass
class Activity:
    """One entry of DescribeScalingActivities."""

    auto_scaling_group_name: str
    description: str
    cause: str
    activity_id: str = field(default_factory=lambda: str(uuid4()))
    start_time: datetime.datetime = field(default_factory=now)
    end_time: datetime.datetime | None = None
    status_code: str = "InProgress"
    status_message: str | None = None
    progress: int = 0

    def finish(self, error: str = "") -> None:
        """Mark it Successful, or Failed with a reason."""
        self.status_code = "Failed" if error else "Successful"
        self.status_message = error or None
        self.progress = 100
        self.end_time = now()


class Activities:
    """What all groups did, newest first."""

    def __init__(self) -> None:
        self._all: list[Activity] = []
        self._open: dict[tuple[str, str], Activity] = {}

    def begin(self, group: str, verb: str, instance_id: str, cause: str) -> None:
        """Record that an instance's launch or termination began."""
        moment = now().strftime("%Y-%m-%dT%H:%M:%SZ")
        activity = Activity(group, f"{verb} EC2 instance: {instance_id}", f"At {moment} {cause}.")
        self._all.insert(0, activity)
        del self._all[_KEPT_ACTIVITIES:]
        self._open[(verb, instance_id)] = activity

    def finish(self, verb: str, instance_id: str, error: str = "") -> None:
        """Record the end of what began."""
        activity = self._open.pop((verb, instance_id), None)
        if activity is not None:
            activity.finish(error)

    def fail(self, group: str, cause: str, error: str) -> None:
        """Record a launch that did not get as far as an instance."""
        activity = Activity(group, "Launching a new EC2 instance", cause)
        activity.finish(error)
        self._all.insert(0, activity)

    def of(self, group: str | None) -> list[Activity]:
        """Activities of one group, or of all."""
        return [a for a in self._all if group is None or a.auto_scaling_group_name == group]
