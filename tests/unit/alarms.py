"""What alarms look like, and those of a stack by their labels."""

from __future__ import annotations

from typing import Any

from tests.unit.recorder import Recorder
from tests.unit.test_network import tags

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


def alarm(metric: str, dimensions: dict[str, str], threshold: float, **more: Any) -> dict[str, Any]:
    return {
        "metricName": metric,
        "dimensions": dimensions,
        "threshold": threshold,
        "statistic": "Average",
        "comparisonOperator": "GreaterThanThreshold",
        "period": 300,
        "evaluationPeriods": 3,
        "treatMissingData": "missing",
        **more,
    }


def failed_run(metric: str, **more: Any) -> dict[str, Any]:
    """A run that reports 0 for 1; between two runs the alarm stays as it is."""
    return alarm(
        metric,
        {"Database": "node_pass"},
        1,
        namespace="pgkeep",
        statistic="Minimum",
        comparisonOperator="LessThanThreshold",
        evaluationPeriods=1,
        treatMissingData="ignore",
        **more,
    )


def alarms_of(recorder: Recorder, environment: str) -> dict[str, dict[str, Any]]:
    """By label, without what all have: a description, a name, tags and the topic."""
    found: dict[str, dict[str, Any]] = {}
    topic = ["arn:aws:sns/topic:Topic/alarms-topic"]
    for name, inputs in recorder.of_type(ALARM).items():
        label = name.removeprefix("monitoring-")
        rest = dict(inputs)
        assert rest.pop("alarmDescription")
        assert rest.pop("name") == f"pgkeep-{environment}-{label}"
        assert rest.pop("tags") == tags(environment, f"pgkeep-{environment}-{label}")
        assert rest.pop("actionsEnabled") is True
        assert (rest.pop("alarmActions"), rest.pop("okActions")) == (topic, topic)
        found[label] = rest
    return found
