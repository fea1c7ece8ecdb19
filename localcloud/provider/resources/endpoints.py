"""VPC endpoints: gateways are route table entries, interfaces are addresses in subnets."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.operations import Operation, Ready
from localcloud.provider.resource import Resource
from localcloud.provider.resources.network import ec2_arn, ec2_tags

# Input → the member that adds to and the one that removes from the set.
_SETS = {
    "routeTableIds": ("AddRouteTableIds", "RemoveRouteTableIds"),
    "subnetIds": ("AddSubnetIds", "RemoveSubnetIds"),
    "securityGroupIds": ("AddSecurityGroupIds", "RemoveSecurityGroupIds"),
}


class _VpcEndpoint(Resource):
    def apply_updates(self, context: Context, changed: Names) -> None:
        parameters: dict[str, Any] = {}
        for name, (add, remove) in _SETS.items():
            if name in changed:
                old = set(context.old_inputs.get(name) or context.state.get(name) or [])
                new = set(context.inputs.get(name) or [])
                parameters[add], parameters[remove] = sorted(new - old), sorted(old - new)
        if "policy" in changed:
            policy = context.inputs.get("policy")
            parameters |= {"PolicyDocument": policy} if policy else {"ResetPolicy": True}
        for name, member in (
            ("privateDnsEnabled", "PrivateDnsEnabled"),
            ("ipAddressType", "IpAddressType"),
        ):
            if name in changed and context.inputs.get(name) is not None:
                parameters[member] = context.inputs[name]
        parameters = {key: value for key, value in parameters.items() if value not in ([], None)}
        if parameters:
            context.call("ec2", "ModifyVpcEndpoint", VpcEndpointId=context.id, **parameters)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        groups = [group["GroupId"] for group in found.get("Groups") or []]
        if groups:
            values["securityGroupIds"] = groups
        if found.get("VpcEndpointType") == "Gateway":
            lists = context.call(
                "ec2",
                "DescribePrefixLists",
                Filters=[{"Name": "prefix-list-name", "Values": [found["ServiceName"]]}],
            )["PrefixLists"]
            lists = [item for item in lists if item["PrefixListName"] == found["ServiceName"]]
            if lists:
                values["prefixListId"] = lists[0]["PrefixListId"]
                values["cidrBlocks"] = lists[0].get("Cidrs") or []
        return values


RESOURCES: tuple[Resource, ...] = (
    _VpcEndpoint(
        kind="aws:ec2/vpcEndpoint:VpcEndpoint",
        in_place=frozenset(_SETS) | names("policy privateDnsEnabled ipAddressType"),
        service="ec2",
        create_with=Operation("CreateVpcEndpoint", result="VpcEndpoint"),
        identifier="result.VpcEndpointId",
        read_with=Operation(
            "DescribeVpcEndpoints",
            {"VpcEndpointIds": ["$id"]},
            "VpcEndpoints[?State!='deleted' && State!='Deleted']|[0]",
        ),
        delete_with=Operation("DeleteVpcEndpoints", {"VpcEndpointIds": ["$id"]}),
        renames={"policy": "PolicyDocument"},
        local=names("autoAccept"),
        replaces=names("serviceName vpcId vpcEndpointType serviceRegion"),
        defaults={"vpcEndpointType": "Gateway"},
        json_properties=names("policy"),
        unordered=names("routeTableIds subnetIds securityGroupIds"),
        unobserved=names("policy"),
        formats=ec2_arn("vpc-endpoint"),
        tags=ec2_tags("vpc-endpoint"),
        ready=Ready(
            "State", names("available Available"), names("failed rejected deleted deleting")
        ),
        wait_gone=True,
        not_found=names("InvalidVpcEndpointId.NotFound InvalidRoute.NotFound"),
    ),
)
