"""Spoilt and other good values for images, an account's settings, addresses and URLs."""

from __future__ import annotations

from typing import Any, Final

from tests.policies.good_scenes import document
from tests.policies.spec_table_network import ABSENT, NOT_GIVEN, NOT_TRUE, Spoils

_COPY: Final = "policyDetails/schedules/0/crossRegionCopyRules/0"
_EVENT: Final = "policyDetails/action/crossRegionCopies/0/encryptionConfiguration"
_NOT_DAYS: Final[list[Any]] = [ABSENT, 0, 91, "many", -1, True]


def _queue(account: str, **more: Any) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:role/a"}
    allowed = {"Effect": "Allow", "Principal": principal, "Action": "sqs:ReceiveMessage"}
    return document({**allowed, "Resource": "*", **more})


ACCOUNTS: Final[dict[str, Spoils]] = {
    "sqs-own-account": [
        (
            "queue-policy",
            "policy",
            [
                _queue("444455556666"),
                _queue("444455556666", Condition={"Bool": {"a": "true"}}),
                "{",
            ],
        )
    ],
    "ec2-images-encrypted": [
        ("image", "ebsBlockDevices/1/encrypted", NOT_TRUE),
        ("image-copy", "encrypted", NOT_TRUE),
    ],
    "ec2-image-copies-key": [("image-copy", "kmsKeyId", NOT_GIVEN)],
    "ec2-lifecycle-copies-encrypted": [
        ("scheduled-copies", f"{_COPY}/encrypted", NOT_TRUE),
        ("scheduled-copies", f"{_COPY}/cmkArn", NOT_GIVEN),
        ("event-copies", f"{_EVENT}/encrypted", NOT_TRUE),
        ("event-copies", f"{_EVENT}/cmkArn", NOT_GIVEN),
    ],
    "iam-password-policy": [
        ("password-policy", "maxPasswordAge", _NOT_DAYS),
        ("password-policy", "minimumPasswordLength", [ABSENT, 13, 129, "long"]),
        ("password-policy", "passwordReusePrevention", [ABSENT, 23, 0, None]),
        ("password-policy", "requireLowercaseCharacters", NOT_TRUE),
        ("password-policy", "requireUppercaseCharacters", NOT_TRUE),
        ("password-policy", "requireNumbers", NOT_TRUE),
        ("password-policy", "requireSymbols", NOT_TRUE),
    ],
    "logs-trail-watched": [("trail", "cloudWatchLogsGroupArn", NOT_GIVEN)],
    "rds-activity-stream-key": [("activity-stream", "kmsKeyId", NOT_GIVEN)],
    "net-addresses-used": [("nat", "allocationId", [ABSENT])],
    "net-ec2-endpoint": [
        ("ec2-endpoint", "serviceName", [ABSENT, "com.amazonaws.eu-west-1.ec2messages", "", 5])
    ],
    "lb-drops-invalid-headers": [("application-balancer", "dropInvalidHeaderFields", NOT_TRUE)],
    "lb-desync-defended": [
        ("application-balancer", "desyncMitigationMode", ["monitor", "", 5, ["strictest"]])
    ],
    "lambda-url-origins": [("url", "cors/allowOrigins", [["*"], ["https://a.example", "*"], "*"])],
    "net-connect-endpoint-group": [
        (
            "ssh-endpoint",
            "securityGroupIds",
            [
                ABSENT,
                [],
                None,
                "sg-1",
                5,
                [""],
                [" "],
                [None],
                [5],
                [{}],
                [["sg-1"]],
                ["sg-1", "sg-2"],
            ],
        )
    ],
    "net-connect-endpoint-reaches-hosts": [
        ("ssh-out", "cidrIpv4", ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "x", 5]),
        ("ssh-out", "cidrIpv6", ["::/0", "fd00::/8"]),
        ("ssh-out", "prefixListId", ["pl-1"]),
        ("ssh-out", "referencedSecurityGroupId", [ABSENT, ""]),
        ("ssh-out", "ipProtocol", ["-1", -1, "icmp"]),
        ("ssh-out", "fromPort", [ABSENT, 0, 21, "x"]),
        ("ssh-out", "toPort", [ABSENT, 0, 23, 65_535, "x"]),
        ("other-ssh-rule", "cidrBlocks", [["0.0.0.0/0"], ["10.0.0.0/8"], "x"]),
        ("other-ssh-rule", "prefixListIds", [["pl-1"]]),
        ("other-ssh-rule", "protocol", ["-1", "all"]),
        ("other-ssh-rule", "toPort", [3389]),
        ("other-ssh-group", "egress/0/cidrBlocks", [["0.0.0.0/0"], ["10.0.0.0/8"], [5]]),
        ("other-ssh-group", "egress/0/ipv6CidrBlocks", [["::/0"]]),
        ("other-ssh-group", "egress/0/prefixListIds", [["pl-1"]]),
        ("other-ssh-group", "egress/0/fromPort", [ABSENT, 5432]),
        ("other-ssh-group", "egress", ["x", [5]]),
    ],
}
ACCOUNTS_ALSO_GOOD: Final[dict[str, Spoils]] = {
    "ec2-images-encrypted": [("image", "ebsBlockDevices", [ABSENT, []])],
    "ec2-lifecycle-copies-encrypted": [
        ("scheduled-copies", "policyDetails/schedules/0/crossRegionCopyRules", [[], ABSENT]),
        ("event-copies", "policyDetails", [{}, {"schedules": [{"name": "daily"}]}]),
    ],
    "lb-desync-defended": [
        ("application-balancer", "desyncMitigationMode", ["strictest", "defensive"])
    ],
    "lambda-url-origins": [("url", "cors/allowOrigins", [["https://a.example"], []])],
    "net-connect-endpoint-group": [("ssh-endpoint", "preserveClientIp", [True, False])],
    "net-connect-endpoint-reaches-hosts": [
        ("ssh-out", "fromPort", ["22"]),
        ("other-ssh-rule", "type", ["ingress"]),
        ("other-ssh-group", "egress", [ABSENT]),
        ("other-ssh-group", "egress/0/securityGroups", [["sg-1", "sg-2"]]),
    ],
    "sqs-own-account": [("queue-policy", "policy", [_queue("111122223333")])],
}
