"""One example of every resource type, in the order in which they depend on each other.

`build` gives the inputs from what was made before; `change` is an update in place, with the API
operations that it must call; `replace` is a change that needs another resource.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.provider.wire import Archive, Asset
from tests.localcloud.provider_engine import Made

Built = Mapping[str, Made]
TAGS = {"Name": "pgkeep", "environment": "test"}
NEW_TAGS = {"Name": "pgkeep", "owner": "data"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def policy(action: str = "s3:GetObject", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": [action], "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Sample:
    key: str
    kind: str
    build: Callable[[Built], dict[str, Any]]
    change: Callable[[Built], dict[str, Any]] | None = None
    calls: tuple[str, ...] = ()
    replace: dict[str, Any] = field(default_factory=dict)
    stays: bool = False  # What a delete leaves behind by design.
    # What moto 5.2.5 alone does wrong at the update; the local cloud mends it and tests it there.
    moto_defect: str = ""


def code(text: str) -> Archive:
    handler = f"def handler(event, context):\n    return {text!r}\n"
    return Archive(members={"index.py": Asset(text=handler, hash=text)}, hash=f"hash-of-{text}")


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
    Sample(
        "key",
        "aws:kms/key:Key",
        lambda _: {
            "description": "database",
            "enableKeyRotation": True,
            "deletionWindowInDays": 7,
            "tags": TAGS,
        },
        lambda _: {"description": "backups", "enableKeyRotation": False, "tags": NEW_TAGS},
        ("UpdateKeyDescription", "DisableKeyRotation", "TagResource", "UntagResource"),
        {"keyUsage": "SIGN_VERIFY"},
    ),
    Sample(
        "alias",
        "aws:kms/alias:Alias",
        lambda made: {"name": "alias/database", "targetKeyId": made["key"]["keyId"]},
        replace={"name": "alias/other"},
    ),
    Sample(
        "parameters",
        "aws:rds/parameterGroup:ParameterGroup",
        lambda _: {
            "family": "postgres17",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "max_connections", "value": "100", "applyMethod": "pending-reboot"},
            ],
            "tags": TAGS,
        },
        lambda _: {
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "max_connections", "value": "200", "applyMethod": "pending-reboot"},
            ]
        },
        ("ModifyDBParameterGroup",),
        {"family": "postgres16"},
    ),
    Sample(
        "subnets",
        "aws:rds/subnetGroup:SubnetGroup",
        lambda made: {"name": "db", "subnetIds": [made["subnet-a"].id, made["subnet-b"].id]},
        lambda _: {"description": "private"},
        ("ModifyDBSubnetGroup",),
        {"name": "other"},
        moto_defect="modify_db_subnet_group removes the group",
    ),
    Sample(
        "database",
        "aws:rds/instance:Instance",
        lambda made: {
            "identifier": "orders",
            "engine": "postgres",
            "engineVersion": "17",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": made["key"]["arn"],
            "dbName": "orders",
            "username": "pgadmin",
            "passwordWo": "throwaway-password",
            "passwordWoVersion": 1,
            "parameterGroupName": made["parameters"].id,
            "dbSubnetGroupName": made["subnets"].id,
            "vpcSecurityGroupIds": [made["group"].id],
            "backupRetentionPeriod": 7,
            "backupWindow": "01:00-02:00",
            "maintenanceWindow": "sun:03:00-sun:04:00",
            "enabledCloudwatchLogsExports": ["postgresql"],
            "performanceInsightsEnabled": True,
            "copyTagsToSnapshot": True,
            "skipFinalSnapshot": True,
            "applyImmediately": True,
            "tags": TAGS,
        },
        lambda _: {"backupRetentionPeriod": 35, "tags": NEW_TAGS},
        ("ModifyDBInstance", "AddTagsToResource", "RemoveTagsFromResource"),
        {"engine": "mysql"},
    ),
    Sample(
        "replica",
        "aws:rds/instance:Instance",
        lambda made: {
            "identifier": "orders-replica",
            "replicateSourceDb": made["database"]["identifier"],
            "instanceClass": "db.t4g.micro",
            "skipFinalSnapshot": True,
            "applyImmediately": True,
        },
        lambda _: {"instanceClass": "db.t4g.small"},
        ("ModifyDBInstance",),
        {"identifier": "other"},
    ),
    Sample(
        "role",
        "aws:iam/role:Role",
        lambda _: {"assumeRolePolicy": TRUST, "tags": TAGS},
        lambda _: {"description": "backup", "tags": NEW_TAGS},
        ("UpdateRole", "TagRole", "UntagRole"),
        {"name": "other"},
    ),
    Sample(
        "role-policy",
        "aws:iam/rolePolicy:RolePolicy",
        lambda made: {"role": made["role"].id, "policy": policy()},
        lambda _: {"policy": policy("s3:PutObject")},
        ("PutRolePolicy",),
        {"role": "other"},
    ),
    Sample(
        "attachment",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda made: {
            "role": made["role"].id,
            "policyArn": "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
        },
        replace={"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    ),
    Sample(
        "profile",
        "aws:iam/instanceProfile:InstanceProfile",
        lambda made: {"role": made["role"].id},
        lambda _: {"tags": TAGS},
        ("TagInstanceProfile",),
        {"name": "other"},
    ),
    Sample(
        "logs",
        "aws:cloudwatch/logGroup:LogGroup",
        lambda _: {"name": "/aws/lambda/backup", "retentionInDays": 30, "tags": TAGS},
        lambda _: {"retentionInDays": 90, "tags": NEW_TAGS},
        ("PutRetentionPolicy", "TagResource", "UntagResource"),
        {"name": "/aws/lambda/other"},
    ),
    Sample(
        "flow-log",
        "aws:ec2/flowLog:FlowLog",
        lambda made: {
            "vpcId": made["vpc"].id,
            "trafficType": "ALL",
            "logDestination": made["logs"]["arn"],
            "iamRoleArn": made["role"]["arn"],
            "maxAggregationInterval": 600,
            "tags": TAGS,
        },
        lambda _: {"tags": NEW_TAGS},
        ("CreateTags", "DeleteTags"),
        {"trafficType": "REJECT"},
    ),
    Sample(
        "topic",
        "aws:sns/topic:Topic",
        lambda _: {"name": "alarms", "kmsMasterKeyId": "alias/aws/sns", "tags": TAGS},
        lambda _: {"displayName": "Alarms"},
        ("SetTopicAttributes",),
        {"name": "other"},
    ),
    Sample(
        "database-events",
        "aws:rds/eventSubscription:EventSubscription",
        lambda made: {
            "name": "orders-events",
            "snsTopic": made["topic"]["arn"],
            "sourceType": "db-instance",
            "sourceIds": [made["database"]["identifier"]],
            "eventCategories": ["failover", "low storage"],
            "tags": TAGS,
        },
        lambda _: {"eventCategories": ["failover"]},
        ("ModifyEventSubscription",),
        {"name": "other"},
        moto_defect="there is no ModifyEventSubscription",
    ),
    Sample(
        "topic-policy",
        "aws:sns/topicPolicy:TopicPolicy",
        lambda made: {"arn": made["topic"]["arn"], "policy": policy("sns:Publish")},
        lambda _: {"policy": policy("sns:Subscribe")},
        ("SetTopicAttributes",),
        {"arn": "arn:aws:sns:eu-west-1:123456789012:other"},
        stays=True,
    ),
    Sample(
        "subscription",
        "aws:sns/topicSubscription:TopicSubscription",
        lambda made: {
            "topic": made["topic"]["arn"],
            "protocol": "email",
            "endpoint": "operations@example.org",
        },
        replace={"endpoint": "other@example.org"},
    ),
    Sample(
        "alarm",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda made: {
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 1,
            "metricName": "Errors",
            "namespace": "AWS/Lambda",
            "dimensions": {"FunctionName": "backup"},
            "period": 300,
            "statistic": "Sum",
            "threshold": 0,
            "alarmActions": [made["topic"]["arn"]],
            "treatMissingData": "notBreaching",
        },
        lambda _: {"threshold": 2.5},
        ("PutMetricAlarm",),
        {"name": "other"},
    ),
    Sample(
        "queue",
        "aws:sqs/queue:Queue",
        lambda _: {"messageRetentionSeconds": 1209600, "tags": TAGS},
        lambda _: {"visibilityTimeoutSeconds": 60, "tags": NEW_TAGS},
        ("SetQueueAttributes", "TagQueue", "UntagQueue"),
        {"name": "other"},
    ),
    Sample(
        "bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-backups", "forceDestroy": True, "tags": TAGS},
        lambda _: {"tags": NEW_TAGS},
        ("PutBucketTagging",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "versioning",
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda made: {
            "bucket": made["bucket"].id,
            "versioningConfiguration": {"status": "Enabled"},
        },
        lambda _: {"versioningConfiguration": {"status": "Suspended"}},
        ("PutBucketVersioning",),
        {"bucket": "other-bucket"},
        stays=True,
    ),
    Sample(
        "encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda made: {
            "bucket": made["bucket"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": made["key"]["arn"],
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        lambda _: {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        ("PutBucketEncryption",),
    ),
    Sample(
        "public-access",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda made: {
            "bucket": made["bucket"].id,
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
        },
        lambda _: {"ignorePublicAcls": True, "restrictPublicBuckets": True},
        ("PutPublicAccessBlock",),
    ),
    Sample(
        "bucket-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda made: {"bucket": made["bucket"].id, "policy": policy(Principal="*")},
        lambda _: {"policy": policy("s3:ListBucket", Principal="*")},
        ("PutBucketPolicy",),
    ),
    Sample(
        "lifecycle",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda made: {
            "bucket": made["bucket"].id,
            "rules": [
                {
                    "id": "daily",
                    "status": "Enabled",
                    "filter": {"prefix": "daily/"},
                    "expiration": {"days": 35},
                    "noncurrentVersionExpiration": {"noncurrentDays": 7},
                },
                {
                    "id": "parts",
                    "status": "Enabled",
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
                },
                {
                    "id": "marked",
                    "status": "Enabled",
                    "filter": {"and": {"prefix": "daily/", "tags": {"pgkeep:expired": "true"}}},
                    "expiration": {"days": 35},
                },
                {
                    "id": "abandoned",
                    "status": "Enabled",
                    "filter": {"tag": {"key": "pgkeep:expired", "value": "abandoned"}},
                    "expiration": {"days": 1},
                },
            ],
        },
        lambda _: {
            "rules": [
                {
                    "id": "daily",
                    "status": "Enabled",
                    "filter": {"prefix": "daily/"},
                    "expiration": {"days": 40},
                }
            ]
        },
        ("PutBucketLifecycleConfiguration",),
    ),
    Sample(
        "ownership",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda made: {
            "bucket": made["bucket"].id,
            "rule": {"objectOwnership": "BucketOwnerEnforced"},
        },
        lambda _: {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        ("PutBucketOwnershipControls",),
    ),
    Sample(
        "locked-bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-locked", "forceDestroy": True, "objectLockEnabled": True},
    ),
    Sample(
        "object-lock",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 3}},
        },
        lambda _: {"rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 4}}},
        ("PutObjectLockConfiguration",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "log-bucket",
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "pgkeep-logs", "forceDestroy": True},
    ),
    Sample(
        "log-policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        lambda made: {
            "bucket": made["log-bucket"].id,
            "policy": policy(
                "s3:PutObject",
                Principal={"Service": "logging.s3.amazonaws.com"},
                Resource="arn:aws:s3:::pgkeep-logs/*",
            ),
        },
    ),
    Sample(
        "logging",
        "aws:s3/bucketLogging:BucketLogging",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "targetBucket": made["log-bucket"].id,
            "targetPrefix": "access/",
        },
        lambda _: {"targetPrefix": "other/"},
        ("PutBucketLogging",),
    ),
    Sample(
        "object",
        "aws:s3/bucketObject:BucketObject",
        lambda made: {
            "bucket": made["log-bucket"].id,
            "key": "worker/functions.zip",
            "source": Asset(text="one", hash="one"),
            "sourceHash": "one",
            "contentType": "application/zip",
        },
        lambda _: {"source": Asset(text="two", hash="two"), "sourceHash": "two"},
        ("PutObject",),
        {"key": "worker/other.zip"},
    ),
    Sample(
        "inventory",
        "aws:s3/inventory:Inventory",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "name": "all",
            "includedObjectVersions": "All",
            "schedule": {"frequency": "Weekly"},
            "destination": {
                "bucket": {
                    "bucketArn": "arn:aws:s3:::pgkeep-logs",
                    "format": "Parquet",
                    "prefix": "inventory",
                    "encryption": {"sseKms": {"keyId": made["key"]["arn"]}},
                }
            },
            "optionalFields": ["Size", "ETag"],
        },
        lambda _: {"schedule": {"frequency": "Daily"}},
        ("PutBucketInventoryConfiguration",),
        {"name": "other"},
    ),
    Sample(
        "replication",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        lambda made: {
            "bucket": made["locked-bucket"].id,
            "role": made["role"]["arn"],
            "rules": [
                {
                    "id": "copy",
                    "priority": 1,
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Disabled"},
                    "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                    "destination": {
                        "bucket": "arn:aws:s3:::pgkeep-copies",
                        "storageClass": "STANDARD_IA",
                        "encryptionConfiguration": {"replicaKmsKeyId": made["key"]["arn"]},
                        "metrics": {"status": "Enabled", "eventThreshold": {"minutes": 15}},
                        "replicationTime": {"status": "Enabled", "time": {"minutes": 15}},
                    },
                }
            ],
        },
        lambda _: {
            "rules": [
                {
                    "id": "copy",
                    "priority": 1,
                    "status": "Disabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Disabled"},
                    "destination": {"bucket": "arn:aws:s3:::pgkeep-copies"},
                }
            ]
        },
        ("PutBucketReplication",),
        {"bucket": "other-bucket"},
    ),
    Sample(
        "notification",
        "aws:s3/bucketNotification:BucketNotification",
        lambda made: {"bucket": made["locked-bucket"].id, "eventbridge": True},
        stays=True,
    ),
    Sample(
        "layer",
        "aws:lambda/layerVersion:LayerVersion",
        lambda _: {
            "layerName": "ca",
            "code": code("pem"),
            "compatibleRuntimes": ["python3.13"],
        },
        replace={"description": "another"},
    ),
    Sample(
        "function",
        "aws:lambda/function:Function",
        lambda made: {
            "name": "backup",
            "role": made["role"]["arn"],
            "code": code("one"),
            "runtime": "python3.13",
            "handler": "index.handler",
            "timeout": 900,
            "memorySize": 1024,
            "architectures": ["x86_64"],
            "layers": [made["layer"]["arn"]],
            "environment": {"variables": {"BACKUP_BUCKET": made["bucket"].id}},
            "vpcConfig": {
                "subnetIds": [made["subnet-a"].id],
                "securityGroupIds": [made["group"].id],
            },
            "deadLetterConfig": {"targetArn": made["queue"]["arn"]},
            "reservedConcurrentExecutions": 1,
            "tags": TAGS,
        },
        lambda _: {"code": code("two"), "timeout": 600, "tags": NEW_TAGS},
        ("UpdateFunctionCode", "UpdateFunctionConfiguration", "TagResource", "UntagResource"),
        {"name": "other"},
    ),
    Sample(
        "invoke-config",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        lambda made: {
            "functionName": made["function"]["name"],
            "maximumRetryAttempts": 0,
            "destinationConfig": {"onFailure": {"destination": made["queue"]["arn"]}},
        },
        lambda _: {"maximumRetryAttempts": 1},
        ("PutFunctionEventInvokeConfig",),
        {"functionName": "other"},
        moto_defect="put_function_event_invoke_config keeps the first one",
    ),
    Sample(
        "permission",
        "aws:lambda/permission:Permission",
        lambda made: {
            "action": "lambda:InvokeFunction",
            "function": made["function"]["name"],
            "principal": "secretsmanager.amazonaws.com",
            "sourceAccount": "123456789012",
            "statementId": "secrets",
        },
        replace={"sourceAccount": "210987654321"},
    ),
    Sample(
        "schedule",
        "aws:scheduler/schedule:Schedule",
        lambda made: {
            "scheduleExpression": "cron(0 3 * * ? *)",
            "flexibleTimeWindow": {"mode": "OFF"},
            "target": {
                "arn": made["function"]["arn"],
                "roleArn": made["role"]["arn"],
                "input": '{"class": "daily"}',
                "retryPolicy": {"maximumRetryAttempts": 2},
            },
        },
        lambda _: {"scheduleExpression": "rate(1 day)"},
        ("UpdateSchedule",),
        {"groupName": "other"},
    ),
    Sample(
        "secret",
        "aws:secretsmanager/secret:Secret",
        lambda made: {
            "name": "pgkeep/app",
            "kmsKeyId": made["key"]["arn"],
            "recoveryWindowInDays": 0,
            "tags": TAGS,
        },
        lambda _: {"description": "application user"},
        ("UpdateSecret",),
        {"name": "other"},
    ),
    Sample(
        "parameter",
        "aws:ssm/parameter:Parameter",
        lambda _: {"name": "/pgkeep/ca", "type": "String", "value": "pending", "tags": TAGS},
        lambda _: {"value": "PEM"},
        ("PutParameter",),
        {"type": "SecureString"},
    ),
    Sample(
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        lambda made: {
            "name": "pooler",
            "internal": True,
            "loadBalancerType": "network",
            "subnets": [made["subnet-a"].id, made["subnet-b"].id],
            "securityGroups": [made["group"].id],
            "enableCrossZoneLoadBalancing": True,
            "tags": TAGS,
        },
        lambda _: {"enableCrossZoneLoadBalancing": False},
        ("ModifyLoadBalancerAttributes",),
        {"internal": False},
    ),
    Sample(
        "targets",
        "aws:lb/targetGroup:TargetGroup",
        lambda made: {
            "name": "pooler",
            "port": 6543,
            "protocol": "TCP",
            "vpcId": made["vpc"].id,
            "deregistrationDelay": 30,
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": False}],
            "healthCheck": {"protocol": "TCP", "port": "6543", "interval": 10},
        },
        lambda _: {
            "deregistrationDelay": 60,
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": True}],
            "healthCheck": {"protocol": "TCP", "port": "6543", "interval": 30},
        },
        ("ModifyTargetGroup", "ModifyTargetGroupAttributes"),
        {"port": 5432},
    ),
    Sample(
        "listener",
        "aws:lb/listener:Listener",
        lambda made: {
            "loadBalancerArn": made["balancer"]["arn"],
            "port": 6543,
            "protocol": "TCP",
            "defaultActions": [{"type": "forward", "targetGroupArn": made["targets"]["arn"]}],
        },
        lambda _: {"port": 6544},
        ("ModifyListener",),
        {"loadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/o/1"},
    ),
    Sample(
        "template",
        "aws:ec2/launchTemplate:LaunchTemplate",
        lambda made: {
            "name": "pooler",
            "imageId": "ami-03cf127a",
            "instanceType": "t4g.small",
            "vpcSecurityGroupIds": [made["group"].id],
            "iamInstanceProfile": {"arn": made["profile"]["arn"]},
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [
                {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 8, "encrypted": "true"}}
            ],
            "tagSpecifications": [{"resourceType": "instance", "tags": TAGS}],
            "updateDefaultVersion": True,
        },
        lambda _: {"instanceType": "t4g.medium"},
        ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate"),
        {"name": "other"},
    ),
    Sample(
        "scaling",
        "aws:autoscaling/group:Group",
        lambda made: {
            "name": "pooler",
            "minSize": 2,
            "maxSize": 4,
            "desiredCapacity": 2,
            "vpcZoneIdentifiers": [made["subnet-a"].id, made["subnet-b"].id],
            "launchTemplate": {
                "id": made["template"].id,
                "version": str(made["template"]["latestVersion"]),
            },
            "targetGroupArns": [made["targets"]["arn"]],
            "healthCheckType": "ELB",
            "initialLifecycleHooks": [
                {
                    "name": "drain",
                    "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                    "heartbeatTimeout": 30,
                    "defaultResult": "CONTINUE",
                }
            ],
            "tags": [{"key": "Name", "value": "pooler", "propagateAtLaunch": True}],
        },
        lambda made: {
            "maxSize": 5,
            "desiredCapacity": 3,
            "launchTemplate": {
                "id": made["template"].id,
                "version": str(made["template"]["latestVersion"]),
            },
            "tags": [{"key": "Role", "value": "pooler", "propagateAtLaunch": True}],
        },
        ("UpdateAutoScalingGroup", "CreateOrUpdateTags", "DeleteTags"),
        {"name": "other"},
    ),
    Sample(
        "hook",
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        lambda made: {
            "name": "drain",
            "autoscalingGroupName": made["scaling"].id,
            "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "heartbeatTimeout": 30,
            "defaultResult": "CONTINUE",
        },
        lambda _: {"heartbeatTimeout": 60},
        ("PutLifecycleHook",),
        {"name": "other"},
    ),
)
