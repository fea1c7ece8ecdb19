"""Agreement of the rules with labelled cases of the checks that they claim (cases/README.md).

Every disagreement is listed here with its reason; a new one, or one that has gone, fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.catalogue import RULES
from policies.evaluation import Judge, Kind
from policies.inventory import Resource, Stack
from policies.rules import Context, Phase

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "cases.jsonl").read_text().splitlines()
]

LOST_RULES = "the case lost its rules in conversion: without any the default group is closed"
# (check, address) -> why the label is not followed.
DISAGREEMENTS = {
    ("CKV_AWS_382", "pass"): (
        "protocol -1 with ports 20 to 200: AWS does not read the ports and opens all of them"
    ),
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_3"): LOST_RULES,
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_4"): LOST_RULES,
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_5"): LOST_RULES,
    ("CKV_AWS_145", "aws_s3_bucket.bucket_good_6"): (
        "the case lost its rules in conversion: nothing in it names a key"
    ),
}


def judged() -> Iterator[tuple[str, str, str, bool]]:
    """(check, address, label, whether a rule that claims the check refuses the resource)."""
    for case in CASES:
        refused = refused_addresses(case)
        for label, addresses in case["expected"].items():
            for address in addresses:
                yield case["check_id"], address, label, address in refused


def refused_addresses(case: dict) -> set[str]:
    rules = [rule for rule in RULES if case["check_id"] in rule.controls]
    context = Context(phase=Phase.APPLY)
    resources = [
        Resource.of(
            urn=item["address"].removeprefix("data."),
            type=item["type"],
            name=item["address"],
            properties=item["props"],
            property_dependencies=item["propertyDependencies"],
        )
        for item in case["resources"]
    ]
    stack = Stack(resources)
    judge = Judge(context, rules=rules, repeats=True)
    verdicts = [verdict for resource in resources for verdict in judge.resource(resource, stack)]
    return {
        verdict.urn
        for verdict in [*verdicts, *judge.joins(stack)]
        if verdict.kind is Kind.VIOLATION and case["check_id"] in verdict.controls
    }


def test_disagreements_are_exactly_those_listed() -> None:
    found = {
        (check, address)
        for check, address, label, refused in judged()
        if refused != (label == "fail")
    }
    assert found == set(DISAGREEMENTS)


def test_agreement_is_reported(record_property: pytest.RecordProperty) -> None:
    table: dict[str, list[int]] = {}
    for check, _address, label, refused in judged():
        row = table.setdefault(check, [0, 0])
        row[0] += refused == (label == "fail")
        row[1] += 1
    for check, (agreed, total) in sorted(table.items()):
        record_property(check, f"{agreed}/{total}")
        print(f"{check}: {agreed} of {total}")
    # All labels of the cases are judged, and no check is only ever disagreed with.
    labels = sum(len(addresses) for case in CASES for addresses in case["expected"].values())
    assert sum(total for _, total in table.values()) == labels > 90
    assert all(agreed for agreed, _ in table.values())
