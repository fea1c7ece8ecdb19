"""Every resource type and function that the local cloud has."""

from collections.abc import Iterator

from localcloud.provider.errors import ProviderError
from localcloud.provider.resource import Resource
from localcloud.provider.resources import (
    balancing,
    database,
    database_copies,
    database_events,
    database_groups,
    endpoints,
    flow_logs,
    functions,
    identity,
    invocations,
    keys,
    launch_templates,
    messaging,
    monitoring,
    network,
    routing,
    scaling,
    schedules,
    secrets,
    security_groups,
    storage,
    storage_objects,
    storage_records,
    vaults,
)

_TABLES = (
    balancing,
    database,
    database_copies,
    database_events,
    database_groups,
    endpoints,
    flow_logs,
    functions,
    identity,
    invocations,
    keys,
    launch_templates,
    messaging,
    monitoring,
    network,
    routing,
    scaling,
    schedules,
    secrets,
    security_groups,
    storage,
    storage_objects,
    storage_records,
    vaults,
)


def _all() -> Iterator[Resource]:
    for table in _TABLES:
        yield from table.RESOURCES


RESOURCES = {resource.kind: resource for resource in _all()}
RESOURCE_TOKENS = frozenset(RESOURCES)
FUNCTION_TOKENS = frozenset(
    {
        "aws:index/getCallerIdentity:getCallerIdentity",
        "aws:index/getPartition:getPartition",
        "aws:index/getRegion:getRegion",
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        "aws:ec2/getAmi:getAmi",
        "aws:ec2/getVpc:getVpc",
        "aws:ec2/getSubnet:getSubnet",
        "aws:ec2/getVpcEndpoint:getVpcEndpoint",
        "aws:ec2/getVpcEndpointService:getVpcEndpointService",
        "aws:rds/getInstance:getInstance",
        "aws:rds/getSubnetGroup:getSubnetGroup",
    }
)


def resource(token: str) -> Resource:
    """The table entry for a type token."""
    found = RESOURCES.get(token)
    if found is None:
        raise ProviderError(
            f"resource type {token} is not supported by the local cloud; its types stand in "
            "localcloud/provider/resources"
        )
    return found
