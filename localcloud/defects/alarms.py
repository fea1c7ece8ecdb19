"""CloudWatch alarms evaluate their metric, change their state and notify their SNS topic.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import datetime
import json
import logging
import math
import operator
import time
from collections.abc import Callable, Sequence
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import (
    CloudWatchBackend,
    MetricAggregatedDatum,
    cloudwatch_backends,
)
from moto.sns.models import sns_backends

from localcloud.defects import service_metrics
from localcloud.errors import LocalCloudError
from localcloud.functions import destinations
from localcloud.permissions.resource_policies import service_may
from localcloud.permissions.resources import key_arn
from localcloud.repeated import Repeated

_log = logging.getLogger(__name__)

# AWS evaluates every minute; sooner keeps drills short and changes no result.
_EVALUATION_SECONDS = 2.0
_REPORT_SECONDS = 10.0
_SERVICE = "cloudwatch.amazonaws.com"

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_moto_put: Any = CloudWatchBackend.put_metric_alarm


def _epoch(moment: datetime.datetime) -> float:
    """Seconds since 1970; moto's times without a zone are UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def evaluate(alarm: Any, data: Sequence[Any], now: datetime.datetime) -> tuple[str, str] | None:
    """Return the state that the alarm's metric asks for and why; None to leave it as it is.

    `data` holds the metric's values, `now` is UTC.
    """
    points = _datapoints(alarm, data, now)
    present = [point for point in points if point is not None]
    breaching = _COMPARISONS[alarm.comparison_operator]
    bad = sum(breaching(value, float(alarm.threshold)) for value in present)
    good = len(present) - bad
    missing = len(points) - len(present)
    treatment = alarm.treat_missing_data or "missing"
    bad += missing if treatment == "breaching" else 0
    good += missing if treatment == "notBreaching" else 0
    wanted = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    values = f"[{', '.join(f'{value:g}' for value in present)}]" if present else "no datapoints"
    if bad >= wanted:
        reason = f"Threshold Crossed: {values}, {alarm.comparison_operator} {alarm.threshold:g}."
        return "ALARM", reason
    if good:
        reason = (
            f"Threshold not crossed: {values}, {alarm.comparison_operator} {alarm.threshold:g}."
        )
        return "OK", reason
    if not present and treatment == "missing":
        return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received."
    return None


def _datapoints(alarm: Any, data: Sequence[Any], now: datetime.datetime) -> list[float | None]:
    """The statistic of each evaluated period, newest first; None where there is no data."""
    period = int(alarm.period)
    # Periods begin at multiples of their length.
    begin = math.floor(_epoch(now) / period) * period
    count = int(alarm.evaluation_periods)
    windows: dict[int, list[Any]] = {}
    for datum in data:
        age = begin - _epoch(datum.timestamp)
        windows.setdefault(0 if age <= 0 else math.ceil(age / period), []).append(datum)
    # The period that still runs counts once it has data.
    first = 0 if 0 in windows else 1
    return [
        _statistic(alarm, windows[index]) if index in windows else None
        for index in range(first, first + count)
    ]


def _statistic(alarm: Any, data: Sequence[Any]) -> float:
    sums, counts, lows, highs = [], [], [], []
    for datum in data:
        aggregated = isinstance(datum, MetricAggregatedDatum)
        sums.append(float(datum.sum if aggregated else datum.value))
        counts.append(float(datum.sample_count if aggregated else 1))
        lows.append(float(datum.min if aggregated else datum.value))
        highs.append(float(datum.max if aggregated else datum.value))
    if alarm.extended_statistic:
        ordered = sorted(highs)
        rank = float(alarm.extended_statistic.removeprefix("p")) / 100 * len(ordered)
        return ordered[min(len(ordered) - 1, max(0, math.ceil(rank) - 1))]
    results = {
        "Sum": sum(sums),
        "SampleCount": sum(counts),
        "Average": sum(sums) / (sum(counts) or 1),
        "Minimum": min(lows),
        "Maximum": max(highs),
    }
    return results[alarm.statistic]


def change_state(backend: Any, alarm: Any, state: str, reason: str, data: str = "{}") -> None:
    """Set the state; when it has changed, carry out the actions of the new one."""
    before = alarm.state_value
    alarm.update_state(reason, data, state)
    if before == state or not alarm.actions_enabled:
        return
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }[state]
    account_id, region = backend.account_id, backend.region_name
    message = json.dumps(_message(account_id, region, alarm, before))
    for arn in actions or []:
        try:
            _notify(account_id, region, alarm, arn, message)
        except LocalCloudError as error:
            _log.warning("action of alarm %s: %s", alarm.name, error)


def _notify(account_id: str, region: str, alarm: Any, arn: str, message: str) -> None:
    def allowed(action: str, resource: str) -> bool:
        return service_may(_SERVICE, action, resource, alarm.alarm_arn)

    if arn.split(":")[2] not in ("sns", "lambda"):
        raise LocalCloudError(f"{arn}: the local cloud carries out only SNS and Lambda actions.")
    topic: Any = sns_backends[account_id][region].topics.get(arn)
    key = topic.kms_master_key_id if topic else ""
    if key:
        key = key_arn(key, account_id, region)
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            if not allowed(action, key):
                raise LocalCloudError(f"{arn}: the key {key} does not allow {_SERVICE} {action}.")
    destinations.deliver(arn, message, allowed=allowed)


def _message(account_id: str, region: str, alarm: Any, before: str) -> dict[str, Any]:
    changed = alarm.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    trigger = {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic",
        "Statistic": (alarm.statistic or alarm.extended_statistic or "").upper(),
        "Unit": alarm.unit,
        "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
        "Period": int(alarm.period),
        "EvaluationPeriods": int(alarm.evaluation_periods),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold),
        "TreatMissingData": alarm.treat_missing_data or "missing",
    }
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{changed}+0000",
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "Trigger": trigger,
    }


def _put_metric_alarm(backend: Any, *arguments: Any, **named: Any) -> Any:
    """A new alarm has insufficient data; a changed one keeps its state."""
    if named.get("metric_data_queries") or named.get("rule"):
        raise ValidationError(
            "The local cloud evaluates alarms on one metric only: no metric math, no AlarmRule."
        )
    before = backend.alarms.get(named.get("name"))
    alarm = _moto_put(backend, *arguments, **named)
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    if before:
        alarm.state_reason, alarm.history = before.state_reason, before.history
        alarm.state_updated_timestamp = before.state_updated_timestamp
    return alarm


def _set_alarm_state(
    backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
) -> None:
    """SetAlarmState carries out actions as well: how a notification is tried out."""
    if alarm_name not in backend.alarms:
        raise ValidationError(f"Alarm {alarm_name} does not exist")
    if state_value not in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        raise ValidationError(
            f"StateValue {state_value} is not one of OK, ALARM, INSUFFICIENT_DATA"
        )
    alarm = backend.alarms[alarm_name]
    change_state(backend, alarm, state_value, reason, reason_data or "{}")


class AlarmWatcher(Repeated):
    """Evaluates all alarms of an account, those of other regions too."""

    def __init__(self, account_id: str) -> None:
        super().__init__("alarms", _EVALUATION_SECONDS, self._look)
        setattr(CloudWatchBackend, "put_metric_alarm", _put_metric_alarm)  # noqa: B010
        setattr(CloudWatchBackend, "set_alarm_state", _set_alarm_state)  # noqa: B010
        self._account_id = account_id
        self._next_report = 0.0

    def _look(self) -> None:
        try:
            if (now := time.monotonic()) >= self._next_report:
                self._next_report = now + _REPORT_SECONDS
                self.report_all()
        finally:
            self.evaluate_all()

    def report_all(self) -> None:
        """Put what services report, where an alarm may read it."""
        for backend in self._backends():
            service_metrics.report(self._account_id, backend.region_name)

    def evaluate_all(self) -> None:
        """Evaluate each alarm once."""
        now = datetime.datetime.now(datetime.UTC)
        for backend in self._backends():
            alarms = list(backend.alarms.values())
            # Once for all alarms: a cloud that is up for hours has a hundred thousand values.
            values: dict[tuple[str, str], list[Any]] = {_metric(alarm): [] for alarm in alarms}
            for datum in list(backend.metric_data):
                values.get((datum.namespace, datum.name), []).append(datum)
            for alarm in alarms:
                periods = int(alarm.evaluation_periods) + 1
                oldest = now.timestamp() - int(alarm.period) * (periods + 1)
                data = [one for one in values[_metric(alarm)] if _belongs(alarm, one, oldest)]
                outcome = evaluate(alarm, data, now)
                if outcome and outcome[0] != alarm.state_value:
                    change_state(backend, alarm, *outcome)

    def _backends(self) -> list[Any]:
        """CloudWatch of each region that has alarms."""
        regions: Any = cloudwatch_backends[self._account_id]
        return [backend for backend in list(regions.values()) if backend.alarms]


def _belongs(alarm: Any, datum: Any, oldest: float) -> bool:
    # moto's own comparison says that no two metrics with several dimensions are the same.
    return _epoch(datum.timestamp) >= oldest and _dimensions(datum) == _dimensions(alarm)


def _metric(alarm: Any) -> tuple[str, str]:
    return alarm.namespace, alarm.metric_name


def _dimensions(owner: Any) -> dict[str, str]:
    return {dimension.name: dimension.value for dimension in owner.dimensions}
