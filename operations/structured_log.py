"""Log lines as JSON, and metrics inside them.

Metrics use CloudWatch's embedded metric format, so that a function in a private subnet needs no
network path to CloudWatch:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

METRIC_NAMESPACE = "pgkeep"


def log(event: str, **fields: object) -> None:
    """Write one line: `{"event": ..., fields}`. Give it no secret."""
    _write({"event": event, **fields})


def log_metrics(
    event: str,
    *,
    dimensions: Mapping[str, str],
    metrics: Mapping[str, tuple[float, str]],
    **fields: object,
) -> None:
    """As `log`, and CloudWatch reads `metrics` (name -> (value, unit)) out of the line."""
    embedded = {
        "Timestamp": int(time.time() * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": METRIC_NAMESPACE,
                "Dimensions": [list(dimensions)],
                "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()],
            }
        ],
    }
    values = {name: value for name, (value, _) in metrics.items()}
    _write({"_aws": embedded, "event": event, **dimensions, **values, **fields})


def _write(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()
