"""Spoilt and other good values for images, an account's settings, addresses and URLs."""

from __future__ import annotations

from typing import Any, Final

from tests.policies.spec_table_network import ABSENT, NOT_GIVEN, NOT_TRUE, Spoils

_COPY: Final = "policyDetails/schedules/0/crossRegionCopyRules/0"
_EVENT: Final = "policyDetails/action/crossRegionCopies/0/encryptionConfiguration"
_NOT_DAYS: Final[list[Any]] = [ABSENT, 0, 91, "many", -1, True]

ACCOUNTS: Final[dict[str, Spoils]] = {
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
}
