"""An independent judge: every environment's resources as CloudFormation, judged by cfn-lint.

cfn-lint knows AWS's own schemas, what a region offers and constraints between properties. The
table of names (cloudformation_names.py) lists what has no correspondence; anything else that the
program sets must be rendered, or the test fails.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from facts import rds
from tests.unit.cloudformation import AwsRecorder, Rendered, render
from tests.unit.cloudformation_names import BUCKET_PARTS, TYPES, WITHOUT_TYPE
from tests.unit.recorder import ENVIRONMENTS, REGION, deploy, settings


@pytest.fixture(scope="module")
def rendered() -> dict[str, Rendered]:
    return {
        environment: render(deploy(settings(environment), AwsRecorder()))
        for environment in ENVIRONMENTS
    }


def errors(template: str) -> list[str]:
    """cfn-lint's errors; its warnings are about templates that people write by hand."""
    return [
        f"{match.rule.id} {'/'.join(map(str, match.path))}: {match.message}"
        for match in lint(template, config=ManualArgs(regions=[REGION], ignore_checks=["W", "I"]))
    ]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_the_program_sets_is_rendered(
    rendered: dict[str, Rendered], environment: str
) -> None:
    assert rendered[environment].unknown_types == set(), "add it to TYPES or WITHOUT_TYPE"
    assert rendered[environment].unknown_properties == set(), (
        "add it to RENAMES or WITHOUT_PROPERTY"
    )
    assert len(rendered[environment].resources) > 100


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_error(rendered: dict[str, Rendered], environment: str) -> None:
    assert errors(rendered[environment].template) == []


def test_a_type_stands_in_one_table_only() -> None:
    assert not (set(TYPES) & set(WITHOUT_TYPE)) | (set(TYPES) & set(BUCKET_PARTS))


# What a careless change would write, and what cfn-lint says to it.
@pytest.mark.parametrize(
    ("type_", "properties", "words"),
    [
        ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.r7g.huge"}, "'db.r7g.huge' is not one of"),
        ("AWS::RDS::DBInstance", {"BackupRetentionPeriod": 36}, "36 is greater than the maximum"),
        ("AWS::RDS::DBInstance", {"EngineVersion": "17.99"}, "'17.99' is not one of"),
        ("AWS::RDS::DBInstance", {"StorageEncrypted": False}, "False is not one of"),
        ("AWS::RDS::DBInstance", {"Nonsense": 1}, "'Nonsense' was unexpected"),
        ("AWS::Lambda::Function", {"Timeout": 100_000}, "100000 is greater than the maximum"),
        ("AWS::Lambda::Function", {"Runtime": "python2.7"}, "python2.7"),
        ("AWS::S3::Bucket", {"BucketName": "Not_A_Name"}, "'Not_A_Name' does not match"),
        ("AWS::EC2::Subnet", {"CidrBlock": "10.20.0.0/40"}, "'10.20.0.0/40' is not a"),
        ("AWS::Logs::LogGroup", {"RetentionInDays": 31}, "31 is not one of"),
        (
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Maybe"}]}},
            "'Maybe' is not one of",
        ),
    ],
)
def test_the_judge_finds_what_is_planted(
    rendered: dict[str, Rendered], type_: str, properties: dict[str, Any], words: str
) -> None:
    name, resource = next(
        (name, copy.deepcopy(each))
        for name, each in rendered["prod"].resources.items()
        if each["Type"] == type_
    )
    resource["Properties"] |= properties
    found = errors(json.dumps({"Resources": {name: resource}}))
    assert any(words in line for line in found), found


def test_our_refusals_and_the_judge_agree_on_classes(rendered: dict[str, Rendered]) -> None:
    """cfn-lint reads the same data with code of its own: a class is an error there exactly where
    we refuse it."""
    name, resource = next(
        (name, copy.deepcopy(each))
        for name, each in rendered["prod"].resources.items()
        if each["Type"] == "AWS::RDS::DBInstance"
    )
    minor = rds.latest_minor("17")
    in_region = rds.instance_classes(REGION)
    assert minor is not None
    assert in_region is not None
    offered = in_region & rds.instance_classes_of_version(minor)
    for instance_class in ("db.r7g.large", "db.m4.large", "db.c6gd.large", "db.t1.micro"):
        resource["Properties"] |= {"DBInstanceClass": instance_class, "EngineVersion": minor}
        found = errors(json.dumps({"Resources": {name: resource}}))
        assert (found == []) == (instance_class in offered), (instance_class, found)
