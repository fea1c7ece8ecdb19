"""CloudWatch embedded metric format: metrics that log lines carry.

Source of every rule and limit here:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
A line that is not in the format is an ordinary log line: it is never an error.
"""

import datetime
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

_MOST_DIMENSIONS = 30
_MOST_METRICS = 100
_MOST_VALUES = 100
_LONGEST_NAME = 1024
_LONGEST_NAMESPACE = 255

_SIZES = [
    f"{prefix}{unit}".capitalize()
    for prefix in ("", "kilo", "mega", "giga", "tera")
    for unit in ("bytes", "bits")
]
_UNITS = {
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *_SIZES,
    *(f"{size}/Second" for size in _SIZES),
}


def embedded_metrics(lines: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Namespace → data for PutMetricData, from the lines that are in the format."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if '"_aws"' not in line:
            continue
        try:
            document: Any = json.loads(line)
            extracted = list(_of_document(document))
        except _MalformedError:
            continue
        except (ValueError, OverflowError, RecursionError):  # no JSON, or no time there is
            continue
        for namespace, datum in extracted:
            found.setdefault(namespace, []).append(datum)
    return found


class _MalformedError(Exception):
    """The document is not in the format."""


def _of_document(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    root = _object(document)
    metadata = _object(root.get("_aws"))
    timestamp_ms = metadata.get("Timestamp")
    if not _is_number(timestamp_ms):
        raise _MalformedError
    moment = datetime.datetime.fromtimestamp(timestamp_ms / 1000, datetime.UTC)
    for item in _list(metadata.get("CloudWatchMetrics")):
        directive = _object(item)
        namespace = _name(directive.get("Namespace"), _LONGEST_NAMESPACE)
        definitions = [_definition(each) for each in _list(directive.get("Metrics"))]
        if len(definitions) > _MOST_METRICS:
            raise _MalformedError
        # Without a set of dimensions there is one metric with none.
        sets = [_dimensions(root, each) for each in _list(directive.get("Dimensions", [[]]))]
        for name, unit in definitions:
            for value in _values(root, name):
                for dimensions in sets:
                    yield (
                        namespace,
                        {
                            "MetricName": name,
                            "Value": value,
                            "Unit": unit,
                            # moto compares naive times in UTC.
                            "Timestamp": moment.replace(tzinfo=None),
                            "Dimensions": dimensions,
                        },
                    )


def _definition(item: Any) -> tuple[str, str]:
    definition = _object(item)
    unit = definition.get("Unit", "None")
    if not isinstance(unit, str) or unit not in _UNITS:
        raise _MalformedError
    return _name(definition.get("Name"), _LONGEST_NAME), unit


def _dimensions(root: Mapping[str, Any], names: Any) -> list[dict[str, str]]:
    """The dimensions of one set; their values are members of the document's root."""
    keys = [_name(each, _LONGEST_NAMESPACE) for each in _list(names)]
    if len(keys) > _MOST_DIMENSIONS:
        raise _MalformedError
    return [{"Name": key, "Value": _name(root.get(key), _LONGEST_NAME)} for key in keys]


def _values(root: Mapping[str, Any], name: str) -> list[float]:
    """A metric's numbers; a metric whose member is missing has none."""
    if name not in root:
        return []
    value = root[name]
    values: list[Any] = value if isinstance(value, list) else [value]
    if len(values) > _MOST_VALUES or not all(_is_number(each) for each in values):
        raise _MalformedError
    return [float(each) for each in values]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _MalformedError
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _MalformedError
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


def _name(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise _MalformedError
    return value
