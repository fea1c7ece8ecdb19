"""Joins: which resource a property points to, by value, by recorded reference, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource, Stack, canonical_type
from policies.values import UNKNOWN
from tests.policies.good_stack import UNKNOWN_STRING
from tests.policies.one_rule import made

TARGET, OTHER, USER = "aws:x/target:Target", "aws:x/other:Other", "aws:x/user:User"


def user(value: Any, *references: Resource | str) -> Resource:
    urns = [one if isinstance(one, str) else one.urn for one in references]
    return Resource.of(
        type=USER,
        name="user",
        properties={"refers": value},
        property_dependencies={"refers": urns},
    )


def referenced(one: Resource, *targets: Resource) -> Any:
    """The names of what is found, or `UNKNOWN`."""
    found = Stack([one, *targets]).referenced(one, "refers", [TARGET], ("name", "id"))
    return found if found is UNKNOWN else [target.name for target in found]


@pytest.mark.parametrize(
    ("properties", "value", "expected"),
    [
        ({"name": "n"}, "n", ["t"]),
        ({"id": "i"}, "i", ["t"]),
        ({"arn": "arn:aws:x:::n"}, "arn:aws:x:::n", ["t"]),
        ({"other": "n"}, "n", []),
        ({"name": "n"}, "m", []),
        ({"name": "n"}, "", []),
        ({"name": ""}, "", []),
        ({"name": "n"}, None, []),
        ({"name": 5}, 5, []),
        ({"name": "n"}, UNKNOWN_STRING, UNKNOWN),
    ],
    ids=str,
)
def test_known_values_are_compared(properties: dict[str, Any], value: Any, expected: Any) -> None:
    assert referenced(user(value), made(TARGET, "t", **properties)) == expected
    # Of another type it is another thing.
    nothing = UNKNOWN if expected is UNKNOWN else []
    assert referenced(user(value), made(OTHER, "t", **properties)) == nothing


@pytest.mark.parametrize(
    ("properties", "value", "expected"),
    [
        ({}, UNKNOWN_STRING, ["t"]),
        ({"name": "n"}, UNKNOWN_STRING, ["t"]),
        ({"name": "n"}, None, []),
        # A target that has no name yet may get this one.
        ({}, "m", ["t"]),
        ({"name": ""}, "m", ["t"]),
        ({"name": 5}, "m", ["t"]),
        ({"name": UNKNOWN_STRING}, "m", ["t"]),
        ({"id": "i", "arn": "arn:aws:x:::i"}, "m", ["t"]),
        ({"name": "n"}, "n-logs", []),
        # An ARN is another spelling of a name.
        ({"name": "n"}, "arn:aws:x:eu-west-1:1:target/n", ["t"]),
        ({"name": "n"}, "arn:aws:x:eu-west-1:1:target:n", ["t"]),
        ({"name": "n"}, "arn:aws:x:::n", ["t"]),
        ({"name": "n"}, "arn:aws:x:::n-logs", []),
        ({}, "arn:aws:x:::n", ["t"]),
    ],
    ids=str,
)
def test_a_recorded_reference_decides_what_values_do_not(
    properties: dict[str, Any], value: Any, expected: list[str]
) -> None:
    target = made(TARGET, "t", **properties)
    assert referenced(user(value, target), target) == expected


def test_references_to_what_is_not_there_or_something_else_decide_nothing() -> None:
    target, other = made(TARGET, "t"), made(OTHER, "o")
    assert referenced(user(UNKNOWN_STRING, other), target, other) is UNKNOWN
    assert referenced(user(UNKNOWN_STRING, "urn:gone"), target) is UNKNOWN
    assert referenced(user("m", other), target, other) == []


def test_of_two_with_one_name_the_recorded_one_is_meant() -> None:
    near, far = (made(TARGET, name, name="n") for name in ("near", "far"))
    assert referenced(user("n"), near, far) == ["near", "far"]
    assert referenced(user("n", far), near, far) == ["far"]


def referring(target: Resource, *users: Resource) -> Any:
    found = Stack([target, *users]).referring(target, [USER], "refers", ("name",))
    return found if found is UNKNOWN else [one.name for one in found]


def test_who_refers_to_a_resource() -> None:
    target = made(TARGET, "t", name="n")
    assert referring(target) == []
    assert referring(target, user("m")) == []
    assert referring(target, user("n")) == ["user"]
    assert referring(target, user(UNKNOWN_STRING)) is UNKNOWN
    assert referring(target, user(UNKNOWN_STRING), user("n")) == ["user"]
    # The order in which they are found does not matter.
    assert referring(target, user("n"), user(UNKNOWN_STRING)) == ["user"]


@pytest.mark.parametrize(
    ("outputs", "expected"), [({}, "n"), ({"name": ""}, "n"), ({"name": "m"}, "m")]
)
def test_what_aws_made_is_the_name(outputs: dict[str, str], expected: str) -> None:
    target = Resource.of(type=TARGET, name="t", properties={"name": "n"}, outputs=outputs)
    assert target.identity("name") == expected
    assert Stack([target]).known_as(TARGET, "name", expected) == [target]


def test_older_names_of_types() -> None:
    assert canonical_type("aws:alb/listener:Listener") == "aws:lb/listener:Listener"
    assert canonical_type("aws:s3/bucketAclV2:BucketAclV2") == "aws:s3/bucketAcl:BucketAcl"
    assert canonical_type("aws:s3/bucketV2:BucketV2") == "aws:s3/bucketV2:BucketV2"
    one = made("aws:alb/listener:Listener", "l")
    assert one.type == "aws:lb/listener:Listener"
    # Messages name what the program says.
    assert one.label == 'aws:alb/listener:Listener "l"'
    bare = Resource(urn="urn:x", type=TARGET, name="t", properties={})
    assert bare.label == f'{TARGET} "t"'


def test_a_resource_has_a_urn_and_properties_in_any_case() -> None:
    one = Resource.of(type=TARGET, name="t", properties={}, urn="urn:mine")
    assert one.urn == "urn:mine"
    assert made(TARGET, "t").urn.endswith(f"{TARGET}::t")
    odd = Resource.of(type=TARGET, name="t", properties={}, outputs={"a": "b"})
    assert (dict(odd.properties), dict(odd.outputs)) == ({}, {"a": "b"})
