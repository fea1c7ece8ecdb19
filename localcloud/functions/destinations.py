"""Delivers a message to a queue, topic, function or event bus by its ARN, under a permission."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from moto.awslambda.models import lambda_backends
from moto.core.exceptions import ServiceException
from moto.events.models import events_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from werkzeug.exceptions import HTTPException

from localcloud.errors import LocalCloudError

_log = logging.getLogger(__name__)

# What IAM calls the delivery to each service.
ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}


class Sender(Protocol):
    """A function that something is delivered in the name of."""

    function_name: str

    def may(self, action: str, resource: str) -> bool:
        """Whether its role allows the delivery."""
        ...


def deliver(
    arn: str,
    message: str,
    *,
    attributes: Mapping[str, str] | None = None,
    allowed: Callable[[str, str], bool],
) -> None:
    """Send `message` to `arn`; `allowed(action, resource)` is the sender's permission.

    Raises LocalCloudError when the target does not exist, cannot be a target, or is not allowed.
    """
    parts = arn.split(":", 5)
    action = ACTIONS.get(parts[2]) if len(parts) == 6 else None
    if not action:
        raise LocalCloudError(
            f"{arn} cannot be a target here: use the ARN of a queue, topic, function or event bus."
        )
    resource = arn.partition(":$LATEST")[0]
    if not allowed(action, resource):
        raise LocalCloudError(f"AccessDenied: the sender's role does not allow {action} on {arn}.")
    try:
        _SENDERS[parts[2]](parts[4], parts[3], arn, message, attributes or {})
    except (ServiceException, HTTPException) as error:
        # moto raises one or the other, by service.
        reason = getattr(error, "message", None) or error
        raise LocalCloudError(f"{arn} did not take the message: {reason}") from error


def _to_queue(
    account: str, region: str, arn: str, message: str, attributes: Mapping[str, str]
) -> None:
    backend: Any = sqs_backends[account][region]
    typed = {
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
    }
    backend.send_message(arn.rpartition(":")[2], message, message_attributes=typed or None)


def _to_topic(
    account: str, region: str, arn: str, message: str, attributes: Mapping[str, str]
) -> None:
    backend: Any = sns_backends[account][region]
    typed = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    backend.get_topic(arn).publish(message, message_attributes=typed or None)


def _to_function(
    account: str, region: str, arn: str, message: str, attributes: Mapping[str, str]
) -> None:
    del attributes
    backend: Any = lambda_backends[account][region]
    backend.invoke(arn, None, message, {"x-amz-invocation-type": "Event"}, {})


def _to_event_bus(
    account: str, region: str, arn: str, message: str, attributes: Mapping[str, str]
) -> None:
    del attributes
    backend: Any = events_backends[account][region]
    entry = {
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result",
        "Detail": json.dumps(json.loads(message)),
        "EventBusName": arn.rpartition("/")[2],
    }
    backend.put_events([entry])


_SENDERS: dict[str, Callable[[str, str, str, str, Mapping[str, str]], None]] = {
    "sqs": _to_queue,
    "sns": _to_topic,
    "lambda": _to_function,
    "events": _to_event_bus,
}


def send_as(
    function: Sender, arn: str, message: str, attributes: Mapping[str, str] | None = None
) -> None:
    """Deliver with the permissions of the function's role; a failure is only logged, as on AWS."""
    try:
        deliver(arn, message, attributes=attributes, allowed=function.may)
    except LocalCloudError as error:
        _log.warning("destination of %s: %s", function.function_name, error)
