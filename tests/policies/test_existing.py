"""States: what the program asked for and what AWS made of it are both judged, and told once."""

from __future__ import annotations

import datetime
from typing import Any

from policies.catalogue import RULES
from policies.evaluation import Judge, Kind, Verdict
from policies.existing import as_made, evaluate_existing
from policies.inventory import Resource
from policies.rules import Context, Phase
from tests.policies.good_stack import UNKNOWN_STRING as UNKNOWN

INSTANCE = "aws:rds/instance:Instance"
PUBLIC, LOGS, KEY = "rds-not-public", "rds-logs-exported", "rds-customer-key"
VIOLATION, EXEMPTED, NOT_VERIFIED = Kind.VIOLATION, Kind.EXEMPTED, Kind.NOT_VERIFIED
TODAY = datetime.date(2026, 1, 1)


def instance(outputs: dict[str, Any] | None = None, **inputs: Any) -> Resource:
    return Resource.of(type=INSTANCE, name="db", properties=inputs, outputs=outputs)


def verdicts(resource: Resource, rule: str, *exemptions: dict[str, str]) -> list[Verdict]:
    rules = [one for one in RULES if one.id == rule]
    context = Context(phase=Phase.STATE, today=TODAY)
    return evaluate_existing([resource], Judge(context, list(exemptions), rules, repeats=True))


def found(resource: Resource, rule: str = PUBLIC, *exemptions: dict[str, str]) -> list[Kind]:
    return [one.kind for one in verdicts(resource, rule, *exemptions)]


def test_what_aws_made_is_judged_too() -> None:
    assert found(instance({"publiclyAccessible": False})) == []
    assert found(instance({"publiclyAccessible": True})) == [VIOLATION]
    assert found(instance({"publiclyAccessible": True}, publiclyAccessible=False)) == [VIOLATION]


def test_what_was_asked_for_is_judged_whatever_aws_made() -> None:
    assert found(instance({"publiclyAccessible": False}, publiclyAccessible=True)) == [VIOLATION]
    assert found(instance({}, publiclyAccessible=True)) == [VIOLATION]


def test_what_both_violate_is_told_once() -> None:
    both = instance({"publiclyAccessible": True, "port": 5432}, publiclyAccessible="true")
    assert found(both) == [VIOLATION]


def test_more_controls_that_only_the_outputs_break_are_told() -> None:
    some, none = ["upgrade"], []
    worse = instance({"enabledCloudwatchLogsExports": none}, enabledCloudwatchLogsExports=some)
    (first,) = verdicts(instance({}, enabledCloudwatchLogsExports=some), LOGS)
    (second,) = verdicts(instance({}, enabledCloudwatchLogsExports=none), LOGS)
    assert set(first.controls) < set(second.controls)
    told = verdicts(worse, LOGS)
    assert [set(one.controls) for one in told] == [set(first.controls), set(second.controls)]
    better = instance({"enabledCloudwatchLogsExports": some}, enabledCloudwatchLogsExports=none)
    assert [one.controls for one in verdicts(better, LOGS)] == [second.controls]


def test_what_cannot_be_read_is_noted_once() -> None:
    assert found(instance({"port": 5432}, publiclyAccessible=UNKNOWN)) == [NOT_VERIFIED]
    # An output that cannot be read takes nothing from the input.
    assert found(instance({"publiclyAccessible": UNKNOWN}, publiclyAccessible=False)) == []
    assert found(instance({"publiclyAccessible": UNKNOWN}, publiclyAccessible=True)) == [VIOLATION]


def test_what_is_blank_in_the_outputs_is_gone() -> None:
    assert found(instance({"kmsKeyId": "", "port": 5432}, kmsKeyId="arn"), KEY) == [VIOLATION]
    assert found(instance({"endpoint": "", "port": 5432}, kmsKeyId="arn"), KEY) == []
    assert found(instance({"kmsKeyId": "arn"}), KEY) == [VIOLATION]


def test_an_exemption_holds_for_both_descriptions() -> None:
    exemption = {
        "rule": LOGS,
        "resource": f"{INSTANCE}::db",
        "reason": "accepted until the migration has ended",
        "owner": "platform@example.com",
        "expires": "2026-03-01",
    }
    same = instance({"port": 5432}, enabledCloudwatchLogsExports=[])
    assert found(same, LOGS, exemption) == [EXEMPTED]
    # What differs is said of each.
    other = instance({"enabledCloudwatchLogsExports": ["upgrade"]}, enabledCloudwatchLogsExports=[])
    assert found(other, LOGS, exemption) == [EXEMPTED, EXEMPTED]
    # One that nothing needs is refused.
    good = instance({}, enabledCloudwatchLogsExports=["postgresql", "upgrade"])
    assert found(good, LOGS) == []
    assert found(good, LOGS, exemption) == [VIOLATION]


def test_ids_and_repeated_inputs_are_nothing_new() -> None:
    def new(outputs: dict[str, Any], **inputs: Any) -> dict[str, Any] | None:
        before = instance(outputs, **inputs)
        after = as_made(before)
        return None if after is before else dict(after.properties)

    assert new({}) is None
    assert new({"id": "db-1", "arn": "arn:aws:rds:eu-west-1:1:db:db-1"}) is None
    assert new({"port": 5432}, port=5432) is None
    assert new({"port": ""}, port=5432) == {}
    assert new({"name": ""}, port=5432) is None
    assert new({"port": 5433}, port=5432) == {"port": 5433}
    assert new({"id": "db-2"}, id="db-1") == {"id": "db-2"}
    assert new({"address": "db"}) == {"address": "db"}
    assert new({"tags": {"a": "", "b": ["", "c"]}}) == {"tags": {"b": [None, "c"]}}
    assert new({"tags": {"a": UNKNOWN}}, tags={"a": "b"}) is None
