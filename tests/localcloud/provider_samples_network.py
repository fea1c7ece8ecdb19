"""Networks, groups and endpoints: one example of each type, each after what it needs."""

from tests.localcloud.provider_sample import NEW_TAGS, TAGS, Sample

SAMPLES = (
    Sample(
        "vpc",
        "aws:ec2/vpc:Vpc",
        lambda _: {"cidrBlock": "10.77.0.0/16", "tags": TAGS},
        lambda _: {"enableDnsHostnames": True, "tags": NEW_TAGS},
        ("ModifyVpcAttribute", "DeleteTags", "CreateTags"),
        {"cidrBlock": "10.78.0.0/16"},
    ),
    Sample(
        "gateway",
        "aws:ec2/internetGateway:InternetGateway",
        lambda made: {"vpcId": made["vpc"].id, "tags": TAGS},
        lambda _: {"tags": NEW_TAGS},
        ("CreateTags",),
    ),
    Sample(
        "subnet-a",
        "aws:ec2/subnet:Subnet",
        lambda made: {
            "vpcId": made["vpc"].id,
            "cidrBlock": "10.77.0.0/24",
            "availabilityZone": "eu-west-1a",
            "tags": TAGS,
        },
        lambda _: {"mapPublicIpOnLaunch": True},
        ("ModifySubnetAttribute",),
        {"availabilityZone": "eu-west-1b"},
    ),
    Sample(
        "subnet-b",
        "aws:ec2/subnet:Subnet",
        lambda made: {
            "vpcId": made["vpc"].id,
            "cidrBlock": "10.77.1.0/24",
            "availabilityZone": "eu-west-1b",
        },
        replace={"cidrBlock": "10.77.9.0/24"},
    ),
    Sample("address", "aws:ec2/eip:Eip", lambda _: {"domain": "vpc", "tags": TAGS}),
    Sample(
        "nat",
        "aws:ec2/natGateway:NatGateway",
        lambda made: {
            "allocationId": made["address"].id,
            "subnetId": made["subnet-a"].id,
            "tags": TAGS,
        },
        lambda _: {"tags": NEW_TAGS},
        ("CreateTags",),
        {"subnetId": "subnet-other"},
    ),
    Sample(
        "table",
        "aws:ec2/routeTable:RouteTable",
        lambda made: {"vpcId": made["vpc"].id, "tags": TAGS},
        lambda _: {"tags": NEW_TAGS},
        ("CreateTags",),
        {"vpcId": "vpc-other"},
    ),
    Sample(
        "inline-table",
        "aws:ec2/routeTable:RouteTable",
        lambda made: {
            "vpcId": made["vpc"].id,
            "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": made["gateway"].id}],
        },
        lambda made: {"routes": [{"cidrBlock": "10.0.0.0/8", "natGatewayId": made["nat"].id}]},
        ("DeleteRoute", "CreateRoute"),
    ),
    Sample(
        "route",
        "aws:ec2/route:Route",
        lambda made: {
            "routeTableId": made["table"].id,
            "destinationCidrBlock": "0.0.0.0/0",
            "natGatewayId": made["nat"].id,
        },
        lambda made: {"natGatewayId": None, "gatewayId": made["gateway"].id},
        ("ReplaceRoute",),
        {"destinationCidrBlock": "10.0.0.0/8"},
    ),
    Sample(
        "association",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        lambda made: {"routeTableId": made["table"].id, "subnetId": made["subnet-a"].id},
        replace={"routeTableId": "rtb-other"},
    ),
    Sample(
        "group",
        "aws:ec2/securityGroup:SecurityGroup",
        lambda made: {"vpcId": made["vpc"].id, "description": "application", "tags": TAGS},
        lambda _: {"tags": NEW_TAGS},
        ("CreateTags",),
        {"description": "another"},
    ),
    Sample(
        "inline-group",
        "aws:ec2/securityGroup:SecurityGroup",
        lambda made: {
            "vpcId": made["vpc"].id,
            "name": "inline",
            "ingress": [
                {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.0.0.0/8"]}
            ],
        },
        lambda made: {
            "ingress": [
                {
                    "protocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "securityGroups": [made["group"].id],
                }
            ]
        },
        ("RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"),
        {"name": "other"},
    ),
    Sample(
        "default-group",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        lambda made: {"vpcId": made["vpc"].id},
        stays=True,
    ),
    Sample(
        "ingress",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda made: {
            "securityGroupId": made["group"].id,
            "ipProtocol": "tcp",
            "fromPort": 6543,
            "toPort": 6543,
            "referencedSecurityGroupId": made["inline-group"].id,
            "description": "applications",
            "tags": TAGS,
        },
        lambda _: {"description": "clients"},
        ("ModifySecurityGroupRules",),
        {"securityGroupId": "sg-other"},
    ),
    Sample(
        "s3-endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda made: {
            "vpcId": made["vpc"].id,
            "serviceName": "com.amazonaws.eu-west-1.s3",
            "routeTableIds": [made["table"].id],
        },
        lambda made: {"routeTableIds": [made["table"].id, made["inline-table"].id]},
        ("ModifyVpcEndpoint",),
        {"serviceName": "com.amazonaws.eu-west-1.dynamodb"},
        moto_defect="modify_vpc_endpoint adds no route, and so the endpoint cannot be deleted",
    ),
    Sample(
        "endpoint",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda made: {
            "vpcId": made["vpc"].id,
            "serviceName": "com.amazonaws.eu-west-1.secretsmanager",
            "vpcEndpointType": "Interface",
            "subnetIds": [made["subnet-a"].id],
            "securityGroupIds": [made["group"].id],
            "privateDnsEnabled": True,
        },
        lambda made: {"subnetIds": [made["subnet-a"].id, made["subnet-b"].id]},
        ("ModifyVpcEndpoint",),
        {"vpcEndpointType": "Gateway"},
    ),
    Sample(
        "egress",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda made: {
            "securityGroupId": made["group"].id,
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "prefixListId": made["s3-endpoint"]["prefixListId"],
        },
        lambda _: {"toPort": 444},
        ("ModifySecurityGroupRules",),
    ),
)
