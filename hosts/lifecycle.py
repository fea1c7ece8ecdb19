"""A host's coming and going: the group's lifecycle hooks, draining, reboots and the watchdog.

Only two things need more than PgBouncer's own user: power off and reboot. For those a file is left
that a unit of root's looks for.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hosts import pooler
from hosts.health import Health

REBOOT_REQUIRED = Path("/run/reboot-required")
IN_SERVICE, TERMINATED = "InService", "Terminated"
# The load balancer needs a while to send nobody new, even when nobody is here now.
_LEAST_DRAIN_SECONDS = 15
_DAY_MINUTES = 24 * 60


def complete(client: Any, hook: str, instance_id: str) -> bool:
    """Tell Auto Scaling to go on; whether that is settled (done, or nothing waits for it)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.complete_lifecycle_action(
            AutoScalingGroupName=os.environ["GROUP_NAME"],
            LifecycleHookName=hook,
            InstanceId=instance_id,
            LifecycleActionResult="CONTINUE",
        )
    except ClientError as error:
        # "No active Lifecycle Action found": done before, or launched before there was a hook.
        if error.response.get("Error", {}).get("Code") == "ValidationError":
            return True
        print(f"lifecycle hook {hook}: {error}", file=sys.stderr)
        return False
    except BotoCoreError as error:
        print(f"lifecycle hook {hook}: {error}", file=sys.stderr)
        return False
    print(f"lifecycle hook {hook} completed", file=sys.stderr)
    return True


def drain(health: Health, wait_seconds: float, grace_seconds: float) -> None:
    """Take this host out of service without ending a transaction.

    New connections keep being served while the load balancer still sends some; clients have
    `wait_seconds` to leave by themselves; then they are ended between two transactions.
    """
    health.draining = True
    began = time.monotonic()
    while time.monotonic() - began < wait_seconds:
        waited_long_enough = time.monotonic() - began >= _LEAST_DRAIN_SECONDS
        if waited_long_enough and _clients() == 0:
            break
        time.sleep(1)
    left = _clients()
    print(f"draining: {left} clients left to end between transactions", file=sys.stderr)
    clean = pooler.stop_between_transactions(grace_seconds)
    outcome = "every transaction has ended" if clean else f"not over after {grace_seconds:.0f} s"
    print(f"drained: {outcome}", file=sys.stderr)


def ask_for(action: str) -> None:
    """Let root's unit `pgkeep-<action>` act: reboot or poweroff."""
    (pooler.RUN_FOLDER / action).touch()


def reboot_due(
    window: str,
    zones: list[str],
    zone: Callable[[], str],
    now: datetime | None = None,
) -> bool:
    """Whether an update wants a reboot and now is this zone's part of the window (UTC)."""
    if not window or not REBOOT_REQUIRED.exists():
        return False
    moment = now or datetime.now(UTC)
    first, last = (_minute(part) for part in window.split("-"))
    length = (last - first) % _DAY_MINUTES
    passed = (moment.hour * 60 + moment.minute - first) % _DAY_MINUTES
    if passed >= length:
        return False
    own = zone()
    slot = zones.index(own) if own in zones else 0
    share = length // len(zones)
    # Not in the last minutes: the next zone must not begin before this one is back.
    return slot * share <= passed < slot * share + max(1, share // 2)


def _clients() -> int:
    try:
        return pooler.clients()
    except (pooler.PoolerError, OSError):
        return 0


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
