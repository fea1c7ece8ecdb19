"""Actions of the RDS API on events that moto lacks."""

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from localcloud.databases.events import categories
from localcloud.databases.responses_backups import backend_of, page


def describe_events(self: RDSResponse) -> ActionResult:
    """DescribeEvents."""
    return page(self, "Events", backend_of(self).describe_events(**self.params))


def describe_event_categories(self: RDSResponse) -> ActionResult:
    """DescribeEventCategories."""
    return ActionResult({"EventCategoriesMapList": categories(self.params.get("SourceType"))})


def modify_event_subscription(self: RDSResponse) -> ActionResult:
    """ModifyEventSubscription."""
    subscription = backend_of(self).modify_event_subscription(
        str(self.params.get("SubscriptionName")), self.params
    )
    return ActionResult({"EventSubscription": subscription})


def add_source_identifier_to_subscription(self: RDSResponse) -> ActionResult:
    """AddSourceIdentifierToSubscription."""
    subscription = backend_of(self).change_event_sources(
        str(self.params.get("SubscriptionName")), add=str(self.params.get("SourceIdentifier"))
    )
    return ActionResult({"EventSubscription": subscription})


def remove_source_identifier_from_subscription(self: RDSResponse) -> ActionResult:
    """RemoveSourceIdentifierFromSubscription."""
    subscription = backend_of(self).change_event_sources(
        str(self.params.get("SubscriptionName")), remove=str(self.params.get("SourceIdentifier"))
    )
    return ActionResult({"EventSubscription": subscription})


ACTIONS = (
    describe_events,
    describe_event_categories,
    modify_event_subscription,
    add_source_identifier_to_subscription,
    remove_source_identifier_from_subscription,
)
