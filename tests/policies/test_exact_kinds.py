"""Outside ids that are about one type only are named on no other."""

from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.exact.kinds import TYPES_OF
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.one_rule import made

INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
HOST, TEMPLATE = "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"
DECRYPTS = (
    '{"Version": "2012-10-17", "Statement": '
    '{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}'
)
CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"


def named(*resources: Resource) -> set[str]:
    """The ids that a stack breaks."""
    return {id_ for one in evaluate(Stack(resources), Context()) for id_ in one.controls}


@pytest.mark.parametrize(
    ("kind", "properties", "broken", "others"),
    [
        (INSTANCE, {}, "CKV_AWS_16 RDS.3 CKV_AWS_293 RDS.8", "CKV_AWS_96 CKV_AWS_139 RDS.7"),
        (CLUSTER, {}, "CKV_AWS_96 CKV_AWS_139 RDS.7", "CKV_AWS_16 CKV_AWS_140 RDS.3 RDS.8"),
        ("aws:rds/globalCluster:GlobalCluster", {}, "CKV_AWS_140", "CKV_AWS_16 CKV_AWS_96"),
        (INSTANCE, {}, "CKV_AWS_161 CKV2_AWS_60 RDS.26", "CKV_AWS_327 CKV_AWS_313 CKV2_AWS_8"),
        (CLUSTER, {}, "CKV_AWS_327 CKV_AWS_313 CKV2_AWS_8", "CKV_AWS_161 CKV2_AWS_60 RDS.26"),
        (HOST, {}, "CKV_AWS_79 EC2.8 6.7", "EC2.170 CKV_AWS_341"),
        (TEMPLATE, {}, "CKV_AWS_79 EC2.170 EC2.181", "EC2.8 6.7 CKV_AWS_8 CKV_AWS_126"),
        (
            HOST,
            {"associatePublicIpAddress": True},
            "CKV_AWS_88 EC2.9 CKV_AWS_8",
            "CKV_AWS_389 EC2.25 CKV_AWS_3",
        ),
        (CONFIGURATION, {"associatePublicIpAddress": True}, "CKV_AWS_389", "CKV_AWS_88 EC2.9"),
        ("aws:ebs/volume:Volume", {}, "CKV_AWS_3", "CKV_AWS_8 EC2.181"),
        ("aws:ec2/amiCopy:AmiCopy", {}, "CKV_AWS_235", "CKV_AWS_204"),
        ("aws:rds/snapshotCopy:SnapshotCopy", {}, "CKV_AWS_266", "CKV_AWS_245 CKV_AWS_146"),
        (
            "aws:rds/clusterSnapshot:ClusterSnapshot",
            {"sharedAccounts": ["all"], "storageEncrypted": False},
            "RDS.1 RDS.4 CKV_AWS_146",
            "CKV_AWS_302",
        ),
        ("aws:iam/accessKey:AccessKey", {}, "", "CKV_AWS_273"),
        ("aws:iam/policy:Policy", {"policy": DECRYPTS}, "KMS.1", "KMS.2"),
        ("aws:iam/rolePolicy:RolePolicy", {"policy": DECRYPTS}, "KMS.2", "KMS.1"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_ids_of_one_type(kind: str, properties: Any, broken: str, others: str) -> None:
    found = named(made(kind, **properties))
    assert found.issuperset(broken.split())
    assert found.isdisjoint(others.split())


def test_every_entry_takes_a_type_away() -> None:
    for control, types in TYPES_OF.items():
        judging = [rule for rule in RULES if control in rule.controls]
        judged = {kind for rule in judging for kind in (*rule.types, *rule.joined_types)}
        assert judging, control
        # (The rules of databases that look at the whole stack name other types than they judge.)
        assert not judged <= set(types) or all(rule.check_stack for rule in judging), control
