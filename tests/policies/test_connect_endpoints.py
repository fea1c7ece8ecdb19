"""SSH endpoints: the groups they stand in, and what the rules of these groups lead to."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from policies.rules import Phase
from tests.policies.one_rule import NOTE, NOTED, REFUSAL, REFUSED, UNKNOWN, found, kinds, made, told

OWN, REACHES = "net-connect-endpoint-group", "net-connect-endpoint-reaches-hosts"
ENDPOINT = "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
FIRST, SECOND = made(GROUP, "first"), made(GROUP, "second")
SSH = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}


def endpoint(groups: Any) -> Resource:
    return made(ENDPOINT, "e", securityGroupIds=groups)


def listed(*groups: Resource, ids: list[str]) -> Resource:
    """An endpoint with these ids, of which the program took some from `groups`."""
    return Resource.of(
        type=ENDPOINT,
        name="e",
        properties={"securityGroupIds": ids},
        property_dependencies={"securityGroupIds": [one.urn for one in groups]},
    )


def in_state(kind: str, name: str, identifier: str) -> Resource:
    return Resource.of(type=kind, name=name, properties={}, outputs={"id": identifier})


@pytest.mark.parametrize(
    ("ids", "groups", "expected"),
    [
        ([UNKNOWN], [FIRST], []),
        ([UNKNOWN, UNKNOWN], [FIRST, SECOND], []),
        # The second one is of neither group.
        ([UNKNOWN, UNKNOWN], [FIRST], NOTED),
        ([UNKNOWN, "sg-0123456789abcdef0"], [FIRST], NOTED),
        ([UNKNOWN], [], NOTED),
        # Ids are not known to a stack in the engine, but what the program took them from is.
        (["sg-0123456789abcdef0"], [FIRST], []),
        (["sg-0123456789abcdef0", "sg-0123456789abcdef0"], [FIRST], []),
        (["sg-0123456789abcdef0", "sg-0123456789abcdef1"], [FIRST], REFUSED),
        (["sg-0123456789abcdef0"], [], REFUSED),
    ],
)
def test_every_group_is_of_the_stack(
    ids: list[str], groups: list[Resource], expected: list[Kind]
) -> None:
    assert kinds(OWN, listed(*groups, ids=ids), FIRST, SECOND) == expected


def test_groups_of_a_state_are_told_by_their_ids() -> None:
    own, default = in_state(GROUP, "own", "sg-1"), in_state(DEFAULT_GROUP, "all", "sg-2")
    assert kinds(OWN, endpoint(["sg-1"]), own, default) == []
    assert kinds(OWN, endpoint(["sg-2"]), own, default) == REFUSED
    assert told(OWN, endpoint(["sg-1", "sg-2"]), own, default) == [
        f'{ENDPOINT} "e" stands in its VPC\'s default group; '
        "it must stand in a security group of its own."
    ]
    assert told(OWN, endpoint(["sg-3"]), own, default) == [
        f"{ENDPOINT} \"e\" has securityGroupIds = ['sg-3'], of which one is not in this stack; "
        "it must stand in a security group of its own."
    ]


def test_the_default_group_is_told_by_reference() -> None:
    default = made(DEFAULT_GROUP, "all")
    assert kinds(OWN, listed(default, ids=[UNKNOWN]), default) == REFUSED


def test_groups_that_are_wholly_unknown() -> None:
    # Whether the list is empty, only its value says.
    assert kinds(OWN, endpoint((FIRST,)), FIRST) == NOTED
    assert kinds(OWN, endpoint(UNKNOWN), FIRST) == [NOTE, NOTE]
    assert kinds(OWN, endpoint(None)) == REFUSED


def outward(**more: Any) -> Resource:
    return made(EGRESS, "rule", **{"securityGroupId": (FIRST,), **SSH, **more})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (outward(referencedSecurityGroupId=UNKNOWN), []),
        (outward(cidrIpv4=UNKNOWN), NOTED),
        (outward(referencedSecurityGroupId="sg-1", toPort=UNKNOWN), NOTED),
        (outward(prefixListId=UNKNOWN), NOTED),
        (outward(prefixListId="pl-1"), REFUSED),
        (outward(cidrIpv4="0.0.0.0/0"), REFUSED),
        (outward(cidrIpv4="0.0.0.0/0", toPort=443), [REFUSAL, REFUSAL]),
        # Of another group.
        (outward(cidrIpv4="0.0.0.0/0", securityGroupId=(SECOND,)), []),
        (outward(cidrIpv4="0.0.0.0/0", securityGroupId=UNKNOWN), NOTED),
        (made(GROUP_RULE, type="ingress", securityGroupId=(FIRST,), cidrBlocks=["::/0"]), []),
        (made(GROUP_RULE, type=UNKNOWN, securityGroupId=(FIRST,), cidrBlocks=["::/0"]), NOTED),
        (made(GROUP_RULE, type="egress", securityGroupId=(FIRST,), **SSH, protocol=6), []),
    ],
)
def test_rules_of_the_group_lead_to_ssh(rule: Resource, expected: list[Kind]) -> None:
    one = listed(FIRST, ids=[UNKNOWN])
    assert kinds(REACHES, one, FIRST, SECOND, rule) == expected
    # Without an endpoint in it, the group is any other.
    assert kinds(REACHES, FIRST, SECOND, rule) == []


def test_each_group_of_each_endpoint_is_judged_once() -> None:
    wide = {**SSH, "protocol": "tcp", "cidrBlocks": ["0.0.0.0/0"]}
    groups = [made(GROUP, name, egress=[wide]) for name in ("a", "b", "c")]
    both = made(ENDPOINT, "both", securityGroupIds=(groups[0], groups[1]))
    one = made(ENDPOINT, "one", securityGroupIds=(groups[0],))
    assert found(REACHES, both, one, *groups) == [(REFUSAL, "a"), (REFUSAL, "b")]
    assert told(REACHES, one, groups[0]) == [
        f'{GROUP} "a" opens egress[0]."0.0.0.0/0", port 22; it must lead to port 22 of a security '
        "group of hosts, as all of an SSH endpoint's rules."
    ]


def test_at_apply_ids_are_known_and_joined_by_what_the_program_took_them_from() -> None:
    one = listed(FIRST, ids=["sg-0123456789abcdef0"])
    rule = Resource.of(
        type=EGRESS,
        name="rule",
        properties={**SSH, "securityGroupId": "sg-0123456789abcdef0", "cidrIpv4": "0.0.0.0/0"},
        property_dependencies={"securityGroupId": [FIRST.urn]},
    )
    assert found(REACHES, one, FIRST, rule, phase=Phase.APPLY) == [(REFUSAL, "rule")]
    assert kinds(OWN, one, FIRST, rule, phase=Phase.APPLY) == []


def test_what_is_still_unknown_at_apply_is_refused() -> None:
    assert kinds(OWN, endpoint([UNKNOWN]), phase=Phase.APPLY) == REFUSED


@pytest.mark.parametrize(
    ("unknown", "needs"),
    [({"toPort": UNKNOWN}, "egress[0].ports"), ({"prefixListIds": [UNKNOWN]}, "egress[0].prefix")],
)
def test_what_is_not_known_is_named_by_its_place(unknown: dict[str, Any], needs: str) -> None:
    group = made(GROUP, "g", egress=[{**SSH, "protocol": "tcp", **unknown}])
    (said,) = told(REACHES, listed(group, ids=[UNKNOWN]), group)
    assert f'{GROUP} "g": {needs}' in said
