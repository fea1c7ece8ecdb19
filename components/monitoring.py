"""Alarms: the database, its replicas, the pooler, and every function that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.alarm_topic import AlarmTopic
from components.alarms import Alarm, instance_alarms, make_alarms, replica_lag
from components.backup_names import bucket_name, copies_bucket_name, worker_name
from components.backup_replication import RULE_ID
from components.deployment import Deployment
from components.operation_function import OperationFunction
from components.pooler import Pooler
from stacks.backup_settings import ReplicationSettings
from workloads.contract import Objectives

_MIB = 1024**2
_MINUTE = 60
_HOUR = 60 * _MINUTE
# Secrets Manager rotates at some time of the day; the next day a person has seen an error.
_ROTATION_GRACE_DAYS = 2


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
        alarms = instance_alarms(deployment, primary, "primary", database.allocated_storage_gib)
        for identifier, allocated_gib in replicas.items():
            label = identifier.removeprefix(f"{deployment.settings.prefix}-")
            alarms += instance_alarms(deployment, identifier, label, allocated_gib)
        if deployment.settings.replicas.other_regions:
            alarms.append(_slot_lag(deployment, primary))
        alarms += [replica_lag(deployment, identifier) for identifier in replicas]
        alarms += [alarm for operation in operations for alarm in _function(operation)]
        alarms.append(_backup_age(deployment))
        alarms.append(_rotation_overdue(deployment))
        replication = deployment.settings.backups.replication
        if replication is not None:
            alarms.append(_failed_copies(deployment, replication))
        alarms.append(_unhealthy_hosts(pooler))
        alarms += _pools(deployment)
        if deployment.settings.backups.worker.enabled:
            alarms += _backup_worker(deployment)
        if deployment.settings.backups.exports_snapshots:
            alarms.append(_snapshot_export(deployment))
        if deployment.settings.restore_test.enabled:
            alarms += _restore_test(deployment, objectives)
        make_alarms(name, deployment, alarms, alarm_topic.topic.arn, opts=child)
        self.register_outputs({})


def _slot_lag(deployment: Deployment, primary: str) -> Alarm:
    """What replicas elsewhere have not fetched; their own alarms: components/regional_alarms.py."""
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


def _rotation_overdue(deployment: Deployment) -> Alarm:
    """What the function role-rotation publishes: operations/roles/rotation_age.py."""
    return Alarm(
        "rotation-overdue",
        f"A password was not rotated for over {_ROTATION_GRACE_DAYS} days past its schedule, or "
        "nobody looks: see overdue_days in the log of the function role-rotation, and whether the "
        "secret's rotation is on",
        "pgkeep",
        "RotationOverdueDays",
        {"FunctionName": deployment.name("role-rotation")},
        _ROTATION_GRACE_DAYS,
        statistic="Maximum",
        period_seconds=_HOUR,
        periods=1,
        # Four values an hour: silence means that whoever looks never ran.
        missing="breaching",
    )


def _failed_copies(deployment: Deployment, replication: ReplicationSettings) -> Alarm:
    """S3 counts what it gave up; AWS S3 user guide: using S3 Replication metrics.

    Which object and why stands in its `x-amz-replication-status` and in the copies' inventory.
    """
    copies = (
        replication.bucket_arn.rpartition(":")[2]
        if replication.bucket_arn is not None
        else copies_bucket_name(deployment, replication.region)
    )
    return Alarm(
        "backup-copies-failed",
        f"S3 gave up copying objects of the backups to {copies}: see the role's rights, the keys "
        "and the destination's policy, then copy again with S3 Batch Replication",
        "AWS/S3",
        "OperationsFailedReplication",
        {
            "SourceBucket": bucket_name(deployment),
            "DestinationBucket": copies,
            "RuleId": RULE_ID,
        },
        0,
        statistic="Sum",
        periods=1,
        # As the guide says: without new objects nothing is counted, and what failed stays failed.
        missing="ignore",
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


def _backup_worker(deployment: Deployment) -> list[Alarm]:
    """What the worker publishes (operations/handover/worker.py), and that it goes."""
    hours = deployment.settings.backups.worker.longest_hours
    return [
        _failed(
            deployment,
            "backup-worker-failed",
            "The backup worker failed: see its log group",
            "BackupWorkerSuccess",
            period_seconds=_MINUTE,
        ),
        Alarm(
            "backup-worker-stays",
            f"A backup worker is up for over {hours} hours: end it, it costs money and makes none",
            "AWS/AutoScaling",
            "GroupInServiceInstances",
            {"AutoScalingGroupName": worker_name(deployment)},
            0,
            statistic="Minimum",
            period_seconds=_HOUR,
            periods=hours + 1,
            missing="notBreaching",
        ),
    ]


def _snapshot_export(deployment: Deployment) -> Alarm:
    """What the backup function publishes: operations/handover/snapshot_export.py."""
    return _failed(
        deployment,
        "backup-export-failed",
        "RDS's export of a snapshot failed, or did not end: see the log group of the function "
        "backup; pgkeep backup run --here makes a backup that can be restored",
        "BackupExportSuccess",
        period_seconds=_MINUTE,
    )


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
        _failed(
            deployment,
            "restore-test-failed",
            "The last restore test failed: see its report in the backup bucket",
            "RestoreTestSuccess",
            period_seconds=5 * _MINUTE,
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


def _failed(
    deployment: Deployment, label: str, description: str, metric: str, *, period_seconds: int
) -> Alarm:
    """The last run published 0 for its success; until the next one, silence changes nothing."""
    return Alarm(
        label,
        description,
        "pgkeep",
        metric,
        {"Database": deployment.settings.database.name},
        1,
        statistic="Minimum",
        comparison="LessThanThreshold",
        period_seconds=period_seconds,
        periods=1,
        missing="ignore",
    )
