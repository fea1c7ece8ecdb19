"""The encrypted topic that alarms go to, and who hears of them."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import document


class AlarmTopic(pulumi.ComponentResource):
    """An SNS topic to which only CloudWatch alarms and RDS events of this account may publish.

    Alarms can tell topics of their own region only.
    """

    topic: aws.sns.Topic
    policy: aws.sns.TopicPolicy

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        key_arn: pulumi.Input[str],
        region: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make topic, policy and subscriptions, in `region` where it is not the stack's."""
        super().__init__("pgkeep:components:AlarmTopic", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        topic_name = deployment.name("alarms")
        here = deployment if region is None else deployment.in_region(region)
        topic_arn = here.arn("sns", topic_name)
        self.topic = aws.sns.Topic(
            f"{name}-topic",
            name=topic_name,
            kms_master_key_id=key_arn,
            region=region,
            tags=deployment.tags(topic_name),
            opts=child,
        )
        self.policy = aws.sns.TopicPolicy(
            f"{name}-policy",
            arn=self.topic.arn,
            region=region,
            policy=document(
                {
                    "Sid": "AlarmsOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"Service": deployment.service_principal("cloudwatch")},
                    "Action": "sns:Publish",
                    "Resource": topic_arn,
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": deployment.account_id},
                        "ArnLike": {"aws:SourceArn": here.arn("cloudwatch", "alarm:*")},
                    },
                },
                {
                    "Sid": "DatabaseEventsOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"Service": deployment.service_principal("events.rds")},
                    "Action": "sns:Publish",
                    "Resource": topic_arn,
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": deployment.account_id},
                        "ArnLike": {"aws:SourceArn": here.arn("rds", "es:*")},
                    },
                },
            ),
            opts=child,
        )
        for address in deployment.settings.monitoring.emails:
            aws.sns.TopicSubscription(
                f"{name}-{address}",
                topic=self.topic.arn,
                region=region,
                protocol="email",
                endpoint=address,
                opts=child,
            )
        self.register_outputs({"topic_arn": self.topic.arn})
