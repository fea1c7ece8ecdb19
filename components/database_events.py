"""What RDS tells about the databases: failovers, failures, maintenance, changed parameters."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.deployment import Deployment


class DatabaseEvents(pulumi.ComponentResource):
    """Subscriptions of the alarm topic to the events of exactly these instances and their group.

    Security Hub also asks for events of DB security groups (RDS.22), which only EC2-Classic had:
    RDS still takes a subscription to them, for the whole region. RDS reports in the region of the
    instance, so that a replica elsewhere needs subscriptions, and a topic, there.
    """

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        alarm_topic: AlarmTopic,
        instances: Sequence[aws.rds.Instance],
        parameter_group: aws.rds.ParameterGroup,
        region: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Subscribe, unless the settings name no category; in `region` if not the stack's."""
        super().__init__("pgkeep:components:DatabaseEvents", name, None, opts)
        categories = deployment.settings.database.event_categories
        subscriptions: list[
            tuple[str, str, str, Sequence[pulumi.Input[str]] | None, Sequence[str]]
        ] = [
            (
                *("subscription", "database-events", "db-instance"),
                [instance.identifier for instance in instances],
                categories,
            ),
            (
                *("parameters", "parameter-events", "db-parameter-group"),
                [parameter_group.name],
                ("configuration change",),
            ),
            (
                *("groups", "security-group-events", "db-security-group"),
                None,
                ("configuration change", "failure"),
            ),
        ]
        for suffix, purpose, source_type, source_ids, wanted in subscriptions if categories else ():
            subscription_name = deployment.name(purpose)
            aws.rds.EventSubscription(
                f"{name}-{suffix}",
                name=subscription_name,
                region=region,
                sns_topic=alarm_topic.topic.arn,
                source_type=source_type,
                source_ids=source_ids,
                event_categories=list(wanted),
                enabled=True,
                tags=deployment.tags(subscription_name),
                # RDS publishes a first message while it subscribes.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[alarm_topic.policy]),
            )
        self.register_outputs({})
