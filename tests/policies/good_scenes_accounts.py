"""Small stacks that every rule accepts: images and copies, an account's settings, addresses."""

from __future__ import annotations

from typing import Any, Final

Entry = tuple[str, dict[str, Any], dict[str, list[str]]]
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_KEY: Final = "arn:aws:kms:eu-west-1:1:key/disks"

IMAGES: Final[dict[str, Entry]] = {
    "image": (
        "aws:ec2/ami:Ami",
        {
            "ebsBlockDevices": [
                {"deviceName": "/dev/sda1", "snapshotId": "snap-1"},
                {"deviceName": "/dev/sdb", "encrypted": True},
            ]
        },
        {},
    ),
    "image-copy": ("aws:ec2/amiCopy:AmiCopy", {"encrypted": True, "kmsKeyId": _KEY}, {}),
    "scheduled-copies": (
        "aws:dlm/lifecyclePolicy:LifecyclePolicy",
        {
            "policyDetails": {
                "schedules": [{"crossRegionCopyRules": [{"encrypted": True, "cmkArn": _KEY}]}]
            }
        },
        {},
    ),
    "event-copies": (
        "aws:dlm/lifecyclePolicy:LifecyclePolicy",
        {
            "policyDetails": {
                "action": {
                    "crossRegionCopies": [
                        {"encryptionConfiguration": {"encrypted": True, "cmkArn": _KEY}}
                    ]
                }
            }
        },
        {},
    ),
}

_SSH_RULE: Final = {
    "description": "SSH to other hosts",
    "protocol": "tcp",
    "fromPort": 22,
    "toPort": 22,
    "securityGroups": ["sg-2"],
}
SSH: Final[dict[str, Entry]] = {
    "ssh-endpoint": (
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        {"subnetId": "subnet-1", "securityGroupIds": [_UNKNOWN]},
        {"securityGroupIds": ["ssh-group"]},
    ),
    "other-ssh-endpoint": (
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        {"subnetId": "subnet-2", "securityGroupIds": [_UNKNOWN]},
        {"securityGroupIds": ["other-ssh-group"]},
    ),
    "other-ssh-rule": (
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        {
            "type": "egress",
            "securityGroupId": _UNKNOWN,
            "description": "SSH to yet other hosts",
            "protocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "sourceSecurityGroupId": "sg-3",
        },
        {"securityGroupId": ["other-ssh-group"]},
    ),
    # With a rule inside, for without any EC2's own one stays in aws-native.
    "ssh-group": (
        "aws:ec2/securityGroup:SecurityGroup",
        {"description": "administrators", "egress": [_SSH_RULE]},
        {},
    ),
    "ssh-out": (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        {
            "securityGroupId": _UNKNOWN,
            "description": "SSH to the hosts",
            "ipProtocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "referencedSecurityGroupId": "sg-1",
        },
        {"securityGroupId": ["ssh-group"]},
    ),
    "other-ssh-group": (
        "aws:ec2/securityGroup:SecurityGroup",
        {
            "description": "other administrators",
            "egress": [_SSH_RULE],
        },
        {},
    ),
}

ACCOUNT: Final[dict[str, Entry]] = {
    "password-policy": (
        "aws:iam/accountPasswordPolicy:AccountPasswordPolicy",
        {
            "maxPasswordAge": 90,
            "minimumPasswordLength": 14,
            "requireLowercaseCharacters": True,
            "requireNumbers": True,
            "passwordReusePrevention": 24,
            "requireSymbols": True,
            "requireUppercaseCharacters": True,
        },
        {},
    ),
    "trail": (
        "aws:cloudtrail/trail:Trail",
        {"cloudWatchLogsGroupArn": "arn:aws:logs:eu-west-1:1:log-group:trail:*"},
        {},
    ),
    "account-block": (
        "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock",
        {
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        {},
    ),
    "activity-stream": (
        "aws:rds/clusterActivityStream:ClusterActivityStream",
        {"kmsKeyId": _KEY},
        {},
    ),
}

ADDRESSES: Final[dict[str, Entry]] = {
    "address": ("aws:ec2/eip:Eip", {"domain": "vpc"}, {}),
    "nat": (
        "aws:ec2/natGateway:NatGateway",
        {"allocationId": _UNKNOWN},
        {"allocationId": ["address"]},
    ),
}
