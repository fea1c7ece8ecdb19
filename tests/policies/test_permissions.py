"""IAM rules: wildcards in actions, resources and trust, wherever a document may stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies import permissions
from policies.inventory import Resource
from tests.policies import good_stack
from tests.policies.good_stack import UNKNOWN_STRING, document, notes, resource, violations


@pytest.fixture(autouse=True)
def _only_this_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other themes' rules would speak about the same resources."""
    monkeypatch.setattr(good_stack, "RULES", permissions.RULES)


ACTIONS = "iam-no-wildcard-actions"
RESOURCES = "iam-no-wildcard-resources"
TRUST = "iam-no-wildcard-trust"
ARN = "arn:aws:sqs:eu-west-1:123456789012:jobs"


def found(**statement: Any) -> list[str]:
    """The rules that refuse a role policy with one Allow of these elements."""
    merged = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ARN, **statement}
    kept = {key: value for key, value in merged.items() if value is not None}
    return [rule for rule, _ in violations(resource("permissions", policy=document(kept)))]


def trusted(**statement: Any) -> list[str]:
    merged = {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}
    return [rule for rule, _ in violations(resource("role", assumeRolePolicy=document(merged)))]


@pytest.mark.parametrize(
    "action",
    [
        "*",
        "*:*",
        "s3:*",
        "S3:*",
        "s3*",
        "s3:**",
        "s3:*Object",
        "s3:?*",
        "iam:P*",
        "iam:*Role*",
        "*:Get*",
        "s?:GetObject",
        "s3:Get*Acl",
        ["sqs:SendMessage", "ec2:*"],
        5,
        {"a": "b"},
    ],
    ids=str,
)
def test_wildcard_actions_are_refused(action: object) -> None:
    assert ACTIONS in found(Action=action)


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Get*", "kms:GenerateDataKey*", []])
def test_actions_with_a_verb_are_accepted(action: object) -> None:
    assert ACTIONS not in found(Action=action)


def test_not_action_and_not_resource_are_refused() -> None:
    assert found(Action=None, NotAction="iam:*") == [ACTIONS]
    assert found(Action=None, NotAction="iam:*", Resource="*") == [ACTIONS, RESOURCES]
    assert found(Resource=None, NotResource=ARN) == [RESOURCES]


def test_denials_may_be_as_wide_as_they_like() -> None:
    assert found(Effect="Deny", Action="*", Resource="*") == []
    assert found(Effect="deny", Action=None, NotAction="*", Resource="*") == []


@pytest.mark.parametrize("effect", ["Allow", "allow", "ALOW", "", None, 1])
def test_whatever_does_not_deny_allows(effect: object) -> None:
    assert ACTIONS in found(Effect=effect, Action="*")


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "**",
        "arn:aws:*",
        "arn:aws:sqs:*:*:*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::*/*",
        "arn:*:*:*:*:jobs",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:*",
        "arn:aws:kms:*:123456789012:key/*",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:rds:eu-west-1:123456789012:db:*",
        [ARN, "*"],
        None,
        7,
    ],
    ids=str,
)
def test_wildcard_resources_are_refused(target: object) -> None:
    assert found(Resource=target) == [RESOURCES]


@pytest.mark.parametrize(
    "target",
    [
        ARN,
        "arn:aws:s3:::backups/*",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/pgkeep-*:*",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:pgkeep/prod/*",
        "arn:aws:ec2:eu-west-1:123456789012:network-interface/*",
    ],
)
def test_named_resources_are_accepted(target: str) -> None:
    assert found(Resource=target) == []


@pytest.mark.parametrize(
    "action",
    ["cloudwatch:PutMetricData", "ec2:DescribeInstances", "kms:ListKeys", "sts:getcalleridentity"],
)
def test_actions_without_resource_level_permissions_may_have_any(action: str) -> None:
    assert found(Action=action, Resource="*") == []
    assert found(Action=[action, "sqs:SendMessage"], Resource="*") == [RESOURCES]


def test_a_wildcard_over_such_actions_may_not() -> None:
    assert found(Action="ec2:Describe*", Resource="*") == [RESOURCES]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("aws:iam/policy:Policy", "policy"),
        ("aws:iam/rolePolicy:RolePolicy", "policy"),
        ("aws:iam/userPolicy:UserPolicy", "policy"),
        ("aws:iam/groupPolicy:GroupPolicy", "policy"),
        ("aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy", "inlinePolicy"),
    ],
)
def test_every_place_of_a_document_is_read(kind: str, key: str) -> None:
    bad = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    for value in (bad, json.dumps(bad)):
        spoilt = Resource.of(type=kind, name="p", properties={key: value})
        assert violations(spoilt) == [(ACTIONS, "p"), (RESOURCES, "p")]


def test_inline_policies_of_a_role_are_read() -> None:
    bad = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    spoilt = resource("role", inlinePolicies=[{"name": "x", "policy": bad}])
    assert violations(spoilt) == [(ACTIONS, "role"), (RESOURCES, "role")]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws-cn:iam::aws:policy/PowerUserAccess",
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "arn:aws:iam::aws:policy/IAMFullAccess",
        "arn:aws:iam::aws:policy/job-function/DatabaseAdministrator",
        5,
    ],
)
def test_broad_policies_of_aws_are_not_attached(arn: object) -> None:
    kind = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    attachment = Resource.of(type=kind, name="a", properties={"role": "r", "policyArn": arn})
    assert violations(attachment) == [(ACTIONS, "a")]
    assert violations(resource("role", managedPolicyArns=[arn])) == [(ACTIONS, "role")]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "arn:aws:iam::123456789012:policy/backup",
    ],
)
def test_narrow_policies_are_attached(arn: str) -> None:
    assert violations(resource("role", managedPolicyArns=[arn])) == []


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::1:role/a", "*"]}, {"Service": "*"}]
    + [{"AWS": "arn:aws:iam::*:root"}, {"Federated": "*"}, {"AWS": 5}],
    ids=str,
)
def test_wildcard_trust_is_refused_with_and_without_condition(principal: object) -> None:
    assert trusted(Principal=principal) == [TRUST]
    condition = {"StringEquals": {"sts:ExternalId": "x"}}
    assert trusted(Principal=principal, Condition=condition) == [TRUST]


def test_trust_in_all_but_some_is_refused() -> None:
    assert trusted(NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"}) == [TRUST]


def test_named_trust_and_an_empty_document_are_accepted() -> None:
    assert trusted(Principal={"AWS": "arn:aws:iam::123456789012:role/ci"}) == []
    assert trusted(Effect="Deny", Principal="*") == []
    assert violations(resource("role", assumeRolePolicy="")) == []


def test_what_is_known_is_refused_beside_what_is_not() -> None:
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", UNKNOWN_STRING], "Resource": UNKNOWN_STRING}
        ]
    }
    spoilt = resource("permissions", policy=policy)
    assert violations(spoilt) == [(ACTIONS, "permissions")]
    assert notes(spoilt) == [(ACTIONS, "permissions"), (RESOURCES, "permissions")]
