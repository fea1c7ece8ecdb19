"""One alarm, and those that every database instance has, in whichever region it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from stacks.connection_budget import max_connections

_GIB = 1024**3
_MINUTE = 60


@dataclass(frozen=True)
class Alarm:
    """One metric alarm.

    Attributes:
        label: last part of its name.
        description: what is wrong and what to look at.
        namespace: CloudWatch namespace.
        metric: name of the metric.
        dimensions: which resource.
        threshold: in the metric's unit.
        statistic: how a period is summed up.
        comparison: CloudWatch's operator.
        period_seconds: length of a period.
        periods: how many in a row.
        missing: what no data means.
    """

    label: str
    description: str
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    threshold: float
    statistic: str = "Average"
    comparison: str = "GreaterThanThreshold"
    period_seconds: int = 5 * _MINUTE
    periods: int = 3
    missing: str = "missing"


def make_alarms(
    name: str,
    deployment: Deployment,
    alarms: Sequence[Alarm],
    topic_arn: pulumi.Input[str],
    *,
    opts: pulumi.ResourceOptions,
    region: str | None = None,
) -> None:
    """Make the alarms; each tells the topic, of the same region, when it goes off and is over."""
    for alarm in alarms:
        alarm_name = deployment.name(alarm.label)
        aws.cloudwatch.MetricAlarm(
            f"{name}-{alarm.label}",
            name=alarm_name,
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=dict(alarm.dimensions),
            statistic=alarm.statistic,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=alarm.period_seconds,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing,
            actions_enabled=True,
            alarm_actions=[topic_arn],
            ok_actions=[topic_arn],
            region=region,
            tags=deployment.tags(alarm_name),
            opts=opts,
        )


def instance_alarms(
    deployment: Deployment, identifier: str, label: str, allocated_gib: int
) -> list[Alarm]:
    """CPU, storage and connections of an instance; `label` begins the alarms' names."""
    settings = deployment.settings.monitoring
    dimensions = {"DBInstanceIdentifier": identifier}
    free_gib = allocated_gib * (100 - settings.storage_used_percent) / 100
    most = max_connections(deployment.settings)
    if most is None:
        raise AssertionError("stacks.rules refuses settings without max_connections")
    connections = most * settings.connections_used_percent // 100
    return [
        Alarm(
            f"{label}-cpu",
            f"CPU of {identifier} over {settings.cpu_percent} %: see Performance Insights",
            "AWS/RDS",
            "CPUUtilization",
            dimensions,
            settings.cpu_percent,
        ),
        Alarm(
            f"{label}-storage",
            f"{identifier} uses over {settings.storage_used_percent} % of its storage",
            "AWS/RDS",
            "FreeStorageSpace",
            dimensions,
            free_gib * _GIB,
            comparison="LessThanThreshold",
            periods=1,
        ),
        Alarm(
            f"{label}-connections",
            f"{identifier} uses over {settings.connections_used_percent} % of max_connections",
            "AWS/RDS",
            "DatabaseConnections",
            dimensions,
            connections,
            statistic="Maximum",
            period_seconds=_MINUTE,
        ),
    ]


def replica_lag(deployment: Deployment, identifier: str) -> Alarm:
    """How far a replica is behind, where it is."""
    seconds = deployment.settings.monitoring.replica_lag_seconds
    label = identifier.removeprefix(f"{deployment.settings.prefix}-")
    return Alarm(
        f"{label}-lag",
        f"{identifier} is over {seconds} s behind: check network, disk and long queries",
        "AWS/RDS",
        "ReplicaLag",
        {"DBInstanceIdentifier": identifier},
        seconds,
        statistic="Maximum",
        period_seconds=_MINUTE,
        # No lag is reported when replication has stopped.
        missing="breaching",
    )
