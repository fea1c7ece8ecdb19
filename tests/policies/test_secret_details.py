"""The conditions of the rules for secrets: texts, variables, schedules, parameters, documents."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from policies.rules import Environment
from policies.stored_secrets import _is_arn_of, _is_often
from policies.values import UNKNOWN as NOT_KNOWN
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
KEY_TEXT = f"the key is {KEY_ID} and this is text"


@pytest.mark.parametrize(
    ("expression", "often"),
    [
        ("rate(92 days)", True),
        ("rate(93 days)", False),
        ("rate(2208 hours)", True),
        ("rate(2209 hours)", False),
        ("rate(5 minutes)", True),
        ("cron(0 5 1 * ? *)", True),
        ("cron(0 5 1 1/3 ? *)", True),
        ("cron(0 5 1 */3 ? *)", True),
        ("cron(0 5 1 */4 ? *)", False),
        ("cron(0 5 1 1 ? *)", False),
        ("cron(0 5 1 * ? 2030)", False),
        ("cron(0 5 1 * ?)", False),
        ("cron(0 5 1 * ? * *)", False),
        ("at(2026-01-01T00:00:00)", False),
        (None, False),
        (5, False),
        (NOT_KNOWN, NOT_KNOWN),
    ],
)
def test_schedules_that_run_every_quarter(expression: Any, often: Any) -> None:
    assert _is_often(expression) is often


@pytest.mark.parametrize(
    ("tail", "same"),
    [
        ("app/login-a1b2c3", True),
        ("app/login-??????", True),
        ("app/login-*", True),
        ("app/*", True),
        ("app/login-replica-a1b2c3", False),
        ("app/login-a1b2c", False),
        ("app/logout-a1b2c3", False),
        ("app/login", False),
    ],
)
def test_arns_of_a_secret_have_six_characters_more(tail: str, same: bool) -> None:
    assert _is_arn_of("app/login", f"arn:aws:secretsmanager:eu-west-1:1:secret:{tail}") == same


SECRET = "aws:secretsmanager/secret:Secret"
ARN = "arn:aws:secretsmanager:eu-west-1:1:secret:app-a1b2c3"
WRITES = {"Effect": "Allow", "Action": "secretsmanager:PutSecretValue", "Resource": ARN}


def written(*expressions: Any, policy: Any = None, **secret: Any) -> list[Resource]:
    """A secret, and a scheduled function that may write it."""
    kept = made(SECRET, "secret", **{"name": "app", **secret})
    role = made("aws:iam/role:Role", "role")
    function = made("aws:lambda/function:Function", "function", environment=(kept,), role=(role,))
    document = {"Statement": [policy or WRITES]} if not isinstance(policy, str) else policy
    return [
        kept,
        role,
        function,
        made("aws:iam/rolePolicy:RolePolicy", "policy", role=(role,), policy=document),
        *(
            made(
                "aws:scheduler/schedule:Schedule",
                f"schedule-{number}",
                target=(function,),
                scheduleExpression=one,
            )
            for number, one in enumerate(expressions)
        ),
    ]


ROTATED = "secrets-rotated"


def test_a_schedule_that_is_not_known_yet_is_noted() -> None:
    assert kinds(ROTATED, *written("rate(1 day)")) == []
    assert kinds(ROTATED, *written(UNKNOWN)) == NOTED
    assert kinds(ROTATED, *written(UNKNOWN, "rate(1 day)")) == []
    assert kinds(ROTATED, *written(UNKNOWN, "rate(99 days)")) == NOTED
    assert kinds(ROTATED, *written("rate(99 days)")) == REFUSED
    assert kinds(ROTATED, *written()) == REFUSED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Action": "secretsmanager:UpdateSecret"}, []),
        ({"Action": "secretsmanager:Put*"}, []),
        ({"Action": [5, "secretsmanager:PutSecretValue"]}, []),
        ({"Action": [5]}, REFUSED),
        ({"Effect": "Deny"}, REFUSED),
        ({"Action": "secretsmanager:GetSecretValue"}, REFUSED),
        ({"Resource": [5]}, REFUSED),
        ({"Resource": UNKNOWN}, NOTED),
        ({"Resource": ["arn:other", ARN]}, []),
        ({"Resource": "arn:aws:secretsmanager:eu-west-1:1:secret:apple-a1b2c3"}, REFUSED),
    ],
    ids=str,
)
def test_what_may_write_a_secret(fields: dict[str, Any], expected: Any) -> None:
    assert kinds(ROTATED, *written("rate(1 day)", policy={**WRITES, **fields})) == expected


def test_secrets_are_known_by_name_or_arn() -> None:
    assert kinds(ROTATED, *written("rate(1 day)", name=None, arn=ARN)) == []
    assert kinds(ROTATED, *written("rate(1 day)", name=None, arn=ARN[:-1])) == REFUSED
    assert kinds(ROTATED, *written("rate(1 day)", name=None)) == REFUSED
    assert kinds(ROTATED, *written("rate(1 day)", name="other", arn=ARN)) == []
    assert kinds(ROTATED, *written("rate(1 day)", policy="{")) == REFUSED
    # A policy that is not known yet counts if it was made of this secret.
    assert kinds(ROTATED, *written("rate(1 day)", policy=UNKNOWN)) == REFUSED


def test_rotations_of_a_secret() -> None:
    secret = made(SECRET, "secret", name="app")
    rotation = "aws:secretsmanager/secretRotation:SecretRotation"
    assert kinds(ROTATED, secret, made(rotation, secretId=(secret,))) == []
    assert kinds(ROTATED, secret, made(rotation, secretId=UNKNOWN)) == NOTED
    assert kinds(ROTATED, secret, made(rotation, secretId="other")) == REFUSED
    for tags in (UNKNOWN, {"pgkeep:credential": UNKNOWN}):
        odd = made(SECRET, "secret", name="app", tags=tags)
        assert kinds(ROTATED, odd, made(rotation, secretId=(odd,))) == []


PARAMETER = "aws:ssm/parameter:Parameter"


def test_parameters_are_secure_unless_public() -> None:
    rule = "secrets-parameters-secure"
    plain: dict[str, Any] = {"type": "String"}
    assert kinds(rule, made(PARAMETER, name="/app/x", type="SecureString")) == []
    assert kinds(rule, made(PARAMETER, name="/app/x", **plain)) == REFUSED
    assert kinds(rule, made(PARAMETER, name="/app/ca-bundle", **plain)) == []
    assert kinds(rule, made(PARAMETER, "public", **plain)) == []
    assert kinds(rule, made(PARAMETER, "public", name="/app/x", **plain)) == REFUSED
    assert kinds(rule, made(PARAMETER, name=UNKNOWN, **plain)) == NOTED
    assert kinds(rule, made(PARAMETER, name=UNKNOWN, type="SecureString")) == []
    assert kinds(rule, made(PARAMETER, name="/app/x", type=UNKNOWN)) == NOTED


def test_parameters_that_speak_of_secrets_are_encrypted() -> None:
    rule, key = "secrets-parameters-encrypted", "arn:aws:kms:a:1:key/b"
    assert kinds(rule, made(PARAMETER, name="/app/x", type="String")) == []
    assert kinds(rule, made(PARAMETER, name="/app/token", type="StringList")) == REFUSED
    assert kinds(rule, made(PARAMETER, "token", type="String")) == REFUSED
    assert kinds(rule, made(PARAMETER, "token", name="/app/x", type="String")) == []
    assert kinds(rule, made(PARAMETER, name="/app/x", type="Odd")) == REFUSED
    assert kinds(rule, made(PARAMETER, name="/app/x", type=UNKNOWN)) == NOTED
    for given, expected in ((key, []), (None, REFUSED), ("alias/aws/ssm", REFUSED), (" ", REFUSED)):
        secure = made(PARAMETER, name="/app/x", type="SecureString", keyId=given)
        assert kinds(rule, secure) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"scheduleExpression": "rate(90 days)"}, []),
        ({"scheduleExpression": "rate(91 days)"}, REFUSED),
        ({"scheduleExpression": "rate(2160 hours)"}, []),
        ({"scheduleExpression": "rate(2184 hours)"}, REFUSED),
        ({"scheduleExpression": "cron(0 5 1 * ? *)"}, []),
        ({"scheduleExpression": 5}, REFUSED),
        ({"automaticallyAfterDays": 90}, []),
        ({"automaticallyAfterDays": 91}, REFUSED),
        ({"automaticallyAfterDays": 0}, REFUSED),
        (None, REFUSED),
        ("x", REFUSED),
        (UNKNOWN, NOTED),
    ],
    ids=str,
)
def test_intervals_of_rotations(rules: Any, expected: Any) -> None:
    kind = "aws:secretsmanager/secretRotation:SecretRotation"
    assert kinds("secrets-rotation-interval", made(kind, rotationRules=rules)) == expected


def test_logs_are_kept() -> None:
    rule, group = "logs-retention", "aws:cloudwatch/logGroup:LogGroup"
    for days, expected in (
        (0, []),
        (365, []),
        (364, REFUSED),
        (-1, REFUSED),
        ("x", REFUSED),
        (None, REFUSED),
        (UNKNOWN, NOTED),
    ):
        assert kinds(rule, made(group, retentionInDays=days)) == expected
    assert kinds(rule, made(group, retentionInDays=30), environment=Environment.DEV) == []


def test_a_replica_of_a_key_is_a_key() -> None:
    replica = "aws:kms/replicaKey:ReplicaKey"
    public = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*"}}'
    for rule, bad, good in (
        ("kms-enabled", {"enabled": False}, {"enabled": True}),
        ("kms-enabled", {"bypassPolicyLockoutSafetyCheck": True}, {}),
        ("kms-deletion-window", {"deletionWindowInDays": 7}, {"deletionWindowInDays": 30}),
        ("kms-no-public-policy", {"policy": public}, {}),
        ("kms-policy-given", {}, {"policy": "{}"}),
    ):
        assert kinds(rule, made(replica, **bad)) == REFUSED, rule
        assert kinds(rule, made(replica, **good)) == [], rule


def test_only_symmetric_keys_are_rotated() -> None:
    rule, key = "kms-rotation", "aws:kms/key:Key"
    for spec, expected in (
        ("RSA_4096", []),
        ("SYMMETRIC_DEFAULT", REFUSED),
        ("", REFUSED),
        (None, REFUSED),
        (5, REFUSED),
        (UNKNOWN, REFUSED),
    ):
        assert kinds(rule, made(key, customerMasterKeySpec=spec)) == expected
        assert kinds(rule, made(key, customerMasterKeySpec=spec, enableKeyRotation=True)) == []
    for usage, expected in (
        ("SIGN_VERIFY", []),
        ("GENERATE_VERIFY_MAC", []),
        ("ENCRYPT_DECRYPT", REFUSED),
        ("", REFUSED),
        (5, REFUSED),
        (UNKNOWN, REFUSED),
    ):
        assert kinds(rule, made(key, keyUsage=usage)) == expected


DOCUMENT = "aws:ssm/document:Document"


def test_documents_are_shared_with_accounts() -> None:
    rule = "secrets-documents-private"
    for shared, expected in (
        ("123456789012", []),
        ("123456789012, 210987654321", []),
        (["123456789012"], []),
        (["123456789012", "all"], REFUSED),
        ("123456789012,all", REFUSED),
        ([UNKNOWN], NOTED),
        (UNKNOWN, NOTED),
    ):
        assert kinds(rule, made(DOCUMENT, permissions={"accountIds": shared})) == expected
        assert kinds(rule, made(DOCUMENT, permissions={"account_ids": shared})) == expected
    assert kinds(rule, made(DOCUMENT, permissions={"type": "Share"})) == []
    assert kinds(rule, made(DOCUMENT, permissions=UNKNOWN)) == NOTED
    assert kinds(rule, made(DOCUMENT, permissions="x")) == REFUSED
    assert kinds(rule, made(DOCUMENT)) == []
    assert kinds(rule, made(DOCUMENT)) == []


ENCRYPTED, LOGGED = "secrets-sessions-encrypted", "secrets-sessions-logged"
BUCKET = {"s3BucketName": "b", "s3EncryptionEnabled": True}
LOG_GROUP = {"cloudWatchLogGroupName": "g", "cloudWatchEncryptionEnabled": "True"}


@pytest.mark.parametrize(
    ("inputs", "encrypted", "logged"),
    [
        ({"kmsKeyId": "k", **BUCKET}, [], []),
        ({**BUCKET, "kmsKeyId": UNKNOWN}, NOTED, []),
        ({**BUCKET, "kmsKeyId": ""}, REFUSED, []),
        ({**BUCKET, "kmsKeyId": 5}, REFUSED, []),
        (BUCKET, REFUSED, []),
        (LOG_GROUP, REFUSED, []),
        ({**BUCKET, "s3BucketName": ""}, REFUSED, REFUSED),
        ({**BUCKET, "s3EncryptionEnabled": False}, REFUSED, REFUSED),
        ({**BUCKET, "s3EncryptionEnabled": 1}, REFUSED, REFUSED),
        ({**BUCKET, "s3EncryptionEnabled": "no"}, REFUSED, REFUSED),
        ({**LOG_GROUP, "cloudWatchLogGroupName": None}, REFUSED, REFUSED),
        ({**BUCKET, "s3EncryptionEnabled": UNKNOWN}, REFUSED, NOTED),
        ({**BUCKET, "s3EncryptionEnabled": False, **LOG_GROUP}, REFUSED, []),
        ({}, REFUSED, REFUSED),
        (None, REFUSED, REFUSED),
        ("x", REFUSED, REFUSED),
        (UNKNOWN, NOTED, NOTED),
    ],
    ids=str,
)
def test_sessions(inputs: Any, encrypted: Any, logged: Any) -> None:
    session = made(DOCUMENT, documentType="Session", content={"inputs": inputs})
    assert kinds(ENCRYPTED, session) == encrypted
    assert kinds(LOGGED, session) == logged


def test_sessions_that_cannot_be_read() -> None:
    for rule in (ENCRYPTED, LOGGED):
        assert kinds(rule, made(DOCUMENT, documentType="Session", content=UNKNOWN)) == NOTED
        assert kinds(rule, made(DOCUMENT, documentType="Session", content="[")) == REFUSED
        assert kinds(rule, made(DOCUMENT, documentType="Session", content=[5])) == REFUSED
        assert kinds(rule, made(DOCUMENT, documentType=5, content="{}")) == REFUSED
        assert kinds(rule, made(DOCUMENT, documentType="Command", content="{}")) == []
        assert kinds(rule, made(DOCUMENT, content="{}")) == []
        assert kinds(rule, made(DOCUMENT, documentType=UNKNOWN, content="{}")) == NOTED
        assert kinds(rule, made(DOCUMENT, documentType="Command", content="{}")) == []
        assert kinds(rule, made(DOCUMENT, documentType="Command", content=UNKNOWN)) == []
        assert kinds(rule, made(DOCUMENT)) == []
