"""The invokes (data sources) that the program may use.

An offline preview has no API to ask: it gets fixed answers that have the shape of AWS's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from facts import regions
from localcloud.provider import database_functions, sdk_types
from localcloud.provider.aws import ACCOUNT_ID, Aws
from localcloud.provider.errors import ProviderError
from localcloud.provider.registry import FUNCTION_TOKENS
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import from_response

OFFLINE_AMI = "ami-0pgkeeppreview000"
# The first zones of every region that has three (AWS: regions and zones).
_OFFLINE_ZONES = ("a", "b", "c")


@dataclass(frozen=True)
class _Search:
    """How a function finds the one object it describes; `filters` is argument → API filter."""

    operation: str
    result: str
    ids: str
    filters: Mapping[str, str]
    default_filter: str


_VPCS = _Search(
    "DescribeVpcs",
    "Vpcs",
    "VpcIds",
    {"cidrBlock": "cidr", "dhcpOptionsId": "dhcp-options-id", "state": "state"},
    "is-default",
)
_SUBNETS = _Search(
    "DescribeSubnets",
    "Subnets",
    "SubnetIds",
    {
        "availabilityZone": "availabilityZone",
        "availabilityZoneId": "availabilityZoneId",
        "cidrBlock": "cidrBlock",
        "state": "state",
        "vpcId": "vpc-id",
    },
    "default-for-az",
)

Invoke = Callable[[Aws, str, Mapping[str, Any]], dict[str, Any]]


def invoke(aws: Aws, token: str, args: Mapping[str, Any]) -> tuple[dict[str, Any], list[Failure]]:
    """The result of a function, or what is wrong with its arguments."""
    if token not in FUNCTION_TOKENS or token not in _FUNCTIONS:
        raise ProviderError(f"function {token} is not supported by the local cloud")
    wrong = sdk_types.check(token, args)
    if wrong:
        return {}, wrong
    region = args.get("region") or aws.settings.region
    result = _FUNCTIONS[token](aws, region, args)
    known = sdk_types.output_types(token)
    given = {k: v for k, v in args.items() if k in known}
    defaults = {"region": region} if "region" in known else {}
    return {**defaults, **given, **result}, []


def _call(aws: Aws, region: str, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    return aws.call(service, operation, parameters, subject="data source", region=region)


def _caller_identity(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    del args
    if aws.settings.offline:
        user = f"arn:aws:iam::{ACCOUNT_ID}:user/preview"
        return {"id": ACCOUNT_ID, "accountId": ACCOUNT_ID, "arn": user, "userId": "preview"}
    found = _call(aws, region, "sts", "GetCallerIdentity")
    account = found["Account"]
    return {
        "id": account,
        "accountId": account,
        "arn": found["Arn"],
        "userId": found["UserId"],
    }


def _partition(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    del args
    # The local cloud is of the commercial partition, in whatever region.
    found = regions.partition_of(region) if aws.settings.offline else None
    suffix = found.dns_suffix if found else "amazonaws.com"
    return {
        "id": found.name if found else "aws",
        "partition": found.name if found else "aws",
        "dnsSuffix": suffix,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def _region(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    del aws
    name = args.get("name") or region
    return {
        "id": name,
        "name": name,
        "region": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
        "description": name,
    }


def _zones(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    if aws.settings.offline:
        names = regions.zones(region) or [f"{region}{letter}" for letter in _OFFLINE_ZONES]
        found = [
            {"ZoneName": name, "ZoneId": f"{_zone_prefix(region)}-az{i}"}
            for i, name in enumerate(names, 1)
        ]
    else:
        filters = _filters(args)
        if args.get("state"):
            filters.append({"Name": "state", "Values": [args["state"]]})
        answer = _call(
            aws,
            region,
            "ec2",
            "DescribeAvailabilityZones",
            Filters=filters,
            AllAvailabilityZones=bool(args.get("allAvailabilityZones")),
        )
        found = answer["AvailabilityZones"]
    excluded = set(args.get("excludeNames") or []) | set(args.get("excludeZoneIds") or [])
    zones = sorted(
        (
            zone
            for zone in found
            if zone["ZoneName"] not in excluded and zone.get("ZoneId") not in excluded
        ),
        key=lambda zone: zone["ZoneName"],
    )
    return {
        "id": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
        "groupNames": [region],
    }


def _zone_prefix(region: str) -> str:
    # eu-west-1 → euw1, as AWS names zone ids.
    area, direction, number = (region.split("-") + ["", ""])[:3]
    return f"{area}{direction[:1]}{number}"


def _filters(args: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [{"Name": item["name"], "Values": item["values"]} for item in args.get("filters") or []]
    tags = args.get("tags") or {}
    return found + [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _ami(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    if aws.settings.offline:
        names = {item["name"]: item["values"] for item in args.get("filters") or []}
        return {
            "id": OFFLINE_AMI,
            "imageId": OFFLINE_AMI,
            "arn": f"arn:aws:ec2:{region}::image/{OFFLINE_AMI}",
            "architecture": (names.get("architecture") or ["x86_64"])[0],
            "name": (names.get("name") or ["preview"])[0],
            "ownerId": (args.get("owners") or [ACCOUNT_ID])[0],
            "state": "available",
            "rootDeviceName": "/dev/xvda",
            "rootDeviceType": "ebs",
            "virtualizationType": "hvm",
        }
    parameters: dict[str, Any] = {"Filters": _filters(args)}
    if args.get("owners"):
        parameters["Owners"] = args["owners"]
    if args.get("executableUsers"):
        parameters["ExecutableUsers"] = args["executableUsers"]
    images = _call(aws, region, "ec2", "DescribeImages", **parameters)["Images"]
    if args.get("nameRegex"):
        import re

        images = [i for i in images if re.search(args["nameRegex"], i.get("Name", ""))]
    if not images:
        raise ProviderError(f"getAmi: no image matches {parameters}")
    if len(images) > 1 and not args.get("mostRecent"):
        raise ProviderError(
            f"getAmi: {len(images)} images match; give narrower filters or mostRecent"
        )
    image = max(images, key=lambda item: item.get("CreationDate", ""))
    types = {
        k: v
        for k, v in sdk_types.output_types("aws:ec2/getAmi:getAmi").items()
        if k not in ("filters", "owners")
    }
    values = from_response(types, image, {})
    return values | {
        "id": image["ImageId"],
        "arn": f"arn:aws:ec2:{region}::image/{image['ImageId']}",
    }


def _vpc(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_offline(aws, "getVpc")
    found = _one(aws, region, args, _VPCS)
    vpc_id = found["VpcId"]
    types = sdk_types.output_types("aws:ec2/getVpc:getVpc")
    values = from_response(types, found, {"default": "IsDefault"})
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = _call(aws, region, "ec2", "DescribeVpcAttribute", VpcId=vpc_id, Attribute=name)
        values[name] = answer[name[0].upper() + name[1:]]["Value"]
    main = _call(
        aws,
        region,
        "ec2",
        "DescribeRouteTables",
        Filters=[
            {"Name": "vpc-id", "Values": [vpc_id]},
            {"Name": "association.main", "Values": ["true"]},
        ],
    )["RouteTables"]
    if main:
        values["mainRouteTableId"] = main[0]["RouteTableId"]
    owner = found.get("OwnerId", ACCOUNT_ID)
    values.pop("filters", None)
    return values | {"id": vpc_id, "arn": f"arn:aws:ec2:{region}:{owner}:vpc/{vpc_id}"}


def _subnet(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_offline(aws, "getSubnet")
    found = _one(aws, region, args, _SUBNETS)
    types = sdk_types.output_types("aws:ec2/getSubnet:getSubnet")
    values = from_response(types, found, {"availableIpAddressCount": "AvailableIpAddressCount"})
    values.pop("filters", None)
    subnet_id, owner = found["SubnetId"], found.get("OwnerId", ACCOUNT_ID)
    return values | {"id": subnet_id, "arn": f"arn:aws:ec2:{region}:{owner}:subnet/{subnet_id}"}


def _db_instance(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_offline(aws, "getInstance")
    return database_functions.get_instance(aws, region, args)


def _db_subnet_group(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_offline(aws, "getSubnetGroup")
    return database_functions.get_subnet_group(aws, region, args)


def _endpoint(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_offline(aws, "getVpcEndpoint")
    given = {
        "vpc-id": args.get("vpcId"),
        "service-name": args.get("serviceName"),
        "vpc-endpoint-type": args.get("vpcEndpointType"),
    }
    filters = _filters(args)
    filters += [{"Name": name, "Values": [value]} for name, value in given.items() if value]
    parameters: dict[str, Any] = {"Filters": filters} if filters else {}
    if args.get("id"):
        parameters["VpcEndpointIds"] = [args["id"]]
    found = _call(aws, region, "ec2", "DescribeVpcEndpoints", **parameters)["VpcEndpoints"]
    if len(found) != 1:
        # pulumi-aws's words.
        many = (
            "several EC2 VPC Endpoints matched" if found else "no matching EC2 VPC Endpoint found"
        )
        raise ProviderError(f"getVpcEndpoint: {many}: {parameters}")
    (endpoint,) = found
    types = sdk_types.output_types("aws:ec2/getVpcEndpoint:getVpcEndpoint")
    values = from_response(types, endpoint, {"policy": "PolicyDocument"})
    values.pop("filters", None)
    if endpoint["VpcEndpointType"] == "Gateway":
        name = endpoint["ServiceName"]
        lists = _call(aws, region, "ec2", "DescribePrefixLists")["PrefixLists"]
        values["prefixListId"] = next(
            (one["PrefixListId"] for one in lists if one["PrefixListName"] == name), ""
        )
    endpoint_id = endpoint["VpcEndpointId"]
    return values | {
        "id": endpoint_id,
        "arn": f"arn:aws:ec2:{region}:{ACCOUNT_ID}:vpc-endpoint/{endpoint_id}",
        "state": str(endpoint["State"]).lower(),
        "privateDnsEnabled": bool(endpoint.get("PrivateDnsEnabled")),
        "securityGroupIds": [group["GroupId"] for group in endpoint.get("Groups") or []],
    }


def _endpoint_service(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    del aws
    if args.get("serviceName"):
        name = str(args["serviceName"])
    elif args.get("service"):
        # As in every region of AWS's commercial partition.
        name = f"com.amazonaws.{region}.{args['service']}"
    else:
        raise ProviderError("getVpcEndpointService: service or serviceName is needed")
    return {"id": name, "serviceName": name, "serviceRegion": region, "owner": "amazon"}


def _one(aws: Aws, region: str, args: Mapping[str, Any], search: _Search) -> dict[str, Any]:
    filters = _filters(args) + [
        {"Name": key, "Values": [args[name]]}
        for name, key in search.filters.items()
        if args.get(name)
    ]
    if args.get("default") or args.get("defaultForAz"):
        filters.append({"Name": search.default_filter, "Values": ["true"]})
    parameters: dict[str, Any] = {"Filters": filters} if filters else {}
    if args.get("id"):
        parameters[search.ids] = [args["id"]]
    found = _call(aws, region, "ec2", search.operation, **parameters)[search.result]
    if len(found) != 1:
        raise ProviderError(
            f"{search.operation}: {len(found)} match {parameters}, exactly one is needed"
        )
    return found[0]


def _refuse_offline(aws: Aws, name: str) -> None:
    if aws.settings.offline:
        raise ProviderError(
            f"{name} needs an account to ask, and this is an offline preview; preview a stack that "
            "makes its own network and database, or preview with AWS credentials"
        )


_FUNCTIONS: dict[str, Invoke] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ec2/getAmi:getAmi": _ami,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getVpcEndpoint:getVpcEndpoint": _endpoint,
    "aws:ec2/getVpcEndpointService:getVpcEndpointService": _endpoint_service,
    "aws:rds/getInstance:getInstance": _db_instance,
    "aws:rds/getSubnetGroup:getSubnetGroup": _db_subnet_group,
}
