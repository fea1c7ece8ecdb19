"""The embedded metric format: which log lines become which metrics, and which are just lines."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.functions.embedded_metrics import embedded_metrics
from localcloud.functions.observations import write_log

TIMESTAMP_MS = 1_790_000_000_500


def directive(**changes: Any) -> dict[str, Any]:
    return {
        "Namespace": "PgKeep",
        "Dimensions": [["environment"]],
        "Metrics": [{"Name": "BackupSize", "Unit": "Bytes"}],
    } | changes


def line(*directives: Any, timestamp: Any = TIMESTAMP_MS, **members: Any) -> str:
    metadata = {"Timestamp": timestamp, "CloudWatchMetrics": list(directives)}
    return json.dumps(
        {"_aws": metadata, "environment": "prod", "BackupSize": 4096, "event": "kept"} | members
    )


def test_a_line_becomes_a_metric_with_unit_time_and_dimensions() -> None:
    assert embedded_metrics(["START", line(directive()), "END"]) == {
        "PgKeep": [
            {
                "MetricName": "BackupSize",
                "Value": 4096.0,
                "Unit": "Bytes",
                "Timestamp": datetime.fromtimestamp(TIMESTAMP_MS / 1000, UTC).replace(tzinfo=None),
                "Dimensions": [{"Name": "environment", "Value": "prod"}],
            }
        ]
    }


def test_each_value_and_each_set_of_dimensions_is_a_datum() -> None:
    both = directive(Dimensions=[["environment", "event"], []])
    (data,) = embedded_metrics([line(both, BackupSize=[1, 2.5])]).values()
    assert [(datum["Value"], len(datum["Dimensions"])) for datum in data] == [
        (1.0, 2),
        (1.0, 0),
        (2.5, 2),
        (2.5, 0),
    ]


def test_without_unit_and_dimensions() -> None:
    (data,) = embedded_metrics(
        [line({"Namespace": "PgKeep", "Metrics": [{"Name": "BackupSize"}]})]
    ).values()
    assert [(datum["Unit"], datum["Dimensions"]) for datum in data] == [("None", [])]


def test_a_metric_without_its_member_is_left_out() -> None:
    metrics = [{"Name": "Absent"}, {"Name": "BackupSize"}]
    (data,) = embedded_metrics([line(directive(Metrics=metrics))]).values()
    assert [datum["MetricName"] for datum in data] == ["BackupSize"]


@pytest.mark.parametrize(
    "malformed",
    [
        '{"_aws": ',
        '["_aws"]',
        '{"_aws": 1}',
        '{"_aws": {"Timestamp": 1}}',
        line(directive(), timestamp=None),
        line(directive(), timestamp="now"),
        line(directive(), timestamp=1e300),
        line("PgKeep"),
        line(directive(Namespace="")),
        line(directive(Dimensions=["environment"])),
        line(directive(Dimensions=[["missing"]])),
        line(directive(Metrics=[{"Unit": "Bytes"}])),
        line(directive(Metrics=[{"Name": "BackupSize", "Unit": "Elephants"}])),
        line(directive(Metrics=[{"Name": "BackupSize", "Unit": ["Bytes"]}])),
        line(directive(Metrics=[{"Name": "BackupSize"}] * 101)),
        line(directive(), BackupSize="4096"),
        line(directive(), BackupSize=True),
        line(directive(), BackupSize=float("nan")),
        line(directive(), BackupSize=[1] * 101),
        line(directive(), directive(Namespace=7)),
    ],
)
def test_malformed_lines_are_ignored(malformed: str) -> None:
    assert embedded_metrics([malformed]) == {}
    assert len(embedded_metrics([malformed, line(directive())])["PgKeep"]) == 1


def test_what_is_logged_reaches_cloudwatch() -> None:
    account, region = "210987654321", "eu-west-1"
    write_log(account, region, "/aws/lambda/f", "s", f"START\n{line(directive())}\nnot {{_aws}}\n")
    backend: Any = cloudwatch_backends[account][region]
    (datum,) = backend.metric_data
    assert (datum.namespace, datum.name, datum.value, datum.unit) == (
        "PgKeep",
        "BackupSize",
        4096.0,
        "Bytes",
    )
