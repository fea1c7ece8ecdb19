"""EventBridge rules reach functions, topics and queues, as far as those let EventBridge in."""

import copy
import datetime
import json
import logging
import uuid
from typing import Any

from moto.events.models import Rule
from moto.events.utils import EventTemplateParser

from localcloud.errors import LocalCloudError
from localcloud.functions import destinations
from localcloud.permissions import enforcement
from localcloud.permissions.resource_policies import service_may

_log = logging.getLogger(__name__)

SERVICE = "events.amazonaws.com"
_moto_send: Any = Rule.send_to_targets


def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
    """Deliver a matching event; moto itself knows no functions and topics and checks no policy."""
    if not rule.event_pattern.matches_event(original_event):
        return
    for target in rule.targets:
        if target["Arn"].split(":")[2] in ("lambda", "sns", "sqs"):
            _send(rule, target, original_event, transform_input)
    rest = [target for target in rule.targets if target["Arn"].split(":")[2] in ("logs", "events")]
    if rest:
        other = copy.copy(rule)
        other.targets = rest
        _moto_send(other, original_event, transform_input)


def fire_scheduled(rule: Any, due: datetime.datetime) -> None:
    """Send the event of a scheduled rule."""
    time = due.strftime("%Y-%m-%dT%H:%M:%SZ")
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": time,
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
        "ingestion-time": time,
    }
    send_to_targets(rule, event)


def _send(rule: Any, target: dict[str, Any], event: dict[str, Any], transform: bool) -> None:
    arn: str = target["Arn"]

    def allowed(action: str, resource: str) -> bool:
        if role := target.get("RoleArn"):
            return enforcement.role_may(rule.account_id, rule.region_name, role, action, resource)
        return service_may(SERVICE, action, resource, rule.arn)

    message = target.get("Input") or json.dumps(_input(target, event, transform))
    try:
        destinations.deliver(arn, message, allowed=allowed)
    except LocalCloudError as error:
        _log.warning("rule %s: %s", rule.arn, error)
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            _dead_letter(rule, queue, message, str(error), arn)


def _input(target: dict[str, Any], event: dict[str, Any], transform: bool) -> Any:
    transformer = target.get("InputTransformer")
    if transform and transformer:
        parser: Any = EventTemplateParser
        paths = transformer.get("InputPathsMap", {})
        return parser.parse(transformer.get("InputTemplate"), paths, event)
    plain = {name: value for name, value in event.items() if name != "ingestion-time"}
    if path := target.get("InputPath"):
        for name in path.removeprefix("$").strip(".").split("."):
            plain = plain[name] if name else plain
    return plain


def _dead_letter(rule: Any, queue: str, message: str, error: str, target_arn: str) -> None:
    def allowed(action: str, resource: str) -> bool:
        return service_may(SERVICE, action, resource, rule.arn)

    attributes = {"RULE_ARN": rule.arn, "TARGET_ARN": target_arn, "ERROR_MESSAGE": error}
    try:
        destinations.deliver(queue, message, attributes=attributes, allowed=allowed)
    except LocalCloudError as failure:
        _log.warning("dead-letter queue of rule %s: %s", rule.arn, failure)
