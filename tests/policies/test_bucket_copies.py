"""What a bucket needs besides itself: whose lock, copy, log and grant is read, and when."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from policies.rules import Environment
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, verdicts

BUCKET = "aws:s3/bucket:Bucket"
LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
LOGGING, NOTIFICATION = (
    "aws:s3/bucketLogging:BucketLogging",
    ("aws:s3/bucketNotification:BucketNotification"),
)
POLICY, ACL = "aws:s3/bucketPolicy:BucketPolicy", "aws:s3/bucketAcl:BucketAcl"


def bucket(**more: Any) -> Resource:
    return made(BUCKET, "b", bucket="b", **more)


def retention(**fields: Any) -> dict[str, Any]:
    return {"defaultRetention": {"mode": "GOVERNANCE", "days": 30, **fields}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        (UNKNOWN, []),
        ({"objectLockEnabled": "Enabled"}, []),
        ({"objectLockEnabled": UNKNOWN}, [NOTE]),
        ({"objectLockEnabled": "Disabled"}, [REFUSAL]),
        ({}, [REFUSAL]),
    ],
    ids=str,
)
def test_a_lock_in_the_bucket_is_on(given: Any, expected: list[Kind]) -> None:
    assert kinds("s3-lock-enabled", bucket(objectLockConfiguration=given)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"mode": "COMPLIANCE"}, []),
        ({"mode": "NONE"}, [REFUSAL]),
        ({"mode": UNKNOWN}, [NOTE]),
        ({"days": 29}, [REFUSAL]),
        ({"days": None}, [REFUSAL]),
        ({"days": UNKNOWN}, [NOTE]),
        ({"days": None, "years": 1}, []),
        ({"days": None, "years": UNKNOWN}, [NOTE]),
        ({"days": "many"}, [REFUSAL]),
        ({"days": "many", "years": 1}, [REFUSAL]),
        ({"years": "many"}, [REFUSAL]),
    ],
    ids=str,
)
def test_a_lock_keeps_long_enough(fields: dict[str, Any], expected: list[Kind]) -> None:
    split = made(LOCK, "l", bucket="b", rule=retention(**fields))
    assert kinds("s3-object-lock", bucket(), split) == expected
    inline = {"objectLockEnabled": "Enabled", "rule": retention(**fields)}
    assert kinds("s3-object-lock", bucket(objectLockConfiguration=inline)) == expected


@pytest.mark.parametrize(("environment", "days"), [("dev", 1), ("staging", 7), ("prod", 30)])
def test_how_long_says_the_environment(environment: str, days: int) -> None:
    for kept, expected in ((days, []), (days - 1, [REFUSAL])):
        lock = made(LOCK, "l", bucket="b", rule=retention(days=kept))
        judged = kinds("s3-object-lock", bucket(), lock, environment=Environment(environment))
        assert judged == expected


def test_whose_lock_it_is() -> None:
    good = retention()
    assert kinds("s3-object-lock", bucket()) == [REFUSAL]
    assert kinds("s3-object-lock", bucket(objectLockConfiguration="on")) == [REFUSAL]
    assert kinds("s3-object-lock", bucket(objectLockConfiguration=UNKNOWN)) == [REFUSAL]
    assert kinds("s3-object-lock", bucket(), made(LOCK, "l", bucket="c", rule=good)) == [REFUSAL]
    somewhere = made(LOCK, "l", bucket=UNKNOWN, rule=good)
    assert kinds("s3-object-lock", bucket(), somewhere) == [NOTE]
    # What stands in the bucket itself is judged, whatever else may come.
    short = {"objectLockEnabled": "Enabled", "rule": retention(days=1)}
    inline = bucket(objectLockConfiguration=short)
    assert sorted(kinds("s3-object-lock", inline, somewhere), key=str) == [NOTE, REFUSAL]
    # The lock beside the bucket is the one that holds.
    beside = made(LOCK, "l", bucket="b", rule=good)
    assert kinds("s3-object-lock", inline, beside) == []


RESOURCES_BESIDE = [
    (
        "s3-replicated",
        REPLICATION,
        {"replicationConfiguration": {"rules": [{"status": "Enabled"}]}},
    ),
    ("s3-access-logged", LOGGING, {"logging": {"targetBucket": "x"}}),
    ("s3-access-logged", LOGGING, {"logging": {"targetBucket": "x"}}),
    ("s3-notifies", NOTIFICATION, {}),
]


@pytest.mark.parametrize(("rule", "kind", "inline"), RESOURCES_BESIDE, ids=str)
def test_what_stands_beside_a_bucket(rule: str, kind: str, inline: dict[str, Any]) -> None:
    rules = [{"status": "Enabled"}]
    assert found(rule, bucket(), made(kind, "x", bucket="b", rules=rules)) == []
    assert found(rule, bucket(), made(kind, "x", bucket="c", rules=rules)) == [(REFUSAL, "b")]
    assert found(rule, bucket(), made(kind, "x", bucket=UNKNOWN)) == [(NOTE, "b")]
    for key, value in inline.items():
        assert found(rule, bucket(**inline)) == []
        for nothing in (None, UNKNOWN, type(value)()):
            assert found(rule, bucket(**{key: nothing})) == [(REFUSAL, "b")]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"status": "Enabled"}], []),
        ({"status": "Enabled"}, []),
        (["x", {"status": "Disabled"}, {"status": "Enabled"}], []),
        ([{"status": UNKNOWN}], [(NOTE, "b")]),
        ([UNKNOWN], [(NOTE, "b")]),
        (UNKNOWN, [(NOTE, "b")]),
        ([{"status": "Disabled"}], [(REFUSAL, "b")]),
        (["x"], [(REFUSAL, "b")]),
        ([], [(REFUSAL, "b")]),
        (None, [(REFUSAL, "b")]),
    ],
    ids=str,
)
def test_a_replication_has_a_rule_that_is_on(rules: Any, expected: list[tuple[Kind, str]]) -> None:
    assert found("s3-replicated", bucket(), made(REPLICATION, "r", bucket="b", rules=rules)) == (
        expected
    )
    inline = {"role": "r", "rules": rules}
    assert found("s3-replicated", bucket(replicationConfiguration=inline)) == expected
    text = bucket(replicationConfiguration="on")
    assert found("s3-replicated", text) == [(REFUSAL, "b")]


@pytest.mark.parametrize("rule", ["s3-replicated", "s3-notifies"])
def test_a_copy_is_what_another_bucket_s_replication_writes(rule: str) -> None:
    rules = [{"status": "Enabled", "destination": {"bucket": "arn:aws:s3:::b"}}]
    source = made(REPLICATION, "r", bucket="a", rules=rules)
    # The other bucket is not in this stack.
    assert found(rule, bucket(), source) == []
    # One that names itself, and is its own source, is no copy.
    notification = made(NOTIFICATION, "n", bucket="z")
    itself = made(REPLICATION, "r", bucket="b", rules=rules)
    refused = [] if rule == "s3-replicated" else [(REFUSAL, "b")]
    assert found(rule, bucket(), itself, notification) == refused


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (UNKNOWN, [NOTE]),
        ([], [REFUSAL]),
        ([UNKNOWN], [NOTE]),
        ([5], [REFUSAL, REFUSAL]),
        ([{"status": "Enabled", "key": "arn"}], []),
        ({"status": "Enabled", "key": "arn"}, []),
        ([{"status": "Disabled", "key": "arn"}], [REFUSAL]),
        ([{"status": UNKNOWN, "key": "arn"}], [NOTE]),
        ([{"status": "Enabled", "key": UNKNOWN}], [NOTE]),
        ([{"status": "Enabled", "key": " "}], [REFUSAL]),
        ([{"status": "Enabled", "key": 5}], [REFUSAL]),
        ([{"status": "Enabled"}], [REFUSAL]),
    ],
    ids=str,
)
def test_copies_are_encrypted_by_a_key(rules: Any, expected: list[Kind]) -> None:
    def written(rule: Any) -> Any:
        if not isinstance(rule, dict):
            return rule
        key = {"encryptionConfiguration": {"replicaKmsKeyId": rule.get("key")}}
        return {"status": rule["status"], "destination": key}

    whole = [written(one) for one in rules] if isinstance(rules, list) else written(rules)
    assert kinds("s3-replica-encrypted", made(REPLICATION, "r", rules=whole)) == expected


FOREIGN = {"AWS": "arn:aws:iam::2:root"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, [REFUSAL]),
        ({"Effect": "Deny"}, []),
        ({"Principal": None}, []),
        ({"Principal": None, "NotPrincipal": FOREIGN}, [REFUSAL]),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, []),
        ({"Principal": {"service": "logging.s3.amazonaws.com"}}, []),
        ({"Principal": {"Service": "logging.s3.amazonaws.com", **FOREIGN}}, [REFUSAL]),
        ({"Action": "s3:GetObject"}, []),
        ({"Action": "s3:*Acl"}, [REFUSAL]),
        ({"Action": 5}, [REFUSAL]),
        ({"Action": UNKNOWN}, [NOTE]),
    ],
    ids=str,
)
def test_others_do_not_administer_a_bucket(statement: dict[str, Any], expected: list[Kind]) -> None:
    whole = {"Effect": "Allow", "Principal": FOREIGN, "Action": "s3:PutBucketAcl", **statement}
    kept = {key: value for key, value in whole.items() if value is not None}
    policy = made(POLICY, "p", bucket="b", policy={"Statement": kept})
    assert kinds("s3-no-foreign-administration", policy) == expected


def test_a_bucket_policy_that_cannot_be_read_may_let_them() -> None:
    rule = "s3-no-foreign-administration"
    assert kinds(rule, made(POLICY, "p", policy="{")) == [REFUSAL]
    assert kinds(rule, made(POLICY, "p", policy=UNKNOWN)) == [NOTE]


def grant(group: str = "AllUsers", permission: Any = "FULL_CONTROL") -> dict[str, Any]:
    uri = f"http://acs.amazonaws.com/groups/global/{group}"
    return {"grantee": {"type": "Group", "uri": uri}, "permission": permission}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, []),
        ("x", []),
        (UNKNOWN, [NOTE]),
        ({"grants": UNKNOWN}, [NOTE]),
        ({"grants": [grant()]}, [REFUSAL]),
        ({"grants": grant()}, [REFUSAL]),
        ({"grants": ["x", grant("AuthenticatedUsers", "WRITE_ACP")]}, [REFUSAL]),
        ({"grants": [grant(permission="READ")]}, []),
        ({"grants": [grant("LogDelivery")]}, []),
        ({"grants": [grant(permission=UNKNOWN), grant(permission="READ_ACP")]}, [NOTE, REFUSAL]),
    ],
    ids=str,
)
def test_nobody_unknown_changes_permissions(policy: Any, expected: list[Kind]) -> None:
    assert kinds("s3-no-acl-control", made(ACL, "a", accessControlPolicy=policy)) == expected


def test_the_place_of_a_wrong_retention_is_said() -> None:
    inline = {"objectLockEnabled": "Enabled", "rule": retention(days=1)}
    (verdict,) = verdicts("s3-object-lock", bucket(objectLockConfiguration=inline))
    assert "has objectLockConfiguration.rule.defaultRetention.days = 1" in verdict.message
