"""Where the AWS provider's names and CloudFormation's differ by more than their case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Type of the provider -> type of CloudFormation.
TYPES: dict[str, str] = {
    "aws:autoscaling/group:Group": "AWS::AutoScaling::AutoScalingGroup",
    "aws:autoscaling/lifecycleHook:LifecycleHook": "AWS::AutoScaling::LifecycleHook",
    "aws:cloudwatch/logGroup:LogGroup": "AWS::Logs::LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "AWS::CloudWatch::Alarm",
    "aws:ec2/eip:Eip": "AWS::EC2::EIP",
    "aws:ec2/flowLog:FlowLog": "AWS::EC2::FlowLog",
    "aws:ec2/internetGateway:InternetGateway": "AWS::EC2::InternetGateway",
    "aws:ec2/launchTemplate:LaunchTemplate": "AWS::EC2::LaunchTemplate",
    "aws:ec2/natGateway:NatGateway": "AWS::EC2::NatGateway",
    "aws:ec2/route:Route": "AWS::EC2::Route",
    "aws:ec2/routeTable:RouteTable": "AWS::EC2::RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "AWS::EC2::SubnetRouteTableAssociation",
    "aws:ec2/securityGroup:SecurityGroup": "AWS::EC2::SecurityGroup",
    "aws:ec2/subnet:Subnet": "AWS::EC2::Subnet",
    "aws:ec2/vpc:Vpc": "AWS::EC2::VPC",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "AWS::EC2::VPCEndpoint",
    "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint": (
        "AWS::EC2::InstanceConnectEndpoint"
    ),
    "aws:iam/instanceProfile:InstanceProfile": "AWS::IAM::InstanceProfile",
    "aws:iam/role:Role": "AWS::IAM::Role",
    "aws:iam/rolePolicy:RolePolicy": "AWS::IAM::RolePolicy",
    "aws:kms/alias:Alias": "AWS::KMS::Alias",
    "aws:kms/key:Key": "AWS::KMS::Key",
    "aws:kms/replicaKey:ReplicaKey": "AWS::KMS::ReplicaKey",
    "aws:lambda/function:Function": "AWS::Lambda::Function",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "AWS::Lambda::EventInvokeConfig"
    ),
    "aws:lambda/permission:Permission": "AWS::Lambda::Permission",
    "aws:lb/listener:Listener": "AWS::ElasticLoadBalancingV2::Listener",
    "aws:lb/loadBalancer:LoadBalancer": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "aws:lb/targetGroup:TargetGroup": "AWS::ElasticLoadBalancingV2::TargetGroup",
    "aws:rds/eventSubscription:EventSubscription": "AWS::RDS::EventSubscription",
    "aws:rds/instance:Instance": "AWS::RDS::DBInstance",
    "aws:rds/parameterGroup:ParameterGroup": "AWS::RDS::DBParameterGroup",
    "aws:rds/subnetGroup:SubnetGroup": "AWS::RDS::DBSubnetGroup",
    "aws:s3/bucket:Bucket": "AWS::S3::Bucket",
    "aws:s3/bucketPolicy:BucketPolicy": "AWS::S3::BucketPolicy",
    "aws:scheduler/schedule:Schedule": "AWS::Scheduler::Schedule",
    "aws:secretsmanager/secret:Secret": "AWS::SecretsManager::Secret",
    "aws:secretsmanager/secretRotation:SecretRotation": "AWS::SecretsManager::RotationSchedule",
    "aws:sns/topic:Topic": "AWS::SNS::Topic",
    "aws:sns/topicPolicy:TopicPolicy": "AWS::SNS::TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription": "AWS::SNS::Subscription",
    "aws:sqs/queue:Queue": "AWS::SQS::Queue",
    "aws:ssm/parameter:Parameter": "AWS::SSM::Parameter",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "AWS::EC2::SecurityGroupEgress",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "AWS::EC2::SecurityGroupIngress",
}

# Types that describe a part of a bucket: CloudFormation has them as properties of the bucket.
BUCKET_PARTS: dict[str, str] = {
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "LifecycleConfiguration",
    "aws:s3/bucketLogging:BucketLogging": "LoggingConfiguration",
    "aws:s3/bucketNotification:BucketNotification": "NotificationConfiguration",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        "ObjectLockConfiguration"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "OwnershipControls",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "PublicAccessBlockConfiguration",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "ReplicationConfiguration",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "BucketEncryption"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "VersioningConfiguration",
    "aws:s3/inventory:Inventory": "InventoryConfigurations",
}

# Types that CloudFormation does not have, and why.
WITHOUT_TYPE: dict[str, str] = {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "the VPC makes it; nothing to create",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "ManagedPolicyArns of the role",
    "aws:lambda/invocation:Invocation": "a call, no resource",
    "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication": (
        "AutomaticBackupReplicationRegion of the instance"
    ),
    "aws:s3/bucketObject:BucketObject": "a file's content, no resource of CloudFormation",
    "aws:lambda/layerVersion:LayerVersion": "its content is a local file, CloudFormation's in S3",
}

# Property of the provider -> CloudFormation's, by type; `.` leads into a property.
RENAMES: dict[str, dict[str, str]] = {
    "AWS::AutoScaling::AutoScalingGroup": {
        "vpcZoneIdentifiers": "VPCZoneIdentifier",
        "launchTemplate.id": "LaunchTemplateId",
        "initialLifecycleHooks": "LifecycleHookSpecificationList",
        "initialLifecycleHooks.name": "LifecycleHookName",
        "trafficSources.identifier": "Identifier",
    },
    "AWS::EC2::FlowLog": {"iamRoleArn": "DeliverLogsPermissionArn", "vpcId": "ResourceId"},
    "AWS::EC2::LaunchTemplate": {"launchTemplateData.networkInterfaces.securityGroups": "Groups"},
    "AWS::EC2::SecurityGroup": {"description": "GroupDescription", "name": "GroupName"},
    "AWS::EC2::SecurityGroupEgress": {
        "securityGroupId": "GroupId",
        "cidrIpv4": "CidrIp",
        "prefixListId": "DestinationPrefixListId",
        "referencedSecurityGroupId": "DestinationSecurityGroupId",
    },
    "AWS::EC2::SecurityGroupIngress": {
        "securityGroupId": "GroupId",
        "cidrIpv4": "CidrIp",
        "prefixListId": "SourcePrefixListId",
        "referencedSecurityGroupId": "SourceSecurityGroupId",
    },
    "AWS::EC2::VPCEndpoint": {"policy": "PolicyDocument"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"loadBalancerType": "Type"},
    "AWS::IAM::InstanceProfile": {"role": "Roles"},
    "AWS::IAM::Role": {"assumeRolePolicy": "AssumeRolePolicyDocument"},
    "AWS::IAM::RolePolicy": {"policy": "PolicyDocument", "role": "RoleName", "name": "PolicyName"},
    "AWS::KMS::Key": {
        "policy": "KeyPolicy",
        "customerMasterKeySpec": "KeySpec",
        "deletionWindowInDays": "PendingWindowInDays",
        "isEnabled": "Enabled",
    },
    "AWS::KMS::ReplicaKey": {
        "policy": "KeyPolicy",
        "deletionWindowInDays": "PendingWindowInDays",
    },
    "AWS::Lambda::Permission": {"function": "FunctionName"},
    "AWS::RDS::DBInstance": {
        "backupWindow": "PreferredBackupWindow",
        "caCertIdentifier": "CACertificateIdentifier",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
        "identifier": "DBInstanceIdentifier",
        "instanceClass": "DBInstanceClass",
        "maintenanceWindow": "PreferredMaintenanceWindow",
        "parameterGroupName": "DBParameterGroupName",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "replicateSourceDb": "SourceDBInstanceIdentifier",
        "snapshotIdentifier": "DBSnapshotIdentifier",
        "username": "MasterUsername",
        "vpcSecurityGroupIds": "VPCSecurityGroups",
    },
    "AWS::RDS::DBSubnetGroup": {"description": "DBSubnetGroupDescription"},
    "AWS::RDS::DBParameterGroup": {},
    "AWS::RDS::EventSubscription": {"name": "SubscriptionName", "snsTopic": "SnsTopicArn"},
    "AWS::S3::Bucket": {
        "bucket": "BucketName",
        "LifecycleConfiguration.rules.transitions.days": "TransitionInDays",
        "LoggingConfiguration.targetBucket": "DestinationBucketName",
        "LoggingConfiguration.targetPrefix": "LogFilePrefix",
        "InventoryConfigurations.name": "Id",
        "BucketEncryption.rules": "ServerSideEncryptionConfiguration",
        "BucketEncryption.rules.applyServerSideEncryptionByDefault": (
            "ServerSideEncryptionByDefault"
        ),
    },
    "AWS::S3::BucketPolicy": {"policy": "PolicyDocument"},
    "AWS::SecretsManager::RotationSchedule": {"rotateImmediately": "RotateImmediatelyOnUpdate"},
    "AWS::SNS::Subscription": {"topic": "TopicArn"},
    "AWS::SNS::TopicPolicy": {"arn": "Topics", "policy": "PolicyDocument"},
    "AWS::SQS::Queue": {"messageRetentionSeconds": "MessageRetentionPeriod"},
}

# What has no correspondence: the provider's own behaviour, or another resource's in
# CloudFormation. Everything else that cannot be rendered fails the test.
WITHOUT_PROPERTY: dict[str, dict[str, str]] = {
    "aws:autoscaling/group:Group": {
        "waitForCapacityTimeout": "how long the provider waits",
        "waitForElbCapacity": "how long the provider waits",
        "instanceRefresh": "UpdatePolicy of the resource, no property",
        "enabledMetrics": "MetricsCollection, both in one",
        "metricsGranularity": "MetricsCollection, both in one",
    },
    "aws:ec2/internetGateway:InternetGateway": {"vpcId": "a resource of its own: attachment"},
    "aws:ec2/launchTemplate:LaunchTemplate": {"updateDefaultVersion": "done by the provider"},
    "aws:iam/instanceProfile:InstanceProfile": {"tags": "CloudFormation cannot set them"},
    "aws:lambda/permission:Permission": {"statementId": "CloudFormation makes it up"},
    "aws:rds/instance:Instance": {
        "finalSnapshotIdentifier": "DeletionPolicy of the resource, no property",
        "skipFinalSnapshot": "DeletionPolicy of the resource, no property",
        "passwordWo": "write-only, the rotation function sets the real one",
        "passwordWoVersion": "write-only, the rotation function sets the real one",
    },
    "aws:s3/bucket:Bucket": {"forceDestroy": "done by the provider"},
    "aws:secretsmanager/secret:Secret": {"recoveryWindowInDays": "argument of the deletion"},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "tags": "CloudFormation cannot set them"
    },
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "tags": "CloudFormation cannot set them"
    },
}


def reshaped(type_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs where CloudFormation has them in another shape, still to be renamed."""
    match type_:
        case "aws:ec2/flowLog:FlowLog":
            return {**inputs, "resourceType": "VPC"}
        case "aws:ec2/launchTemplate:LaunchTemplate":
            return _launch_template(inputs)
        case "aws:lambda/function:Function":
            return {**inputs, "code": {"s3Bucket": "functions", "s3Key": "functions.zip"}}
        case "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig":
            return {"qualifier": "$LATEST", **inputs}
        case "aws:lb/listener:Listener":
            return _with_attributes(dict(inputs), "listenerAttributes")
        case "aws:lb/loadBalancer:LoadBalancer":
            scheme = "internal" if inputs.get("internal") else "internet-facing"
            return _with_attributes({**inputs, "scheme": scheme}, "loadBalancerAttributes")
        case "aws:lb/targetGroup:TargetGroup":
            check = _health_check(inputs.get("healthCheck") or {})
            rest = {key: value for key, value in inputs.items() if key != "healthCheck"}
            for state in rest.pop("targetHealthStates", []):
                rest |= state
            return _with_attributes({**rest, **check}, "targetGroupAttributes")
        case "aws:rds/instance:Instance":
            copied = inputs.get("replicateSourceDb") is not None
            # A replica is encrypted as its source is: the API has no such argument.
            return {k: v for k, v in inputs.items() if not (copied and k == "storageEncrypted")}
        case "aws:rds/parameterGroup:ParameterGroup":
            values = {each["name"]: each["value"] for each in inputs["parameters"]}
            return {**inputs, "parameters": values}
        case "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration":
            return {**inputs, "rules": [_lifecycle(rule) for rule in inputs["rules"]]}
        case "aws:s3/bucketNotification:BucketNotification":
            enabled = inputs["eventbridge"]
            rest = {key: value for key, value in inputs.items() if key != "eventbridge"}
            return {**rest, "eventBridgeConfiguration": {"eventBridgeEnabled": enabled}}
        case "aws:s3/inventory:Inventory":
            return _inventory(inputs)
        case _:
            return dict(inputs)


# Settings of a load balancer, its listener and a target group that are attributes in CloudFormation.
_ATTRIBUTES = {
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "connectionTermination": "deregistration_delay.connection_termination.enabled",
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "preserveClientIp": "preserve_client_ip.enabled",
    "enableUnhealthyConnectionTermination": (
        "target_health_state.unhealthy.connection_termination.enabled"
    ),
    "tcpIdleTimeoutSeconds": "tcp.idle_timeout.seconds",
}


def _with_attributes(inputs: dict[str, Any], name: str) -> dict[str, Any]:
    attributes = {
        key: str(inputs.pop(each)).lower() for each, key in _ATTRIBUTES.items() if each in inputs
    }
    inputs.pop("internal", None)
    return {**inputs, name: attributes}


def _launch_template(inputs: Mapping[str, Any]) -> dict[str, Any]:
    outside = ("name", "description", "tags")
    tags = {"resourceType": "launch-template", "tags": inputs.get("tags", {})}
    return {
        "name": inputs["name"],
        "versionDescription": inputs.get("description"),
        "tagSpecifications": [tags],
        "launchTemplateData": {k: v for k, v in inputs.items() if k not in outside},
    }


def _health_check(check: Mapping[str, Any]) -> dict[str, Any]:
    keys = {
        "enabled": "healthCheckEnabled",
        "healthyThreshold": "healthyThresholdCount",
        "interval": "healthCheckIntervalSeconds",
        "path": "healthCheckPath",
        "port": "healthCheckPort",
        "protocol": "healthCheckProtocol",
        "timeout": "healthCheckTimeoutSeconds",
        "unhealthyThreshold": "unhealthyThresholdCount",
    }
    rendered = {keys[name]: value for name, value in check.items() if name != "matcher"}
    if "matcher" in check:
        rendered["matcher"] = {"httpCode": check["matcher"]}
    return rendered


def _lifecycle(rule: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in rule.items() if k not in ("filter", "expiration")}
    filter_ = rule.get("filter") or {}
    if filter_.get("prefix"):
        found["prefix"] = filter_["prefix"]
    expiration = rule.get("expiration") or {}
    if "days" in expiration:
        found["expirationInDays"] = expiration["days"]
    if "expiredObjectDeleteMarker" in expiration:
        found["expiredObjectDeleteMarker"] = expiration["expiredObjectDeleteMarker"]
    return found


def _inventory(inputs: Mapping[str, Any]) -> dict[str, Any]:
    target = inputs["destination"]["bucket"]
    named = {"accountId": "bucketAccountId"}
    destination = {named.get(k, k): v for k, v in target.items() if k != "encryption"}
    return {
        "enabled": True,
        **{key: value for key, value in inputs.items() if key not in ("destination", "schedule")},
        "scheduleFrequency": inputs["schedule"]["frequency"],
        "destination": destination,
    }
