"""Load balancers: which kind, which listeners and which targets a rule is about."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, verdicts

BALANCER, LISTENER = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LOGS = "lb-access-logs"


def balancer(kind: Any = None, **more: Any) -> Resource:
    return made(BALANCER, "b", loadBalancerType=kind, **more)


def listeners(of: Resource, *protocols: Any) -> list[Resource]:
    return [
        made(LISTENER, f"l{number}", protocol=one, port=443, loadBalancerArn=(of,))
        for number, one in enumerate(protocols)
    ]


@pytest.mark.parametrize(
    ("rule", "flag"),
    [
        ("lb-cross-zone", "enableCrossZoneLoadBalancing"),
        ("lb-drops-invalid-headers", "dropInvalidHeaderFields"),
    ],
)
def test_what_only_some_kinds_have(rule: str, flag: str) -> None:
    application = [REFUSAL] if rule == "lb-drops-invalid-headers" else []
    others = [] if application else [REFUSAL]
    for kind, expected in (
        (None, application),
        ("application", application),
        ("network", others),
        ("gateway", others),
        (UNKNOWN, [NOTE]),
        # What cannot be read may be either.
        (5, [REFUSAL]),
    ):
        assert kinds(rule, balancer(kind)) == expected
        assert kinds(rule, balancer(kind, **{flag: True})) == [
            one for one in expected if one is NOTE
        ]


def test_zones_are_those_of_the_subnets_or_of_the_mappings() -> None:
    rule, mapping = "lb-several-zones", [{"subnetId": "a"}, {"subnetId": "b"}]
    assert kinds(rule, balancer(subnets=["a", "b"])) == []
    assert kinds(rule, balancer(subnets=["a"])) == [REFUSAL]
    assert kinds(rule, balancer(subnetMappings=mapping)) == []
    assert kinds(rule, balancer(subnets=["a"], subnetMappings=mapping)) == []
    assert kinds(rule, balancer(subnets=["a", "b"], subnetMappings=mapping[:1])) == [REFUSAL]
    assert kinds(rule, balancer(subnets=["a", "b"], subnetMappings=[])) == []
    assert kinds(rule, balancer(subnets=["a"], subnetMappings=[])) == [REFUSAL]


@pytest.mark.parametrize(
    ("kind", "protocols", "expected"),
    [
        ("gateway", [], []),
        ("application", ["HTTPS"], [REFUSAL]),
        ("application", [UNKNOWN], [REFUSAL]),
        ("application", ["TCP"], [REFUSAL]),
        (None, ["TCP"], [REFUSAL]),
        (5, ["TCP"], [REFUSAL]),
        ("network", [], [REFUSAL]),
        ("network", ["TCP"], []),
        ("network", ["tcp", "UDP"], []),
        ("network", ["TLS"], [REFUSAL]),
        ("network", ["TCP", "TLS"], [REFUSAL]),
        ("network", [UNKNOWN], [NOTE]),
        ("network", ["TCP", UNKNOWN], [NOTE]),
        (UNKNOWN, ["TCP"], [NOTE]),
        (UNKNOWN, ["TLS"], [NOTE]),
        (UNKNOWN, [UNKNOWN], [NOTE]),
    ],
    ids=str,
)
def test_access_is_logged_where_aws_does(
    kind: Any, protocols: list[Any], expected: list[Kind]
) -> None:
    one = balancer(kind)
    assert kinds(LOGS, one, *listeners(one, *protocols)) == expected
    logged = balancer(kind, accessLogs={"enabled": True})
    assert kinds(LOGS, logged, *listeners(logged, *protocols)) == []
    unknown = balancer(kind, accessLogs={"enabled": UNKNOWN})
    noted = [] if kind == "gateway" else [NOTE]
    assert kinds(LOGS, unknown, *listeners(unknown, "TCP")) == noted


def test_the_note_on_access_logs_says_what_is_missing() -> None:
    one = balancer(UNKNOWN)
    (verdict,) = verdicts(LOGS, one, *listeners(one, UNKNOWN))
    assert "the protocol of its listeners" in verdict.unknown
    (verdict,) = verdicts(LOGS, one, *listeners(one, "TCP"))
    assert "loadBalancerType" in verdict.unknown


def test_a_listener_whose_balancer_is_not_known_may_be_the_balancer_s() -> None:
    somewhere = made(LISTENER, "l", protocol="TCP", loadBalancerArn=UNKNOWN)
    assert kinds(LOGS, balancer("network"), somewhere) == [NOTE]
    assert kinds(LOGS, balancer("application"), somewhere) == [REFUSAL]


def redirect(to: Any = "HTTPS", kind: Any = "redirect") -> dict[str, Any]:
    return {"type": kind, "redirect": {"protocol": to, "statusCode": "HTTP_301"}}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"protocol": "HTTPS"}, []),
        ({"protocol": "tcp"}, []),
        ({}, []),
        ({"port": 80}, [REFUSAL]),
        ({"protocol": 5}, [REFUSAL]),
        ({"protocol": UNKNOWN}, [NOTE]),
        ({"protocol": "HTTP"}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": []}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": [redirect()]}, []),
        ({"protocol": "http", "defaultActions": [redirect("https", "Redirect")]}, []),
        ({"protocol": "HTTP", "defaultActions": redirect()}, []),
        ({"protocol": "SCTP", "defaultActions": [redirect()]}, [REFUSAL]),
        ({"protocol": 5, "defaultActions": [redirect()]}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": [redirect("HTTP")]}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": [redirect(kind="forward")]}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": [redirect(), {"type": "forward"}]}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": ["redirect"]}, [REFUSAL]),
        ({"protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}, [REFUSAL]),
        (
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": "HTTPS"}]},
            [REFUSAL],
        ),
        ({"protocol": "HTTP", "defaultActions": UNKNOWN}, [NOTE]),
        ({"protocol": "HTTP", "defaultActions": [UNKNOWN]}, [NOTE]),
        ({"protocol": "HTTP", "defaultActions": [redirect(), UNKNOWN]}, [NOTE]),
        ({"protocol": "HTTP", "defaultActions": [redirect(UNKNOWN)]}, [NOTE]),
        ({"protocol": "HTTP", "defaultActions": [redirect(kind=UNKNOWN)]}, [NOTE]),
        (
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": UNKNOWN}]},
            [NOTE],
        ),
    ],
    ids=str,
)
def test_plain_http_only_sends_to_https(properties: Any, expected: list[Kind]) -> None:
    assert kinds("lb-no-plain-http", made(LISTENER, "l", **properties)) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"protocol": "TLS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}, []),
        ({"protocol": "https", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}, []),
        ({"protocol": "https", "sslPolicy": "ELBSecurityPolicy-2016-08"}, [REFUSAL]),
        ({"protocol": "TLS"}, [REFUSAL]),
        ({"protocol": "TLS", "sslPolicy": 5}, [REFUSAL]),
        ({"protocol": "TLS", "sslPolicy": UNKNOWN}, [NOTE]),
        ({"protocol": UNKNOWN}, [NOTE]),
        ({"protocol": "TCP"}, []),
        ({"protocol": 5}, [REFUSAL]),
        ({"protocol": "HTTP", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}, [REFUSAL]),
    ],
    ids=str,
)
def test_tls_is_modern(properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("lb-modern-tls", made(LISTENER, "l", **properties)) == expected


@pytest.mark.parametrize(
    ("protocol", "of_listeners", "expected"),
    [
        ("HTTPS", [], []),
        (None, [], []),
        (UNKNOWN, [], [NOTE]),
        ("HTTP", [], [REFUSAL]),
        ("http", ["HTTPS"], []),
        ("HTTP", ["HTTPS", "https"], []),
        ("HTTP", ["HTTPS", "HTTP"], [REFUSAL]),
        ("HTTP", ["HTTPS", UNKNOWN], [NOTE]),
        ("HTTP", ["HTTPS", None], [REFUSAL]),
    ],
    ids=str,
)
def test_targets_get_plain_http_behind_https_only(
    protocol: Any, of_listeners: list[Any], expected: list[Kind]
) -> None:
    group = made(TARGETS, "t", protocol=protocol)
    forwarding = [
        made(LISTENER, f"l{number}", protocol=one, defaultActions=(group,))
        for number, one in enumerate(of_listeners)
    ]
    assert kinds("lb-targets-encrypted", group, *forwarding) == expected


def test_a_listener_whose_targets_are_not_known_may_forward_to_them() -> None:
    group = made(TARGETS, "t", protocol="HTTP")
    somewhere = made(LISTENER, "x", protocol="HTTP", defaultActions=UNKNOWN)
    assert found("lb-targets-encrypted", group, somewhere) == [(NOTE, "t")]
    decrypting = made(LISTENER, "l", protocol="HTTPS", defaultActions=(group,))
    assert found("lb-targets-encrypted", group, decrypting, somewhere) == []
