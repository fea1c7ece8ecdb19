"""The conditions of the network rules: ports, networks and entries, and what uses what."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from policies.openings import Opening, is_world, openings
from policies.values import UNKNOWN as NOT_KNOWN
from policies.values import Wrong
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made, told

GROUP = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ACL = "aws:ec2/networkAcl:NetworkAcl"
ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"


def opening(resource: Resource, direction: str = "ingress") -> Opening:
    (one,) = openings(resource, direction)
    assert isinstance(one, Opening)
    return one


@pytest.mark.parametrize(
    ("protocol", "first", "last", "ports"),
    [
        ("tcp", 5, 9, (5, 9)),
        ("tcp", "5", "9", (5, 9)),
        ("tcp", 7, None, (0, 65_535)),
        ("tcp", None, None, (0, 65_535)),
        ("tcp", None, 9, (0, 9)),
        ("tcp", 0, 0, (0, 65_535)),
        ("tcp", -1, -1, (0, 65_535)),
        ("tcp", "-1", "-1", (0, 65_535)),
        (None, 5, 9, (5, 9)),
        ("-1", 5, 9, (0, 65_535)),
        (-1, 5, 9, (0, 65_535)),
        ("all", 5, 9, (0, 65_535)),
        ("icmp", 3, 4, (-2, -2)),
        (58, 3, 4, (-2, -2)),
        (UNKNOWN, 5, 9, NOT_KNOWN),
        ("tcp", UNKNOWN, 9, NOT_KNOWN),
        ("tcp", 5, UNKNOWN, NOT_KNOWN),
        ("tcp", "x", 9, Wrong("x", "a whole number")),
        ("tcp", 5, "x", Wrong("x", "a whole number")),
    ],
)
def test_ports_of_a_rule(protocol: Any, first: Any, last: Any, ports: Any) -> None:
    fields = {"protocol": protocol, "fromPort": first, "toPort": last, "cidrBlocks": ["::/0"]}
    found = opening(made(GROUP, ingress=[fields]))
    assert found.ports == ports
    if ports is NOT_KNOWN:
        assert found.all_ports is found.reaches(6) is NOT_KNOWN
    elif isinstance(ports, Wrong):
        assert found.all_ports is found.reaches(6) is True
    else:
        assert found.all_ports is (ports == (0, 65_535))
        assert found.reaches(6) is found.reaches(70_000, 6) is (ports[0] <= 6 <= ports[1])
    assert opening(made(GROUP_RULE, type="ingress", **fields)).ports == ports


@pytest.mark.parametrize(
    ("network", "world"),
    [
        ("0.0.0.0/0", True),
        ("10.1.2.3/0", True),
        ("::/0", True),
        # Its halves, and all of IPv6 that is routed.
        ("128.0.0.0/1", True),
        ("64.0.0.0/2", False),
        ("2000::/3", True),
        ("2000::/4", False),
        ("10.0.0.0/8", False),
        ("10.0.0.1", False),
        ("nonsense", True),
        (5, True),
    ],
)
def test_networks_that_are_the_world(network: Any, world: bool) -> None:
    assert is_world(network) == world


def test_networks_of_a_listed_rule() -> None:
    both = {"cidrBlocks": ["10.0.0.0/8"], "ipv6CidrBlocks": ["fd00::/8"]}
    assert opening(made(GROUP, ingress=[both])).networks == ("10.0.0.0/8", "fd00::/8")
    assert opening(made(GROUP, ingress=[{}])).networks == ()
    assert opening(made(GROUP, ingress=[{"cidrBlocks": UNKNOWN}])).networks is NOT_KNOWN
    assert isinstance(opening(made(GROUP, ingress=[{"cidrBlocks": "x"}])).networks, Wrong)


@pytest.mark.parametrize(
    ("fields", "networks"),
    [
        ({"cidrIpv4": "10.0.0.0/8"}, ("10.0.0.0/8",)),
        ({"cidrIpv6": "::/0", "cidrIpv4": "10.0.0.0/8"}, ("10.0.0.0/8", "::/0")),
        ({"referencedSecurityGroupId": "sg-1"}, ()),
        ({"prefixListId": "pl-1"}, ()),
        ({"prefixListId": UNKNOWN}, ()),
        ({"cidrIpv4": UNKNOWN}, (NOT_KNOWN,)),
        ({}, ("0.0.0.0/0",)),
        ({"cidrIpv4": ""}, ("0.0.0.0/0",)),
    ],
    ids=str,
)
def test_networks_of_a_single_rule(fields: Any, networks: Any) -> None:
    assert opening(made(INGRESS, **fields)).networks == networks
    assert opening(made(EGRESS, **fields), "egress").networks == networks


def test_rules_are_of_their_direction() -> None:
    rule = {"cidrBlocks": ["10.0.0.0/8"]}
    for kind, wanted in (
        (made(INGRESS), {"ingress"}),
        (made(EGRESS), {"egress"}),
        (made(GROUP_RULE, type="ingress"), {"ingress"}),
        (made(GROUP_RULE, type="egress"), {"egress"}),
        # What says nothing, or nonsense, may be both.
        (made(GROUP_RULE), {"ingress", "egress"}),
        (made(GROUP_RULE, type="x"), {"ingress", "egress"}),
        (made(GROUP, ingress=[rule]), {"ingress"}),
        (made("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", egress=[rule]), {"egress"}),
        (made("aws:s3/bucket:Bucket", ingress=[rule]), set[str]()),
    ):
        assert {d for d in ("ingress", "egress") if list(openings(kind, d))} == wanted


RULE = "net-no-world-ssh"


def test_what_of_a_group_cannot_be_read() -> None:
    assert kinds(RULE, made(GROUP, ingress=UNKNOWN)) == NOTED
    assert kinds(RULE, made(GROUP, ingress=[UNKNOWN])) == NOTED
    assert kinds(RULE, made(GROUP, ingress="x")) == REFUSED
    assert kinds(RULE, made(GROUP, ingress=["x"])) == REFUSED
    assert kinds(RULE, made(GROUP_RULE, type=UNKNOWN)) == NOTED


def test_openings_are_told_with_ports_and_networks() -> None:
    ssh = {"protocol": "tcp", "fromPort": 22, "toPort": 22}
    world = {**ssh, "cidrBlocks": ["0.0.0.0/0"]}
    (finding,) = told(RULE, made(GROUP, ingress=[world]))
    assert 'opens ingress[0]."0.0.0.0/0", port 22;' in finding
    (finding,) = told(RULE, made(GROUP_RULE, type="ingress", **{**world, "toPort": 23}))
    assert 'opens to "0.0.0.0/0", ports 22 to 23;' in finding
    (finding,) = told(RULE, made(GROUP, ingress=[{**world, "fromPort": "x"}]))
    assert 'ports "x" (str, not a whole number)' in finding
    (finding,) = told(RULE, made(GROUP, ingress=[{**ssh, "cidrBlocks": "x"}]))
    assert 'has ingress[0].networks = "x" (str, not a list)' in finding
    (finding,) = told(RULE, made(GROUP, ingress=[{**ssh, "cidrBlocks": [UNKNOWN]}]))
    assert "a network of ingress[0]. is known only" in finding
    (finding,) = told(
        RULE, made(INGRESS, ipProtocol="tcp", fromPort=22, cidrIpv4=UNKNOWN, toPort=22)
    )
    assert "a network of the rule is known only" in finding
    (finding,) = told(RULE, made(GROUP, ingress=[{**world, "fromPort": UNKNOWN}]))
    assert "ingress[0].ports is known only" in finding
    assert kinds(RULE, made(GROUP, ingress=[{**ssh, "cidrBlocks": UNKNOWN}])) == NOTED
    # Another port's networks do not matter.
    other = {"protocol": "tcp", "fromPort": 80, "toPort": 80}
    for networks in ("x", UNKNOWN, ["0.0.0.0/0"]):
        assert kinds(RULE, made(GROUP, ingress=[{**other, "cidrBlocks": networks}])) == []
    near = {**ssh, "fromPort": UNKNOWN, "cidrBlocks": ["10.0.0.0/8"]}
    assert kinds(RULE, made(GROUP, ingress=[near])) == []


def acl(*entries: Any) -> Resource:
    return made(ACL, subnetIds=["s"], ingress=[*entries])


def entry(**fields: Any) -> dict[str, Any]:
    base = {
        "ruleNo": 1,
        "action": "allow",
        "protocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "cidrBlock": "0.0.0.0/0",
    }
    return {**base, **fields}


SSH, EVERY = "net-acl-no-world-ssh", "net-acl-no-world-all"


@pytest.mark.parametrize(
    ("fields", "ssh", "every"),
    [
        ({}, REFUSED, []),
        ({"fromPort": 21, "toPort": 23}, REFUSED, []),
        ({"fromPort": 23, "toPort": 24}, [], []),
        ({"fromPort": 0, "toPort": 65_535}, REFUSED, REFUSED),
        ({"fromPort": 0, "toPort": 65_534}, REFUSED, []),
        ({"fromPort": None, "toPort": None}, REFUSED, REFUSED),
        ({"fromPort": "x"}, REFUSED, REFUSED),
        ({"toPort": "x"}, REFUSED, REFUSED),
        ({"protocol": "-1"}, REFUSED, []),
        ({"protocol": "-1", "fromPort": None}, REFUSED, REFUSED),
        ({"protocol": "-1", "fromPort": 0, "toPort": 0}, REFUSED, REFUSED),
        ({"protocol": "all", "fromPort": UNKNOWN}, REFUSED, NOTED),
        # AWS does not regard the ports; as checkov has it, only the rules of single ports do not.
        ({"protocol": -1, "fromPort": 443, "toPort": 443}, REFUSED, []),
        ({"protocol": UNKNOWN}, NOTED, NOTED),
        ({"fromPort": UNKNOWN}, NOTED, NOTED),
        ({"toPort": UNKNOWN}, NOTED, NOTED),
        ({"action": UNKNOWN}, NOTED, []),
        ({"cidrBlock": UNKNOWN}, NOTED, []),
        ({"cidrBlock": UNKNOWN, "fromPort": 23}, [], []),
        ({"cidrBlock": "10.0.0.0/8", "protocol": UNKNOWN}, [], []),
        ({"cidrBlock": None, "ipv6CidrBlock": "::/0"}, REFUSED, []),
        ({"cidrBlock": "", "ipv6CidrBlock": "fd00::/8"}, [], []),
        ({"cidrBlock": None}, [], []),
        ({"action": "DENY"}, [], []),
        ({"action": 5}, REFUSED, []),
        ({"action": None}, REFUSED, []),
    ],
    ids=str,
)
def test_entries_of_an_acl(fields: dict[str, Any], ssh: Any, every: Any) -> None:
    assert kinds(SSH, acl(entry(**fields))) == ssh
    assert kinds(EVERY, acl(entry(**fields))) == every


def test_entries_are_read_in_their_order() -> None:
    denied, allowed = entry(ruleNo=1, action="deny"), entry(ruleNo=2)
    assert kinds(SSH, acl(allowed, denied)) == []
    assert kinds(SSH, acl({**allowed, "ruleNo": 1}, {**denied, "ruleNo": 2})) == REFUSED
    # A number that cannot be read comes first, so that no denial hides it.
    for number in ("x", UNKNOWN, None):
        assert kinds(SSH, acl(denied, {**allowed, "ruleNo": number})) == REFUSED
    (finding,) = told(SSH, acl(allowed))
    assert "by its rule 2" in finding
    other = entry(ruleNo=1, action="deny", fromPort=23, toPort=23)
    assert kinds(SSH, acl(other, allowed)) == REFUSED


def test_what_of_an_acl_cannot_be_read() -> None:
    assert kinds(SSH, made(ACL, ingress=UNKNOWN)) == NOTED
    assert kinds(SSH, made(ACL, ingress="x")) == REFUSED
    assert kinds(SSH, acl(UNKNOWN)) == NOTED
    assert kinds(SSH, acl(5)) == REFUSED


def test_single_rules_of_an_acl() -> None:
    fields = {"ruleAction": "allow", "ruleNumber": 7, "protocol": "-1", "cidrBlock": "0.0.0.0/0"}
    (finding,) = told(SSH, made(ACL_RULE, **fields))
    assert "by its rule 7; it must not allow port 22 from every address" in finding
    (finding,) = told(EVERY, made(ACL_RULE, egress=False, **fields))
    assert "it must not allow every port." in finding
    assert kinds(SSH, made(ACL_RULE, egress=True, **fields)) == []
    assert kinds(SSH, made(ACL_RULE, egress=UNKNOWN, **fields)) == NOTED
    assert kinds(SSH, made(ACL_RULE, egress="x", **fields)) == REFUSED


def opened(
    first: Any, last: Any, network: Any = "0.0.0.0/0", direction: str = "ingress"
) -> Resource:
    rule = {"protocol": "tcp", "fromPort": first, "toPort": last, "cidrBlocks": [network]}
    return made(GROUP, **{direction: [rule]})


@pytest.mark.parametrize(
    ("rule", "refused", "kept"),
    [
        ("net-no-world-ingress", [(0, 65_535), ("x", 1)], [(0, 65_534), (1, 65_535)]),
        ("net-world-reaches-web-only", [(80, 81), (22, 22), ("x", 1)], [(80, 80), (443, 443)]),
        ("net-no-world-high-risk", [(22, 22), (9300, 9400)], [(24, 24), (443, 443)]),
        ("net-no-world-ftp", [(20, 21)], [(22, 30)]),
    ],
)
def test_ports_that_the_world_may_reach(rule: str, refused: Any, kept: Any) -> None:
    for ports in refused:
        assert kinds(rule, opened(*ports)) == REFUSED
        assert kinds(rule, opened(*ports, "10.0.0.0/8")) == []
        assert kinds(rule, opened(*ports, direction="egress")) == []
    for ports in kept:
        assert kinds(rule, opened(*ports)) == []
    assert kinds(rule, opened(UNKNOWN, 1)) == NOTED
    assert kinds(rule, made(GROUP, ingress=UNKNOWN)) == NOTED


def test_databases_are_reached_from_groups_only() -> None:
    rule = "net-database-from-groups-only"
    for port in (5432, 6432, 6543):
        assert kinds(rule, opened(port, port, "10.0.0.7/32")) == REFUSED
    assert kinds(rule, opened(443, 443, "10.0.0.7/32")) == []
    assert kinds(rule, opened(UNKNOWN, 1, "10.0.0.7/32")) == NOTED
    group = made(
        INGRESS, ipProtocol="tcp", fromPort=5432, toPort=5432, referencedSecurityGroupId="a"
    )
    assert kinds(rule, group) == []


def test_egress_is_bounded() -> None:
    rule = "net-bounded-egress"
    assert kinds(rule, opened(0, 65_535, direction="egress")) == REFUSED
    assert kinds(rule, opened(443, 443, direction="egress")) == []
    assert kinds(rule, opened(UNKNOWN, 1, direction="egress")) == NOTED
    assert kinds(rule, made(GROUP, egress="x")) == REFUSED


def test_rules_say_what_they_are_for() -> None:
    rule, default = "net-rules-described", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    assert kinds(rule, made(GROUP, description="web", ingress=[{"description": "x"}])) == []
    assert kinds(rule, made(GROUP, description="web", ingress=[{}])) == REFUSED
    assert kinds(rule, made(GROUP, ingress=[])) == REFUSED
    assert kinds(rule, made(GROUP, description="Managed by Pulumi")) == REFUSED
    # A default group has no description of its own; its rules have one.
    assert kinds(rule, made(default)) == []
    assert kinds(rule, made(default, egress=[{}])) == REFUSED
    assert kinds(rule, made(INGRESS, description="x", ingress=[{}])) == []
    assert kinds(rule, made(INGRESS, description=" ")) == REFUSED
