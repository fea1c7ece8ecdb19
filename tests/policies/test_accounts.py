"""Who from outside may come in, and decryption with every key: each condition by its neighbour."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from tests.policies.good_scenes import document
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, verdicts

ROLE, POLICY = "aws:iam/role:Role", "aws:iam/policy:Policy"
TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
GITHUB = "token.actions.githubusercontent.com"
ELSEWHERE = "oidc.example.com/id/1"
ALARMS = "arn:aws:sns:eu-west-1:111122223333:alarms"
OTHER = "arn:aws:iam::444455556666:root"
KEY = "arn:aws:kms:eu-west-1:1:key/a"


def provider(host: str) -> str:
    return f"arn:aws:iam::1:oidc-provider/{host}"


def subject(*subjects: Any, operator: str = "StringLike", host: str = GITHUB) -> dict[str, Any]:
    return {operator: {f"{host}:sub": list(subjects)}}


def trusts(condition: Any, principal: Any = None, effect: str = "Allow") -> list[Kind]:
    statement = {
        "Effect": effect,
        "Principal": principal or {"Federated": provider(GITHUB)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    kept = {key: value for key, value in statement.items() if value is not None}
    return kinds("iam-oidc-subject", made(ROLE, "r", assumeRolePolicy={"Statement": kept}))


@pytest.mark.parametrize(
    ("condition", "principal", "expected"),
    [
        (subject("repo:acme/app:*"), None, []),
        (subject("repo:acme/app:*", operator="StringEquals"), None, []),
        (subject("repo:acme/app:*"), {"federated": provider(GITHUB)}, []),
        (None, None, [REFUSAL]),
        ("text", None, [REFUSAL]),
        ({"StringLike": "text"}, None, [REFUSAL]),
        ({"StringLike": {f"{GITHUB}:aud": "repo:acme/app:*"}}, None, [REFUSAL]),
        (subject("repo:acme/app:*", operator="StringNotEquals"), None, [REFUSAL]),
        (subject("repo:acme/app:*", operator="StringLikeIfExists"), None, [REFUSAL]),
        (subject("acme"), None, [REFUSAL]),
        (subject("repo:*/app:*"), None, [REFUSAL]),
        (subject(UNKNOWN), None, [NOTE]),
        # Only GitHub's subjects begin with a repository.
        (subject("acme"), {"Federated": provider(ELSEWHERE)}, []),
        (subject("*?"), {"Federated": provider(ELSEWHERE)}, [REFUSAL]),
        (subject("acme"), {"Federated": [provider(ELSEWHERE), provider(GITHUB)]}, [REFUSAL]),
        # No OIDC provider: another rule speaks about the principal.
        (None, {"Federated": "arn:aws:iam::1:saml-provider/a"}, []),
        (None, {"Federated": "cognito-identity.amazonaws.com"}, []),
        (None, {"AWS": provider(GITHUB)}, []),
        (None, {"Federated": UNKNOWN}, []),
        (None, {"Federated": 5}, []),
    ],
    ids=str,
)
def test_subjects_are_bound(condition: Any, principal: Any, expected: list[Kind]) -> None:
    assert trusts(condition, principal) == expected
    assert trusts(condition, principal, effect="Deny") == []


def test_a_document_that_cannot_be_read_is_refused_where_it_is_a_trust() -> None:
    rule = "iam-oidc-subject"
    assert kinds(rule, made(ROLE, "r", assumeRolePolicy="{")) == [REFUSAL]
    assert kinds(rule, made(ROLE, "r", assumeRolePolicy=UNKNOWN)) == [NOTE]
    assert kinds(rule, made(POLICY, "p", policy=UNKNOWN)) == [NOTE]
    # (The rules about policies refuse it.)
    assert kinds(rule, made(POLICY, "p", policy="{")) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Resource": KEY}, []),
        ({"Resource": "*"}, [REFUSAL]),
        ({"Resource": "arn:aws:kms:*:*:*"}, [REFUSAL]),
        ({"Resource": "arn:aws:kms:*:*:alias/*"}, []),
        ({}, [REFUSAL]),
        ({"Resource": 5}, [REFUSAL]),
        ({"NotResource": KEY}, [REFUSAL]),
        ({"Resource": "*", "Action": "kms:Encrypt"}, []),
        ({"Resource": "*", "Action": "kms:ReEncryptFrom"}, [REFUSAL]),
        ({"Resource": "*", "Action": 5}, []),
        ({"Resource": "*", "Effect": "Deny"}, []),
        ({"Resource": UNKNOWN}, [NOTE]),
        ({"Resource": [UNKNOWN, KEY]}, [NOTE]),
        ({"Resource": [UNKNOWN, "*"]}, [NOTE, REFUSAL]),
        ({"Resource": UNKNOWN, "Action": UNKNOWN}, [NOTE]),
        ({"Resource": UNKNOWN, "Action": "kms:Encrypt"}, []),
        ({"Resource": KEY, "Action": UNKNOWN}, []),
        ({"Resource": "*", "Action": UNKNOWN}, [NOTE]),
        ({"Resource": "*", "Action": [UNKNOWN, "kms:Decrypt"]}, [NOTE, REFUSAL]),
    ],
    ids=str,
)
def test_keys_are_named(statement: dict[str, Any], expected: list[Kind]) -> None:
    whole = {"Effect": "Allow", "Action": "kms:Decrypt", **statement}
    policy = made(POLICY, "p", policy={"Statement": whole})
    assert kinds("iam-no-decrypt-all-keys", policy) == expected


def test_an_unreadable_document_does_not_pass_for_one_without_keys() -> None:
    rule = "iam-no-decrypt-all-keys"
    assert kinds(rule, made(POLICY, "p", policy="{")) == [REFUSAL]
    assert kinds(rule, made(POLICY, "p", policy=UNKNOWN)) == [NOTE]


def test_the_note_names_what_is_missing() -> None:
    def missing(**statement: Any) -> str:
        whole = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", **statement}
        policy = made(POLICY, "p", policy={"Statement": whole})
        return verdicts("iam-no-decrypt-all-keys", policy)[0].unknown

    assert "a resource of policy" in missing(Resource=UNKNOWN)
    assert "a resource of policy" in missing(Resource=[UNKNOWN, "*"], Action=UNKNOWN)
    assert "an action of policy" in missing(Action=UNKNOWN)


@pytest.mark.parametrize(
    ("statement", "topic", "expected"),
    [
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}, {}, []),
        ({"Principal": {"AWS": "111122223333"}}, {}, []),
        ({}, {}, [REFUSAL]),
        ({"Principal": {"aws": "444455556666"}}, {}, [REFUSAL]),
        ({"Principal": {"Service": "444455556666"}}, {}, []),
        ({"Principal": {"AWS": "*"}}, {}, []),
        ({"Principal": {"AWS": 5}}, {}, []),
        ({"Effect": "Deny"}, {}, []),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, {}, []),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, {}, [REFUSAL]),
        ({"Condition": {"Bool": {"aws:SecureTransport": UNKNOWN}}}, {}, [NOTE]),
        # Whose account the topic is in, its ARN says, or the statement's resource.
        ({"Resource": "*"}, {}, [REFUSAL]),
        ({"Resource": "*"}, {"arn": "arn:aws:sns:eu-west-1:444455556666:alarms"}, []),
        ({"Resource": "arn:aws:sqs:eu-west-1:444455556666:alarms"}, {}, [REFUSAL]),
        ({"Resource": "arn:aws:sns:eu-west-1:444455556666"}, {}, [REFUSAL]),
        ({"Resource": "arn:aws:sns:eu-west-1:444455556666:alarms"}, {}, []),
        ({"Resource": UNKNOWN}, {}, [NOTE]),
        ({"Resource": UNKNOWN}, {"arn": ALARMS}, [REFUSAL]),
        ({"Resource": [UNKNOWN, ALARMS]}, {}, [REFUSAL]),
    ],
    ids=str,
)
def test_topics_are_for_their_own_account(
    statement: dict[str, Any], topic: dict[str, Any], expected: list[Kind]
) -> None:
    principal = {"AWS": OTHER}
    whole = {"Principal": principal, "Action": "sns:Publish", "Resource": ALARMS, **statement}
    policy = {"Statement": {"Effect": "Allow", **whole}}
    assert kinds("sns-own-account", made(TOPIC, "t", policy=policy, **topic)) == expected


QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/444455556666/failed"


@pytest.mark.parametrize(
    ("target", "properties", "expected"),
    [
        ("arn:aws:sqs:eu-west-1:444455556666:failed", {}, []),
        ("arn:aws:sns:eu-west-1:444455556666:failed", {}, [REFUSAL]),
        ("arn:aws:sqs:eu-west-1:111122223333:failed", {}, [REFUSAL]),
        ("*", {}, [REFUSAL]),
        ("*", {"queueUrl": QUEUE_URL}, []),
        ("*", {"queueUrl": QUEUE_URL.replace("4444", "3333")}, [REFUSAL]),
        ("*", {"queueUrl": UNKNOWN}, [NOTE]),
        (UNKNOWN, {}, [NOTE]),
        ("arn:aws:sqs:eu-west-1:111122223333:failed", {"queueUrl": UNKNOWN}, [REFUSAL]),
    ],
)
def test_queues_are_for_their_own_account(
    target: str, properties: dict[str, Any], expected: list[Kind]
) -> None:
    allowed = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sqs:ReceiveMessage"}
    policy = {"Statement": {**allowed, "Resource": target}}
    assert (
        kinds("sqs-own-account", made(QUEUE_POLICY, "q", policy=policy, **properties)) == expected
    )
    queue = {"arn": "arn:aws:sqs:eu-west-1:444455556666:failed"}
    assert kinds("sqs-own-account", made(QUEUE, "q", policy=policy, **queue)) == []


def test_a_topic_s_policy_that_cannot_be_read_is_refused() -> None:
    assert found("sns-own-account", made(TOPIC, "t", policy="{")) == [(REFUSAL, "t")]
    assert found("sns-own-account", made(TOPIC, "t", policy=UNKNOWN)) == [(NOTE, "t")]
    assert found("sns-own-account", made(TOPIC, "t", policy=document())) == []
