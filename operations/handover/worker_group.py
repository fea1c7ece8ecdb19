"""The Auto Scaling group of the backup worker: nobody, or one host that ends itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from operations.handover.requests import Desk, Request
from operations.structured_log import log

# An instance that closed is gone after a shutdown; EC2 takes a minute or two.
_GOES_WITHIN_SECONDS = 240.0
_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class HandedOver:
    """To whom a backup was given; `queued_behind` is a worker that is at work already."""

    to: str
    request: str
    worker: str
    queued_behind: str | None


@dataclass(frozen=True)
class WorkerGroup:
    """The group by its name; the client may describe groups and set this one's capacity."""

    autoscaling: Any
    name: str

    def member(self) -> str | None:
        """The instance that is up or on its way in or out, or None."""
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        groups = found["AutoScalingGroups"]
        instances = groups[0]["Instances"] if groups else []
        return str(instances[0]["InstanceId"]) if instances else None

    def hand_over(self, request: Request, desk: Desk) -> HandedOver:
        """Put the request and make sure that a worker takes it; never two at once.

        The group holds one host at most. A worker that is up takes what is asked of it before it
        closes; one that has closed already may not, so its end is waited for.
        """
        up = self.member()
        desk.ask(request)
        if up is not None and desk.is_closing(up):
            self._wait_for_end(up)
            up = None
        self.autoscaling.set_desired_capacity(
            AutoScalingGroupName=self.name, DesiredCapacity=1, HonorCooldown=False
        )
        return HandedOver("worker", request.id, self.name, up)

    def _wait_for_end(self, worker: str) -> None:
        log("worker_is_ending", worker=worker)
        deadline = time.monotonic() + _GOES_WITHIN_SECONDS
        while self.member() == worker and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
