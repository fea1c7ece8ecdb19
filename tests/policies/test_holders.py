"""What else holds for the roles that a policy document is given to, in a state."""

from __future__ import annotations

from typing import Any

import pytest

from policies.holders import restrained
from policies.inventory import Resource
from tests.policies.one_rule import made

ALLOW = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}]}
EVERYWHERE = {"Statement": [{"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}]}
NARROWED = {
    "Statement": [{**EVERYWHERE["Statement"][0], "Condition": {"Bool": {"aws:ViaAWSService": "1"}}}]
}
DENY = {"Statement": [{"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]}
AWS_OWN = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TRUST: dict[str, Any] = {"Statement": []}


def role(name: str = "role", **properties: Any) -> Resource:
    return made("aws:iam/role:Role", name, name=name, assumeRolePolicy=TRUST, **properties)


def inline(name: str, document: Any, of: str = "role") -> Resource:
    return made("aws:iam/rolePolicy:RolePolicy", name, role=of, policy=document)


def policy(name: str, document: Any) -> Resource:
    return made("aws:iam/policy:Policy", name, name=name, policy=document)


def attached(kind: str, name: str = "attached", **properties: Any) -> Resource:
    return made(f"aws:iam/{kind[0].lower()}{kind[1:]}:{kind}", name, **properties)


def seen(*resources: Resource) -> dict[str, list[tuple[tuple[str, ...], bool]]]:
    """For each document: by role, the effects of the other statements, and whether it is bounded."""
    return {
        one.name: [
            (
                tuple("Deny" if said.denies else "Allow" for said in restraint.beside),
                restraint.boundary is not None,
            )
            for restraint in one.restraints
        ]
        for one in restrained(resources)
        if one.restraints
    }


def test_without_a_denial_or_a_boundary_nothing_is_looked_for() -> None:
    resources = [role(), inline("a", ALLOW), inline("b", ALLOW)]
    assert restrained(resources) == resources
    assert seen(*resources) == {}


def test_a_denial_beside_it_counts_and_its_own_does_not_once_more() -> None:
    found = seen(role(), inline("a", ALLOW), inline("b", DENY))
    assert found == {
        "role": [(("Allow", "Deny"), False)],
        "a": [(("Deny",), False)],
        "b": [(("Allow",), False)],
    }
    # A role that nobody denies anything is not read any further.
    other = [role("other"), inline("c", ALLOW, "other"), inline("d", ALLOW, "other")]
    assert seen(role(), inline("b", DENY), *other) == {
        "role": [(("Deny",), False)],
        "b": [((), False)],
        **{name: [((), False)] for name in ("other", "c", "d")},
    }


def test_what_is_allowed_everywhere_counts_beside_others() -> None:
    found = seen(role(), inline("a", ALLOW), inline("b", EVERYWHERE))
    assert found["a"] == [(("Allow",), False)]
    assert seen(role(), inline("a", ALLOW), inline("b", NARROWED)) == {}


def test_a_boundary_counts_for_all_of_a_role() -> None:
    bounded = role(permissionsBoundary="limit")
    found = seen(bounded, inline("a", ALLOW), policy("limit", ALLOW))
    assert found == {"role": [((), True)], "a": [((), True)]}


@pytest.mark.parametrize(
    "boundary",
    [
        policy("other", ALLOW),  # the role names another one
        policy("limit", "{"),  # nobody can read it
        policy("limit", [ALLOW]),
    ],
    ids=lambda one: str(one.get("policy"))[:20],
)
def test_a_boundary_that_cannot_be_read_bounds_nothing(boundary: Resource) -> None:
    found = seen(role(permissionsBoundary="limit"), inline("a", ALLOW), boundary)
    assert all(not bounded for given in found.values() for _, bounded in given)


def test_of_two_policies_of_one_name_none_is_the_boundary() -> None:
    found = seen(
        role(permissionsBoundary="limit"),
        policy("limit", ALLOW),
        made("aws:iam/policy:Policy", "second", name="limit", policy=ALLOW),
    )
    assert found == {"role": [((), False)]}


@pytest.mark.parametrize(
    "attachment",
    [
        attached("RolePolicyAttachment", role="role", policyArn="own"),
        attached("PolicyAttachment", roles=["role"], policyArn="own"),
    ],
    ids=lambda one: one.type,
)
def test_attached_policies_count(attachment: Resource) -> None:
    found = seen(role(), inline("a", ALLOW), policy("own", DENY), attachment)
    assert found["a"] == [(("Deny",), False)]
    assert found["own"] == [(("Allow",), False)]


def test_policies_that_a_role_lists_count() -> None:
    listed = role(managedPolicyArns=["own", AWS_OWN])
    found = seen(listed, inline("a", ALLOW), policy("own", DENY))
    assert found["a"] == [(("Deny",), False)]


def test_a_policy_of_aws_is_not_one_of_the_same_name() -> None:
    own = policy("ReadOnlyAccess", DENY)
    listed = role(managedPolicyArns=[AWS_OWN])
    assert seen(listed, inline("a", ALLOW), own)["a"] == [((), False)]
    attachment = attached("RolePolicyAttachment", role="role", policyArn=AWS_OWN)
    assert seen(role(), inline("a", ALLOW), own, attachment)["a"] == [((), False)]
    both = role(managedPolicyArns=[AWS_OWN, "ReadOnlyAccess"])
    assert seen(both, inline("a", ALLOW), own)["a"] == [(("Deny",), False)]


@pytest.mark.parametrize(
    ("attachment", "shared"),
    [
        (attached("UserPolicyAttachment", "u", user="ann", policyArn="own"), True),
        (attached("GroupPolicyAttachment", "u", group="ops", policyArn="own"), True),
        (attached("PolicyAttachment", "u", users=["ann"], policyArn="own"), True),
        (attached("PolicyAttachment", "u", groups=["ops"], policyArn="own"), True),
        (attached("PolicyAttachment", "u", users=[], policyArn="own"), False),
        (attached("PolicyAttachment", "u", policyArn="own"), False),
        (attached("UserPolicyAttachment", "u", user="ann", policyArn="other"), False),
    ],
    ids=["user", "group", "users", "groups", "no users", "nobody", "another policy"],
)
def test_a_policy_that_others_have_too_is_judged_by_itself(
    attachment: Resource, shared: bool
) -> None:
    given = attached("RolePolicyAttachment", role="role", policyArn="own")
    found = seen(role(), inline("b", DENY), policy("own", ALLOW), given, attachment)
    assert ("own" not in found) == shared
    assert found["b"] == [(("Allow",), False)]


def test_what_was_said_before_is_said_again_only_if_it_is_other() -> None:
    first = restrained([role(), inline("a", ALLOW), inline("b", DENY)])
    again = restrained(first)
    assert [one.restraints for one in again] == [one.restraints for one in first]
    assert all(one is two for one, two in zip(first, again, strict=True))
    # Without the denial there is nothing left.
    assert [one.restraints for one in restrained(first[:2])] == [(), ()]


def test_documents_that_nobody_can_read_say_nothing() -> None:
    found = seen(role(), inline("a", ALLOW), inline("b", DENY), inline("odd", "{"))
    assert found["a"] == [(("Deny",), False)]
