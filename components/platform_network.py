"""Where a stack is: its own VPC or an existing one, who may reach what, and the ways to AWS."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import existing_endpoints, existing_network
from components.backup_names import bucket_name
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.flow_logs import FlowLogs
from components.network import Network, Placement
from components.security_groups import SecurityGroups
from components.service_endpoints import ServiceEndpoints


@dataclass(frozen=True)
class PlatformNetwork:
    """Subnets, security groups, and the endpoints of AWS's services."""

    placement: Placement
    groups: SecurityGroups
    endpoints: ServiceEndpoints

    @property
    def reachable(self) -> list[pulumi.Resource]:
        """Once these are there, functions and hosts reach the database and AWS's services."""
        return [*self.groups.rules, *self.endpoints.resources]


def find_existing(deployment: Deployment) -> Placement | None:
    """The existing VPC, with all that this stack needs of it; None where it makes its own."""
    existing = deployment.settings.network.existing
    if existing is None:
        return None
    existing_endpoints.check(deployment, existing)
    return existing_network.find(existing)


def make_network(
    deployment: Deployment,
    found: Placement | None,
    keys: EncryptionKeys,
    opts: pulumi.ResourceOptions,
) -> PlatformNetwork:
    """In the VPC that was found, or in one of its own."""
    settings = deployment.settings.network
    placement = found or _own(deployment, opts)
    groups = SecurityGroups("security-groups", deployment, placement.vpc_id, opts=opts)
    endpoints = ServiceEndpoints(
        "endpoints",
        deployment,
        placement,
        groups,
        bucket_name=bucket_name(deployment),
        opts=opts,
    )
    # Whoever owns an existing VPC logs its traffic.
    if found is None and settings.flow_logs.enabled:
        FlowLogs("flow-logs", deployment, vpc_id=placement.vpc_id, keys=keys, opts=opts)
    if settings.instance_connect_endpoint:
        aws.ec2transitgateway.InstanceConnectEndpoint(
            "administration",
            subnet_id=placement.host_subnet_ids[0],
            security_group_ids=[groups.group_id("administration")],
            preserve_client_ip=False,
            tags=deployment.tags(deployment.name("administration")),
            opts=opts,
        )
    return PlatformNetwork(placement, groups, endpoints)


def _own(deployment: Deployment, opts: pulumi.ResourceOptions) -> Placement:
    vpc_cidr = deployment.settings.network.vpc_cidr
    if vpc_cidr is None:
        raise AssertionError("stacks.rules refuses settings without a network")
    return Network("network", deployment, vpc_cidr, opts).placement
