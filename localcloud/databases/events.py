"""RDS events: what DescribeEvents lists and event subscriptions send to their SNS topic.

Ids, categories and messages: AWS, "Amazon RDS event categories and event messages".
"""

import datetime
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError
from moto.rds.models import EventSubscription
from moto.sns.models import sns_backends

from localcloud.databases.regional import Regional

_LOG = logging.getLogger(__name__)
# AWS, DescribeEvents: Duration's default is 60 minutes, and events of 14 days are kept.
_DEFAULT_DURATION = datetime.timedelta(minutes=60)
_KEPT = datetime.timedelta(days=14)
_EVENTS_PAGE = (
    "http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/USER_Events.html#{identifier}"
)


@dataclass(frozen=True)
class Kind:
    """One kind of event."""

    number: int
    category: str
    message: str

    @property
    def identifier(self) -> str:
        """Such as RDS-EVENT-0005."""
        return f"RDS-EVENT-{self.number:04}"


# What one may subscribe to, of the source types that this cloud has (DescribeEventCategories).
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "db-instance": (
        "availability", "backup", "configuration change", "creation", "deletion", "failover",
        "failure", "low storage", "maintenance", "notification", "read replica", "recovery",
        "restoration", "security", "security patching",
    ),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change", "failure"),
    "db-snapshot": ("creation", "deletion", "notification", "restoration"),
}  # fmt: skip
KINDS: Mapping[str, Kind] = {
    "backup-started": Kind(1, "backup", "Backing up DB instance"),
    "backup-finished": Kind(2, "backup", "Finished DB Instance backup"),
    "instance-deleted": Kind(3, "deletion", "DB instance deleted"),
    "instance-created": Kind(5, "creation", "DB instance created"),
    "instance-restarted": Kind(6, "availability", "DB instance restarted"),
    "parameter-group": Kind(11, "configuration change", "Updated to use DBParameterGroup {name}"),
    "class-started": Kind(12, "configuration change", "Applying modification to DB instance class"),
    "failover-started": Kind(13, "failover", "Multi-AZ instance failover started."),
    "class-finished": Kind(
        14, "configuration change", "Finished applying modification to DB instance class"
    ),
    "password": Kind(16, "configuration change", "Reset master credentials"),
    "storage": Kind(
        17, "configuration change", "Finished applying modification to allocated storage"
    ),
    "instance-restored": Kind(19, "restoration", "Restored from DB instance {source} to {target}"),
    "recovery-started": Kind(
        20,
        "recovery",
        "Recovery of the DB instance has started. Recovery time will vary with the amount of data "
        "to be recovered.",
    ),
    "recovery-finished": Kind(21, "recovery", "Recovery of the DB instance is complete."),
    "multi-az": Kind(
        25, "configuration change", "Finished applying modification to convert to a Multi-AZ DB "
        "instance"
    ),
    "backups-disabled": Kind(28, "configuration change", "Disabled automated backups"),
    "single-az": Kind(
        29, "configuration change", "Finished applying modification to convert to a standard "
        "(Single-AZ) DB instance"
    ),
    "backups-enabled": Kind(32, "configuration change", "Enabled automated backups"),
    "instance-failed": Kind(35, "failure", "Database instance put into {status}."),
    "manual-snapshot-started": Kind(40, "creation", "Creating manual snapshot"),
    "snapshot-deleted": Kind(41, "deletion", "Deleted user snapshot"),
    "manual-snapshot-finished": Kind(42, "creation", "Manual snapshot created"),
    "snapshot-restored": Kind(43, "restoration", "Restored from snapshot {name}"),
    "failover-finished": Kind(49, "failover", "Multi-AZ instance failover completed"),
    "replication-ended": Kind(57, "read replica", "Replication on the read replica was terminated"),
    "snapshot-copy-started": Kind(
        59, "notification", "Started copy of snapshot {name} from region {region}"
    ),
    "snapshot-copy-finished": Kind(
        60, "notification", "Finished copy of snapshot {name} from region {region}"
    ),
    "export-failed": Kind(159, "notification", "The snapshot export task failed."),
    "export-canceled": Kind(160, "notification", "The snapshot export task was canceled."),
    "export-complete": Kind(161, "notification", "The snapshot export task completed."),
    "automated-snapshot-started": Kind(90, "creation", "Creating automated snapshot"),
    "precheck-started": Kind(
        264, "maintenance", "The pre-check started for the DB engine version upgrade."
    ),
    "precheck-finished": Kind(
        265, "maintenance", "The pre-check finished for the DB engine version upgrade."
    ),
    "downtime-started": Kind(266, "maintenance", "The downtime started for the DB instance."),
    "upgrade-started": Kind(267, "maintenance", "The engine version upgrade started."),
    "upgrade-finished": Kind(268, "maintenance", "The engine version upgrade finished."),
    "upgrade-failed": Kind(
        270,
        "maintenance",
        "The DB engine version upgrade failed. The DB engine version upgrade rollback succeeded.",
    ),
    "automated-snapshot-finished": Kind(91, "creation", "Automated snapshot created"),
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One event, with the attributes that moto serializes for DescribeEvents."""

    kind: Kind
    source_type: str
    source_identifier: str
    source_arn: str
    message: str
    event_categories: list[str]
    date: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))


class Events(Regional):
    """The events and event subscriptions of one region."""

    def record(self, kind: str, resource: Any, **details: str) -> None:
        """Keep an event of a DB instance or snapshot, and send it to the subscriptions."""
        found = KINDS[kind]
        event = Event(
            kind=found,
            source_type=resource.event_source_type,
            source_identifier=resource.resource_id,
            source_arn=resource.arn,
            message=found.message.format(**details),
            event_categories=[found.category],
        )
        known = cast(list[Any], self.events)  # moto's own class serializes alike
        known[:] = [*(each for each in known if each.date > event.date - _KEPT), event]
        for subscription in list(self.event_subscriptions.values()):
            if _concerns(subscription, event):
                self._publish(subscription, event)

    def describe_events(  # noqa: PLR0917 - the API's inputs
        self,
        source_identifier: str | None = None,
        source_type: str | None = None,
        start_time: datetime.datetime | None = None,
        end_time: datetime.datetime | None = None,
        duration: int | None = None,
        event_categories: Iterable[str] | None = None,
        **_: Any,
    ) -> list[Any]:
        """The events of the last hour, or of the given time, oldest first."""
        if source_identifier is not None and source_type is None:
            raise InvalidParameterCombination(
                "Cannot specify source identifier without source type"
            )
        now = datetime.datetime.now(datetime.UTC)
        length = datetime.timedelta(minutes=duration) if duration else _DEFAULT_DURATION
        end = _aware(end_time) if end_time else now
        start = _aware(start_time) if start_time else end - length
        if start_time and duration and not end_time:
            end = start + length
        if start > end:
            raise InvalidParameterCombination("StartTime is later than EndTime")
        wanted = set(event_categories or ())
        return [
            event
            for event in self.events
            if start <= event.date <= end
            and source_identifier in (None, event.source_identifier)
            and source_type in (None, event.source_type)
            and (not wanted or wanted & set(event.event_categories))
        ]

    def create_event_subscription(self, kwargs: Any) -> EventSubscription:
        """As moto, once the topic is known to exist; on unless it is switched off."""
        inputs = dict(kwargs)
        self._require_topic(inputs["sns_topic_arn"])
        _require_categories(inputs.get("source_type"), inputs.get("event_categories"))
        if inputs.get("source_ids") and not inputs.get("source_type"):
            raise InvalidParameterCombination("SourceIds need a SourceType.")
        inputs["enabled"] = inputs.get("enabled", True) is not False
        return super().create_event_subscription(inputs)

    def modify_event_subscription(
        self, subscription_name: str, inputs: Mapping[str, Any]
    ) -> EventSubscription:
        """Change what is given (moto lacks the action)."""
        (subscription,) = self.describe_event_subscriptions(subscription_name)
        if topic := inputs.get("sns_topic_arn"):
            self._require_topic(topic)
            subscription.sns_topic_arn = topic
        source_type = inputs.get("source_type") or subscription.source_type
        _require_categories(source_type, inputs.get("event_categories"))
        subscription.source_type = source_type
        if inputs.get("event_categories") is not None:
            subscription.event_categories = list(inputs["event_categories"])
        if inputs.get("enabled") is not None:
            subscription.enabled = inputs["enabled"]
        return subscription

    def change_event_sources(
        self, subscription_name: str, *, add: str | None = None, remove: str | None = None
    ) -> EventSubscription:
        """Add a source to a subscription, or take one out (moto lacks the actions)."""
        (subscription,) = self.describe_event_subscriptions(subscription_name)
        sources = [each for each in subscription.source_ids if each not in (add, remove)]
        subscription.source_ids = [*sources, add] if add is not None else sources
        return subscription

    def _require_topic(self, arn: str) -> None:
        parts = arn.split(":")
        if len(parts) != 6 or parts[2] != "sns" or parts[3] != self.region_name:
            raise RDSClientError("SNSInvalidTopic", f"Invalid SNS topic ARN: {arn}")
        if arn not in sns_backends[parts[4]][parts[3]].topics:
            raise RDSClientError("SNSTopicArnNotFound", f"SNS topic does not exist: {arn}")

    def _publish(self, subscription: EventSubscription, event: Event) -> None:
        body = {
            "Event Source": event.source_type,
            "Event Time": f"{event.date:%Y-%m-%d %H:%M:%S}.{event.date.microsecond // 1000:03}",
            "Identifier Link": f"https://console.aws.amazon.com/rds/home?region={self.region_name}"
            f"#dbinstance:id={event.source_identifier}",
            "Source ID": event.source_identifier,
            "Source ARN": event.source_arn,
            "Event ID": _EVENTS_PAGE.format(identifier=event.kind.identifier),
            "Event Message": event.message,
        }
        topic = str(subscription.sns_topic_arn)
        try:
            sns = sns_backends[topic.split(":")[4]][topic.split(":")[3]]
            sns.topics[topic].publish(json.dumps(body), subject="RDS Notification Message")
        except Exception:  # a topic that is gone must not stop what the event tells of
            _LOG.exception("event of %s to %s", event.source_identifier, topic)


def categories(source_type: str | None) -> list[dict[str, Any]]:
    """The EventCategoriesMapList of DescribeEventCategories."""
    return [
        {"SourceType": name, "EventCategories": list(known)}
        for name, known in _CATEGORIES.items()
        if source_type in (None, name)
    ]


def _concerns(subscription: EventSubscription, event: Event) -> bool:
    return bool(
        subscription.enabled
        and subscription.source_type in (None, "", event.source_type)
        and (not subscription.source_ids or event.source_identifier in subscription.source_ids)
        and (
            not subscription.event_categories
            or set(subscription.event_categories) & set(event.event_categories)
        )
    )


def _require_categories(source_type: str | None, given: Iterable[str] | None) -> None:
    if not given:
        return
    if source_type is None:
        raise InvalidParameterCombination("EventCategories need a SourceType.")
    known = _CATEGORIES.get(source_type)
    if known is None:
        raise InvalidParameterValue(f"Invalid source type: {source_type}")
    for category in given:
        if category not in known:
            raise RDSClientError(
                "SubscriptionCategoryNotFound",
                f"The category {category} does not exist for {source_type}.",
            )


def _aware(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
