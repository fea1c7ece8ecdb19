"""Alarms: the database, its replicas, the pooler, and every function that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.backup_names import bucket_name
from components.deployment import Deployment
from components.operation_function import OperationFunction
from components.pooler import Pooler
from stacks.connection_budget import max_connections
from workloads.contract import Objectives

_GIB = 1024**3
_MIB = 1024**2
_MINUTE = 60
_HOUR = 60 * _MINUTE


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


class Monitoring(pulumi.ComponentResource):
    """Every alarm of the stack; each tells the topic when it goes off and when it is over."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        alarm_topic: AlarmTopic,
        primary: str,
        replicas: Mapping[str, int],
        operations: Sequence[OperationFunction],
        pooler: Pooler,
        objectives: Objectives,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the alarms.

        `primary` is an instance's identifier, `replicas` give each identifier its storage in GiB.
        """
        super().__init__("pgkeep:components:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        database = deployment.settings.database
        alarms = _instance(deployment, primary, "primary", database.allocated_storage_gib)
        for identifier, allocated_gib in replicas.items():
            label = identifier.removeprefix(f"{deployment.settings.prefix}-")
            alarms += _instance(deployment, identifier, label, allocated_gib)
        if deployment.settings.replicas.other_regions:
            alarms.append(_slot_lag(deployment, primary))
        alarms += [_replica_lag(deployment, identifier) for identifier in replicas]
        alarms += [alarm for operation in operations for alarm in _function(operation)]
        alarms.append(_backup_age(deployment))
        alarms.append(_unhealthy_hosts(pooler))
        alarms += _pools(deployment)
        if deployment.settings.restore_test.enabled:
            alarms += _restore_test(deployment, objectives)
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
                alarm_actions=[alarm_topic.topic.arn],
                ok_actions=[alarm_topic.topic.arn],
                tags=deployment.tags(alarm_name),
                opts=child,
            )
        self.register_outputs({})


def _instance(
    deployment: Deployment, identifier: str, label: str, allocated_gib: int
) -> list[Alarm]:
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


def _replica_lag(deployment: Deployment, identifier: str) -> Alarm:
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


def _slot_lag(deployment: Deployment, primary: str) -> Alarm:
    """Replicas elsewhere report in their own region; what they have not fetched, here."""
    mebibytes = deployment.settings.monitoring.replication_slot_lag_mib
    return Alarm(
        "primary-slot-lag",
        f"A replica of {primary} in another region has not fetched {mebibytes} MiB of its log",
        "AWS/RDS",
        "OldestReplicationSlotLag",
        {"DBInstanceIdentifier": primary},
        mebibytes * _MIB,
        statistic="Maximum",
    )


def _function(operation: OperationFunction) -> list[Alarm]:
    purpose = operation.purpose
    return [
        Alarm(
            f"{purpose}-errors",
            f"{operation.function_name} failed: see its log group",
            "AWS/Lambda",
            "Errors",
            {"FunctionName": operation.function_name},
            0,
            statistic="Sum",
            period_seconds=_MINUTE,
            periods=1,
            missing="notBreaching",
        ),
        Alarm(
            f"{purpose}-failed-events",
            f"{operation.queue_name} holds events that failed for good",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": operation.queue_name},
            0,
            statistic="Maximum",
            period_seconds=_MINUTE,
            periods=1,
            missing="notBreaching",
        ),
    ]


def _backup_age(deployment: Deployment) -> Alarm:
    """What the function backup-retention publishes: operations/functions/backup_retention.py."""
    hours = deployment.settings.monitoring.backup_age_hours
    return Alarm(
        "backup-age",
        f"The newest whole backup is over {hours} h old, there is none, or nobody looks: see the "
        "logs of the functions backup and backup-retention; pgkeep backup run makes one",
        "pgkeep",
        "BackupAgeSeconds",
        {"Bucket": bucket_name(deployment), "Database": deployment.settings.database.name},
        hours * _HOUR,
        statistic="Maximum",
        period_seconds=_HOUR,
        periods=1,
        # Four values an hour: silence means that backups, or whoever looks for them, never ran.
        missing="breaching",
    )


def _unhealthy_hosts(pooler: Pooler) -> Alarm:
    return Alarm(
        "pooler-unhealthy",
        "A pooler host fails its health check",
        "AWS/NetworkELB",
        "UnHealthyHostCount",
        {
            "LoadBalancer": pooler.load_balancer.arn_suffix,
            "TargetGroup": pooler.target_group.arn_suffix,
        },
        0,
        statistic="Maximum",
        period_seconds=_MINUTE,
        missing="notBreaching",
    )


def _pools(deployment: Deployment) -> list[Alarm]:
    """What the hosts publish: hosts/telemetry.py."""
    settings = deployment.settings.monitoring
    thresholds = {
        ("waiting", "ClientsWaiting", settings.pooler_waiting_clients): "clients wait",
        ("wait", "MaxWaitSeconds", settings.pooler_max_wait_seconds): "seconds waited",
        ("pool-use", "PoolUsePercent", settings.pooler_pool_use_percent): "% of a pool in use",
    }
    return [
        Alarm(
            f"pooler-{label}",
            f"Pooler: over {threshold} {what} on a host for 5 minutes: see SHOW POOLS",
            "pgkeep/pooler",
            metric,
            {"Pooler": deployment.name("pooler")},
            threshold,
            statistic="Maximum",
            period_seconds=_MINUTE,
            periods=5,
            missing="notBreaching",
        )
        for (label, metric, threshold), what in thresholds.items()
    ]


def _restore_test(deployment: Deployment, objectives: Objectives) -> list[Alarm]:
    """What the function publishes: operations/restore/restore_test.py."""
    days = min(
        deployment.settings.restore_test.maximum_age_days, objectives.restore_test_max_age_days
    )
    dimensions = {"Database": deployment.settings.database.name}
    alarms = [
        Alarm(
            "restore-test-age",
            f"No restore was proven for over {days} days: see the function restore-test",
            "pgkeep",
            "RestoreTestAgeDays",
            dimensions,
            days,
            statistic="Maximum",
            period_seconds=_HOUR,
            periods=1,
            # The function says the age every ten minutes; silence means that nobody looks.
            missing="breaching",
        ),
        Alarm(
            "restore-test-failed",
            "The last restore test failed: see its report in the backup bucket",
            "pgkeep",
            "RestoreTestSuccess",
            dimensions,
            1,
            statistic="Minimum",
            comparison="LessThanThreshold",
            periods=1,
            # Until the next test says something else.
            missing="ignore",
        ),
    ]
    if objectives.rto_seconds is not None:
        alarms.append(
            Alarm(
                "restore-test-rto",
                f"A restore to a point in time took over {objectives.rto_seconds} s, the "
                "workload's objective",
                "pgkeep",
                "RestoreTestRtoSeconds",
                {**dimensions, "Kind": "point-in-time"},
                objectives.rto_seconds,
                statistic="Maximum",
                periods=1,
                missing="ignore",
            )
        )
    return alarms
