"""Rules for what a network needs as a whole: flow logs, endpoints, groups and ACLs in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .database_subnets import SUBNET_GROUP
from .documents import Statement, matches
from .inventory import Resource, Stack
from .links import sources, targets
from .network_acls import ACLS
from .networks import ENDPOINT, SUBNET, VPC
from .openings import EGRESS_RULE, GROUP, GROUP_RULE, INGRESS_RULE
from .permissions import DOCUMENT_TYPES, identity_statements
from .requirements import ADVISORY_BELOW_STAGING, ADVISORY_EVERYWHERE, flag, on_resource
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, sequence, shown, text

FLOW_LOG: Final = "aws:ec2/flowLog:FlowLog"
ENDPOINT_SERVICE: Final = "aws:ec2/vpcEndpointService:VpcEndpointService"
ACL_ASSOCIATION: Final = "aws:ec2/networkAclAssociation:NetworkAclAssociation"
ADDRESS: Final = "aws:ec2/eip:Eip"
ADDRESS_ASSOCIATION: Final = "aws:ec2/eipAssociation:EipAssociation"
_ADDRESS_USERS: Final = (
    (ADDRESS_ASSOCIATION, "allocationId"),
    ("aws:ec2/natGateway:NatGateway", "allocationId"),
    ("aws:transfer/server:Server", "endpointDetails"),
    ("aws:lb/loadBalancer:LoadBalancer", "subnetMappings"),
)
# By these a group, or a rule, says which group it is, or is of.
_OWN_GROUP: Final = {
    GROUP: "name",
    **dict.fromkeys((GROUP_RULE, INGRESS_RULE, EGRESS_RULE), "securityGroupId"),
}
# What functions and hosts beside a database call from inside of the VPC.
_SERVICES: Final = ("s3", "secretsmanager", "logs")
_KEY_USES: Final = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")


def _records(flow_log: Resource, _context: Context) -> Iterator[Outcome]:
    traffic = text(flow_log.get("trafficType"), default="ALL")
    if traffic is UNKNOWN:
        yield Unverified(flow_log, "trafficType")
    elif traffic not in ("ALL", "REJECT"):
        found = f"has trafficType = {shown(flow_log.get('trafficType'))}"
        yield Violation(flow_log, found, "be ALL or REJECT")


def _flow_logs(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for vpc in stack.of_type(VPC):
        logs = sources(stack, vpc, (FLOW_LOG,), "vpcId")
        if logs.undecided:
            yield Unverified(vpc, "the vpcId of a FlowLog")
        elif not logs.found:
            yield Violation(vpc, "has no FlowLog in this stack", "have one")


def _endpoints(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for vpc in stack.of_type(VPC):
        subnets = sources(stack, vpc, (SUBNET,), "vpcId").found
        if not any(sources(stack, one, (SUBNET_GROUP,), "subnetIds").found for one in subnets):
            continue  # no database here
        endpoints = sources(stack, vpc, (ENDPOINT,), "vpcId")
        names = [one.get("serviceName") for one in endpoints.found]
        have = {str(name).rpartition(".")[2] for name in names if isinstance(name, str)}
        wanted = (*_SERVICES, "kms") if _calls_kms(stack) else _SERVICES
        missing = [one for one in wanted if one not in have]
        if missing and (endpoints.undecided or UNKNOWN in names):
            yield Unverified(vpc, "the serviceName of a VpcEndpoint")
        elif missing:
            yield Violation(vpc, f"has no endpoint for {', '.join(missing)}", "have one for each")


def _calls_kms(stack: Stack) -> bool:
    """Whether a policy of the stack allows using keys directly, not only through a service.

    With kms:ViaService it is the service that calls KMS, from outside of the VPC.
    """
    return any(
        isinstance(one, Statement)
        and one.allows
        and "kms:viaservice" not in str(one.condition).lower()
        and any(
            isinstance(action, str) and any(matches(action, used) for used in _KEY_USES)
            for action in one.actions
        )
        for resource in stack.of_type(*DOCUMENT_TYPES)
        for _place, one in identity_statements(resource, "")
    )


def _acl_attached(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for acl in stack.of_type(ACLS[0]):
        associations = sources(stack, acl, (ACL_ASSOCIATION,), "networkAclId")
        subnets = sequence(acl.get("subnetIds"))
        if associations.found or (isinstance(subnets, list) and subnets):
            continue
        if associations.undecided or subnets is UNKNOWN:
            yield Unverified(acl, "subnetIds")
        else:
            yield Violation(acl, "stands before no subnet", "have subnetIds, or be removed")


def _groups_used(stack: Stack, _context: Context) -> Iterator[Outcome]:
    groups = stack.of_type(GROUP)
    if not groups:
        return
    used: set[Resource] = set()
    undecided = False
    for resource in stack.resources:
        for name in resource.properties:
            # What stands in a group, or is a rule of it, is not yet a use of it.
            if name == _OWN_GROUP.get(resource.type):
                continue
            links = targets(stack, resource, name, (GROUP,))
            used.update(one for one in links.found if one is not resource)
            undecided |= "ecurityGroup" in name and links.undecided
    for group in groups:
        if group in used:
            continue
        if undecided:
            yield Unverified(group, "what uses it")
        else:
            yield Violation(group, "is used by nothing in this stack", "be used, or be removed")


def _ec2_endpoint(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for vpc in stack.of_type(VPC):
        endpoints = sources(stack, vpc, (ENDPOINT,), "vpcId")
        names = [one.get("serviceName") for one in endpoints.found]
        if any(isinstance(name, str) and name.endswith(".ec2") for name in names):
            continue
        if endpoints.undecided or UNKNOWN in names:
            yield Unverified(vpc, "the serviceName of a VpcEndpoint")
        else:
            yield Violation(vpc, "has no endpoint for ec2", "have one")


def _addresses_used(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for address in stack.of_type(ADDRESS):
        if address.get("instance") not in (None, ""):
            continue
        users = [
            one
            for kind, name in _ADDRESS_USERS
            for one in sources(stack, address, (kind,), name).found
            if kind != ADDRESS_ASSOCIATION or one.get("instanceId") not in (None, "")
        ]
        undecided = any(
            sources(stack, address, (kind,), name).undecided for kind, name in _ADDRESS_USERS
        )
        if not users and undecided:
            yield Unverified(address, "what uses it")
        elif not users:
            yield Violation(address, "belongs to no host or gateway", "be used, or be removed")


RULES: Final = (
    Rule(
        id="net-ec2-endpoint",
        title="EC2's API is reached inside the VPC",
        what="Every VPC has an endpoint for EC2. This is advice: no role of pgkeep's hosts and "
        "functions may call EC2's API, and an endpoint takes over its name in the whole VPC: its "
        "group and policy would lock out what else runs there, for about 8 USD a month and zone.",
        why="Calls of EC2's API would leave through NAT, where nothing says what may pass.",
        remediation="add aws.ec2.VpcEndpoint for the service ec2, with a group and a policy for "
        "whoever calls it.",
        severity=Severity.MEDIUM,
        catalogue=("NET-10",),
        controls=("EC2.10",),
        types=(),
        enforcement=ADVISORY_EVERYWHERE,
        check_stack=_ec2_endpoint,
        joined_types=(VPC, ENDPOINT),
    ),
    Rule(
        id="net-addresses-used",
        title="Public addresses belong to something",
        what="Every elastic address belongs to a host or a gateway.",
        why="An address that is left over is allowed in somewhere, and is given to anything next.",
        remediation="set instance on the aws.ec2.Eip, or remove it.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-02",),
        controls=("CKV2_AWS_19",),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_addresses_used,
        joined_types=(ADDRESS, ADDRESS_ASSOCIATION),
    ),
    Rule(
        id="net-flow-logs",
        title="VPCs record their traffic",
        what="Every VPC of the stack has a FlowLog, of all or of the rejected traffic.",
        why="After an incident nobody could say what left the network.",
        remediation="set network.flow_logs.enabled: true in stacks/Pulumi.<environment>.yaml, or "
        "add aws.ec2.FlowLog.",
        severity=Severity.MEDIUM,
        catalogue=("NET-07",),
        controls=("CKV2_AWS_11", "EC2.6", "4.7"),
        types=(FLOW_LOG,),
        check_resource=_records,
        check_stack=_flow_logs,
        joined_types=(VPC,),
    ),
    Rule(
        id="net-endpoints-exist",
        title="AWS's services are reached inside the VPC",
        what="Every VPC with a database has endpoints for S3, Secrets Manager and Logs, and for "
        "KMS where a policy lets keys be used other than through a service (kms:ViaService).",
        why="Backups and secrets would leave through NAT, where nothing says what may pass.",
        remediation="set network.interface_endpoints: true in stacks/Pulumi.<environment>.yaml, or "
        "add aws.ec2.VpcEndpoint.",
        severity=Severity.MEDIUM,
        catalogue=("NET-10",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_endpoints,
        joined_types=(VPC, ENDPOINT),
    ),
    Rule(
        id="net-endpoint-service-asks",
        title="Nobody connects to an endpoint service unasked",
        what="acceptanceRequired is true on every VPC endpoint service.",
        why="Whoever is allowed to see the service would be connected to the pooler at once.",
        remediation="set acceptance_required = True on the aws.ec2.VpcEndpointService.",
        severity=Severity.HIGH,
        catalogue=("NET-10",),
        controls=("CKV_AWS_123",),
        types=(ENDPOINT_SERVICE,),
        check_resource=on_resource(flag("acceptanceRequired", True, default=False)),
    ),
    Rule(
        id="net-acl-attached",
        title="Network ACLs stand before a subnet",
        what="Every network ACL has subnets, or an association.",
        why="Whoever reads the program believes in a guard that guards nothing.",
        remediation="set subnet_ids on the aws.ec2.NetworkAcl.",
        severity=Severity.MEDIUM,
        catalogue=("NET-09",),
        controls=("CKV2_AWS_1",),
        types=(),
        check_stack=_acl_attached,
        joined_types=ACLS,
    ),
    Rule(
        id="net-group-used",
        title="Security groups are used",
        what="Every security group is attached to something, or named by a rule of another group.",
        why="A forgotten group with open rules is attached by mistake years later.",
        remediation="attach the group, or remove it.",
        severity=Severity.MEDIUM,
        catalogue=("NET-06",),
        controls=("CKV2_AWS_5",),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_groups_used,
        joined_types=(GROUP, GROUP_RULE),
    ),
)
