"""Load balancers: which kind, which listeners and which targets a rule is about."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.good_stack import UNKNOWN_STRING as UNKNOWN
from tests.policies.one_rule import NOTED, REFUSED, found, kinds, made, verdicts

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
    application = [REFUSED] if rule == "lb-drops-invalid-headers" else []
    others = [] if application else [REFUSED]
    for kind, expected in (
        (None, application),
        ("application", application),
        ("network", others),
        ("gateway", others),
        (UNKNOWN, [NOTED]),
    ):
        assert kinds(rule, balancer(kind)) == expected
        assert kinds(rule, balancer(kind, **{flag: True})) == [
            one for one in expected if one is NOTED
        ]


def test_zones_are_those_of_the_subnets_or_of_the_mappings() -> None:
    rule, mapping = "lb-several-zones", [{"subnetId": "a"}, {"subnetId": "b"}]
    assert kinds(rule, balancer(subnets=["a", "b"])) == []
    assert kinds(rule, balancer(subnets=["a"])) == [REFUSED]
    assert kinds(rule, balancer(subnetMappings=mapping)) == []
    assert kinds(rule, balancer(subnets=["a"], subnetMappings=mapping)) == []
    assert kinds(rule, balancer(subnets=["a", "b"], subnetMappings=mapping[:1])) == [REFUSED]


@pytest.mark.parametrize(
    ("kind", "protocols", "expected"),
    [
        ("gateway", [], []),
        ("application", ["HTTPS"], [REFUSED]),
        ("application", [UNKNOWN], [REFUSED]),
        ("application", ["TCP"], [REFUSED]),
        (None, ["TCP"], [REFUSED]),
        (5, ["TCP"], [REFUSED]),
        ("network", [], [REFUSED]),
        ("network", ["TCP"], []),
        ("network", ["tcp", "UDP"], []),
        ("network", ["TLS"], [REFUSED]),
        ("network", ["TCP", "TLS"], [REFUSED]),
        ("network", [UNKNOWN], [NOTED]),
        ("network", ["TCP", UNKNOWN], [NOTED]),
        (UNKNOWN, ["TCP"], [NOTED]),
        (UNKNOWN, ["TLS"], [NOTED]),
        (UNKNOWN, [UNKNOWN], [NOTED]),
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
    noted = [] if kind == "gateway" else [NOTED]
    assert kinds(LOGS, unknown, *listeners(unknown, "TCP")) == noted


def test_the_note_on_access_logs_says_what_is_missing() -> None:
    one = balancer(UNKNOWN)
    (verdict,) = verdicts(LOGS, one, *listeners(one, UNKNOWN))
    assert "the protocol of its listeners" in verdict.unknown
    (verdict,) = verdicts(LOGS, one, *listeners(one, "TCP"))
    assert "loadBalancerType" in verdict.unknown


def test_a_listener_whose_balancer_is_not_known_may_be_the_balancer_s() -> None:
    somewhere = made(LISTENER, "l", protocol="TCP", loadBalancerArn=UNKNOWN)
    assert kinds(LOGS, balancer("network"), somewhere) == [NOTED]
    assert kinds(LOGS, balancer("application"), somewhere) == [REFUSED]


def redirect(to: Any = "HTTPS", kind: Any = "redirect") -> dict[str, Any]:
    return {"type": kind, "redirect": {"protocol": to, "statusCode": "HTTP_301"}}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"protocol": "HTTPS"}, []),
        ({"protocol": "tcp"}, []),
        ({}, []),
        ({"port": 80}, [REFUSED]),
        ({"protocol": 5}, [REFUSED]),
        ({"protocol": UNKNOWN}, [NOTED]),
        ({"protocol": "HTTP"}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": []}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": [redirect()]}, []),
        ({"protocol": "http", "defaultActions": [redirect("https", "Redirect")]}, []),
        ({"protocol": "HTTP", "defaultActions": redirect()}, []),
        ({"protocol": "SCTP", "defaultActions": [redirect()]}, [REFUSED]),
        ({"protocol": 5, "defaultActions": [redirect()]}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": [redirect("HTTP")]}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": [redirect(kind="forward")]}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": [redirect(), {"type": "forward"}]}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": ["redirect"]}, [REFUSED]),
        ({"protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}, [REFUSED]),
        (
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": "HTTPS"}]},
            [REFUSED],
        ),
        ({"protocol": "HTTP", "defaultActions": UNKNOWN}, [NOTED]),
        ({"protocol": "HTTP", "defaultActions": [UNKNOWN]}, [NOTED]),
        ({"protocol": "HTTP", "defaultActions": [redirect(), UNKNOWN]}, [NOTED]),
        ({"protocol": "HTTP", "defaultActions": [redirect(UNKNOWN)]}, [NOTED]),
        ({"protocol": "HTTP", "defaultActions": [redirect(kind=UNKNOWN)]}, [NOTED]),
        (
            {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": UNKNOWN}]},
            [NOTED],
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
        ({"protocol": "https", "sslPolicy": "ELBSecurityPolicy-2016-08"}, [REFUSED]),
        ({"protocol": "TLS"}, [REFUSED]),
        ({"protocol": "TLS", "sslPolicy": 5}, [REFUSED]),
        ({"protocol": "TLS", "sslPolicy": UNKNOWN}, [NOTED]),
        ({"protocol": UNKNOWN}, [NOTED]),
        ({"protocol": "TCP"}, []),
        ({"protocol": 5}, [REFUSED]),
        ({"protocol": "HTTP", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}, [REFUSED]),
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
        (UNKNOWN, [], [NOTED]),
        ("HTTP", [], [REFUSED]),
        ("http", ["HTTPS"], []),
        ("HTTP", ["HTTPS", "https"], []),
        ("HTTP", ["HTTPS", "HTTP"], [REFUSED]),
        ("HTTP", ["HTTPS", UNKNOWN], [NOTED]),
        ("HTTP", ["HTTPS", None], [REFUSED]),
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
    assert found("lb-targets-encrypted", group, somewhere) == [(NOTED, "t")]
    decrypting = made(LISTENER, "l", protocol="HTTPS", defaultActions=(group,))
    assert found("lb-targets-encrypted", group, decrypting, somewhere) == []
