"""The fabric's rules without a network: firewall text, DNS answers, health states, hooks."""

import struct
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from localcloud.errors import LocalCloudError
from localcloud.fabric.endpoints import service_host
from localcloud.fabric.hooks import Hooks
from localcloud.fabric.interfaces import NetworkInterface, hardware_address, peer_name
from localcloud.fabric.networks import cidr_of
from localcloud.fabric.resolver import Records, Resolver
from localcloud.fabric.security_groups import Rule, SecurityGroup, render
from localcloud.fabric.target_health import CheckResult, HealthCheck, TargetHealth


def interface() -> NetworkInterface:
    return NetworkInterface(
        name="host",
        namespace="pk0000-host",
        address="10.77.1.4",
        subnet_id="subnet-1",
        vpc_id="vpc-1",
        security_group_ids=("sg-own",),
        resolver="10.77.0.2",
        search_domain="eu-west-1.compute.internal",
    )


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (Rule("tcp", 5432, 5432, group_id="sg-a"), "ip saddr @sg_a meta nfproto ipv4 tcp dport 5432"),
        (Rule("tcp", 1000, 2000, cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8 meta nfproto ipv4 tcp dport 1000-2000"),
        (Rule("udp", 0, 65535, cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8 meta nfproto ipv4 meta l4proto udp"),
        (Rule("-1", None, None, cidr="0.0.0.0/0"), "meta nfproto ipv4"),
        (Rule("-1", None, None, prefix_list_id="pl-1"), "ip saddr @pl_1 meta nfproto ipv4"),
        (Rule("icmp", -1, -1, group_id="sg-a"), "ip saddr @sg_a meta nfproto ipv4 meta l4proto icmp"),
        (Rule("icmp", 8, 0, cidr="0.0.0.0/0"), "meta nfproto ipv4 meta l4proto icmp icmp type 8 icmp code 0"),
        (Rule("50", None, None, group_id="sg-a"), "ip saddr @sg_a meta nfproto ipv4 meta l4proto 50"),
    ],
)  # fmt: skip
def test_a_rule_as_nftables_text(rule: Rule, line: str) -> None:
    group = SecurityGroup("sg-own", ingress=(rule,), egress=())
    text = render(interface(), "t", [group], {"sg-a": ["10.77.1.9"]}, {"pl-1": ["198.18.0.1/32"]})
    ingress, egress = text.split("chain egress")
    assert f"\n{line} accept\n" in ingress
    assert " daddr 10.77.0.2 " in egress
    assert "policy drop" in ingress
    assert "policy drop" in egress


def test_the_same_rules_are_the_same_text() -> None:
    first, second = Rule("tcp", 1, 1, cidr="10.0.0.0/8"), Rule("tcp", 2, 2, group_id="sg-a")
    members = ["10.77.1.9", "10.77.1.4"]
    texts = {
        render(
            interface(), "t", [SecurityGroup("sg-own", rules, ())], {"sg-a": listed}, {}
        )
        for rules in ((first, second), (second, first))
        for listed in (members, members[::-1])
    }  # fmt: skip
    assert len(texts) == 1


def test_a_group_without_members_admits_nobody() -> None:
    group = SecurityGroup("sg-own", (Rule("tcp", 1, 1, group_id="sg-empty"),), ())
    text = render(interface(), "t", [group], {}, {})
    assert "set sg_empty { type ipv4_addr;  }" in text


def test_interface_names_fit_linux_and_differ() -> None:
    names = {peer_name("pk0000", f"function-{number}") for number in range(1000)}
    assert len(names) == 1000
    assert {len(name) for name in names} == {15}
    assert hardware_address("10.77.1.4") == "02:00:0a:4d:01:04"


@pytest.mark.parametrize("block", ["10.0.0.0/8", "10.77.0.0/29"])
def test_vpc_sizes_as_on_aws(block: str) -> None:
    with pytest.raises(LocalCloudError, match=rf"vpc-1 refused: its block {block}"):
        cidr_of("vpc-1", block)


# DNS


def resolver() -> Resolver:
    private, public = Records(), Records()
    public.register("db.example.com", ["10.77.1.4"])
    public.register("s3.example.com", ["192.0.2.1"])
    private.register("s3.example.com", ["198.18.0.1"])
    private.register("*.s3.example.com", ["198.18.0.1"])
    return Resolver((private, public), "eu-west-1")


def ask(name: str, kind: str = "A") -> tuple[int, list[str]]:
    answer = resolver().answer(DNSRecord.question(name, kind).pack())
    assert answer is not None
    parsed = DNSRecord.parse(answer)
    return parsed.header.rcode, [str(rr.rdata) for rr in parsed.rr]


@pytest.mark.parametrize(
    ("name", "kind", "code", "answers"),
    [
        ("db.example.com", "A", RCODE.NOERROR, ["10.77.1.4"]),
        ("DB.Example.COM.", "A", RCODE.NOERROR, ["10.77.1.4"]),
        ("db.example.com", "AAAA", RCODE.NOERROR, []),
        ("s3.example.com", "A", RCODE.NOERROR, ["198.18.0.1"]),
        ("a.b.s3.example.com", "A", RCODE.NOERROR, ["198.18.0.1"]),
        ("example.com", "A", RCODE.NXDOMAIN, []),
        ("ip-10-77-1-4.eu-west-1.compute.internal", "A", RCODE.NOERROR, ["10.77.1.4"]),
        ("ip-10-77-1-999.eu-west-1.compute.internal", "A", RCODE.NXDOMAIN, []),
        ("4.1.77.10.in-addr.arpa", "PTR", RCODE.NOERROR,
         ["ip-10-77-1-4.eu-west-1.compute.internal."]),
        ("arpa", "PTR", RCODE.NXDOMAIN, []),
    ],
)  # fmt: skip
def test_answers(name: str, kind: str, code: int, answers: list[str]) -> None:
    assert ask(name, kind) == (code, answers)


@pytest.mark.parametrize(
    "message", [b"", b"\x00" * 5, b"\xff" * 40, struct.pack("!6H", 1, 0, 9, 0, 0, 0)]
)
def test_garbage_is_not_answered_or_refused_but_breaks_nothing(message: bytes) -> None:
    answer = resolver().answer(message)
    assert answer is None or DNSRecord.parse(answer).header.rcode != RCODE.NOERROR


def test_a_wrong_address_is_no_record() -> None:
    with pytest.raises(ValueError, match="not-an-address"):
        Records().register("db.example.com", ["not-an-address"])
    assert QTYPE.A == 1


def test_service_names() -> None:
    region = "eu-west-1"
    assert service_host("com.amazonaws.eu-west-1.kms", region) == "kms.eu-west-1.amazonaws.com"
    assert (
        service_host("com.amazonaws.eu-west-1.ecr.api", region) == "api.ecr.eu-west-1.amazonaws.com"
    )


# Health


def states(results: str, *, healthy: int = 3, unhealthy: int = 2) -> str:
    """The state after each result, one an interval: + passed, - failed; initial, healthy, ..."""
    check = HealthCheck("TCP", None, "/", "200-399", 5, 2, healthy, unhealthy)
    health = TargetHealth()
    seen = ""
    for number, result in enumerate(results):
        passed = result == "+"
        reason = "" if passed else "Target.FailedHealthChecks"
        health.record(CheckResult(passed, reason), check, now=5.0 * number)
        assert (health.reason == "") == (health.state == "healthy")
        seen += health.state[0]
    return seen


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("+", "h"),
        ("-+", "ih"),
        ("---", "iiu"),
        ("+--", "hhu"),
        ("+-+-+-", "hhhhhh"),
        ("---+++", "iiuuuh"),
        ("---++-+++", "iiuuuuuuh"),
    ],
)
def test_states_change_at_the_thresholds(results: str, expected: str) -> None:
    assert states(results) == expected


# Hooks


def test_hooks_come_off_again() -> None:
    class Base:
        def double(self, value: int) -> int:
            return 2 * value

    class Derived(Base):
        def triple(self, value: int) -> int:
            return 3 * value

    calls: list[str] = []

    def plus_one(original: Any, _backend: Any, value: int) -> int:
        return original(value) + 1

    original = Derived.triple
    hooks = Hooks()
    hooks.around(Derived, "double", plus_one)
    hooks.around(Derived, "double", plus_one)
    hooks.after(Derived, ("triple",), lambda: calls.append("after"))
    assert (Derived().double(2), Base().double(2), Derived().triple(2)) == (6, 4, 6)
    assert calls == ["after"]
    hooks.remove()
    assert Derived().double(2) == 4
    assert Derived.triple is original
    assert "double" not in Derived.__dict__
