"""Metrics that AWS services report by themselves and that alarms of this project read."""

import datetime
from collections.abc import Iterator
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.elbv2.models import elbv2_backends
from moto.sqs.models import sqs_backends

Datum = tuple[str, str, float, dict[str, str]]


def report(account_id: str, region: str) -> None:
    """Put the present value of each metric."""
    backend: Any = cloudwatch_backends[account_id][region]
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    for namespace, name, value, dimensions in [
        *_queues(account_id, region),
        *_balancers(account_id, region),
    ]:
        datum = {
            "MetricName": name,
            "Value": value,
            "Unit": "Count",
            "Timestamp": now,
            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        }
        backend.put_metric_data(namespace, [datum])


def _queues(account_id: str, region: str) -> Iterator[Datum]:
    backend: Any = sqs_backends[account_id][region]
    for queue in list(backend.queues.values()):
        dimensions = {"QueueName": queue.name}
        visible = float(queue.approximate_number_of_messages)
        yield "AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, dimensions
        oldest = min((float(message.sent_timestamp) for message in queue.messages), default=None)
        now_ms = datetime.datetime.now(datetime.UTC).timestamp() * 1000
        age = max(0.0, (now_ms - oldest) / 1000) if oldest is not None else 0.0
        yield "AWS/SQS", "ApproximateAgeOfOldestMessage", age, dimensions


def _balancers(account_id: str, region: str) -> Iterator[Datum]:
    backend: Any = elbv2_backends[account_id][region]
    for group in list(backend.target_groups.values()):
        states = [health.status for health in backend.describe_target_health(group.arn, [])]
        healthy = float(states.count("healthy"))
        unhealthy = float(states.count("unhealthy"))
        for balancer_arn in sorted(set(group.load_balancer_arns)):
            dimensions = {
                "LoadBalancer": balancer_arn.partition(":loadbalancer/")[2],
                "TargetGroup": group.arn.rpartition(":")[2],
            }
            yield "AWS/NetworkELB", "HealthyHostCount", healthy, dimensions
            yield "AWS/NetworkELB", "UnHealthyHostCount", unhealthy, dimensions
