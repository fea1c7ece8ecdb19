"""What outside ids demand of a resource by those beside it, and the held-out cases of their sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.catalogue import RULES
from tests.command_line.states import entry, urn
from tests.policies.test_outside_demands import Properties, allow, named

INSTANCE = "aws:rds/instance:Instance"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACL = "aws:s3/bucketAcl:BucketAcl"
BUCKET = "aws:s3/bucket:Bucket"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
)
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
VPC = "aws:ec2/vpc:Vpc"


def encryption(**default: str) -> Properties:
    return {"bucket": "b-1", "rules": [{"applyServerSideEncryptionByDefault": default}]}


def forced(value: str | None, family: str = "postgres14") -> Properties:
    listed = [] if value is None else [{"name": "rds.force_ssl", "value": value}]
    return {"name": "pg-1", "family": family, "parameters": listed}


USES = {"engine": "postgres", "engineVersion": "14", "parameterGroupName": "pg-1"}
# id, the resource that is judged, the others, whether the id is broken
JOINED: list[tuple[str, tuple[str, Properties], list[tuple[str, Properties]], bool]] = [
    ("CKV_AWS_19", (BUCKET, {"bucket": "b-1"}), [], False),
    ("CKV_AWS_145", (BUCKET, {"bucket": "b-1"}), [], True),
    (
        "CKV_AWS_145",
        (BUCKET, {"bucket": "b-1"}),
        [(ENCRYPTION, encryption(sseAlgorithm="aws:kms"))],
        False,
    ),
    ("S3.17", (BUCKET, {"bucket": "b-1"}), [(ENCRYPTION, encryption(sseAlgorithm="AES256"))], True),
    (
        "CKV_AWS_19",
        (BUCKET, {"bucket": "b-1"}),
        [(ENCRYPTION, encryption(sseAlgorithm="AES256"))],
        False,
    ),
    (
        "CKV2_AWS_6",
        (BUCKET, {"bucket": "b-1"}),
        [(BLOCK, {"bucket": "b-1", "blockPublicAcls": True, "blockPublicPolicy": True})],
        False,
    ),
    (
        "S3.8",
        (BUCKET, {"bucket": "b-1"}),
        [(BLOCK, {"bucket": "b-1", "blockPublicAcls": True, "blockPublicPolicy": True})],
        True,
    ),
    (
        "CKV_AWS_57",
        (BUCKET, {"bucket": "b-1"}),
        [(ACL, {"bucket": "b-1", "acl": "public-read-write"})],
        True,
    ),
    ("CKV2_AWS_69", (INSTANCE, USES), [(PARAMETERS, forced("1"))], False),
    ("CKV2_AWS_69", (INSTANCE, USES), [(PARAMETERS, forced(None))], True),
    ("CKV2_AWS_69", (INSTANCE, USES), [], False),
    (
        "RDS.38",
        (INSTANCE, {**USES, "engineVersion": "16.4"}),
        [(PARAMETERS, forced(None, "postgres16"))],
        False,
    ),
    ("RDS.38", (INSTANCE, USES), [(PARAMETERS, forced("0", "postgres16"))], True),
    ("RDS.38", (INSTANCE, {"engine": "postgres", "engineVersion": "17"}), [], False),
    ("RDS.38", (INSTANCE, {"engine": "postgres", "engineVersion": "13.9"}), [], True),
    ("CKV2_AWS_30", (INSTANCE, {"engine": "postgres"}), [], True),
    ("CKV2_AWS_30", (INSTANCE, {"engine": "mysql"}), [], False),
    (
        "CKV2_AWS_64",
        ("aws:kms/key:Key", {}),
        [("aws:kms/keyPolicy:KeyPolicy", {"keyId": "theirs-id", **allow("kms:*")})],
        False,
    ),
    ("CKV2_AWS_64", ("aws:kms/key:Key", {}), [], True),
    (
        "EC2.3",
        ("aws:ebs/volume:Volume", {}),
        [
            (
                "aws:ec2/volumeAttachment:VolumeAttachment",
                {"volumeId": "theirs-id", "instanceId": "i-1"},
            )
        ],
        True,
    ),
    ("EC2.10", (VPC, {"cidrBlock": "10.0.0.0/16"}), [], True),
    (
        "EC2.10",
        (VPC, {}),
        [
            (
                "aws:ec2/vpcEndpoint:VpcEndpoint",
                {
                    "vpcId": "theirs-id",
                    "serviceName": "com.amazonaws.us-east-1.ec2",
                    "policy": allow("ec2:DescribeTags")["policy"],
                },
            )
        ],
        False,
    ),
    (
        "CKV2_AWS_19",
        ("aws:ec2/eip:Eip", {"domain": "vpc"}),
        [("aws:ec2/natGateway:NatGateway", {"allocationId": "theirs-id"})],
        False,
    ),
    ("CKV2_AWS_19", ("aws:ec2/eip:Eip", {"domain": "vpc"}), [], True),
]


@pytest.mark.parametrize(("control", "judged", "others", "bad"), JOINED)
def test_a_resource_among_others(
    control: str,
    judged: tuple[str, Properties],
    others: list[tuple[str, Properties]],
    bad: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, properties = judged
    theirs = entry(kind, "theirs", properties)
    beside = [entry(other, f"beside-{n}", given) for n, (other, given) in enumerate(others)]
    found = named(tmp_path, capsys, [theirs, *beside])
    assert (control in found.get(urn(kind, "theirs"), set())) == bad


DEMANDS = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "demands.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("case", DEMANDS, ids=lambda case: f"{case['control']}-{case['bad']}")
def test_each_demand(
    case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [(kind, properties) for kind, properties in case["others"]]
    theirs = (case["type"], case["properties"])
    test_a_resource_among_others(case["control"], theirs, others, case["bad"], tmp_path, capsys)


def test_an_exact_demand_is_never_wider_than_its_rule() -> None:
    for rule in RULES:
        assert set(rule.exact) | set(rule.exact_joins) <= set(rule.controls), rule.id
        assert not set(rule.exact) & set(rule.exact_joins), rule.id
