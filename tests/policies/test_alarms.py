"""Alarms: which of them are about a database, what is missing, and what cannot be known yet."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, verdicts

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INSTANCE = "aws:rds/instance:Instance"
METRICS = ("CPUUtilization", "FreeStorageSpace", "DatabaseConnections")
WATCHED = "logs-database-alarms"
AGE = "logs-backup-age-alarm"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [(["arn"], []), ([], [REFUSAL]), (None, [REFUSAL]), ("arn", [REFUSAL]), (UNKNOWN, [NOTE])],
    ids=str,
)
def test_alarms_reach_somebody(actions: Any, expected: list[Kind]) -> None:
    assert kinds("logs-alarm-has-action", made(ALARM, "a", alarmActions=actions)) == expected


def database(identifier: Any = "main", **more: Any) -> Resource:
    return made(INSTANCE, "db", identifier=identifier, **more)


def alarms(*metrics: Any, of: Any = "main", namespace: Any = "AWS/RDS") -> list[Resource]:
    """Alarms whose dimension names an instance, or refers to it (a tuple), or is unknown."""
    dimensions = of if isinstance(of, tuple) or of == UNKNOWN else {"DBInstanceIdentifier": of}
    return [
        made(ALARM, f"a{number}", metricName=one, namespace=namespace, dimensions=dimensions)
        for number, one in enumerate(metrics)
    ]


def test_a_database_has_every_alarm() -> None:
    assert found(WATCHED, database(), *alarms(*METRICS)) == []
    assert found(WATCHED, database()) == [(REFUSAL, "db")]
    (verdict,) = verdicts(WATCHED, database(), *alarms(*METRICS[:2]))
    assert verdict.kind is REFUSAL
    assert "no alarm for DatabaseConnections in" in verdict.message


def test_a_replica_has_one_on_its_lag_too() -> None:
    replica = database(replicateSourceDb="other")
    assert found(WATCHED, replica, *alarms(*METRICS)) == [(REFUSAL, "db")]
    assert found(WATCHED, replica, *alarms(*METRICS, "ReplicaLag")) == []


def test_alarms_of_other_databases_and_services_do_not_count() -> None:
    assert found(WATCHED, database(), *alarms(*METRICS, of="other")) == [(REFUSAL, "db")]
    assert found(WATCHED, database(), *alarms(*METRICS, namespace="AWS/EC2")) == [(REFUSAL, "db")]
    assert found(WATCHED, database(), *alarms(*METRICS, namespace="AWS/EC2", of=UNKNOWN)) == [
        (REFUSAL, "db")
    ]


def test_an_alarm_s_reference_decides_where_the_name_is_not_known() -> None:
    main = database()
    other = made(INSTANCE, "other", identifier="other", replicateSourceDb="main")
    assert found(WATCHED, main, *alarms(*METRICS, of=(main,))) == []
    assert found(WATCHED, main, other, *alarms(*METRICS, "ReplicaLag", of=(other,))) == [
        (REFUSAL, "db")
    ]


@pytest.mark.parametrize(
    ("identifier", "expected"), [(None, []), (UNKNOWN, []), ("main", [(REFUSAL, "db")])]
)
def test_a_known_dimension_of_a_referred_database(
    identifier: Any, expected: list[tuple[Kind, str]]
) -> None:
    """The name that AWS makes up is the one in the dimension; a name that is another one is not."""
    instance = database(identifier)
    watching = [
        Resource.of(
            type=ALARM,
            name=metric,
            properties={
                "metricName": metric,
                "namespace": "AWS/RDS",
                "dimensions": {"DBInstanceIdentifier": "db-1234"},
            },
            property_dependencies={"dimensions": [instance.urn]},
        )
        for metric in METRICS
    ]
    assert found(WATCHED, instance, *watching) == expected


@pytest.mark.parametrize(
    ("identifier", "alarm"),
    [
        ("main", {"metricName": UNKNOWN}),
        ("main", {"namespace": UNKNOWN}),
        ("main", {"dimensions": UNKNOWN}),
        ("main", {"dimensions": {"DBInstanceIdentifier": UNKNOWN}}),
        (UNKNOWN, {"dimensions": {"DBInstanceIdentifier": "x"}}),
    ],
    ids=str,
)
def test_what_may_be_an_alarm_of_the_database_is_noted(
    identifier: Any, alarm: dict[str, Any]
) -> None:
    whole = {
        "metricName": "CPUUtilization",
        "namespace": "AWS/RDS",
        "dimensions": {"DBInstanceIdentifier": "main"},
        **alarm,
    }
    one = made(ALARM, "a", **whole)
    assert found(WATCHED, database(identifier), one) == [(NOTE, "db")]
    if identifier == "main":
        # With every alarm there is nothing left to know.
        assert found(WATCHED, database(), one, *alarms(*METRICS)) == []


def test_a_name_made_up_by_aws_and_no_alarm_is_refused() -> None:
    assert found(WATCHED, database(UNKNOWN)) == [(REFUSAL, "db")]
    replica = made(INSTANCE, "r", identifier="r", replicateSourceDb="x")
    of_another = alarms(*METRICS, "ReplicaLag", of=(replica,))
    assert found(WATCHED, database(UNKNOWN), replica, *of_another) == [(REFUSAL, "db")]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("BackupAgeHours", []),
        ("HoursSinceBackup", []),
        ("BackupErrors", [(REFUSAL, "db")]),
        (5, [(REFUSAL, "db")]),
        (None, [(REFUSAL, "db")]),
        (UNKNOWN, [(NOTE, "db")]),
    ],
)
def test_somebody_hears_when_backups_stop(metric: Any, expected: list[tuple[Kind, str]]) -> None:
    alarm = made(ALARM, "a", metricName=metric)
    assert found(AGE, database(), alarm) == expected
    assert found(AGE, database(replicateSourceDb="other"), alarm) == []
