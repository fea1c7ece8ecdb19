"""Random policies of one role: what it can do after all is refused, what its boundary takes away not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from policies.catalogue import RULES
from policies.dangerous_actions import DELETION
from policies.evaluation import Judge, Kind, evaluate
from policies.existing import evaluate_existing
from policies.inventory import Resource, Stack
from policies.permissions import ROLE
from policies.rules import Context, Phase
from tests.policies.iam_reference import (
    applies,
    covers,
    documents,
    examples,
    listed,
    taken_away,
)

POLICY_TYPE = "aws:iam/policy:Policy"
ROLE_ARN = "arn:aws:iam::1:policy/"


def role_state(documents_: list[dict[str, Any]], places: list[str]) -> list[Resource]:
    """A role with each document inline, attached, in its own list, or as its boundary."""
    role: dict[str, Any] = {"name": "app", "assumeRolePolicy": "{}", "inlinePolicies": []}
    found: list[Resource] = []
    for number, (place, one) in enumerate(zip(places, documents_, strict=True)):
        text = json.dumps(one)
        if place == "own":
            role["inlinePolicies"].append({"name": f"p{number}", "policy": text})
            continue
        if place == "inline":
            kind, properties = "aws:iam/rolePolicy:RolePolicy", {"role": "app", "policy": text}
        else:
            kind, properties = POLICY_TYPE, {"policy": text}
        arn = f"{ROLE_ARN}p{number}"
        found.append(
            Resource.of(
                type=kind,
                name=f"p{number}",
                properties=properties,
                outputs={"arn": arn, "id": arn} if kind == POLICY_TYPE else {},
            )
        )
        if place == "attached":
            attachment = {"role": "app", "policyArn": arn}
            found.append(
                Resource.of(
                    type="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                    name=f"a{number}",
                    properties=attachment,
                )
            )
        elif place == "boundary":
            role["permissionsBoundary"] = arn
    found.append(Resource.of(type=ROLE, name="app", properties=role))
    return found


def refused_documents(resources: list[Resource], rule: str) -> bool:
    """Whether a document that the role has (its boundary is none of them) breaks `rule`."""
    role = resources[-1].properties
    judge = Judge(Context(phase=Phase.STATE), rules=[one for one in RULES if one.id == rule])
    return any(
        one.rule.id == rule and one.kind is Kind.VIOLATION and not bounds(one.urn, resources, role)
        for one in evaluate_existing(resources, judge)
    )


def bounds(urn: str, resources: list[Resource], role: Any) -> bool:
    arn = next(one for one in resources if one.urn == urn).outputs.get("arn")
    return arn is not None and arn == role.get("permissionsBoundary")


@st.composite
def held_by_a_role(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str]]:
    every = draw(st.lists(documents(), min_size=2, max_size=3))
    places = [draw(st.sampled_from(["own", "inline", "attached"])) for _ in every]
    if draw(st.booleans()):
        every.append(draw(documents()))
        places.append("boundary")
    return every, places


@profile(max_examples=250, derandomize=True, database=None, deadline=None)
@given(held_by_a_role())
def test_all_policies_of_a_role_and_its_boundary_count_in_a_state(
    held: tuple[list[dict[str, Any]], list[str]],
) -> None:
    """What a role can do after all is refused, and what everything takes away is not."""
    every, places = held
    resources = role_state(every, places)
    own = [one for one, place in zip(every, places, strict=True) if place != "boundary"]
    boundary = [one for one, place in zip(every, places, strict=True) if place == "boundary"]
    whole = {"Statement": [one for document in own for one in document["Statement"]]}
    # Wildcards hide verbs and NotAction everything: other rules refuse them where they stand.
    allows = [
        (one, action)
        for one in whole["Statement"]
        if one["Effect"] == "Allow" and "Action" in one
        for action in DELETION
        if any(covers(pattern, action, any_case=True) for pattern in listed(one["Action"]))
    ]
    found = refused_documents(resources, "iam-no-deletion")
    expected = [
        (one, action)
        for one, action in allows
        if not taken_away(whole, action, one)
        and not any(out_of_bounds(bound, action, one) for bound in boundary)
    ]
    assert found == bool(expected)


def out_of_bounds(boundary: dict[str, Any], action: str, statement: dict[str, Any]) -> bool:
    """Whether a boundary allows no request that `statement` and `action` stand for."""
    if taken_away(boundary, action, statement):
        return True
    texts = [
        text
        for one in boundary["Statement"]
        for key in ("Resource", "NotResource")
        for text in listed(one.get(key, []))
    ]
    targets = ["*"] if "NotResource" in statement else listed(statement["Resource"])
    reached = {text for target in targets for text in examples(target, texts)}
    return not any(
        one["Effect"] == "Allow" and applies(one, action, resource)
        for one in boundary["Statement"]
        for resource in reached
    )


def test_a_deny_or_a_boundary_beside_a_document_counts_only_where_it_is_certain() -> None:
    delete = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}
    allow, deny = {"Statement": delete}, {"Statement": {**delete, "Effect": "Deny"}}
    read = {"Statement": {**delete, "Action": "s3:GetObject"}}

    def deletes(*placed: tuple[str, dict[str, Any]]) -> bool:
        places, every = [place for place, _ in placed], [document for _, document in placed]
        return refused_documents(role_state(every, places), "iam-no-deletion")

    for place in ("own", "inline", "attached"):
        assert deletes((place, allow))
        assert deletes((place, allow), ("inline", read))
        for other in ("own", "inline", "attached"):
            assert not deletes((place, allow), (other, deny))
        assert not deletes((place, allow), ("boundary", read))
        assert not deletes((place, allow), ("boundary", deny))
        assert deletes((place, allow), ("boundary", allow))
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "data"}}
    on_condition = {"Statement": {**deny["Statement"], "Condition": tagged}}
    assert deletes(("inline", allow), ("inline", on_condition))
    bound_on_condition = {"Statement": {**delete, "Condition": tagged}}
    assert deletes(("inline", allow), ("boundary", bound_on_condition))
    # A policy that another role or a user has too is not taken away by this role's Deny.
    resources = role_state([allow, deny], ["attached", "inline"])
    assert not refused_documents(resources, "iam-no-deletion")
    for kind, who in (("role", "other"), ("user", "person")):
        attached = Resource.of(
            type=f"aws:iam/{kind}PolicyAttachment:{kind.capitalize()}PolicyAttachment",
            name="second",
            properties={kind: who, "policyArn": f"{ROLE_ARN}p0"},
        )
        holder = Resource.of(
            type=f"aws:iam/{kind}:{kind.capitalize()}", name=who, properties={"name": who}
        )
        assert refused_documents([holder, attached, *resources], "iam-no-deletion")
    # A Deny that was taken away by hand no longer counts.
    gone = [
        Resource.of(
            type=one.type,
            name=one.name,
            properties=one.properties,
            outputs={"policy": json.dumps(read), "role": "app"} if one.name == "p1" else {},
        )
        for one in role_state([allow, deny], ["inline", "inline"])
    ]
    assert refused_documents(gone, "iam-no-deletion")
    # Before that, at a preview, each document is judged by itself.
    preview = evaluate(Stack(role_state([allow, deny], ["inline", "inline"])), Context())
    assert "iam-no-deletion" in {one.rule.id for one in preview}
