"""Names fit AWS: the table against AWS's own models, against the program, and what is refused."""

from __future__ import annotations

import copy
import re
from typing import Any

import boto3
import botocore.session
import pytest

from stacks.naming import LONGEST_REGION, NAME_LIMITS, NameLimit
from stacks.settings import SettingsError, load
from tests.unit.conftest import Deployed
from tests.unit.recorder import ENVIRONMENTS, REGION, Recorder, deploy, raw_settings, settings

# Types whose names botocore's models limit, or at least describe: service, operation, member.
MODELS = {
    "aws:autoscaling/group:Group": (
        "autoscaling",
        "CreateAutoScalingGroup",
        "AutoScalingGroupName",
    ),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "CreateLogGroup", "logGroupName"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "PutMetricAlarm", "AlarmName"),
    "aws:iam/instanceProfile:InstanceProfile": (
        "iam",
        "CreateInstanceProfile",
        "InstanceProfileName",
    ),
    "aws:iam/role:Role": ("iam", "CreateRole", "RoleName"),
    "aws:iam/rolePolicy:RolePolicy": ("iam", "PutRolePolicy", "PolicyName"),
    "aws:kms/alias:Alias": ("kms", "CreateAlias", "AliasName"),
    "aws:lambda/function:Function": ("lambda", "CreateFunction", "FunctionName"),
    "aws:lambda/layerVersion:LayerVersion": ("lambda", "PublishLayerVersion", "LayerName"),
    "aws:scheduler/schedule:Schedule": ("scheduler", "CreateSchedule", "Name"),
    "aws:secretsmanager/secret:Secret": ("secretsmanager", "CreateSecret", "Name"),
    "aws:ssm/parameter:Parameter": ("ssm", "PutParameter", "Name"),
}
ROWS = {limit.type: limit for limit in NAME_LIMITS}


def names_of_ours(recorder: Recorder, prefix: str) -> dict[str, tuple[str, str]]:
    """Names that AWS is asked for: Pulumi name → type, name."""
    return {
        name: (type_, inputs[key])
        for name, (type_, inputs) in recorder.resources.items()
        for key in ("name", "identifier", "bucket", "layerName", "policyName")
        if isinstance(inputs.get(key), str)
        and prefix in inputs[key]
        # What stands beside a bucket names it, and is no bucket.
        and not (key == "bucket" and type_ != "aws:s3/bucket:Bucket")
    }


def judged(recorder: Recorder, prefix: str, longest: dict[str, str]) -> None:
    found = names_of_ours(recorder, prefix)
    assert len(found) > 50
    for pulumi_name, (type_, name) in found.items():
        assert type_ in ROWS, f"{pulumi_name}: {type_} needs a row in stacks/naming.py"
        row = ROWS[type_]
        assert len(name) <= len(longest[type_]), f"{name}: longer than stacks/naming.py says"
        assert len(name) <= row.most, name
        assert row.fits(name), name


@pytest.mark.parametrize("environment_", ENVIRONMENTS)
def test_every_name_has_a_row_that_it_fits(deployed: Deployed, environment_: str) -> None:
    chosen = settings(environment_)
    longest = {limit.type: limit.longest(chosen) for limit in NAME_LIMITS}
    judged(deployed(environment_), chosen.prefix, longest)


def named(name: str, environment: str = "staging") -> dict[str, Any]:
    return {**copy.deepcopy(raw_settings(environment)), "name": name}


def refused(name: str, environment: str = "staging") -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(named(name, environment), environment, REGION)
    return caught.value.lines


def test_the_longest_name_fits_and_one_more_is_refused() -> None:
    name = "a" * 17
    chosen = load(named(name), "staging", REGION)
    longest = {limit.type: limit.longest(chosen) for limit in NAME_LIMITS}
    judged(deploy(chosen), chosen.prefix, longest)
    assert refused("a" * 18) == [
        "name: 'aaaaaaaaaaaaaaaaaa' refused, aaaaaaaaaaaaaaaaaa-staging-pooler would have 33 "
        "characters, a load balancer has at most 32: AWS refuses longer names (ELB API reference: "
        "CreateLoadBalancer). Shorten it to 17 characters or fewer. Source: stacks/naming.py."
    ]


def test_the_longest_name_leaves_room_for_the_buckets_of_every_region() -> None:
    session = boto3.session.Session()
    regions = [
        region
        for partition in ("aws", "aws-cn", "aws-us-gov")
        for region in session.get_available_regions("s3", partition)
    ]
    assert len(regions) > 30
    assert max(len(region) for region in regions) <= LONGEST_REGION
    chosen = load(named("a" * 17), "staging")
    assert len(ROWS["aws:s3/bucket:Bucket"].longest(chosen)) == 63


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("internal", "load balancer"),
        ("sthree", "bucket"),
        ("xn--a", None),
        ("sg", "security group"),
        ("awsome", "parameter"),
        ("ssm", "parameter"),
    ],
)
def test_names_that_aws_keeps_for_itself(name: str, kind: str | None) -> None:
    (line,) = refused(name)
    assert line.startswith(f"name: '{name}' refused, ")
    assert kind is None or f"a {kind} cannot be called" in line


def constraints(row: NameLimit) -> dict[str, Any]:
    service, operation, member = MODELS[row.type]
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    return dict(shape.members[member].metadata)


@pytest.mark.parametrize("type_", sorted(MODELS))
def test_rows_are_no_wider_than_aws_models(type_: str) -> None:
    row = ROWS[type_]
    model = constraints(row)
    assert row.most <= model["max"]
    if "pattern" in model:
        for environment in ENVIRONMENTS:
            name = row.longest(settings(environment))
            # Java's escapes; Python reads them alike but for the pairs that astral letters take.
            pattern = re.sub(r"\\uD[89AB]\w\w\\uDC00-\\uDBFF\\uDFFF", "", model["pattern"])
            assert re.fullmatch(pattern, name), (pattern, name)


def test_rows_are_used_and_say_where_they_come_from(deployed: Deployed) -> None:
    types = {type_ for type_, _ in deployed("prod").resources.values()}
    for row in NAME_LIMITS:
        assert row.type in types, f"{row.type}: no such resource any more"
        assert "reference" in row.source or "guide" in row.source
