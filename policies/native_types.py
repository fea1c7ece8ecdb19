"""How the types of aws-native that rules judge are written in the provider aws.

Names are those of the packages pulumi-aws-native and pulumi-aws; a test compares them with
CloudFormation's schemas and with the SDK. A property that stands in no list is listed as not
covered where it is given: the roles of a database, the website of a bucket, a topic's readers.
"""

from __future__ import annotations

from typing import Final, cast

from .native import Companion, Fields, Make, Translation, each_nested
from .native_databases import DATABASES
from .native_hosts import HOSTS
from .native_storage import STORAGE
from .native_values import OPEN_TO_ALL

_POLICY: Final = "policyName>name policyDocument>policy"


def _one_each(key: str) -> Make:
    """One companion for each item of a list."""

    def make(value: object, _fields: Fields) -> list[dict[str, object]]:
        return [
            {key: one}
            for one in cast("list[object]", value if isinstance(value, list) else [value])
        ]

    return make


def _other_topics(value: object, fields: Fields) -> list[dict[str, object]]:
    """A policy for several topics is one for each; the first one stands at the resource itself."""
    topics = cast("list[object]", value)[1:] if isinstance(value, list) else []
    return [{"arn": topic, "policy": fields.get("policyDocument")} for topic in topics]


def _login(_value: object, _fields: Fields) -> list[dict[str, object]]:
    return [{}]


_NETWORKS: Final[dict[str, Translation]] = {
    "aws-native:ec2:SecurityGroup": Translation(
        "aws:ec2/securityGroup:SecurityGroup",
        "groupDescription>description groupName>name securityGroupEgress>egress:openings-out "
        "securityGroupIngress>ingress:openings tags>tags:tags vpcId",
        # EC2's own first rule stays until another one is given; the provider aws takes it away.
        missing={"egress": [OPEN_TO_ALL]},
    ),
    "aws-native:ec2:SecurityGroupIngress": Translation(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "cidrIp>cidrIpv4 cidrIpv6 description fromPort groupId>securityGroupId ipProtocol "
        "sourcePrefixListId>prefixListId sourceSecurityGroupId>referencedSecurityGroupId toPort",
        ignored="sourceSecurityGroupOwnerId",
    ),
    "aws-native:ec2:SecurityGroupEgress": Translation(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "cidrIp>cidrIpv4 cidrIpv6 description destinationPrefixListId>prefixListId "
        "destinationSecurityGroupId>referencedSecurityGroupId fromPort groupId>securityGroupId "
        "ipProtocol toPort",
    ),
    "aws-native:ec2:Vpc": Translation(
        "aws:ec2/vpc:Vpc",
        "cidrBlock enableDnsHostnames enableDnsSupport instanceTenancy ipv4IpamPoolId "
        "ipv4NetmaskLength tags>tags:tags",
        ignored="vpcEncryptionControl",
    ),
    "aws-native:ec2:Subnet": Translation(
        "aws:ec2/subnet:Subnet",
        "assignIpv6AddressOnCreation availabilityZone availabilityZoneId cidrBlock enableDns64 "
        "enableLniAtDeviceIndex ipv6CidrBlock ipv6Native mapPublicIpOnLaunch outpostArn "
        "tags>tags:tags vpcId",
        ignored="ipv4IpamPoolId ipv4NetmaskLength ipv6IpamPoolId ipv6NetmaskLength "
        "privateDnsNameOptionsOnLaunch",
    ),
    "aws-native:ec2:InternetGateway": Translation(
        "aws:ec2/internetGateway:InternetGateway", "tags>tags:tags"
    ),
    "aws-native:ec2:RouteTable": Translation(
        "aws:ec2/routeTable:RouteTable", "tags>tags:tags vpcId"
    ),
    "aws-native:ec2:Route": Translation(
        "aws:ec2/route:Route",
        "carrierGatewayId coreNetworkArn destinationCidrBlock destinationIpv6CidrBlock "
        "destinationPrefixListId egressOnlyInternetGatewayId>egressOnlyGatewayId gatewayId "
        "localGatewayId natGatewayId networkInterfaceId odbNetworkArn routeTableId "
        "transitGatewayId vpcEndpointId vpcPeeringConnectionId",
    ),
    "aws-native:ec2:SubnetRouteTableAssociation": Translation(
        "aws:ec2/routeTableAssociation:RouteTableAssociation", "routeTableId subnetId"
    ),
    "aws-native:ec2:FlowLog": Translation(
        "aws:ec2/flowLog:FlowLog",
        # A flow log of something smaller than a VPC is the flow log of none.
        "deliverLogsPermissionArn>iamRoleArn logDestination logDestinationType logFormat "
        "maxAggregationInterval resourceId>vpcId tags>tags:tags trafficType",
        ignored="deliverCrossAccountRole destinationOptions logGroupName resourceType "
        "tagFieldSpecifications",
    ),
    "aws-native:ec2:VpcEndpoint": Translation(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "ipAddressType policyDocument>policy privateDnsEnabled resourceConfigurationArn "
        "routeTableIds securityGroupIds serviceName serviceNetworkArn serviceRegion subnetIds "
        "tags>tags:tags vpcEndpointType vpcId",
        ignored="dnsOptions",
    ),
    "aws-native:ec2:InstanceConnectEndpoint": Translation(
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        "preserveClientIp securityGroupIds subnetId tags>tags:tags",
        ignored="clientToken",
    ),
}
_IDENTITIES: Final[dict[str, Translation]] = {
    "aws-native:iam:Role": Translation(
        "aws:iam/role:Role",
        "assumeRolePolicyDocument>assumeRolePolicy description managedPolicyArns "
        "maxSessionDuration path permissionsBoundary policies>inlinePolicies:documents "
        "roleName>name tags>tags:tags",
        attributes="arn",
    ),
    "aws-native:iam:ManagedPolicy": Translation(
        "aws:iam/policy:Policy",
        "description managedPolicyName>name path policyDocument>policy",
        attributes="policyArn>arn",
        companions=(
            Companion(
                "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                "roles",
                _one_each("role"),
                ("policyArn", "arn"),
            ),
            Companion(
                "aws:iam/userPolicyAttachment:UserPolicyAttachment",
                "users",
                _one_each("user"),
                ("policyArn", "arn"),
            ),
            Companion(
                "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
                "groups",
                _one_each("group"),
                ("policyArn", "arn"),
            ),
        ),
    ),
    "aws-native:iam:RolePolicy": Translation(
        "aws:iam/rolePolicy:RolePolicy", f"roleName>role {_POLICY}"
    ),
    "aws-native:iam:UserPolicy": Translation(
        "aws:iam/userPolicy:UserPolicy", f"userName>user {_POLICY}"
    ),
    "aws-native:iam:GroupPolicy": Translation(
        "aws:iam/groupPolicy:GroupPolicy", f"groupName>group {_POLICY}"
    ),
    "aws-native:iam:User": Translation(
        "aws:iam/user:User",
        "path permissionsBoundary tags>tags:tags userName>name",
        # Its groups' policies are judged where they stand.
        ignored="groups",
        attributes="arn",
        companions=(
            Companion(
                "aws:iam/userLoginProfile:UserLoginProfile",
                "loginProfile",
                _login,
                ("user", "name"),
                read_back=False,
            ),
            Companion(
                "aws:iam/userPolicyAttachment:UserPolicyAttachment",
                "managedPolicyArns",
                _one_each("policyArn"),
                ("user", "name"),
            ),
            Companion(
                "aws:iam/userPolicy:UserPolicy", "policies", each_nested(_POLICY), ("user", "name")
            ),
        ),
    ),
    "aws-native:iam:Group": Translation(
        "aws:iam/group:Group",
        "groupName>name path",
        attributes="arn",
        companions=(
            Companion(
                "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
                "managedPolicyArns",
                _one_each("policyArn"),
                ("group", "name"),
            ),
            Companion(
                "aws:iam/groupPolicy:GroupPolicy",
                "policies",
                each_nested(_POLICY),
                ("group", "name"),
            ),
        ),
    ),
    "aws-native:kms:Key": Translation(
        "aws:kms/key:Key",
        "bypassPolicyLockoutSafetyCheck description enableKeyRotation enabled>isEnabled "
        "keyPolicy>policy keySpec>customerMasterKeySpec keyUsage multiRegion "
        "pendingWindowInDays>deletionWindowInDays rotationPeriodInDays tags>tags:tags",
        ignored="origin",
        attributes="arn keyId",
    ),
}
_WORK: Final[dict[str, Translation]] = {
    "aws-native:lambda:Function": Translation(
        "aws:lambda/function:Function",
        "architectures codeSigningConfigArn code>s3Bucket:code.s3Bucket code>s3Key:code.s3Key "
        "code>s3ObjectVersion:code.s3ObjectVersion code>imageUri:code.imageUri "
        "code>code:code.zipFile deadLetterConfig description environment ephemeralStorage "
        "functionName>name handler imageConfig kmsKeyArn layers loggingConfig memorySize "
        "packageType reservedConcurrentExecutions role runtime snapStart tags>tags:tags timeout "
        "tracingConfig vpcConfig",
        ignored="capacityProviderConfig durableConfig functionScalingConfig "
        "publishToLatestPublished recursiveLoop runtimeManagementConfig tenancyConfig",
        attributes="arn",
    ),
    "aws-native:lambda:Permission": Translation(
        "aws:lambda/permission:Permission",
        "action eventSourceToken functionName>function functionUrlAuthType principal "
        "principalOrgId sourceAccount sourceArn",
        ignored="invokedViaFunctionUrl",
    ),
    "aws-native:lambda:Url": Translation(
        "aws:lambda/functionUrl:FunctionUrl",
        "authType>authorizationType cors invokeMode qualifier targetFunctionArn>functionName",
    ),
    "aws-native:sns:Topic": Translation(
        "aws:sns/topic:Topic",
        "archivePolicy contentBasedDeduplication displayName fifoThroughputScope fifoTopic "
        "kmsMasterKeyId signatureVersion tags>tags:tags topicName>name tracingConfig",
        ignored="dataProtectionPolicy deliveryStatusLogging maximumMessageSize",
        attributes="topicArn>arn",
    ),
    "aws-native:sns:TopicPolicy": Translation(
        "aws:sns/topicPolicy:TopicPolicy",
        "policyDocument>policy topics>arn:first",
        companions=(Companion("aws:sns/topicPolicy:TopicPolicy", "topics", _other_topics),),
    ),
    "aws-native:sns:TopicInlinePolicy": Translation(
        "aws:sns/topicPolicy:TopicPolicy", "policyDocument>policy topicArn>arn"
    ),
    "aws-native:sqs:Queue": Translation(
        "aws:sqs/queue:Queue",
        "contentBasedDeduplication deduplicationScope delaySeconds fifoQueue fifoThroughputLimit "
        "kmsDataKeyReusePeriodSeconds kmsMasterKeyId maximumMessageSize>maxMessageSize "
        "messageRetentionPeriod>messageRetentionSeconds queueName>name "
        "receiveMessageWaitTimeSeconds>receiveWaitTimeSeconds redriveAllowPolicy redrivePolicy "
        "sqsManagedSseEnabled tags>tags:tags visibilityTimeout>visibilityTimeoutSeconds",
        attributes="arn queueUrl>url",
    ),
    # Its queues are all of one account, which is all that the rules read of them.
    "aws-native:sqs:QueuePolicy": Translation(
        "aws:sqs/queuePolicy:QueuePolicy", "policyDocument>policy queues>queueUrl:first"
    ),
    "aws-native:sqs:QueueInlinePolicy": Translation(
        "aws:sqs/queuePolicy:QueuePolicy", "policyDocument>policy queue>queueUrl"
    ),
    "aws-native:logs:LogGroup": Translation(
        "aws:cloudwatch/logGroup:LogGroup",
        "deletionProtectionEnabled kmsKeyId logGroupClass logGroupName>name retentionInDays "
        "tags>tags:tags",
        ignored="dataProtectionPolicy fieldIndexPolicies",
        attributes="arn>arn:arn-of-group",
    ),
    "aws-native:cloudwatch:Alarm": Translation(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "actionsEnabled alarmActions alarmDescription alarmName>name comparisonOperator "
        "datapointsToAlarm dimensions>dimensions:dimensions "
        "evaluateLowSampleCountPercentile>evaluateLowSampleCountPercentiles evaluationPeriods "
        "extendedStatistic insufficientDataActions metricName namespace okActions period statistic "
        "tags>tags:tags threshold thresholdMetricId treatMissingData unit",
        # An alarm over several metrics is none of a database's own.
        ignored="actionConfiguration evaluationCriteria evaluationInterval evaluationWindow "
        "metrics warmUpConfiguration",
        attributes="arn",
    ),
    "aws-native:ssm:Parameter": Translation(
        "aws:ssm/parameter:Parameter",
        "allowedPattern dataType description name tags tier type value",
        ignored="policies",
    ),
}

TRANSLATIONS: Final[dict[str, Translation]] = {
    **DATABASES,
    **STORAGE,
    **HOSTS,
    **_NETWORKS,
    **_IDENTITIES,
    **_WORK,
}
