"""Lifecycle hooks: what holds a group's instances up between two states.

Rules as in the Amazon EC2 Auto Scaling User Guide ("Amazon EC2 Auto Scaling lifecycle hooks").
"""

import time
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.exceptions import ValidationError

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
CONTINUE, ABANDON = "CONTINUE", "ABANDON"


@dataclass
class Wait:
    """One instance held up by one hook."""

    instance_id: str
    hook: Any
    deadline: float
    result: str | None = None


class Lifecycle:
    """Who waits for which hook; the groups' lock is held around every call."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._waits: dict[tuple[str, str], Wait] = {}

    def hooks(self, group: Any, transition: str) -> list[Any]:
        """The group's hooks of a transition."""
        found = self._backend.describe_lifecycle_hooks(group.name)
        return [hook for hook in found if hook.lifecycle_transition == transition]

    def outcome(self, group: Any, member: Any, transition: str) -> str | None:
        """CONTINUE or ABANDON once every hook is through, None while one holds the member up."""
        if transition in member.passed:
            return CONTINUE
        instance_id = member.instance.id
        results: list[str | None] = []
        keys: list[tuple[str, str]] = []
        for hook in self.hooks(group, transition):
            key = (instance_id, hook.name)
            if key not in self._waits:
                seconds = int(hook.heartbeat_timeout)
                self._waits[key] = Wait(instance_id, hook, time.monotonic() + seconds)
            keys.append(key)
            wait = self._waits[key]
            if wait.result is None and time.monotonic() >= wait.deadline:
                wait.result = str(hook.default_result)
            results.append(wait.result)
        if None in results and ABANDON not in results:
            return None
        for key in keys:
            del self._waits[key]
        if ABANDON in results:
            return ABANDON
        member.passed.add(transition)
        return CONTINUE

    def complete(self, instance_id: str, hook_name: str, result: str) -> None:
        """Take an answer (CompleteLifecycleAction)."""
        wait = self._waits.get((instance_id, hook_name))
        if wait is None or wait.result is not None:
            raise ValidationError(
                f"No active Lifecycle Action found with instance ID {instance_id}"
            )
        if result not in (CONTINUE, ABANDON):
            raise ValidationError(f"LifecycleActionResult {result} is not CONTINUE or ABANDON")
        wait.result = result

    def forget(self, instance_id: str) -> None:
        """Drop what an instance waited for."""
        self._waits = {key: wait for key, wait in self._waits.items() if key[0] != instance_id}
