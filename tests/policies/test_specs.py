"""What each rule is for: every property it reads, spoilt with every kind of bad value, is refused.

`SPECS` names a resource of the good stack, a property, and values that the rule must refuse; that
the good stack passes, and what unknown values do, is tested for all rules elsewhere. `ALSO_GOOD`
has what a rule must not refuse.
"""

from __future__ import annotations

import copy
import datetime
from typing import Any, Final

import pytest

from policies.catalogue import RULES
from policies.evaluation import Kind, evaluate
from policies.inventory import Resource
from policies.rules import Enforcement, Environment
from tests.policies import good_stack
from tests.policies.spec_table import ABSENT, ALSO_GOOD, ELSEWHERE, SPECS

# What the catalogue asks for and a team may decide against; docs/controls.md gives the reasons.
ADVICE: Final = {
    "db-audit-guarded",
    "db-login-roles-bounded",
    "lambda-code-signed",
    "lambda-in-vpc",
    "net-ec2-endpoint",
    "rds-other-port",
    "s3-mfa-delete",
}
# Only the loss of a region asks for them.
PROD_ONLY: Final = {"rds-backed-up-elsewhere", "s3-replicated"}
TODAY: Final = datetime.date(2026, 1, 1)

CASES = [
    pytest.param(rule, name, path, value, id=f"{rule}-{name}.{path}={value!r:.40}")
    for rule, spoils in SPECS.items()
    for name, path, values in spoils
    for value in values
]
GOOD_CASES = [
    pytest.param(rule, name, path, value, id=f"{rule}-{name}.{path}={value!r:.40}")
    for rule, kept in ALSO_GOOD.items()
    for name, path, values in kept
    for value in values
]


def spoilt(name: str, path: str, value: Any) -> Resource:
    """The good resource with the value at a dotted path (numbers index lists) replaced."""
    properties = copy.deepcopy(good_stack.ALL[name][1])
    target: Any = properties
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        target = target[step] if isinstance(step, int) else target.setdefault(step, {})
    if value is ABSENT:
        target.pop(last)
    else:
        target[last] = value
    missing = dict.fromkeys(good_stack.ALL[name][1].keys() - properties.keys())
    return good_stack.resource(name, **properties, **missing)


@pytest.mark.parametrize(("rule", "name", "path", "value"), CASES)
def test_spoilt_properties_are_refused(rule: str, name: str, path: str, value: Any) -> None:
    found = [
        verdict
        for verdict in good_stack.verdicts(spoilt(name, path, value), today=TODAY)
        if verdict.rule.id == rule
    ]
    assert found
    assert all(verdict.kind is Kind.VIOLATION for verdict in found)
    assert all(verdict.blocks for verdict in found) or rule in ADVICE
    assert all(verdict.urn for verdict in found)


@pytest.mark.parametrize(("rule", "name", "path", "value"), GOOD_CASES)
def test_other_good_values_pass(rule: str, name: str, path: str, value: Any) -> None:
    found = good_stack.verdicts(spoilt(name, path, value), today=TODAY)
    assert [verdict.message for verdict in found if verdict.rule.id == rule] == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id in SPECS], ids=lambda r: r.id)
def test_exemptions_hold_where_they_are_allowed(rule: Any) -> None:
    name, path, values = SPECS[rule.id][0]
    stack = good_stack.stack(spoilt(name, path, values[0]))
    context = good_stack.context(today=TODAY)
    refused = [v for v in evaluate(stack, context) if v.rule.id == rule.id]
    urns = sorted({verdict.urn for verdict in refused})
    subjects = [
        outcome.subject
        for one in stack.resources
        if rule.check_resource and one.type in rule.types
        for outcome in rule.check_resource(one, context)
        if getattr(outcome, "subject", "")
    ]
    exemptions = [
        {
            "rule": rule.id,
            "resource": urn,
            "reason": "accepted until the migration has ended",
            "owner": "platform@example.com",
            "expires": "2026-03-01",
            **({"covers": subjects} if rule.exemption_names_subject else {}),
        }
        for urn in urns
    ]
    verdicts = [v for v in evaluate(stack, context, exemptions) if v.rule.id == rule.id]
    allowed = Environment.PROD not in rule.never_exempt_in
    assert {v.kind for v in verdicts} == {Kind.EXEMPTED if allowed else Kind.VIOLATION}


def test_every_rule_has_a_spec() -> None:
    assert {rule.id for rule in RULES} == SPECS.keys() | ELSEWHERE
    assert not SPECS.keys() & ELSEWHERE


def test_enforcement_is_mandatory_where_it_counts() -> None:
    for rule in RULES:
        staging, prod = (rule.enforcement[env] for env in (Environment.STAGING, Environment.PROD))
        mandatory = Enforcement.MANDATORY
        assert (prod is mandatory) == (rule.id not in ADVICE), rule.id
        assert (staging is mandatory) == (rule.id not in ADVICE | PROD_ONLY), rule.id


def test_advice_says_why_it_is_only_that() -> None:
    for rule in RULES:
        assert ("advice" in rule.what) == (rule.id in ADVICE), rule.id
