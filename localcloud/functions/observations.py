"""What a function leaves behind besides its result: log events and the AWS/Lambda metrics."""

import datetime
import threading
from collections.abc import Mapping
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from localcloud.functions.embedded_metrics import embedded_metrics

_lock = threading.Lock()
# CloudWatch Logs takes at most 1 MiB an event; Lambda cuts lines at 256 KiB.
_LONGEST_LINE = 262_144


def write_log(account_id: str, region: str, group: str, stream: str, text: str) -> None:
    """Append `text`, an event a line, to the stream; group and stream are made if missing.

    CloudWatch makes metrics of the lines in the embedded metric format.
    """
    lines = [line for line in text.splitlines() if line]
    if not lines:
        return
    now_ms = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
    events: list[dict[str, Any]] = [
        {"timestamp": now_ms, "message": line[:_LONGEST_LINE]} for line in lines
    ]
    backend: Any = logs_backends[account_id][region]
    with _lock:
        backend.ensure_log_group(group)
        backend.ensure_log_stream(group, stream)
        backend.put_log_events(group, stream, events)
        metrics: Any = cloudwatch_backends[account_id][region]
        for namespace, data in embedded_metrics(line[:_LONGEST_LINE] for line in lines).items():
            metrics.put_metric_data(namespace, data)


def put_metrics(
    account_id: str, region: str, function_name: str, values: Mapping[str, tuple[float, str]]
) -> None:
    """Put AWS/Lambda metrics (name -> value, unit) for the function's name."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    data: list[dict[str, Any]] = [
        {
            "MetricName": name,
            "Value": value,
            "Unit": unit,
            "Timestamp": now,
            "Dimensions": [{"Name": "FunctionName", "Value": function_name}],
        }
        for name, (value, unit) in values.items()
    ]
    backend: Any = cloudwatch_backends[account_id][region]
    with _lock:
        backend.put_metric_data("AWS/Lambda", data)
