"""Rules for load balancers: zones, logs, TLS of listeners, what targets are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from .hosts import BALANCER, TARGET_GROUP
from .inventory import Resource, Stack
from .links import sources
from .requirements import (
    ADVISORY_BELOW_STAGING,
    Part,
    at_least,
    flag,
    on_resource,
    one_of,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, boolean, one_or_many, shown, text

LISTENER: Final = "aws:lb/listener:Listener"
CLASSIC_BALANCER: Final = "aws:elb/loadBalancer:LoadBalancer"
_PASSED_THROUGH: Final = frozenset({"TCP", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"})
_ENCRYPTED: Final = frozenset({"HTTPS", "TLS"})
# Policies without TLS 1.0 and 1.1.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
_MODERN_POLICY: Final = re.compile(
    r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)(?!\d)[A-Za-z0-9-]*"
)


def _crosses_zones(balancer: Resource, context: Context) -> Iterator[Outcome]:
    kind = text(balancer.get("loadBalancerType"), default="application")
    if kind is UNKNOWN:
        yield Unverified(balancer, "loadBalancerType")
    elif kind != "application":  # An application balancer always crosses zones.
        crosses = flag("enableCrossZoneLoadBalancing", True, default=False)
        yield from on_resource(crosses)(balancer, context)


def _drops_invalid_headers(balancer: Resource, context: Context) -> Iterator[Outcome]:
    kind = text(balancer.get("loadBalancerType"), default="application")
    if kind is UNKNOWN:
        yield Unverified(balancer, "loadBalancerType")
    elif kind not in ("network", "gateway"):
        drops = flag("dropInvalidHeaderFields", True, default=False)
        yield from on_resource(drops)(balancer, context)


def _several_zones(balancer: Resource, context: Context) -> Iterator[Outcome]:
    # A provider that has read a balancer back leaves an empty list for what nobody set.
    name = "subnetMappings" if balancer.get("subnetMappings") not in (None, []) else "subnets"
    yield from on_resource(at_least(name, 2, "subnets in different zones"))(balancer, context)


def _logs(stack: Stack, context: Context) -> Iterator[Outcome]:
    for balancer in stack.of_type(BALANCER):
        kind = text(balancer.get("loadBalancerType"), default="application")
        if kind == "gateway":
            continue  # has no access logs
        enabled = boolean(
            Part(balancer, context, "", balancer.properties).read("accessLogs.enabled"),
            default=False,
        )
        if enabled is True:
            continue
        if enabled is UNKNOWN:
            yield Unverified(balancer, "accessLogs.enabled")
            continue
        # A network balancer logs what it decrypts, nothing else.
        listeners = sources(stack, balancer, (LISTENER,), "loadBalancerArn")
        protocols = [one.get("protocol") for one in listeners.found]
        if kind in ("network", UNKNOWN) and (UNKNOWN in protocols or listeners.undecided):
            yield Unverified(balancer, "the protocol of its listeners")
        elif kind is UNKNOWN:
            yield Unverified(balancer, "loadBalancerType")
        elif (
            kind != "network"
            or not protocols
            or any(str(one).upper() not in _PASSED_THROUGH for one in protocols)
        ):
            found = f"has accessLogs = {shown(balancer.get('accessLogs'))}"
            yield Violation(balancer, found, "have accessLogs enabled")


def _redirects(listener: Resource) -> object:
    """Whether every action of an HTTP listener sends the client to HTTPS."""
    actions = one_or_many(listener.get("defaultActions"))
    if UNKNOWN in actions:
        return UNKNOWN
    answers: list[object] = []
    for action in actions:
        fields = cast("dict[str, object]", action) if isinstance(action, dict) else {}
        redirect = fields.get("redirect")
        to = cast("dict[str, object]", redirect) if isinstance(redirect, dict) else {}
        if UNKNOWN in (fields.get("type"), redirect, to.get("protocol")):
            return UNKNOWN
        answers.append(
            str(fields.get("type")).lower() == "redirect"
            and str(to.get("protocol")).upper() == "HTTPS"
        )
    return bool(answers) and all(answers)


def _not_plain(listener: Resource, _context: Context) -> Iterator[Outcome]:
    protocol = listener.get("protocol")
    limit = "use HTTPS or TLS, pass TCP through, or redirect to HTTPS"
    if protocol is UNKNOWN:
        yield Unverified(listener, "protocol")
    elif protocol is None and listener.get("port") is None:
        return  # A listener of a gateway balancer has neither.
    elif not isinstance(protocol, str) or protocol.upper() not in _PASSED_THROUGH | _ENCRYPTED:
        redirects = _redirects(listener) if str(protocol).upper() == "HTTP" else False
        if redirects is UNKNOWN:
            yield Unverified(listener, "defaultActions")
        elif not redirects:
            yield Violation(listener, f"has protocol = {shown(protocol)}", limit)


def _modern_tls(listener: Resource, context: Context) -> Iterator[Outcome]:
    protocol = listener.get("protocol")
    if protocol is UNKNOWN:
        yield Unverified(listener, "protocol")
        return
    if not isinstance(protocol, str) or protocol.upper() not in _ENCRYPTED:
        yield from _not_plain(listener, context)
        return
    policy = text(listener.get("sslPolicy"))
    if policy is UNKNOWN:
        yield Unverified(listener, "sslPolicy")
    elif not isinstance(policy, str) or not _MODERN_POLICY.fullmatch(policy):
        found = f"has sslPolicy = {shown(listener.get('sslPolicy'))}"
        yield Violation(listener, found, "be a policy without TLS 1.0 and 1.1")


def _targets_encrypted(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for group in stack.of_type(TARGET_GROUP):
        protocol = group.get("protocol")
        if protocol is UNKNOWN:
            yield Unverified(group, "protocol")
        elif str(protocol).upper() == "HTTP":
            listeners = sources(stack, group, (LISTENER,), "defaultActions")
            encrypted = [str(one.get("protocol")).upper() in _ENCRYPTED for one in listeners.found]
            if encrypted and all(encrypted):
                continue
            if listeners.undecided or any(
                one.get("protocol") is UNKNOWN for one in listeners.found
            ):
                yield Unverified(group, "the listeners that forward to it")
            else:
                limit = "get HTTPS, TLS or TCP, or stand behind listeners that all decrypt"
                yield Violation(group, 'has protocol = "HTTP"', limit)


RULES: Final = (
    Rule(
        id="lb-cross-zone",
        title="Balancers use the hosts of every zone",
        what="enableCrossZoneLoadBalancing is true on network and gateway balancers.",
        why="With one host down its zone's clients would be refused while others idle.",
        remediation="set enable_cross_zone_load_balancing = True (components/pooler.py).",
        severity=Severity.MEDIUM,
        catalogue=("NLB-01",),
        controls=("CKV_AWS_152",),
        types=(BALANCER,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_crosses_zones,
    ),
    Rule(
        id="lb-drops-invalid-headers",
        title="Application balancers drop invalid headers",
        what="dropInvalidHeaderFields is true on every application balancer.",
        why="Balancer and host may read such a header differently, and let a request through.",
        remediation="set drop_invalid_header_fields = True on the aws.lb.LoadBalancer.",
        severity=Severity.MEDIUM,
        catalogue=("NLB-01",),
        controls=("CKV_AWS_131",),
        types=(BALANCER,),
        check_resource=_drops_invalid_headers,
    ),
    Rule(
        id="lb-desync-defended",
        title="Balancers do not pass ambiguous requests on",
        what="desyncMitigationMode is defensive or strictest.",
        why="A request that two readers cut differently smuggles a second one in.",
        remediation='leave desync_mitigation_mode out, or set it to "strictest".',
        severity=Severity.MEDIUM,
        catalogue=("NLB-01",),
        controls=("CKV_AWS_328",),
        types=(BALANCER, CLASSIC_BALANCER),
        check_resource=on_resource(
            one_of("desyncMitigationMode", ("defensive", "strictest"), default="defensive")
        ),
    ),
    Rule(
        id="lb-several-zones",
        title="Balancers stand in two zones",
        what="Every balancer has subnets, or subnet mappings, in at least two zones.",
        why="The loss of one zone would take the only door to the database.",
        remediation="set network.availability_zone_count: 2 or more.",
        severity=Severity.HIGH,
        catalogue=("NLB-01",),
        controls=("ELB.13",),
        types=(BALANCER,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_several_zones,
    ),
    Rule(
        id="lb-access-logs",
        title="Balancers log who connects",
        what="accessLogs is enabled on application balancers, and on network balancers that "
        "decrypt; of what passes through, AWS writes no access log (flow logs have it).",
        why="After an incident nobody could say who had connected.",
        remediation="set access_logs with a bucket and enabled = True on the aws.lb.LoadBalancer.",
        severity=Severity.MEDIUM,
        catalogue=("NLB-01",),
        controls=("CKV_AWS_91", "ELB.5"),
        types=(),
        check_stack=_logs,
        joined_types=(BALANCER, LISTENER),
    ),
    Rule(
        id="lb-no-plain-http",
        title="Listeners take no plain HTTP",
        what="Listeners use HTTPS or TLS, pass TCP or UDP through, or redirect to HTTPS.",
        why="Passwords and data would cross the network in plain text.",
        remediation="set protocol on the aws.lb.Listener; for PostgreSQL pass TCP through to "
        "PgBouncer, which ends TLS (components/pooler.py).",
        severity=Severity.HIGH,
        catalogue=("NLB-02",),
        controls=("CKV_AWS_2", "ELB.18"),
        types=(LISTENER,),
        check_resource=_not_plain,
    ),
    Rule(
        id="lb-modern-tls",
        title="Listeners use TLS 1.2 or newer",
        what="sslPolicy of every listener with TLS is one without TLS 1.0 and 1.1.",
        why="Older versions are broken, and clients can be talked down to them.",
        remediation='set ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06".',
        severity=Severity.HIGH,
        catalogue=("NLB-02",),
        controls=("CKV_AWS_103", "CKV2_AWS_74", "ELB.17"),
        types=(LISTENER,),
        check_resource=_modern_tls,
    ),
    Rule(
        id="lb-targets-encrypted",
        title="Targets are not sent plain HTTP",
        what="No target group has the protocol HTTP, unless all its listeners decrypt HTTPS.",
        why="What a listener takes in plain text it would pass on in plain text.",
        remediation="set protocol of the aws.lb.TargetGroup to TCP, TLS or HTTPS.",
        severity=Severity.HIGH,
        catalogue=("NLB-03",),
        controls=("CKV_AWS_378",),
        types=(),
        check_stack=_targets_encrypted,
        joined_types=(TARGET_GROUP, LISTENER),
    ),
)
