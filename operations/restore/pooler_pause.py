"""Clients wait at the pooler while their database is replaced: PAUSE on every host, then RESUME.

The hosts take no connection for this. They read a wish out of a secret, which only who may write
that secret can utter, and answer in their log group (`hosts/pause.py`). Each host ends its pause by
itself when the wish's time is over, whatever became of the restore.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from operations.errors import OperationError

#: A pause's own end. PgBouncer refuses clients that have waited for 120 s (query_wait_timeout).
LONGEST_SECONDS = 90.0
#: Transactions in progress have this long to end before their sessions are ended.
DRAIN_SECONDS = 30.0
# A host looks every ten seconds (hosts/pause.py), and its answer has a way to go.
_READY_SECONDS = 45.0
# Once ready it looks every second.
_ANSWER_SECONDS = 15.0
_POLL_SECONDS = 0.25
# Auto Scaling user guide: instance lifecycle. A host that drains still has its clients.
_WITH_CLIENTS = ("InService", "Terminating", "Terminating:Wait")


@dataclass(frozen=True)
class PoolerSite:
    """Where the pooler's hosts, their wish and their answers are; the clients are boto3's."""

    autoscaling: Any
    secrets: Any
    logs: Any
    group_name: str
    secret_name: str
    log_group: str
    drain_seconds: float = DRAIN_SECONDS


@dataclass
class Held:
    """What the hosts said. `busy`: hosts whose transactions had not all ended in time."""

    hosts: tuple[str, ...]
    busy: tuple[str, ...] = ()
    #: From the first host's pause to the last one's end, as this side saw it.
    seconds: float = 0.0
    #: Hosts that did not say that clients go on; they do so at the deadline.
    silent: tuple[str, ...] = ()


def _silently(_step: str) -> None:
    """Tell nobody."""


@contextmanager
def held(site: PoolerSite, tell: Callable[[str], None] = _silently) -> Generator[Held]:
    """While the block runs, clients of the pooler wait and their transactions have ended.

    `tell` is called with what is waited for, and for how long at most.

    Raises:
        OperationError: a host did not answer. Then no client waits, and nothing was begun.
    """
    wish = _Wish(site)
    hosts = wish.hosts()
    wish.utter("ready", _READY_SECONDS)
    tell(f"{len(hosts)} pooler hosts are asked to get ready (up to {_READY_SECONDS:.0f} s)")
    try:
        wish.wait(hosts, {"ready"}, _READY_SECONDS, "is ready to hold its clients back")
        result, began = Held(hosts), time.monotonic()
        wish.utter("pause", LONGEST_SECONDS)
        tell(f"clients wait; transactions in progress end (up to {site.drain_seconds:.0f} s)")
        wish.wait(hosts, {"paused", "drained"}, _ANSWER_SECONDS, "holds its clients back")
        result.busy = wish.missing(hosts, {"drained"}, site.drain_seconds)
    except BaseException:
        # What failed is what has to be told; hosts that are not asked go on at the deadline.
        with suppress(BotoCoreError, ClientError):
            wish.utter("resume", LONGEST_SECONDS)
        raise
    try:
        yield result
    finally:
        result.silent = hosts
        # Credentials that end just then undo no exchange of databases.
        with suppress(BotoCoreError, ClientError):
            wish.utter("resume", LONGEST_SECONDS)
            tell(f"clients go on (up to {_ANSWER_SECONDS:.0f} s)")
            result.silent = wish.missing(hosts, {"resumed"}, _ANSWER_SECONDS)
        result.seconds = round(time.monotonic() - began, 3)


class _Wish:
    """One restore's conversation with the hosts."""

    def __init__(self, site: PoolerSite) -> None:
        self._site = site
        self._id = uuid.uuid4().hex
        # Answers carry the hosts' own clocks.
        self._since_ms = int((time.time() - 600) * 1000)

    def hosts(self) -> tuple[str, ...]:
        """Instance ids of the hosts that clients are sent to.

        Raises:
            OperationError: there is none.
        """
        name = self._site.group_name
        groups = self._site.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        found = tuple(
            instance["InstanceId"]
            for group in groups["AutoScalingGroups"]
            for instance in group["Instances"]
            if instance["LifecycleState"] in _WITH_CLIENTS
        )
        if not found:
            raise OperationError(
                f"pooler {name} has no host that could make clients wait; give --terminate to end "
                "the sessions that are there"
            )
        return found

    def utter(self, state: str, seconds: float) -> None:
        self._site.secrets.put_secret_value(
            SecretId=self._site.secret_name,
            SecretString=json.dumps(
                {"id": self._id, "state": state, "until": time.time() + seconds}
            ),
        )

    def wait(
        self, hosts: Collection[str], states: Collection[str], seconds: float, what: str
    ) -> None:
        missing = self.missing(hosts, states, seconds)
        if missing:
            raise OperationError(
                f"within {seconds:.0f} s no word that pooler host {', '.join(missing)} {what}; its "
                f"log is {self._site.log_group}. The database was not replaced and clients go on. "
                "Try again, or give --terminate to end their sessions instead"
            )

    def missing(
        self, hosts: Collection[str], states: Collection[str], seconds: float
    ) -> tuple[str, ...]:
        """Those who have not come to one of `states` within `seconds`."""
        deadline = time.monotonic() + seconds
        left = tuple(hosts)
        while True:
            left = tuple(host for host in left if not self._said(host) & set(states))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(_POLL_SECONDS)

    def _said(self, host: str) -> set[str]:
        try:
            events = self._site.logs.get_log_events(
                logGroupName=self._site.log_group,
                logStreamName=f"{host}/pause",
                startTime=self._since_ms,
                startFromHead=False,
            )["events"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return set()  # it never had anything to say
            raise
        answers = [json.loads(event["message"]) for event in events]
        return {answer["state"] for answer in answers if answer["id"] == self._id}
