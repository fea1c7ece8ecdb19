"""Rules for networks: what security groups let in and out, subnets, NACLs, endpoints, peering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .documents import MalformedDocumentError, Statement, is_wildcard, parse
from .inventory import Resource
from .joins import beside
from .network_acls import RULES as ACL_RULES
from .openings import (
    DEFAULT_GROUP,
    GROUP,
    GROUP_TYPES,
    Opening,
    is_world,
    openings,
)
from .requirements import each, flag, on_resource, text_where
from .rules import (
    Context,
    Environment,
    Outcome,
    ResourceCheck,
    Rule,
    Severity,
    Unverified,
    Violation,
)
from .values import UNKNOWN, Unknown, contains_unknown, one_or_many, shown

VPC: Final = "aws:ec2/vpc:Vpc"
SUBNET: Final = "aws:ec2/subnet:Subnet"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
ROUTE: Final = "aws:ec2/route:Route"
ROUTE_TABLE: Final = "aws:ec2/routeTable:RouteTable"
_DATABASE_PORTS: Final = (5432, 6432, 6543)
# Security Hub EC2.19: FTP, SSH, Telnet, mail, RPC, SMB, databases, RDP, consoles, search.
_HIGH_RISK_PORTS: Final = (
    *(20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432),
    *(5500, 5601, 8080, 8088, 8888, 9200, 9300),
)
_WEB_PORTS: Final = ((443, 443), (80, 80))
_NETWORK_REMEDIATION: Final = (
    "name the security group that may connect (components/security_groups.py, or "
    "referencedSecurityGroupId of the rule) instead of a network."
)


def _closed_to_world(
    direction: str,
    limit: str,
    reached: Callable[[Opening], bool | Unknown],
    *,
    world_only: bool = True,
) -> ResourceCheck:
    """No opening of which `reached` is true is for every address, or for any network at all."""

    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for opening in openings(resource, direction):
            if isinstance(opening, Opening):
                yield from opening.judged(reached(opening), limit, world_only=world_only)
            else:
                yield opening

    return check


_no_world_ingress_everywhere: Final = _closed_to_world(
    "ingress", "not open every port to every address", lambda opening: opening.all_ports
)
_world_reaches_web_only: Final = _closed_to_world(
    "ingress",
    "open at most port 443 or 80 to every address",
    lambda opening: UNKNOWN if opening.ports is UNKNOWN else opening.ports not in _WEB_PORTS,
)
_no_world_ingress_to_high_risk: Final = _closed_to_world(
    "ingress",
    "not open a port of administration, mail, search or a database to every address",
    lambda opening: opening.reaches(*_HIGH_RISK_PORTS),
)
_database_from_groups_only: Final = _closed_to_world(
    "ingress",
    "let only security groups reach PostgreSQL and PgBouncer (5432, 6432, 6543)",
    lambda opening: opening.reaches(*_DATABASE_PORTS),
    world_only=False,
)
_bounded_egress: Final = _closed_to_world(
    "egress",
    "name the ports, or the networks, that it needs to reach",
    lambda opening: opening.all_ports,
)


def _described(resource: Resource, context: Context) -> Iterator[Outcome]:
    limit = "say what it is for"

    def is_meant(text: str) -> bool:
        return bool(text.strip()) and not text.startswith("Managed by ")

    described = text_where("description", is_meant, limit)
    if resource.type != DEFAULT_GROUP:
        yield from on_resource(described)(resource, context)
    if resource.type in (GROUP, DEFAULT_GROUP):
        yield from on_resource(each("ingress", described), each("egress", described))(
            resource, context
        )


def _closed(group: Resource, _context: Context) -> Iterator[Outcome]:
    for direction in ("ingress", "egress"):
        rules = group.get(direction)
        if contains_unknown(rules):
            yield Unverified(group, direction)
        elif rules not in (None, []):
            yield Violation(group, f"has {direction} = {shown(rules)}", "have no rules")


def _not_default_vpc(vpc: Resource, _context: Context) -> Iterator[Outcome]:
    yield Violation(vpc, "uses the default VPC", "not be part of the stack")


def _endpoint_policy(endpoint: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "have a policy that names principals, actions or resources"
    try:
        statements = parse(endpoint.get("policy"))
    except MalformedDocumentError as error:
        yield Violation(endpoint, f"has a policy that {error}", limit)
        return
    if statements is UNKNOWN:
        yield Unverified(endpoint, "policy")
        return
    if not statements:
        yield Violation(endpoint, "has no policy, so that everything is allowed", limit)
    for statement in statements:
        if statement.unknown:
            yield Unverified(endpoint, f"statement {statement.number} of policy")
        elif not statement.allows or not _allows_everything(statement):
            continue
        elif UNKNOWN in (*statement.actions, *statement.resources, statement.condition):
            yield Unverified(endpoint, f"statement {statement.number} of policy")
        else:
            yield Violation(endpoint, f"allows everything in statement {statement.number}", limit)


def _allows_everything(statement: Statement) -> bool:
    return (
        statement.condition in (None, {}, UNKNOWN)
        and bool(statement.not_actions or any(_is_all(one) for one in statement.actions))
        and bool(statement.not_resources or any(_is_all(one) for one in statement.resources))
    )


def _is_all(pattern: object) -> bool:
    return not isinstance(pattern, str) or is_wildcard(pattern)


def _peering_routes(resource: Resource, _context: Context) -> Iterator[Outcome]:
    routes = one_or_many(resource.get("routes")) if resource.type == ROUTE_TABLE else [resource]
    for route in routes:
        if isinstance(route, Resource | dict):
            read = route.get
        else:
            if route is UNKNOWN:
                yield Unverified(resource, "a route")
            continue
        if read("vpcPeeringConnectionId") in (None, ""):
            continue
        names = ("destinationCidrBlock", "destinationIpv6CidrBlock", "cidrBlock", "ipv6CidrBlock")
        for name in names:
            network = read(name)
            if network is UNKNOWN:
                yield Unverified(resource, name)
            elif network not in (None, "") and is_world(network):
                found = f"routes {shown(network)} into a peered VPC"
                yield Violation(resource, found, "route only the networks that are needed")


def _world_port_rule(port: int, service: str, *controls: str) -> Rule:
    return Rule(
        id=f"net-no-world-{service.lower()}",
        title=f"{service} is not open to the world",
        what=f"No security group rule lets every address in to port {port}.",
        why="Scanners find an open port within minutes and try passwords and exploits on it.",
        remediation=_NETWORK_REMEDIATION,
        severity=Severity.CRITICAL,
        catalogue=("NET-02",),
        controls=controls,
        types=GROUP_TYPES,
        check_resource=_closed_to_world(
            "ingress",
            f"not open port {port} to every address",
            lambda opening: opening.reaches(port),
        ),
    )


RULES: Final = (
    Rule(
        id="net-no-world-ingress",
        title="No group opens every port to the world",
        what="No security group rule lets every address in to every port.",
        why="Whatever listens on the machine, now or later, would face the internet.",
        remediation=_NETWORK_REMEDIATION,
        severity=Severity.CRITICAL,
        catalogue=("NET-01",),
        controls=("CKV_AWS_277", "6.3", "6.4", "disallowPublicInternetIngress"),
        types=GROUP_TYPES,
        check_resource=_no_world_ingress_everywhere,
    ),
    Rule(
        id="net-world-reaches-web-only",
        title="The world reaches web ports at most",
        what="A security group rule that lets every address in is for port 443 or 80 only.",
        why="Every other open port is a mistake in a stack whose doors are pooler and database.",
        remediation=_NETWORK_REMEDIATION,
        severity=Severity.HIGH,
        catalogue=("NET-01",),
        controls=("EC2.18", "disallowPublicInternetIngress"),
        types=GROUP_TYPES,
        check_resource=_world_reaches_web_only,
    ),
    _world_port_rule(22, "SSH", "CKV_AWS_24", "EC2.13", "6.3", "6.4"),
    _world_port_rule(3389, "RDP", "CKV_AWS_25", "EC2.14", "6.3", "6.4"),
    _world_port_rule(80, "HTTP", "CKV_AWS_260"),
    _world_port_rule(21, "FTP"),
    Rule(
        id="net-no-world-high-risk",
        title="No group lets the world in to ports of high risk",
        what="No security group rule lets every address in to a port of administration, mail, "
        "search or a database (Security Hub's list).",
        why="These services are attacked within minutes of being reachable.",
        remediation=_NETWORK_REMEDIATION,
        severity=Severity.CRITICAL,
        catalogue=("NET-02", "NET-03"),
        controls=("EC2.19",),
        types=GROUP_TYPES,
        check_resource=_no_world_ingress_to_high_risk,
    ),
    Rule(
        id="net-database-from-groups-only",
        title="Only security groups reach the database and the pooler",
        what="No security group rule lets a network, narrow or wide, in to 5432, 6432 or 6543.",
        why="An address says nothing about who uses it; a security group is given on purpose.",
        remediation=_NETWORK_REMEDIATION,
        severity=Severity.CRITICAL,
        catalogue=("NET-03",),
        controls=(),
        types=GROUP_TYPES,
        never_exempt_in=frozenset({Environment.PROD}),
        check_resource=_database_from_groups_only,
    ),
    Rule(
        id="net-bounded-egress",
        title="No group lets everything out",
        what="No security group rule allows every port to every address outward.",
        why="A taken-over host could send the data anywhere.",
        remediation="name port and destination (components/security_groups.py, or the egress "
        "rules of the group).",
        severity=Severity.HIGH,
        catalogue=("NET-04",),
        controls=("CKV_AWS_382",),
        types=GROUP_TYPES,
        check_resource=_bounded_egress,
    ),
    Rule(
        id="net-rules-described",
        title="Groups and their rules say what they are for",
        what="Every security group and every rule of one has a description.",
        why="Nobody dares to remove a rule that nobody can explain.",
        remediation="set description on the group and on each of its rules.",
        severity=Severity.MEDIUM,
        catalogue=("NET-05",),
        controls=("CKV_AWS_23", "missingDescription"),
        types=GROUP_TYPES,
        check_resource=_described,
    ),
    Rule(
        id="net-default-group-closed",
        title="The default security group lets nothing through",
        what="Every VPC of the stack has a DefaultSecurityGroup without ingress and egress.",
        why="Whatever is started without a group gets the default one, which connects them all.",
        remediation="add aws.ec2.DefaultSecurityGroup(vpc_id=<vpc>.id, ingress=[], egress=[]).",
        severity=Severity.HIGH,
        catalogue=("NET-06",),
        controls=("CKV2_AWS_12", "EC2.2", "6.5"),
        types=(DEFAULT_GROUP,),
        check_resource=_closed,
        check_stack=beside(
            (VPC,), DEFAULT_GROUP, "vpcId", _closed, limit="have one, closed", identities=("id",)
        ),
    ),
    Rule(
        id="net-no-default-vpc",
        title="The default VPC is not used",
        what="No stack takes over a region's default VPC.",
        why="Its subnets are public, and everything started without a thought is in it.",
        remediation="set network.vpc_cidr in stacks/Pulumi.<environment>.yaml, which makes a VPC.",
        severity=Severity.HIGH,
        catalogue=("NET-07",),
        controls=("CKV_AWS_148",),
        types=("aws:ec2/defaultVpc:DefaultVpc",),
        check_resource=_not_default_vpc,
    ),
    Rule(
        id="net-no-public-addresses",
        title="Subnets give no public addresses",
        what="mapPublicIpOnLaunch is false on every subnet.",
        why="A machine started there would be on the internet without anybody's decision.",
        remediation="set map_public_ip_on_launch = False.",
        severity=Severity.HIGH,
        catalogue=("NET-08",),
        controls=("CKV_AWS_130", "EC2.15"),
        types=(SUBNET,),
        check_resource=on_resource(flag("mapPublicIpOnLaunch", False, default=False)),
    ),
    *ACL_RULES,
    Rule(
        id="net-endpoint-policy",
        title="VPC endpoints say what may pass",
        what="Every VPC endpoint has a policy, and none of its statements allows everything.",
        why="Through an open endpoint a taken-over host sends data to anybody's bucket.",
        remediation="set policy on the aws.ec2.VpcEndpoint (components/service_endpoints.py).",
        severity=Severity.HIGH,
        catalogue=("NET-10",),
        controls=(),
        types=(ENDPOINT,),
        check_resource=_endpoint_policy,
    ),
    Rule(
        id="net-peering-least-routes",
        title="Peered VPCs are reached by the routes that are needed",
        what="No route into a peering connection is for every address.",
        why="The whole traffic of a subnet would go through another account's network.",
        remediation="set destination_cidr_block to the peered VPC's network or to a part of it.",
        severity=Severity.HIGH,
        catalogue=("NET-11",),
        controls=("CKV2_AWS_44", "6.6"),
        types=(ROUTE, ROUTE_TABLE),
        check_resource=_peering_routes,
    ),
)
