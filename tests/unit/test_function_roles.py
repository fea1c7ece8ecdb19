"""What the role of each function may do: exact statements, no wildcard, nothing shared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conftest import Deployed
from tests.unit.function_statements import (
    ACCOUNT,
    CLASSES,
    FUNCTIONS,
    HERE,
    IN_VPC,
    KEYS,
    LOGINS,
    allow,
    make_backups,
    network_statements,
    own_statements,
    secrets,
    signatures,
    via,
)


def expected_statements(environment: str, purpose: str) -> list[dict[str, Any]]:
    prefix = f"pgkeep-{environment}"
    if purpose == "master-credentials":
        return [
            allow(
                "SetMasterPassword",
                ["rds:DescribeDBInstances", "rds:ModifyDBInstance"],
                [f"arn:aws:rds:{HERE}:db:{prefix}"],
            ),
            *secrets("Write", "master-credentials-secret"),
        ]
    if purpose in ("roles", "role-rotation"):
        written = [*(f"roles-{kind}" for kind in LOGINS), "roles-pooler-users"]
        return [*secrets("Read", "master-credentials-secret"), *secrets("Write", *written)]
    if purpose == "migrations":
        return secrets("Read", "roles-migrator")
    if purpose == "backup":
        group = f"autoScalingGroup:*:autoScalingGroupName/{prefix}-backup-worker"
        return [
            *make_backups(environment),
            allow(
                "SeeWorkers",
                ["autoscaling:DescribeAutoScalingGroups"],
                ["*"],
                Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
            ),
            allow(
                "StartWorker",
                ["autoscaling:SetDesiredCapacity"],
                [f"arn:aws:autoscaling:{HERE}:{group}"],
            ),
        ]
    if purpose == "backup-retention":
        bucket = f"arn:aws:s3:::{prefix}-backups-123456789012-eu-west-1"
        return [
            allow("FindBackups", ["s3:ListBucket"], [bucket]),
            allow(
                "ReadManifests",
                ["s3:GetObject"],
                [
                    *(f"{bucket}/{class_}/*/manifest.json" for class_ in CLASSES),
                    f"{bucket}/reports/restore/*.json",
                ],
            ),
            allow(
                "MarkBackups",
                ["s3:GetObjectTagging", "s3:PutObjectTagging"],
                [f"{bucket}/{class_}/*" for class_ in CLASSES],
            ),
            allow("ReadManifestsKey", ["kms:Decrypt"], [f"{KEYS}backups"], Condition=via("s3")),
            *signatures(environment, "VerifyManifests", "kms:VerifyMac"),
        ]
    return [
        allow(
            "PublishAuthority",
            ["ssm:GetParameter", "ssm:PutParameter"],
            [f"arn:aws:ssm:{HERE}:parameter/{prefix}/pooler/ca-certificate"],
        ),
        *secrets("Write", "pooler-certificates-authority", "pooler-certificates-server"),
    ]


@pytest.mark.parametrize("purpose", FUNCTIONS)
def test_a_role_may_do_exactly_this(deployed: Deployed, environment: str, purpose: str) -> None:
    recorder, function = deployed(environment), f"pgkeep-{environment}-{purpose}"
    assert recorder.document(f"{purpose}-policy") == {
        "Version": "2012-10-17",
        "Statement": [
            *own_statements(function),
            *(network_statements(function) if purpose in IN_VPC else []),
            *expected_statements(environment, purpose),
        ],
    }
    assert recorder.document(f"{purpose}-role", "assumeRolePolicy")["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": ACCOUNT,
        }
    ]
    assert "managedPolicyArns" not in recorder.inputs(f"{purpose}-role")
