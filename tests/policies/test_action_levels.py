"""What is told of IAM actions by their names: access levels, and which take no resource."""

from __future__ import annotations

import re
from typing import Any

import pytest

from policies.action_levels import ACTIONS_WITHOUT_RESOURCES, Level, has_no_resources, level
from policies.inventory import Resource
from tests.policies.one_rule import REFUSED, is_broken, kinds, made

RESOURCES = "iam-no-wildcard-resources"


def allows(*actions: Any) -> Resource:
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": "*"}
    return made("aws:iam/policy:Policy", policy={"Statement": [statement]})


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ("s3:GetObject", Level.READ),
        ("ec2:DescribeInstances", Level.READ),
        ("IAM:GetRole", Level.READ),
        ("events:TestEventPattern", Level.READ),
        ("ec2:CreateTags", Level.TAGGING),
        ("s3:PutObjectTagging", Level.TAGGING),
        ("rds:AddTagsToResource", Level.TAGGING),
        ("rds:RemoveTagsFromResource", Level.TAGGING),
        ("route53:ChangeTagsForResource", Level.TAGGING),
        ("s3:ReplicateTags", Level.TAGGING),
        ("iam:CreateRole", Level.PERMISSIONS),
        ("kms:CreateGrant", Level.PERMISSIONS),
        ("s3:PutBucketPolicy", Level.PERMISSIONS),
        ("s3:PutBucketAcl", Level.PERMISSIONS),
        ("ecr:PutRegistryPolicy", Level.PERMISSIONS),
        ("elasticfilesystem:PutFileSystemPolicy", Level.PERMISSIONS),
        ("ses:PutIdentityPolicy", Level.PERMISSIONS),
        ("backup:PutBackupVaultSharingPolicy", Level.PERMISSIONS),
        ("ssm:ModifyDocumentPermission", Level.PERMISSIONS),
        ("lambda:EnableReplication", Level.PERMISSIONS),
        ("lambda:DisableReplication", Level.PERMISSIONS),
        ("rds-db:connect", Level.PERMISSIONS),
        ("redshift:AuthorizeDataShare", Level.PERMISSIONS),
        ("redshift:RevokeSnapshotAccess", Level.PERMISSIONS),
        ("redshift:JoinGroup", Level.PERMISSIONS),
        ("ec2:CreateNetworkInterfacePermission", Level.PERMISSIONS),
        ("secretsmanager:PutResourcePolicy", Level.PERMISSIONS),
        ("s3:PutObject", Level.WRITE),
        ("s3:*", Level.WRITE),
        ("lambda:CreateFunctionUrlConfig", Level.WRITE),
        ("ec2:CreateNetworkAcl", Level.WRITE),
        ("ec2:CreateNetworkAclEntry", Level.WRITE),
        ("ec2:DeleteNetworkAcl", Level.WRITE),
        ("ec2:CreateCoipPoolPermission", Level.WRITE),
        ("elasticloadbalancing:SetWebAcl", Level.WRITE),
        ("kinesis:PutResourcePolicy", Level.WRITE),
    ],
)
def test_levels_of_actions(action: str, found: Level) -> None:
    assert level(action) is found


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ("tag:GetResources", True),
        ("LOGS:describeResourcePolicies", True),
        ("cloudwatch:PutAnomalyDetector", True),
        ("ec2:GetSerialConsoleAccessStatus", True),
        ("s3:GetObject", False),
        ("logs:GetLogEvents", False),
        ("ec2:GetSerialConsole*", False),
        ("GetSerialConsoleAccessStatus", False),
    ],
)
def test_actions_without_resources(action: str, found: bool) -> None:
    assert has_no_resources(action) == found


def test_names_in_the_file() -> None:
    """One paragraph a service, in order, with names as IAM writes them."""
    lines = ACTIONS_WITHOUT_RESOURCES.read_text(encoding="ascii").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"(?:[a-z0-9-]+:| )(?: [A-Z]\w+)+", line) for line in named)
    services = [line.partition(":")[0] for line in named if not line.startswith(" ")]
    assert services == sorted(set(services))


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("cloudwatch:DescribeInsightRules", False),  # reads, and AWS takes no resource
        ("cloudwatch:PutAnomalyDetector", True),  # AWS takes no resource, but it writes
        ("cloudwatch:GetDashboard", True),  # reads what can be named
        ("cloudwatch:PutMetricData", False),  # writes what every host sends
    ],
)
def test_everything_as_the_resource(action: str, refused: bool) -> None:
    assert kinds(RESOURCES, allows(action)) == (REFUSED if refused else [])


@pytest.mark.parametrize("control", ["CKV_AWS_355", "CKV_AWS_290"])
def test_checkov_asks_for_resources_where_there_are_some(control: str) -> None:
    assert not is_broken(RESOURCES, control, allows("cloudwatch:PutAnomalyDetector"))
    assert is_broken(RESOURCES, control, allows("cloudwatch:PutDashboard"))


@pytest.mark.parametrize(
    ("action", "broken"), [("glue:UpdateDevEndpoint", True), ("glue:GetDevEndpoint", False)]
)
def test_escalation_through_a_development_endpoint(action: str, broken: bool) -> None:
    rule = "iam-no-escalation"
    assert kinds(rule, allows(action)) == (REFUSED if broken else [])
    assert is_broken(rule, "CKV_AWS_286", allows(action)) == broken


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("sts:GetSessionToken", True),
        ("grafana:CreateWorkspaceApiKey", True),
        ("redshift:GetClusterCredentialsWithIAM", True),
        ("ecr:GetAuthorizationToken", False),
    ],
)
def test_results_that_are_credentials(action: str, refused: bool) -> None:
    expected = REFUSED if refused else []
    assert kinds("iam-no-credential-exposure", allows(action)) == expected
