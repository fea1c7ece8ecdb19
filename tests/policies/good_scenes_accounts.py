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
