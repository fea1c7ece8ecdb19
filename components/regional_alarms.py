"""Alarms of a replica in another region, where its metrics are."""

from __future__ import annotations

import pulumi

from components.alarm_topic import AlarmTopic
from components.alarms import instance_alarms, make_alarms, replica_lag
from components.customer_key import make_key
from components.deployment import Deployment
from components.encryption_keys import alarm_key_users


class RegionalAlarms(pulumi.ComponentResource):
    """Key, topic and alarms in the replica's region; the same people hear of them."""

    topic: AlarmTopic

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        region: str,
        identifier: str,
        allocated_storage_gib: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Watch the replica `identifier` in `region`: lag, storage, CPU, connections."""
        super().__init__("pgkeep:components:RegionalAlarms", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # A key of its own: the replica's may be somebody else's, with another policy.
        key = make_key(
            f"{name}-key",
            deployment,
            f"alarms-{region}",
            f"Alarm topic in {region}",
            *alarm_key_users(deployment.in_region(region)),
            region=region,
            opts=child,
        )
        self.topic = AlarmTopic(
            f"{name}-alarms", deployment, key_arn=key.arn, region=region, opts=child
        )
        label = identifier.removeprefix(f"{deployment.settings.prefix}-")
        make_alarms(
            name,
            deployment,
            [
                *instance_alarms(deployment, identifier, label, allocated_storage_gib),
                replica_lag(deployment, identifier),
            ],
            self.topic.topic.arn,
            opts=child,
            region=region,
        )
        self.register_outputs({"topic_arn": self.topic.topic.arn})
