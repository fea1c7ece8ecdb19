"""The conditions of the IAM rules beyond wildcards: what is told, noted and let through."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from policies.permissions import has_no_resource_level, is_broad_resource
from policies.resource_policies import is_everybody, is_narrowed
from tests.policies.good_scenes import document
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made, told

ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE = "aws:iam/role:Role"
DATABASE = "arn:aws:rds:eu-west-1:123456789012:db:shop-restore-test"
SNAPSHOT = "arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:*"
NARROWED = {"StringEquals": {"aws:SourceAccount": "1"}}
ESCALATION, DELETION = "iam-no-escalation", "iam-no-deletion"


def allows(*actions: Any, resource: Any = "*", more: Any = (), **fields: Any) -> Resource:
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": resource, **fields}
    kept = {key: value for key, value in statement.items() if value is not ...}
    return made(ROLE_POLICY, policy={"Statement": [kept, *more]})


def denies(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": [*actions], "Resource": resource}


def trusts(principal: Any, **fields: Any) -> Resource:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **fields}
    return made(ROLE, assumeRolePolicy={"Statement": [statement]})


def test_dangerous_actions_on_everything_are_named() -> None:
    assert told(ESCALATION, allows("iam:PassRole")) == [
        'aws:iam/rolePolicy:RolePolicy "x" allows in policy, statement 1, iam:PassRole; it must '
        "name the resources for it."
    ]
    (finding,) = told(ESCALATION, allows("iam:PassR*"))
    assert "iam:PassRole (by iam:PassR*); it" in finding
    for none in (..., []):
        assert kinds(ESCALATION, allows("iam:PassRole", resource=none)) == REFUSED
    nothing = allows("iam:PassRole", resource=..., NotResource="arn:aws:iam::1:role/a")
    assert kinds(ESCALATION, nothing) == REFUSED
    assert kinds(ESCALATION, allows("iam:PassRole", resource=["arn:x", "*"])) == REFUSED


def test_what_narrows_a_dangerous_action() -> None:
    named = "arn:aws:iam::1:role/a"
    assert kinds(ESCALATION, allows("iam:PassRole", resource=named)) == []
    assert kinds(ESCALATION, allows("iam:PassRole", Condition=NARROWED)) == []
    assert kinds(ESCALATION, allows("iam:PassRole", Condition={})) == REFUSED
    assert kinds(ESCALATION, allows("iam:PassRole", Effect="Deny")) == []
    assert kinds(ESCALATION, allows("iam:PassRole", resource=[named, UNKNOWN])) == NOTED
    assert kinds(ESCALATION, allows("iam:PassRole", Condition={"Bool": UNKNOWN})) == NOTED
    assert kinds(ESCALATION, allows(UNKNOWN)) == NOTED
    assert kinds(ESCALATION, allows(UNKNOWN, "iam:PassRole")) == [*NOTED, *REFUSED]
    assert kinds(ESCALATION, allows(5)) == []
    # NotAction is another rule's.
    assert kinds(ESCALATION, allows(NotAction="s3:*")) == []


def test_a_denial_takes_a_dangerous_action_away() -> None:
    denied = allows("iam:*", more=[denies("iam:*")])
    assert kinds(ESCALATION, denied) == []
    (finding,) = told(ESCALATION, allows("iam:Pass*", "iam:Put*", more=[denies("iam:Pass*")]))
    assert "iam:PutGroupPolicy" in finding
    # One is left of those that the pattern stands for.
    (finding,) = told(ESCALATION, allows("iam:Put*Policy", more=[denies("iam:PutGroupPolicy")]))
    assert "iam:PutRolePolicy" in finding


def test_deletion_is_refused_on_anything_but_what_tests_and_aws_backup_made() -> None:
    bucket = "arn:aws:s3:::backups/*"
    assert kinds(DELETION, allows("s3:DeleteObject", resource=bucket)) == REFUSED
    assert kinds(DELETION, allows("s3:DeleteObject", Condition=NARROWED)) == REFUSED
    assert kinds(DELETION, allows("s3:GetObject", resource=bucket)) == []
    denied = allows("s3:DeleteObject", Effect="Deny", Condition=NARROWED)
    assert kinds(DELETION, denied) == []
    remove = "rds:DeleteDBInstance"
    assert kinds(DELETION, allows(remove, resource=DATABASE)) == []
    assert kinds(DELETION, allows(remove.upper(), resource=[DATABASE, DATABASE])) == []
    assert kinds(DELETION, allows("rds:DeleteDBSnapshot", resource=SNAPSHOT)) == []
    assert kinds(DELETION, allows(remove, resource=SNAPSHOT)) == REFUSED
    assert kinds(DELETION, allows("rds:DeleteDBSnapshot", resource=DATABASE)) == REFUSED
    assert kinds(DELETION, allows(remove, resource=[DATABASE, bucket])) == REFUSED
    assert kinds(DELETION, allows(remove, resource=[DATABASE, 5])) == REFUSED
    assert kinds(DELETION, allows(remove, resource=[])) == REFUSED
    assert kinds(DELETION, allows("s3:DeleteObject", resource=DATABASE)) == REFUSED


def test_whole_accounts_are_not_trusted() -> None:
    rule, account = "iam-no-account-trust", "123456789012"
    assert kinds(rule, trusts({"AWS": account})) == REFUSED
    assert kinds(rule, trusts({"aws": [f"arn:aws:iam::{account}:root"]})) == REFUSED
    assert kinds(rule, trusts({"AWS": f"arn:aws:iam::{account}:role/ci"})) == []
    assert kinds(rule, trusts({"Service": account})) == []
    assert kinds(rule, trusts({"AWS": account}, Effect="Deny")) == []
    assert kinds(rule, trusts({"AWS": account}, Condition=NARROWED)) == []
    assert kinds(rule, trusts({"AWS": account}, Condition={})) == REFUSED
    assert kinds(rule, trusts({"AWS": UNKNOWN})) == NOTED
    assert kinds(rule, trusts({"AWS": account}, Condition={"Bool": UNKNOWN})) == NOTED
    denied = trusts({"AWS": account}, Condition={"Bool": UNKNOWN}, Effect="Deny")
    assert kinds(rule, denied) == []
    assert kinds(rule, made(ROLE, assumeRolePolicy=UNKNOWN)) == NOTED


def test_logins_are_for_one_user() -> None:
    rule, users = "iam-connect-names-user", "arn:aws:rds-db:eu-west-1:1:dbuser:db-1"
    connect = "rds-db:connect"
    assert kinds(rule, allows(connect, resource=f"{users}/app")) == []
    assert kinds(rule, allows(connect, resource=f"{users}/*")) == REFUSED
    assert kinds(rule, allows(connect, resource=[f"{users}/app", 5])) == REFUSED
    assert kinds(rule, allows(connect, resource=...)) == REFUSED
    assert kinds(rule, allows("RDS-DB:con*")) == REFUSED
    assert kinds(rule, allows("s3:GetObject")) == []
    assert kinds(rule, allows(5)) == []
    assert kinds(rule, allows(connect, Condition=NARROWED)) == []
    assert kinds(rule, allows(connect, Effect="Deny")) == []
    assert kinds(rule, allows(connect, resource=UNKNOWN)) == NOTED
    assert kinds(rule, made(ROLE_POLICY, policy=UNKNOWN)) == NOTED


def test_users_of_the_console() -> None:
    rule = "iam-no-console-users"
    user = made("aws:iam/user:User", "ann", name="ann")
    profile = made("aws:iam/userLoginProfile:UserLoginProfile", user="ann")
    later = made("aws:iam/userLoginProfile:UserLoginProfile", user=UNKNOWN)
    other = made("aws:iam/userLoginProfile:UserLoginProfile", user="bob")
    assert kinds(rule, user, profile) == REFUSED
    assert kinds(rule, user, later) == NOTED
    assert kinds(rule, user, other) == []


def test_policies_of_users() -> None:
    rule = "iam-no-user-policies"
    attachment = "aws:iam/policyAttachment:PolicyAttachment"
    assert kinds(rule, made(attachment, users=["ann"])) == REFUSED
    assert kinds(rule, made(attachment, groups=["people"])) == []
    assert kinds(rule, made("aws:iam/userPolicy:UserPolicy", policy="{}")) == REFUSED


@pytest.mark.parametrize(
    ("target", "broad"),
    [
        ("*", True),
        ("a?", True),
        ("arn:aws:s3", False),
        ("arn:aws:s*:eu-west-1:1:jobs", True),
        ("arn:aws:sq?:eu-west-1:1:jobs", True),
        ("arn:aws:sqs:eu-west-1:1:**", True),
        ("arn:aws:s3:::*/*", True),
        ("arn:aws:sqs:eu-west-1:1:*:?", True),
        ("arn:aws:sqs:eu-west-1:1:queue/*", False),
        ("arn:aws:KMS:eu-west-1:1:key/*", True),
        ("arn:aws:kms:eu-west-1:1:key/a*", False),
        ("arn:aws:kms:eu-west-1:1:key/a", False),
    ],
)
def test_broad_resources(target: str, broad: bool) -> None:
    assert is_broad_resource(target) == broad


def test_actions_without_resources_of_their_own() -> None:
    assert has_no_resource_level("xray:PutTraceSegments")
    assert not has_no_resource_level("sts:AssumeRole")


def test_wildcards_beside_what_cannot_be_read() -> None:
    rule = "iam-no-wildcard-resources"
    assert kinds(rule, allows("sqs:SendMessage", UNKNOWN)) == [*NOTED, *REFUSED]
    assert kinds(rule, allows("sqs:SendMessage", resource=["arn:aws:sqs:a:1:b", UNKNOWN])) == NOTED
    assert kinds(rule, allows("sqs:SendMessage", 5)) == REFUSED
    assert kinds(rule, allows(resource=5)) == REFUSED
    everything = allows(resource=..., NotResource="arn:x", NotAction="s3:*", Action=...)
    assert kinds(rule, everything) == REFUSED
    (finding,) = told(rule, allows(NotAction="s3:*", Action=...))
    assert "allows in policy, statement 1, NotAction on" in finding


def test_inline_policies_of_a_role() -> None:
    rule = "iam-no-wildcard-actions"
    bad = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert kinds(rule, made(ROLE, inlinePolicies=[UNKNOWN])) == NOTED
    assert kinds(rule, made(ROLE, inlinePolicies=[5])) == REFUSED
    assert kinds(rule, made(ROLE, inlinePolicies={"policy": bad})) == REFUSED
    # A role's own property of this name is no policy document.
    assert kinds(rule, made(ROLE_POLICY, inlinePolicies=[5])) == []
    taken = document(
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    )
    assert kinds(rule, made(ROLE, inlinePolicies=[{"policy": taken}])) == []
    # Another one's denial counts too.
    apart = [{"policy": document(denies("*"))}, {"policy": bad}]
    assert kinds(rule, made(ROLE, inlinePolicies=apart)) == []


def test_attached_policies() -> None:
    rule = "iam-no-wildcard-actions"
    attachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    (note,) = told(rule, made(attachment, policyArn=UNKNOWN))
    assert 'RolePolicyAttachment "x": policyArn is known only' in note
    assert kinds(rule, made(attachment, policyArn="arn:aws:iam::1:policy/own")) == []


def test_documents_that_name_principals() -> None:
    rule, policy = "iam-no-wildcard-trust", "aws:iam/policy:Policy"
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    assert kinds(rule, made(policy, policy=document(everybody))) == REFUSED
    narrowed = {**everybody, "Condition": NARROWED}
    assert kinds(rule, made(policy, policy=document(narrowed))) == []
    assert kinds(rule, made(policy, policy=document({**everybody, "Effect": "Deny"}))) == []
    assert kinds(rule, made(policy, policy="{")) == []
    assert kinds(rule, made(policy, policy=UNKNOWN)) == NOTED
    assert kinds(rule, made(ROLE, assumeRolePolicy="{")) == REFUSED
    assert kinds(rule, trusts({"AWS": UNKNOWN})) == NOTED
    assert kinds(rule, trusts({"AWS": "arn:aws:iam::1:role/a?"})) == REFUSED
    assert kinds(rule, trusts({"AWS": "arn:aws:iam::1:role/a"})) == []


@pytest.mark.parametrize(
    ("condition", "narrowed"),
    [
        ({"StringEquals": {"aws:SourceAccount": "1"}}, True),
        ({"StringEquals": {"AWS:sourceaccount": ["1", "2"]}}, True),
        ({"StringEquals": {"aws:SourceAccount": ["1", "*"]}}, False),
        ({"StringEquals": {"aws:SourceAccount": []}}, False),
        ({"StringEquals": {"aws:SourceAccount": [5]}}, False),
        ({"StringEquals": {"aws:SourceAccount": [5, "1"]}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "a"}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, False),
        ({"StringEquals": "aws:SourceAccount"}, False),
        ({"Bool": {"a": "b"}, "StringEquals": {"aws:SourceAccount": "1"}}, True),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({"IpAddress": {"aws:SourceIp": "::/0"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:a:*:b"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:a:1:*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns"}}, True),
        ({"StringLike": {"aws:PrincipalOrgId": "o-1*"}}, True),
        ("x", False),
        (None, False),
    ],
    ids=str,
)
def test_conditions_that_leave_only_known_accounts(condition: object, narrowed: bool) -> None:
    assert is_narrowed(condition) == narrowed


def test_everybody() -> None:
    assert is_everybody("*")
    assert is_everybody(5)
    assert is_everybody("arn:aws:iam::*:root")
    assert not is_everybody("arn:aws:iam::1:root")
    assert not is_everybody("1")


def bucket_policy(**fields: Any) -> Resource:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", **fields}
    kind = "aws:s3/bucketPolicy:BucketPolicy"
    return made(kind, bucket="b", policy={"Statement": [statement]})


def test_policies_that_let_everybody_in() -> None:
    rule = "s3-no-public-policy"
    assert kinds(rule, bucket_policy()) == REFUSED
    assert kinds(rule, bucket_policy(Effect="Deny")) == []
    assert kinds(rule, bucket_policy(Condition=NARROWED)) == []
    assert kinds(rule, bucket_policy(Condition={"Bool": {"a": "b"}})) == REFUSED
    assert kinds(rule, bucket_policy(Condition={"Bool": {"a": UNKNOWN}})) == NOTED
    assert kinds(rule, bucket_policy(Principal={"AWS": UNKNOWN})) == NOTED
    assert kinds(rule, bucket_policy(Principal={"AWS": "arn:aws:iam::1:role/a"})) == []
    assert kinds(rule, bucket_policy(Principal=None, NotPrincipal={"AWS": "1"})) == REFUSED
    assert kinds(rule, bucket_policy(Effect=UNKNOWN)) == NOTED


def test_policies_that_lock_everybody_out() -> None:
    rule, all_denied = "s3-no-lockout", {"Effect": "Deny", "Action": "s3:*"}
    assert kinds(rule, bucket_policy(**all_denied)) == REFUSED
    assert kinds(rule, bucket_policy(**{**all_denied, "Action": "*"})) == REFUSED
    assert kinds(rule, bucket_policy(**{**all_denied, "Action": "s3:GetObject"})) == []
    assert kinds(rule, bucket_policy(**all_denied, Principal={"AWS": "1"})) == []
    assert kinds(rule, bucket_policy(**all_denied, Condition=NARROWED)) == []
    assert kinds(rule, bucket_policy(**{**all_denied, "Effect": "Allow"})) == []
    for unknown in ({"Action": UNKNOWN}, {"Principal": UNKNOWN}, {"Condition": UNKNOWN}):
        assert kinds(rule, bucket_policy(**{**all_denied, **unknown})) == NOTED
        allowed = {**all_denied, **unknown, "Effect": "Allow"}
        assert kinds(rule, bucket_policy(**allowed)) == []
    assert kinds(rule, bucket_policy(**{**all_denied, "Effect": UNKNOWN})) == NOTED


def test_keys_have_a_policy() -> None:
    rule, key = "kms-policy-given", made("aws:kms/key:Key", "key", keyId="k-1")
    beside = "aws:kms/keyPolicy:KeyPolicy"
    assert kinds(rule, key) == REFUSED
    assert kinds(rule, made("aws:kms/key:Key", policy="{}")) == []
    assert kinds(rule, key, made(beside, keyId=(key,))) == []
    assert kinds(rule, key, made(beside, keyId=UNKNOWN)) == NOTED
    assert kinds(rule, key, made(beside, keyId="k-2")) == REFUSED


def test_all_that_aws_calls_permissions_management_is_a_change_of_permissions() -> None:
    rule = "iam-no-permission-changes"
    for action, expected in (
        ("iam:CreateRole", REFUSED),
        ("sqs:SetQueueAttributes", REFUSED),
        ("iam:TagRole", []),
        ("s3:PutObject", []),
        ("logs:PutResourcePolicy", []),
        ("iam:ListRoles", []),
    ):
        assert kinds(rule, allows(action)) == expected, action
    assert kinds(ESCALATION, allows("sqs:SetQueueAttributes")) == []


def test_trust_policies_that_are_kept_as_documents_are_no_permissions() -> None:
    rule = "iam-no-wildcard-actions"

    def kept(**fields: Any) -> Resource:
        statement = {"Effect": "Allow", "Action": "sts:*", **fields}
        return made("aws:iam/policy:Policy", policy={"Statement": [statement]})

    principal = {"Service": "lambda.amazonaws.com"}
    assert kinds(rule, kept(Principal=principal)) == []
    assert kinds(rule, kept(NotPrincipal=principal)) == []
    assert kinds(rule, kept()) == REFUSED
    assert kinds(rule, kept(Principal=principal, Resource="arn:x")) == REFUSED
    assert kinds(rule, kept(Principal=principal, NotResource="arn:x")) == REFUSED
    assert kinds(rule, kept(Resource="arn:x")) == REFUSED
