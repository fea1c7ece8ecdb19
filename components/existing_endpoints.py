"""The endpoints of an existing VPC: looked up and checked, never changed."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.service_endpoints import endpoint_service_name, interface_services
from stacks.network_settings import ExistingNetwork

_FIELD = "network.existing.endpoints"


def check(deployment: Deployment, existing: ExistingNetwork) -> None:
    """Look up every endpoint that functions and hosts of this stack need.

    Without one a host would not boot and a function would wait for its timeout, half an hour into
    an update. What the VPC offers beside them is not looked at.

    Raises:
        pulumi.RunError: one line for each that is missing, not available, without private names,
            or behind another group than the one that hosts and functions may reach.
    """
    endpoints = existing.endpoints
    if endpoints is None:
        return
    mistakes: list[str] = []
    for used in interface_services(deployment):
        if used.hosts_only and existing.internet:
            continue  # Hosts may leave through NAT; functions may not.
        found = _find(existing.vpc_id, used.service, "Interface")
        wanted = f"an interface endpoint of {used.service} in {existing.vpc_id}"
        who = "pooler hosts" if used.hosts_only else "functions and pooler hosts"
        actions = f"{who} call {', '.join(used.actions)} through it"
        if found is None or found.state != "available":
            state = "there is none" if found is None else f"{found.id} is {found.state}"
            mistakes.append(
                f"{_FIELD}: {existing.vpc_id} refused, needs {wanted}: {actions}, and {state}. "
                f"Have its owner make one, in {endpoints.security_group_id}, with private DNS "
                "names and a policy that lets these calls pass."
            )
            continue
        if not found.private_dns_enabled:
            mistakes.append(
                f"{_FIELD}: {found.id} refused, needs private DNS names: {actions} under the "
                "service's usual name. Have its owner enable them."
            )
        if endpoints.security_group_id not in found.security_group_ids:
            groups = ", ".join(found.security_group_ids)
            mistakes.append(
                f"{_FIELD}.security_group_id: {endpoints.security_group_id!r} refused, must be a "
                f"group of {found.id} ({used.service}), which has {groups}: {who} may send to the "
                "named group only. Name a group that all endpoints share, or have its owner add it."
            )
    gateway = _find(existing.vpc_id, "s3", "Gateway")
    if gateway is None or gateway.prefix_list_id != endpoints.s3_prefix_list_id:
        present = "there is none" if gateway is None else f"its list is {gateway.prefix_list_id}"
        mistakes.append(
            f"{_FIELD}.s3_prefix_list_id: {endpoints.s3_prefix_list_id!r} refused, must be of the "
            f"S3 gateway endpoint of {existing.vpc_id}: functions reach the backup bucket through "
            f"it, and {present}. Correct the id, or have the VPC's owner make the endpoint."
        )
    if mistakes:
        raise pulumi.RunError("\n".join(mistakes))


def _find(vpc_id: str, service: str, type_: str) -> Any:
    """The endpoint; None where there is none.

    pulumi-aws refuses to answer in both other cases, and says which one it is.
    """
    try:
        return aws.ec2.get_vpc_endpoint(
            vpc_id=vpc_id,
            service_name=endpoint_service_name(service, type_),
            vpc_endpoint_type=type_,
        )
    except Exception as error:
        if "no matching" in str(error):
            return None
        raise
