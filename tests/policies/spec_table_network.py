"""Spoilt and other good values for the rules of networks, buckets, keys and what is under them."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.policies.good_scenes import document

Spoils = list[tuple[str, str, list[Any]]]


class _Absent:
    """In place of a value: the property is taken away."""

    def __repr__(self) -> str:
        return "absent"  # The same name of a test in every process that collects it.


ABSENT: Final = _Absent()
NOT_TRUE: Final[list[Any]] = [ABSENT, False, "false", None, 1, "yes", {"a": 1}, []]
NOT_FALSE: Final[list[Any]] = [True, "true", 0, "no", {"a": 1}, []]
NOT_GIVEN: Final[list[Any]] = [ABSENT, "", " ", None, 5, ["a"], {}]


def _rule(first: Any, last: Any, network: str = "0.0.0.0/0", protocol: Any = "tcp") -> dict:
    return {
        "description": "x",
        "protocol": protocol,
        "fromPort": first,
        "toPort": last,
        "cidrBlocks": [network],
    }


def _world(port: int) -> Spoils:
    """Every way in which a port is opened to the world."""
    rules = [
        _rule(port, port),
        _rule(port - 1, port + 1),
        _rule(0, 65_535),
        _rule(0, 0, protocol="-1"),
        _rule(port, port, "::/0"),
        _rule(str(port), str(port)),
        _rule(port, port, "10.0.0.0/0"),
        {**_rule(port, port, "10.0.0.0/8"), "ipv6CidrBlocks": ["::/0"]},
        _rule(port, port, "nonsense"),
        _rule("all", "all"),
    ]
    return [
        ("inline", "ingress", [[rule] for rule in rules] + [[_rule(9, 9), rules[0]], "x", ["x"]]),
    ]


def _allow(**changes: Any) -> str:
    return document(
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **changes}
    )


_PUBLIC: Final[list[Any]] = [
    _allow(),
    _allow(Principal={"AWS": "*"}),
    _allow(Principal={"AWS": ["arn:aws:iam::1:root", "*"]}),
    _allow(Condition={"StringNotEquals": {"aws:SourceAccount": "1"}}),
    _allow(Condition={"StringEqualsIfExists": {"aws:SourceArn": "arn:aws:s3:::a"}}),
    _allow(Condition={"StringLike": {"aws:SourceArn": "*"}}),
    _allow(Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
    _allow(Condition={"Bool": {"aws:SecureTransport": "true"}}),
    json.dumps({"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "a:b"}}),
    "{",
    "[]",
    5,
]

SPECS: Final[dict[str, Spoils]] = {
    "net-no-world-ingress": [
        (
            "inline",
            "ingress",
            [
                [_rule(0, 0, protocol="-1")],
                [_rule(None, None, protocol=-1)],
                [_rule(-1, -1)],
                [_rule(0, 65_535)],
                [_rule(0, 65_535, "::/0")],
                [_rule("all", "all")],
                "x",
            ],
        ),
    ],
    "net-world-reaches-web-only": [
        (
            "inline",
            "ingress",
            [[_rule(8080, 8080)], [_rule(443, 444)], [_rule(0, 0, protocol="-1")], [_rule(22, 22)]],
        ),
        ("group-rule", "cidrBlocks", [["0.0.0.0/0"], ["10.0.0.0/8", "::/0"]]),
        ("in", "referencedSecurityGroupId", [ABSENT]),
    ],
    "net-no-world-ssh": _world(22),
    "net-no-world-rdp": _world(3389),
    "net-no-world-http": _world(80),
    "net-no-world-ftp": _world(21),
    "net-no-world-high-risk": [*_world(3306), *_world(9200), *_world(23)],
    "net-database-from-groups-only": [
        ("in", "cidrIpv4", ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.7/32", "x"]),
        ("in", "cidrIpv6", ["::/0", "fd00::/8"]),
        ("in", "referencedSecurityGroupId", [ABSENT]),
        ("inline", "ingress", [[_rule(0, 65_535, "10.0.0.0/8")], [_rule(6543, 6543)]]),
        ("inline", "ingress", [[_rule(6432, 6432, "10.0.0.0/24")], [_rule("a", "b")]]),
    ],
    "net-bounded-egress": [
        (
            "inline",
            "egress",
            [[_rule(0, 0, protocol="-1")], [_rule(0, 65_535)], [_rule(0, 0)], [_rule(-1, -1)], 5],
        ),
    ],
    "net-rules-described": [
        ("inline", "description", [*NOT_GIVEN, "Managed by Pulumi"]),
        ("inline", "ingress/0/description", NOT_GIVEN),
        ("inline", "egress/0/description", NOT_GIVEN),
        ("in", "description", NOT_GIVEN),
        ("out", "description", NOT_GIVEN),
        ("group-rule", "description", NOT_GIVEN),
    ],
    "net-default-group-closed": [
        ("closed", "ingress", [[{"self": True}], [{}], "x"]),
        ("closed", "egress", [[{"protocol": "-1"}]]),
    ],
    "net-no-public-addresses": [("subnet", "mapPublicIpOnLaunch", NOT_FALSE)],
    "net-acl-no-world-ssh": [
        ("acl", "ingress/0/fromPort", [22, 1, "22"]),
        ("acl", "ingress/0/protocol", ["-1"]),
        ("acl", "ingress", ["x", [5]]),
    ],
    "net-acl-no-world-rdp": [("acl", "ingress/0/protocol", ["-1", "all", -1])],
    "net-acl-no-world-ftp": [
        ("acl", "ingress/0/fromPort", [21, "21", 1]),
        ("acl", "ingress/0/protocol", ["-1"]),
    ],
    "net-acl-no-world-ftp-data": [
        ("acl", "ingress/0/fromPort", [20, 1]),
        ("acl", "ingress/0/protocol", ["all"]),
    ],
    "net-acl-no-world-all": [
        ("acl", "ingress/0", [{"protocol": "-1", "action": "allow", "cidrBlock": "0.0.0.0/0"}]),
        ("acl", "ingress/0", [{"protocol": "-1", "ipv6CidrBlock": "::/0"}]),
        (
            "acl",
            "ingress/0",
            [{"protocol": "6", "fromPort": 0, "toPort": 65_535, "cidrBlock": "0.0.0.0/0"}],
        ),
    ],
    "net-endpoint-policy": [
        ("endpoint", "policy", [ABSENT, "", _allow(), _allow(Principal={"AWS": "*"}), "{", "5"])
    ],
    "net-peering-least-routes": [
        ("peering", "destinationCidrBlock", ["0.0.0.0/0", "x"]),
        ("peering", "destinationIpv6CidrBlock", ["::/0"]),
    ],
    "s3-customer-key": [
        ("encryption", "rules/0/applyServerSideEncryptionByDefault/sseAlgorithm", ["AES256", ""]),
        ("encryption", "rules/0/applyServerSideEncryptionByDefault/kmsMasterKeyId", NOT_GIVEN),
        ("encryption", "rules", [ABSENT, [], "x", [5], [{}]]),
        ("encryption", "bucket", ["another"]),
    ],
    "s3-versioned": [
        ("versioning", "versioningConfiguration/status", ["Suspended", "Disabled", "", 5, []]),
        ("versioning", "versioningConfiguration", [ABSENT, "Enabled", []]),
        ("versioning", "bucket", ["another"]),
    ],
    "s3-owner-enforced": [
        ("ownership", "rule/objectOwnership", ["ObjectWriter", "BucketOwnerPreferred", "", 5]),
        ("ownership", "rule", [ABSENT, []]),
        ("ownership", "bucket", ["another"]),
    ],
    "s3-no-public-acl": [
        ("acl-of-bucket", "acl", ["public-read", "public-read-write", "authenticated-read", 5]),
        (
            "acl-of-bucket",
            "accessControlPolicy",
            [
                {"grants": [{"grantee": {"uri": f"http://acs.amazonaws.com/groups/global/{name}"}}]}
                for name in ("AllUsers", "AuthenticatedUsers")
            ],
        ),
    ],
    "s3-lifecycle": [
        ("lifecycle", "rules", [ABSENT, [], "x"]),
        ("lifecycle", "bucket", ["another"]),
    ],
    "s3-aborts-uploads": [
        ("lifecycle", "rules", [ABSENT, [], "x", [5]]),
        ("lifecycle", "rules/0/status", ["Disabled", ABSENT]),
        ("lifecycle", "rules/0/filter", [{"prefix": "log/"}, {"tag": {}}]),
        ("lifecycle", "rules/0/prefix", ["log/"]),
        ("lifecycle", "rules/0/abortIncompleteMultipartUpload", [ABSENT, {}, "x"]),
    ],
    "s3-not-emptied": [("backups", "forceDestroy", NOT_FALSE)],
    "s3-no-public-policy": [("tls", "policy", _PUBLIC)],
    "s3-no-lockout": [
        (
            "tls",
            "policy",
            [_allow(Effect="Deny"), _allow(Effect="Deny", Principal={"AWS": "*"}, Action="s3:*")],
        )
    ],
    "kms-no-public-policy": [("key", "policy", _PUBLIC)],
    "kms-policy-given": [("key", "policy", [ABSENT, ""])],
    "sns-no-public-policy": [("topic-policy", "policy", _PUBLIC), ("topic", "policy", _PUBLIC[:1])],
    "sqs-no-public-policy": [("queue-policy", "policy", _PUBLIC), ("queue", "policy", _PUBLIC[:1])],
    "secrets-no-public-policy": [
        ("secret-policy", "policy", _PUBLIC),
        ("secret", "policy", _PUBLIC[:1]),
    ],
    "kms-rotation": [("key", "enableKeyRotation", NOT_TRUE)],
    "kms-enabled": [
        ("key", "isEnabled", [False, "false", 1, []]),
        ("key", "bypassPolicyLockoutSafetyCheck", NOT_FALSE),
    ],
    "kms-deletion-window": [("key", "deletionWindowInDays", [7, 29, 31, 0, "x", True])],
    "secrets-customer-key": [("secret", "kmsKeyId", [*NOT_GIVEN, "alias/aws/secretsmanager"])],
    "secrets-recovery-window": [("secret", "recoveryWindowInDays", [0, 6, 31, "x", False])],
    "secrets-rotation-interval": [
        ("rotation", "rotationRules/automaticallyAfterDays", [ABSENT, 0, 91, "x"]),
        ("rotation", "rotationRules", [ABSENT, {}, {"scheduleExpression": "rate(91 days)"}, "x"]),
    ],
    "secrets-parameters-encrypted": [
        ("parameter", "type", [ABSENT, "String", "StringList", "Secret", 5]),
        ("parameter", "keyId", [*NOT_GIVEN, "alias/aws/ssm"]),
    ],
    "sns-customer-key": [("topic", "kmsMasterKeyId", [*NOT_GIVEN, "alias/aws/sns"])],
    "sqs-customer-key": [
        ("queue", "kmsMasterKeyId", [*NOT_GIVEN, "alias/aws/sqs", "aws/sqs"]),
    ],
    "logs-customer-key": [("log", "kmsKeyId", NOT_GIVEN)],
    "logs-retention": [("log", "retentionInDays", [ABSENT, 1, 364, -5, "x", True])],
}

ALSO_GOOD: Final[dict[str, Spoils]] = {
    "net-world-reaches-web-only": [("inline", "ingress", [[], [_rule(80, 80)]])],
    "net-no-world-ssh": [("inline", "ingress", [[_rule(23, 100)], [_rule(22, 22, "10.0.0.0/8")]])],
    "net-no-world-ingress": [("inline", "ingress", [[_rule(0, 65_535, "10.0.0.0/8")]])],
    "net-bounded-egress": [("inline", "egress", [[_rule(443, 443)], ABSENT])],
    "net-acl-no-world-ssh": [
        ("acl", "ingress/0/action", ["deny"]),
        ("acl", "ingress/0/cidrBlock", ["10.0.0.0/8"]),
        (
            "acl",
            "ingress",
            [
                [
                    {"ruleNo": 2, "action": "allow", "protocol": "-1", "cidrBlock": "0.0.0.0/0"},
                    {"ruleNo": 1, "action": "deny", "protocol": "-1", "cidrBlock": "0.0.0.0/0"},
                ]
            ],
        ),
    ],
    "net-peering-least-routes": [("peering", "vpcPeeringConnectionId", [ABSENT])],
    "s3-aborts-uploads": [("lifecycle", "rules/0/filter", [ABSENT, {}])],
    "s3-no-lockout": [("tls", "policy", [_allow(Effect="Deny", Action="s3:PutObject")])],
    "kms-rotation": [
        ("key", "customerMasterKeySpec", ["SYMMETRIC_DEFAULT", "RSA_4096"]),
        ("key", "keyUsage", ["ENCRYPT_DECRYPT", "SIGN_VERIFY"]),
    ],
    "kms-deletion-window": [("key", "deletionWindowInDays", [ABSENT, "30"])],
    "secrets-recovery-window": [("secret", "recoveryWindowInDays", [ABSENT, 7])],
    "secrets-rotation-interval": [
        ("rotation", "rotationRules", [{"scheduleExpression": "rate(30 days)"}])
    ],
    "secrets-parameters-encrypted": [("parameter", "name", ["/app/ca-certificate"])],
    "logs-retention": [("log", "retentionInDays", [0, 400, "365"])],
}
