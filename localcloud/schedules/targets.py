"""Delivers a schedule's firing to its target: role, input, retries, dead-letter queue, metrics.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
"""

import datetime
import json
import logging
import time
import uuid
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from localcloud.errors import LocalCloudError
from localcloud.functions import destinations
from localcloud.permissions import enforcement, roles

_log = logging.getLogger(__name__)

SERVICE = "scheduler.amazonaws.com"
_RETRIES = 185
_EVENT_AGE_SECONDS = 86_400
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0


def fire_schedule(account_id: str, region: str, schedule: Any, due: datetime.datetime) -> None:
    """Deliver one firing; what cannot be delivered goes to the target's dead-letter queue."""
    _Firing(account_id, region, schedule, due).run()


def group_arn(account_id: str, region: str, group_name: str) -> str:
    """What the Scheduler names as `aws:SourceArn` when it assumes a role."""
    return f"arn:aws:scheduler:{region}:{account_id}:schedule-group/{group_name}"


class _Firing:
    """One time that a schedule was due."""

    def __init__(self, account_id: str, region: str, schedule: Any, due: datetime.datetime) -> None:
        self._account_id = account_id
        self._region = region
        self._schedule = schedule
        self._target: dict[str, Any] = schedule.target
        self._due = due.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._execution_id = str(uuid.uuid4())

    def run(self) -> None:
        policy: dict[str, Any] = self._target.get("RetryPolicy") or {}
        retries = int(policy.get("MaximumRetryAttempts", _RETRIES))
        age_seconds = int(policy.get("MaximumEventAgeInSeconds", _EVENT_AGE_SECONDS))
        last_attempt = time.monotonic() + age_seconds
        pause = _FIRST_BACKOFF_SECONDS
        attempt = 1
        while True:
            message = self._message(attempt)
            self._count("InvocationAttemptCount")
            try:
                self._send(message)
                return
            except LocalCloudError as error:
                # A missing target or permission does not come by waiting: AWS drops at once too.
                self._give_up(message, error, attempt)
                return
            except Exception as error:
                _log.exception("schedule %s, attempt %d", self._schedule.arn, attempt)
                if attempt > retries or time.monotonic() + pause > last_attempt:
                    self._give_up(message, error, attempt)
                    return
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_BACKOFF_SECONDS)
            attempt += 1

    def _allowed(self, action: str, resource: str) -> bool:
        return enforcement.role_may(
            self._account_id, self._region, self._target["RoleArn"], action, resource
        )

    def _send(self, message: str) -> None:
        role_arn: str = self._target["RoleArn"]
        group = group_arn(self._account_id, self._region, self._schedule.group_name)
        if not roles.trusts(self._account_id, role_arn, SERVICE, {"aws:sourcearn": group}):
            raise LocalCloudError(f"AccessDenied: {role_arn} does not trust {SERVICE}.")
        destinations.deliver(self._target["Arn"], message, allowed=self._allowed)

    def _message(self, attempt: int) -> str:
        text: str | None = self._target.get("Input")
        if text is None:
            # What AWS sends without an input of the target's own.
            event = {
                "version": "0",
                "id": self._execution_id,
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": self._account_id,
                "time": self._due,
                "region": self._region,
                "resources": [self._schedule.arn],
                "detail": "{}",
            }
            return json.dumps(event)
        for name, value in (
            ("schedule-arn", self._schedule.arn),
            ("scheduled-time", self._due),
            ("execution-id", self._execution_id),
            ("attempt-number", str(attempt)),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def _give_up(self, message: str, error: Exception, attempt: int) -> None:
        _log.warning("schedule %s: %s", self._schedule.arn, error)
        self._count("TargetErrorCount")
        self._count("InvocationDroppedCount")
        queue = (self._target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        denied = "AccessDenied" in str(error)
        attributes = {
            "ERROR_CODE": "AccessDeniedException" if denied else type(error).__name__,
            "ERROR_MESSAGE": str(error),
            "EXECUTION_ID": self._execution_id,
            "EXECUTION_TIME": self._due,
            "RETRY_ATTEMPTS": str(attempt - 1),
            "SCHEDULE_ARN": self._schedule.arn,
            "TARGET_ARN": self._target["Arn"],
        }
        try:
            destinations.deliver(queue, message, attributes=attributes, allowed=self._allowed)
        except LocalCloudError as failure:
            _log.warning("dead-letter queue of schedule %s: %s", self._schedule.arn, failure)
            self._count("InvocationsFailedToBeSentToDeadLetterCount")
        else:
            self._count("InvocationsSentToDeadLetterCount")

    def _count(self, name: str) -> None:
        backend: Any = cloudwatch_backends[self._account_id][self._region]
        datum = {
            "MetricName": name,
            "Value": 1.0,
            "Unit": "Count",
            "Timestamp": datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
            "Dimensions": [{"Name": "ScheduleGroup", "Value": self._schedule.group_name}],
        }
        backend.put_metric_data("AWS/Scheduler", [datum])
