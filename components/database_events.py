"""What RDS tells about the databases: failovers, failures, maintenance, low storage."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.deployment import Deployment


class DatabaseEvents(pulumi.ComponentResource):
    """A subscription of the alarm topic to the chosen events of exactly these instances."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        alarm_topic: AlarmTopic,
        instances: Sequence[aws.rds.Instance],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Subscribe, unless the settings name no category."""
        super().__init__("pgkeep:components:DatabaseEvents", name, None, opts)
        categories = deployment.settings.database.event_categories
        if categories:
            aws.rds.EventSubscription(
                f"{name}-subscription",
                name=deployment.name("database-events"),
                sns_topic=alarm_topic.topic.arn,
                source_type="db-instance",
                source_ids=[instance.identifier for instance in instances],
                event_categories=list(categories),
                enabled=True,
                tags=deployment.tags(deployment.name("database-events")),
                # RDS publishes a first message while it subscribes.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[alarm_topic.policy]),
            )
        self.register_outputs({})
