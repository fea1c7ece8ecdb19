"""PutLogEvents makes metrics of events in the embedded metric format, as CloudWatch does."""

from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.responses import LogsResponse

from localcloud.functions.embedded_metrics import embedded_metrics

_put_log_events = LogsResponse.put_log_events


def install() -> None:
    """Extract the metrics of what clients of the API write."""
    setattr(LogsResponse, "put_log_events", _put)  # noqa: B010


def _put(response: Any) -> Any:
    answer = _put_log_events(response)
    events: list[dict[str, Any]] = response._get_param("logEvents") or []
    metrics: Any = cloudwatch_backends[response.current_account][response.region]
    for namespace, data in embedded_metrics(str(each["message"]) for each in events).items():
        metrics.put_metric_data(namespace, data)
    return answer
