"""Event invocations: queued, retried twice, then to the dead-letter queue or the destination.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import datetime
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from localcloud.errors import LocalCloudError
from localcloud.functions import destinations
from localcloud.functions.plane import FunctionPlane, TooManyRequestsError
from localcloud.functions.results import Result

if TYPE_CHECKING:
    from localcloud.functions.model import LocalFunction

_log = logging.getLogger(__name__)

# AWS waits a minute before the first retry and two before the second.
_RETRY_DELAYS_SECONDS = (60.0, 120.0)
_RETRIES = 2
_EVENT_AGE_SECONDS = 21_600
_THROTTLE_PAUSE_SECONDS = 1.0
# Tests and drills that cannot wait minutes set this to seconds, comma separated.
_DELAYS_VARIABLE = "PGKEEP_LOCALCLOUD_RETRY_DELAYS_SECONDS"


def retry_delays_seconds() -> Sequence[float]:
    """Pauses before the first and the second retry."""
    text = os.environ.get(_DELAYS_VARIABLE)
    if not text:
        return _RETRY_DELAYS_SECONDS
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise LocalCloudError(
            f"{_DELAYS_VARIABLE} is {text!r}: give seconds separated by commas, such as 1,2."
        ) from error


class AsynchronousInvoker:
    """Runs event invocations in the background."""

    def __init__(self, plane: FunctionPlane, delays: Sequence[float] | None = None) -> None:
        self._plane = plane
        self._delays = delays or retry_delays_seconds()
        self._stopping = threading.Event()

    def submit(self, function: "LocalFunction", event: str) -> None:
        """Accept the event and return at once."""
        arguments = (function, event, str(uuid.uuid4()))
        name = f"event-{function.function_name}"
        threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()

    def stop(self) -> None:
        """Give up what waits for a retry."""
        self._stopping.set()

    def _run(self, function: "LocalFunction", event: str, request_id: str) -> None:
        try:
            self._deliver(function, event, request_id)
        except Exception:
            _log.exception("event invocation %s of %s", request_id, function.function_name)

    def _deliver(self, function: "LocalFunction", event: str, request_id: str) -> None:
        config: dict[str, Any] = (
            function.event_invoke_config[0].config if function.event_invoke_config else {}
        )
        retries = config.get("MaximumRetryAttempts", _RETRIES)
        last_start = time.monotonic() + config.get("MaximumEventAgeInSeconds", _EVENT_AGE_SECONDS)
        attempts = 0
        condition = "RetriesExhausted"
        while True:
            result = self._attempt(function, event, request_id, last_start)
            attempts += 1
            if result is None or not result.error:
                break
            if attempts > retries:
                break
            delay = self._delays[min(attempts, len(self._delays)) - 1]
            if time.monotonic() + delay > last_start:
                condition = "EventAgeExceeded"
                break
            if self._stopping.wait(delay):
                return
        if self._stopping.is_set():
            return
        if result is None:
            condition = "EventAgeExceeded"
        succeeded = result is not None and not result.error
        context = {
            "requestId": request_id,
            "functionArn": f"{function.function_arn}:{function.version}",
            "condition": "Success" if succeeded else condition,
            "approximateInvokeCount": attempts,
        }
        record = _record(context, event, result)
        outcome = config.get("DestinationConfig", {}).get("OnSuccess" if succeeded else "OnFailure")
        if outcome and outcome.get("Destination"):
            destinations.send_as(function, outcome["Destination"], record)
        queue = function.kept.get("DeadLetterConfig", {}).get("TargetArn")
        if queue and not succeeded:
            message = _error_message(result)
            attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": message}
            destinations.send_as(function, queue, event, attributes)

    def _attempt(
        self, function: "LocalFunction", event: str, request_id: str, last_start: float
    ) -> Result | None:
        """Invoke once, waiting out throttles; None when the event has become too old."""
        while time.monotonic() <= last_start:
            try:
                return self._plane.invoke(function, event, request_id=request_id)
            except TooManyRequestsError:
                if self._stopping.wait(_THROTTLE_PAUSE_SECONDS):
                    return None
            except LocalCloudError as error:
                payload = json.dumps({"errorType": "ServiceException", "errorMessage": str(error)})
                return Result(payload, "Unhandled", str(error), 0.0, str(function.version))
        return None


def _error_message(result: Result | None) -> str:
    if result is None:
        return "The event was too old."
    try:
        return str(json.loads(result.payload).get("errorMessage", ""))[:1024]
    except (ValueError, AttributeError):
        return result.payload[:1024]


def _record(request_context: dict[str, Any], event: str, result: Result | None) -> str:
    """The invocation record that destinations get (version 1.0)."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now,
        "requestContext": request_context,
        "requestPayload": json.loads(event),
    }
    if result:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": result.executed_version}
        if result.error:
            context["functionError"] = result.error
        record |= {"responseContext": context, "responsePayload": json.loads(result.payload)}
    return json.dumps(record)
