"""Event subscriptions: of what they tell, and for which databases."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, made

ALL = ["maintenance", "configuration change", "failure"]
INSTANCES, PARAMETERS = "rds-instance-events", "rds-parameter-group-events"
BOTH = (INSTANCES, PARAMETERS)


def instance(name: str, **more: Any) -> Resource:
    return made("aws:rds/instance:Instance", name, identifier=name, **more)


def subscription(**properties: Any) -> Resource:
    return made("aws:rds/eventSubscription:EventSubscription", "s", **properties)


@pytest.mark.parametrize(
    ("properties", "instances", "parameters"),
    [
        ({}, [], []),
        ({"eventCategories": ALL}, [], []),
        ({"eventCategories": ["Maintenance", "Configuration change", "Failure"]}, [], []),
        ({"eventCategories": ["failure"]}, [REFUSAL], [REFUSAL]),
        ({"eventCategories": ["configuration change"]}, [REFUSAL], []),
        ({"eventCategories": [UNKNOWN]}, [NOTE], [NOTE]),
        ({"eventCategories": UNKNOWN}, [NOTE], [NOTE]),
        ({"enabled": True}, [], []),
        ({"enabled": False}, [REFUSAL], [REFUSAL]),
        ({"enabled": UNKNOWN}, [NOTE], [NOTE]),
        ({"sourceType": ""}, [], []),
        ({"sourceType": "db-instance"}, [], [REFUSAL]),
        ({"sourceType": "db-parameter-group"}, [REFUSAL], []),
        ({"sourceType": "db-cluster"}, [REFUSAL], [REFUSAL]),
        ({"sourceType": UNKNOWN}, [NOTE], [NOTE]),
        ({"sourceIds": []}, [], []),
        ({"sourceIds": ["db"]}, [], []),
        ({"sourceIds": ["other"]}, [REFUSAL], []),
        ({"sourceIds": [UNKNOWN]}, [NOTE], []),
        ({"sourceIds": ["db"], "eventCategories": UNKNOWN}, [NOTE], [NOTE]),
        ({"sourceIds": ["other"], "eventCategories": UNKNOWN}, [REFUSAL], [NOTE]),
    ],
    ids=str,
)
def test_somebody_hears_of_a_database(
    properties: dict[str, Any], instances: list[Kind], parameters: list[Kind]
) -> None:
    other = instance("other", replicateSourceDb="db")
    stack = (instance("db"), other, subscription(**properties))
    for rule, expected in ((INSTANCES, instances), (PARAMETERS, parameters)):
        judged = [kind for kind, name in found(rule, *stack) if name == "db"]
        assert judged == expected


def test_nobody_hears_without_a_subscription() -> None:
    for rule in BOTH:
        assert found(rule, instance("db")) == [(REFUSAL, "db")]


def test_several_subscriptions_add_up() -> None:
    two = [subscription(eventCategories=ALL[:1]), subscription(eventCategories=ALL[1:])]
    assert found(INSTANCES, instance("db"), *two) == []
    one = [two[0], subscription(eventCategories=ALL[1:], sourceIds=["db"])]
    assert found(INSTANCES, instance("db"), instance("other"), *one) == [(REFUSAL, "other")]


def test_a_replica_has_events_of_its_own_and_the_groups_of_its_source() -> None:
    replica = instance("r", replicateSourceDb="x")
    assert found(INSTANCES, replica) == [(REFUSAL, "r")]
    assert found(PARAMETERS, replica) == []


def test_what_is_known_is_enough() -> None:
    unknown = subscription(eventCategories=UNKNOWN)
    assert found(INSTANCES, instance("db"), subscription(), unknown) == []
