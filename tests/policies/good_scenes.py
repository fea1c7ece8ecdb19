"""Small stacks that every rule accepts, one a theme, beside the one around the database."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.policies.good_scenes_more import SCENES_MORE

# type, properties, property -> names of the resources that it refers to
Entry = tuple[str, dict[str, Any], dict[str, list[str]]]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


NETWORK: Final[dict[str, Entry]] = {
    "vpc": ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, {}),
    "flow-log": (
        "aws:ec2/flowLog:FlowLog",
        {"vpcId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "trafficType": "ALL"},
        {"vpcId": ["vpc"]},
    ),
    "attached": (
        "aws:ec2/networkInterface:NetworkInterface",
        {"securityGroups": ["04da6b54-80e4-46f7-96ec-b56ff0331ba9"]},
        {"securityGroups": ["inline"]},
    ),
    "closed": (
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        {"vpcId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "ingress": [], "egress": []},
        {"vpcId": ["vpc"]},
    ),
    "inline": (
        "aws:ec2/securityGroup:SecurityGroup",
        {
            "description": "web servers",
            "ingress": [
                {
                    "description": "HTTPS from everywhere",
                    "protocol": "tcp",
                    "fromPort": 443,
                    "toPort": 443,
                    "cidrBlocks": ["0.0.0.0/0"],
                }
            ],
            "egress": [
                {
                    "description": "DNS of the VPC",
                    "protocol": "udp",
                    "fromPort": 53,
                    "toPort": 53,
                    "cidrBlocks": ["10.0.0.2/32"],
                }
            ],
        },
        {},
    ),
    "in": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {
            "description": "PostgreSQL from the pooler",
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "referencedSecurityGroupId": "sg-1",
        },
        {},
    ),
    "out": (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        {
            "description": "HTTPS to the endpoints",
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.0.0.0/16",
        },
        {},
    ),
    "group-rule": (
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        {
            "type": "ingress",
            "description": "metrics",
            "protocol": "tcp",
            "fromPort": 9100,
            "toPort": 9100,
            "cidrBlocks": ["10.0.0.0/16"],
        },
        {},
    ),
    "subnet": ("aws:ec2/subnet:Subnet", {"mapPublicIpOnLaunch": False}, {}),
    "acl": (
        "aws:ec2/networkAcl:NetworkAcl",
        {
            "subnetIds": ["subnet-1"],
            "ingress": [
                {
                    "ruleNo": 100,
                    "action": "allow",
                    "protocol": "tcp",
                    "fromPort": 443,
                    "toPort": 443,
                    "cidrBlock": "0.0.0.0/0",
                }
            ],
        },
        {},
    ),
    "endpoint": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::backups/*",
                }
            )
        },
        {},
    ),
    "ec2-endpoint": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {
            "vpcId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
            "serviceName": "com.amazonaws.eu-west-1.ec2",
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "ec2:DescribeInstances",
                    "Resource": "*",
                }
            ),
        },
        {"vpcId": ["vpc"]},
    ),
    "peering": (
        "aws:ec2/route:Route",
        {"vpcPeeringConnectionId": "pcx-1", "destinationCidrBlock": "10.9.0.0/24"},
        {},
    ),
}

KEPT: Final[dict[str, Entry]] = {
    "key": (
        "aws:kms/key:Key",
        {
            "enableKeyRotation": True,
            "isEnabled": True,
            "deletionWindowInDays": 30,
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::1:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ),
        },
        {},
    ),
    "secret": (
        "aws:secretsmanager/secret:Secret",
        {
            "name": "app",
            "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/secrets",
            "recoveryWindowInDays": 30,
        },
        {},
    ),
    "secret-policy": (
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        {
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": "arn:aws:iam::1:role/app"},
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": "*",
                }
            )
        },
        {},
    ),
    "rotation": (
        "aws:secretsmanager/secretRotation:SecretRotation",
        {
            "secretId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
            "rotationRules": {"automaticallyAfterDays": 30},
        },
        {"secretId": ["secret"]},
    ),
    "parameter": (
        "aws:ssm/parameter:Parameter",
        {"name": "/app/password", "type": "SecureString", "keyId": "arn:aws:kms:eu-west-1:1:key/s"},
        {},
    ),
    "topic": ("aws:sns/topic:Topic", {"kmsMasterKeyId": "arn:aws:kms:eu-west-1:1:key/t"}, {}),
    "topic-policy": (
        "aws:sns/topicPolicy:TopicPolicy",
        {
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": "arn:aws:sns:eu-west-1:1:alarms",
                    "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
                }
            )
        },
        {},
    ),
    "queue": ("aws:sqs/queue:Queue", {"kmsMasterKeyId": "arn:aws:kms:eu-west-1:1:key/t"}, {}),
    "queue-policy": (
        "aws:sqs/queuePolicy:QueuePolicy",
        {
            "queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/failed",
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
                }
            ),
        },
        {},
    ),
    "log": (
        "aws:cloudwatch/logGroup:LogGroup",
        {
            "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/t",
            "retentionInDays": 365,
            "deletionProtectionEnabled": True,
        },
        {},
    ),
    "acl-of-bucket": ("aws:s3/bucketAcl:BucketAcl", {"bucket": "backups", "acl": "private"}, {}),
}

COPIES: Final[dict[str, Entry]] = {
    "copy": (
        "aws:rds/snapshotCopy:SnapshotCopy",
        {"kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d", "sharedAccounts": ["123456789012"]},
        {},
    ),
    "proxy": (
        "aws:rds/proxy:Proxy",
        {
            "requireTls": True,
            "debugLogging": False,
            "auths": [{"iamAuth": "REQUIRED", "secretArn": "arn:aws:secretsmanager:a:1:secret:s"}],
        },
        {},
    ),
    "group-attachment": (
        "aws:iam/policyAttachment:PolicyAttachment",
        {"policyArn": "arn:aws:iam::1:policy/read", "groups": ["people"], "users": []},
        {},
    ),
}

HOSTS: Final[dict[str, Entry]] = {
    "host": (
        "aws:ec2/instance:Instance",
        {
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "associatePublicIpAddress": False,
            "instanceType": "t4g.small",
            "ebsOptimized": True,
            "iamInstanceProfile": "host",
            "monitoring": True,
            "disableApiTermination": True,
            "userData": "#!/bin/sh\nsystemctl start pgbouncer\n",
            "rootBlockDevice": {"encrypted": True, "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d"},
            "ebsBlockDevices": [{"encrypted": True, "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d"}],
        },
        {},
    ),
    "template": (
        "aws:ec2/launchTemplate:LaunchTemplate",
        {
            "metadataOptions": {"httpTokens": "required"},
            "networkInterfaces": [{"associatePublicIpAddress": "false"}],
            "blockDeviceMappings": [
                {"ebs": {"encrypted": "true", "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d"}}
            ],
            "instanceType": "m3.large",
            "ebsOptimized": "true",
            "iamInstanceProfile": {"arn": "arn:aws:iam::1:instance-profile/host"},
            "monitoring": {"enabled": True},
        },
        {},
    ),
    "volume": (
        "aws:ebs/volume:Volume",
        {"encrypted": True, "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/d"},
        {},
    ),
    "by-default": ("aws:ebs/encryptionByDefault:EncryptionByDefault", {"enabled": True}, {}),
    "balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {
            "loadBalancerType": "network",
            "internal": True,
            "enableDeletionProtection": True,
            "enableCrossZoneLoadBalancing": True,
            "subnets": ["subnet-1", "subnet-2"],
        },
        {},
    ),
    "pass-through": (
        "aws:lb/listener:Listener",
        {
            "port": 6543,
            "protocol": "TCP",
            "loadBalancerArn": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        },
        {"loadBalancerArn": ["balancer"]},
    ),
    "targets": ("aws:lb/targetGroup:TargetGroup", {"healthCheck": {"enabled": True}}, {}),
    "function": (
        "aws:lambda/function:Function",
        {
            "deadLetterConfig": {"targetArn": "arn:aws:sqs:eu-west-1:1:failed"},
            "kmsKeyArn": "arn:aws:kms:eu-west-1:1:key/s",
            "vpcConfig": {"subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]},
            "reservedConcurrentExecutions": 1,
            "tracingConfig": {"mode": "Active"},
            "runtime": "python3.13",
            "codeSigningConfigArn": "arn:aws:lambda:eu-west-1:1:code-signing-config:csc-1",
            "environment": {"variables": {"PGSSLMODE": "verify-full"}},
        },
        {},
    ),
    "url": ("aws:lambda/functionUrl:FunctionUrl", {"authorizationType": "AWS_IAM"}, {}),
}

SCENES: Final[dict[str, dict[str, Entry]]] = {
    "network": NETWORK,
    "kept": KEPT,
    "copies": COPIES,
    "hosts": HOSTS,
    **SCENES_MORE,
}
