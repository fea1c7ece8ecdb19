"""VPC, subnets, gateways and addresses. Defaults and replacements as in pulumi-aws 7 (the AWS
Terraform provider 6: internal/service/ec2)."""

from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.operations import Operation, Ready
from localcloud.provider.resource import Resource
from localcloud.provider.tags import Tags


def ec2_tags(resource_type: str) -> Tags:
    """Tags of an EC2 resource."""
    return Tags(
        form="ec2",
        ec2_type=resource_type,
        tag=Operation("CreateTags", {"Resources": ["$id"]}),
        untag=Operation("DeleteTags", {"Resources": ["$id"]}),
        untag_member="Tags",
    )


def ec2_arn(kind: str) -> dict[str, str]:
    """The ARN that EC2 does not report itself."""
    return {"arn": f"arn:aws:ec2:{{region}}:{{account}}:{kind}/{{id}}"}


# What another resource still holds; AWS frees it some time after that resource is gone.
HELD = names("DependencyViolation InvalidIPAddress.InUse InvalidParameterValue.InUse")


class _Vpc(Resource):
    """DNS attributes have requests of their own; the VPC's default resources are outputs."""

    def start(self, context: Context) -> None:
        super().start(context)
        with keeping(context):

            def probe() -> str | None:
                status = self.read(context).get("State", "available")
                return None if status == "available" else f"it is {status}"

            context.wait(probe, 60)

    def apply_updates(self, context: Context, changed: Names) -> None:
        # DNS support has to be on before host names can be.
        attributes = (
            ("enableDnsSupport", "EnableDnsSupport"),
            ("enableDnsHostnames", "EnableDnsHostnames"),
            ("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics"),
        )
        for name, member in attributes:
            if name in changed:
                value = {"Value": bool(context.inputs.get(name))}
                context.call("ec2", "ModifyVpcAttribute", VpcId=context.id, **{member: value})

    def observe(self, context: Context) -> dict[str, Any]:
        values = super().observe(context)
        for name, member in (
            ("enableDnsSupport", "EnableDnsSupport"),
            ("enableDnsHostnames", "EnableDnsHostnames"),
        ):
            attribute = name[0].lower() + name[1:]
            answer = context.call(
                "ec2", "DescribeVpcAttribute", VpcId=context.id, Attribute=attribute
            )
            values[name] = answer[member]["Value"]
        here = {"Name": "vpc-id", "Values": [context.id]}
        tables = context.call(
            "ec2",
            "DescribeRouteTables",
            Filters=[here, {"Name": "association.main", "Values": ["true"]}],
        )["RouteTables"]
        if tables:
            values["mainRouteTableId"] = values["defaultRouteTableId"] = tables[0]["RouteTableId"]
        groups = context.call(
            "ec2",
            "DescribeSecurityGroups",
            Filters=[here, {"Name": "group-name", "Values": ["default"]}],
        )["SecurityGroups"]
        if groups:
            values["defaultSecurityGroupId"] = groups[0]["GroupId"]
        acls = context.call(
            "ec2",
            "DescribeNetworkAcls",
            Filters=[here, {"Name": "default", "Values": ["true"]}],
        )["NetworkAcls"]
        if acls:
            values["defaultNetworkAclId"] = acls[0]["NetworkAclId"]
        return values


class _Subnet(Resource):
    """Each attribute of a subnet is changed by a request of its own."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        for name in sorted(changed & self.later):
            value = context.inputs.get(name)
            if not value and not context.old_inputs.get(name):
                continue  # What a new subnet has anyway.
            parameters: dict[str, Any] = {"SubnetId": context.id}
            member = self.renames.get(name, name[0].upper() + name[1:])
            parameters[member] = value if isinstance(value, str) else {"Value": bool(value)}
            context.call("ec2", "ModifySubnetAttribute", **parameters)


class _InternetGateway(Resource):
    """A gateway is made first and attached to its VPC then."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "vpcId" not in changed:
            return
        old, new = context.old_inputs.get("vpcId"), context.inputs.get("vpcId")
        if old:
            context.call("ec2", "DetachInternetGateway", InternetGatewayId=context.id, VpcId=old)
        if new:
            context.call("ec2", "AttachInternetGateway", InternetGatewayId=context.id, VpcId=new)

    def delete(self, context: Context) -> None:
        for attachment in self.read(context).get("Attachments") or []:
            context.call(
                "ec2",
                "DetachInternetGateway",
                InternetGatewayId=context.id,
                VpcId=attachment["VpcId"],
            )
        super().delete(context)


RESOURCES: tuple[Resource, ...] = (
    _Vpc(
        kind="aws:ec2/vpc:Vpc",
        service="ec2",
        create_with=Operation("CreateVpc", result="Vpc"),
        identifier="result.VpcId",
        read_with=Operation("DescribeVpcs", {"VpcIds": ["$id"]}, "Vpcs[0]"),
        delete_with=Operation("DeleteVpc", {"VpcId": "$id"}),
        later=names("enableDnsHostnames enableDnsSupport enableNetworkAddressUsageMetrics"),
        renames={
            "assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock",
            "ipv4IpamPoolId": "Ipv4IpamPoolId",
        },
        replaces=names("cidrBlock instanceTenancy ipv4IpamPoolId ipv4NetmaskLength"),
        defaults={"enableDnsSupport": True, "instanceTenancy": "default"},
        formats=ec2_arn("vpc"),
        tags=ec2_tags("vpc"),
        not_found=names("InvalidVpcID.NotFound"),
        delete_retries=HELD,
    ),
    _Subnet(
        kind="aws:ec2/subnet:Subnet",
        service="ec2",
        create_with=Operation("CreateSubnet", result="Subnet"),
        identifier="result.SubnetId",
        read_with=Operation("DescribeSubnets", {"SubnetIds": ["$id"]}, "Subnets[0]"),
        delete_with=Operation("DeleteSubnet", {"SubnetId": "$id"}),
        later=names(
            "assignIpv6AddressOnCreation enableDns64 mapPublicIpOnLaunch "
            "enableResourceNameDnsARecordOnLaunch enableResourceNameDnsAaaaRecordOnLaunch "
            "privateDnsHostnameTypeOnLaunch"
        ),
        replaces=names("availabilityZone availabilityZoneId cidrBlock vpcId ipv6Native outpostArn"),
        defaults={
            "assignIpv6AddressOnCreation": False,
            "enableDns64": False,
            "enableResourceNameDnsARecordOnLaunch": False,
            "enableResourceNameDnsAaaaRecordOnLaunch": False,
            "ipv6Native": False,
            "mapPublicIpOnLaunch": False,
        },
        computed={
            "privateDnsHostnameTypeOnLaunch": "PrivateDnsNameOptionsOnLaunch.HostnameType",
        },
        unobserved=names("enableDns64"),
        formats=ec2_arn("subnet"),
        tags=ec2_tags("subnet"),
        ready=Ready("State", names("available")),
        wait_seconds=120,
        not_found=names("InvalidSubnetID.NotFound"),
        delete_retries=HELD,
    ),
    _InternetGateway(
        kind="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create_with=Operation("CreateInternetGateway", result="InternetGateway"),
        identifier="result.InternetGatewayId",
        read_with=Operation(
            "DescribeInternetGateways", {"InternetGatewayIds": ["$id"]}, "InternetGateways[0]"
        ),
        delete_with=Operation("DeleteInternetGateway", {"InternetGatewayId": "$id"}),
        later=names("vpcId"),
        computed={"vpcId": "Attachments[0].VpcId"},
        formats=ec2_arn("internet-gateway"),
        tags=ec2_tags("internet-gateway"),
        not_found=names("InvalidInternetGatewayID.NotFound"),
        delete_retries=HELD,
    ),
    Resource(
        kind="aws:ec2/eip:Eip",
        service="ec2",
        create_with=Operation("AllocateAddress"),
        identifier="result.AllocationId",
        read_with=Operation("DescribeAddresses", {"AllocationIds": ["$id"]}, "Addresses[0]"),
        delete_with=Operation("ReleaseAddress", {"AllocationId": "$id"}),
        replaces=names(
            "address customerOwnedIpv4Pool domain ipamPoolId networkBorderGroup publicIpv4Pool"
        ),
        renames={"privateIp": "PrivateIpAddress"},
        formats={
            "arn": "arn:aws:ec2:{region}:{account}:elastic-ip/{id}",
            "allocationId": "{id}",
        },
        tags=ec2_tags("elastic-ip"),
        not_found=names("InvalidAllocationID.NotFound InvalidAddress.NotFound"),
        delete_retries=HELD,
    ),
    Resource(
        kind="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create_with=Operation("CreateNatGateway", result="NatGateway"),
        identifier="result.NatGatewayId",
        read_with=Operation(
            "DescribeNatGateways", {"NatGatewayIds": ["$id"]}, "NatGateways[?State!='deleted']|[0]"
        ),
        delete_with=Operation("DeleteNatGateway", {"NatGatewayId": "$id"}),
        replaces=names("allocationId connectivityType privateIp subnetId vpcId availabilityMode"),
        renames={"privateIp": "PrivateIpAddress"},
        defaults={"connectivityType": "public"},
        computed={
            "allocationId": "NatGatewayAddresses[0].AllocationId",
            "publicIp": "NatGatewayAddresses[0].PublicIp",
            "privateIp": "NatGatewayAddresses[0].PrivateIp",
            "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId",
            "associationId": "NatGatewayAddresses[0].AssociationId",
        },
        tags=ec2_tags("natgateway"),
        ready=Ready("State", names("available"), names("failed deleting")),
        wait_gone=True,
        not_found=names("NatGatewayNotFound"),
    ),
    Resource(
        kind="aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        service="ec2",
        create_with=Operation("CreateInstanceConnectEndpoint", result="InstanceConnectEndpoint"),
        identifier="result.InstanceConnectEndpointId",
        read_with=Operation(
            "DescribeInstanceConnectEndpoints",
            {"InstanceConnectEndpointIds": ["$id"]},
            "InstanceConnectEndpoints[0]",
        ),
        delete_with=Operation(
            "DeleteInstanceConnectEndpoint", {"InstanceConnectEndpointId": "$id"}
        ),
        replaces=names("ipAddressType preserveClientIp securityGroupIds subnetId"),
        computed={"arn": "InstanceConnectEndpointArn"},
        unordered=names("securityGroupIds"),
        tags=ec2_tags("instance-connect-endpoint"),
        ready=Ready("State", names("create-complete"), names("create-failed")),
        wait_gone=True,
        not_found=names("InvalidInstanceConnectEndpointId.NotFound"),
    ),
)
