"""What a role can do with several policies and a boundary, as far as a state tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.documents import Statement, parse
from policies.effective import Restraint
from policies.holders import restrained
from policies.inventory import Resource
from tests.policies.one_rule import REFUSED, is_broken, kinds, made, told
from tests.policies.test_iam_details import ESCALATION, allows, denies


def statements(*said: Any) -> tuple[Statement, ...]:
    parsed = parse({"Statement": list(said)})
    assert isinstance(parsed, list)
    return tuple(parsed)


def held(resource: Resource, *boundaries: str) -> Resource:
    """The document, given to a role with each boundary."""

    def restraint(action: str) -> Restraint:
        return Restraint((), statements({"Effect": "Allow", "Action": action, "Resource": "*"}))

    return replace(resource, restraints=tuple(restraint(one) for one in boundaries))


def test_a_boundary_of_every_role_takes_an_action_away() -> None:
    passing = allows("iam:PassRole")
    assert kinds(ESCALATION, held(passing, "s3:*")) == []
    assert kinds(ESCALATION, held(passing, "s3:*", "iam:*")) == REFUSED
    assert kinds(ESCALATION, held(passing)) == REFUSED
    # One action is left by it, and one by a denial.
    several = allows("iam:Put*", more=[denies("iam:PutRole*")])
    (finding,) = told(ESCALATION, held(several, "iam:PutUserPolicy"))
    assert "iam:PutUserPolicy" in finding
    rule = "iam-connect-names-user"
    assert kinds(rule, held(allows("rds-db:connect"), "s3:*")) == []
    assert kinds(rule, held(allows("rds-db:connect"), "rds-db:*")) == REFUSED


PASSING = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
RUNNING = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("own", "others", "named"),
    [
        ([PASSING], [RUNNING], True),
        ([PASSING], [{**RUNNING, "Action": "ec2:RunInstances"}], True),
        ([PASSING], [{**RUNNING, "NotAction": "iam:*", "Action": []}], True),
        ([PASSING], [], False),
        ([PASSING], [{**RUNNING, "Action": ["s3:*", 5]}], False),
        ([PASSING], [{**RUNNING, "Resource": "arn:aws:ec2:*:*:instance/i-1"}], False),
        ([PASSING], [{**RUNNING, "Condition": {"Bool": {"a": "b"}}}], False),
        ([PASSING], [{**RUNNING, "Effect": "Deny"}], False),
        # What one denies, no other gives.
        ([PASSING], [RUNNING, {**RUNNING, "Effect": "Deny"}], False),
        ([PASSING, {**RUNNING, "Effect": "Deny"}], [RUNNING], False),
        # It has no part in what the others do together.
        ([{**PASSING, "Action": "iam:CreateRole"}], [PASSING, RUNNING], False),
        # Three steps: two in others.
        ([PASSING], [{**RUNNING, "Action": ["lambda:CreateFunction"]}], False),
        ([PASSING], [{**RUNNING, "Action": ["lambda:CreateFunction", "lambda:InvokeF*"]}], True),
    ],
    ids=str,
)
def test_an_escalation_may_be_spread_over_the_policies_of_a_role(
    own: list[Any], others: list[Any], named: bool
) -> None:
    name, kind = "app", "aws:iam/rolePolicy:RolePolicy"
    resources = [
        made("aws:iam/role:Role", name, name=name, assumeRolePolicy={"Statement": []}),
        made(kind, "own", role=name, policy={"Statement": own}),
        *(
            made(kind, f"beside-{number}", role=name, policy={"Statement": [one]})
            for number, one in enumerate(others)
        ),
    ]
    _role, document, *_others = restrained(resources)
    assert is_broken(ESCALATION, "CKV_AWS_286", document) == named
    # By itself it is none.
    assert not is_broken(ESCALATION, "CKV_AWS_286", resources[1])


def test_a_step_that_the_boundary_of_the_role_leaves_out_is_none() -> None:
    document = allows("iam:PassRole")
    beside = statements(RUNNING)
    for boundary, named in ((None, True), ("ec2:RunInstances", True), ("s3:*", False)):
        bounds = None if boundary is None else statements({**RUNNING, "Action": boundary})
        held_by = replace(document, restraints=(Restraint(beside, bounds),))
        assert is_broken(ESCALATION, "CKV_AWS_286", held_by) == named
    # One role that can is enough.
    both = (Restraint(beside, statements({**RUNNING, "Action": "s3:*"})), Restraint(beside, None))
    assert is_broken(ESCALATION, "CKV_AWS_286", replace(document, restraints=both))
