"""What each outside id asks by itself, on states that strangers' programs would export.

Every row is an id with properties that hold it and properties that do not; the state goes the whole
way through `pgkeep check --state`. Where a rule asks for more than the source, the good row is one
that the rule refuses without naming the id.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import stacks
from tests.command_line.states import entry, state, urn, written

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
POLICY = "aws:iam/policy:Policy"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACL = "aws:s3/bucketAcl:BucketAcl"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PASSWORDS = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"
Properties = dict[str, Any]


def allow(action: Any, target: Any = "*", **more: Any) -> Properties:
    """A policy as text with odd spacing, as people write it."""
    statement = {"Effect": "Allow", "Action": action, "Resource": target, **more}
    return {"policy": json.dumps({"Version": "2012-10-17", "Statement": statement}, indent=3)}


def queue_policy(**more: Any) -> Properties:
    return allow("sqs:SendMessage", **{"Principal": "*", **more})


def world(first: int, last: int, network: str = "0.0.0.0/0", protocol: str = "tcp") -> Properties:
    name = "ipv6CidrBlocks" if ":" in network else "cidrBlocks"
    rule = {"fromPort": first, "toPort": last, "protocol": protocol, name: [network]}
    return {"description": "edge", "ingress": [{**rule, "description": "in"}]}


def deny(action: str) -> Properties:
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ]
    return {"policy": {"Version": "2012-10-17", "Statement": statements}}


ROWS: list[tuple[str, str, list[Properties], list[Properties]]] = [
    ("CKV_AWS_133", INSTANCE, [{}, {"backupRetentionPeriod": 1}], [{"backupRetentionPeriod": 0}]),
    ("RDS.11", INSTANCE, [{"backupRetentionPeriod": 7}], [{}, {"backupRetentionPeriod": 6}]),
    (
        "CKV_AWS_129",
        INSTANCE,
        [{"engine": "postgres", "enabledCloudwatchLogsExports": ["upgrade"]}],
        [{"engine": "postgres"}, {"engine": "mysql", "enabledCloudwatchLogsExports": []}],
    ),
    (
        "RDS.36",
        INSTANCE,
        [{"engine": "postgres", "enabledCloudwatchLogsExports": ["postgresql"]}],
        [{"engine": "postgres", "enabledCloudwatchLogsExports": ["upgrade"]}],
    ),
    (
        "RDS.9",
        INSTANCE,
        [{"engine": "postgres", "enabledCloudwatchLogsExports": ["upgrade", "postgresql"]}],
        [{"engine": "postgres", "enabledCloudwatchLogsExports": ["postgresql"]}],
    ),
    ("CKV_AWS_324", CLUSTER, [{"enabledCloudwatchLogsExports": ["audit"]}], [{}]),
    (
        "CKV_AWS_388",
        INSTANCE,
        [{"engine": "postgres", "engineVersion": "13.2"}],
        [{"engine": "aurora-postgresql", "engineVersion": "11.8"}],
    ),
    ("RDS.25", INSTANCE, [{"username": "root"}], [{"username": "postgres"}, {"username": "admin"}]),
    (
        "RDS.43",
        "aws:rds/proxy:Proxy",
        [{"requireTls": True, "debugLogging": True}],
        [{}, {"requireTls": False}],
    ),
    ("RDS.6", INSTANCE, [{"monitoringInterval": 60, "monitoringRoleArn": "arn:x"}], [{}]),
    ("CKV_AWS_96", CLUSTER, [{"engineMode": "serverless"}, {"storageEncrypted": "true"}], [{}]),
    ("CKV_AWS_313", CLUSTER, [{"copyTagsToSnapshot": True}], [{}]),
    (
        "CKV_AWS_140",
        "aws:rds/globalCluster:GlobalCluster",
        [{"storageEncrypted": True}, {"sourceDbClusterIdentifier": "arn:aws:rds:::cluster:a"}],
        [{}],
    ),
    (
        "CKV_AWS_325",
        CLUSTER,
        [
            {"engine": "aurora-postgresql"},
            {"engine": "mysql", "enabledCloudwatchLogsExports": ["audit"]},
        ],
        [{"engine": "aurora-mysql"}, {}],
    ),
    (
        "CKV_AWS_326",
        CLUSTER,
        [{"engine": "aurora-postgresql"}, {"engine": "aurora-mysql", "backtrackWindow": 3600}],
        [{"engine": "aurora-mysql"}, {"engine": "aurora-mysql", "backtrackWindow": 0}],
    ),
    (
        "EC2.19",
        GROUP,
        [world(5432, 5432, "10.0.0.0/8"), world(443, 443)],
        [world(3306, 3306), world(0, 0, protocol="-1")],
    ),
    ("EC2.18", GROUP, [world(443, 443), world(80, 80)], [world(8443, 8443), world(443, 444)]),
    (
        "6.3",
        GROUP,
        [world(22, 22, "::/0"), world(5432, 5432)],
        [world(22, 22), world(3000, 4000), world(0, 0, protocol="-1")],
    ),
    ("6.4", GROUP, [world(22, 22)], [world(3389, 3389, "::/0")]),
    (
        "CKV_AWS_24",
        INGRESS,
        [
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.0.0.0/8"},
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "prefixListId": "pl-1"},
        ],
        [{"ipProtocol": "-1", "cidrIpv6": "::/0"}],
    ),
    (
        "EC2.21",
        "aws:ec2/networkAclRule:NetworkAclRule",
        [{"egress": True, "ruleAction": "allow", "cidrBlock": "0.0.0.0/0", "protocol": "-1"}],
        [
            {
                "ruleAction": "allow",
                "cidrBlock": "0.0.0.0/0",
                "protocol": "6",
                "fromPort": 3389,
                "toPort": 3389,
            }
        ],
    ),
    (
        "CKV_AWS_62",
        POLICY,
        [allow("s3:*"), allow("*", "arn:aws:s3:::a")],
        [allow("*"), allow(["*"], ["*"])],
    ),
    ("CKV_AWS_63", POLICY, [allow("s3:*")], [allow(["s3:GetObject", "*"], "arn:aws:s3:::a")]),
    ("IAM.1", POLICY, [allow("ec2:*"), deny("*")], [allow("*"), deny("s3:*")]),
    ("IAM.21", POLICY, [allow("s3:Get*")], [allow("s3:*", "arn:aws:s3:::a/*")]),
    ("CKV2_AWS_40", POLICY, [allow("s3:*"), allow("iam:Get*")], [allow("iam:*"), allow("*")]),
    (
        "CKV_AWS_355",
        POLICY,
        [allow("ecr:GetAuthorizationToken"), allow("s3:GetObject", "arn:aws:s3:::a/*")],
        [allow("s3:GetObject"), allow("ec2:Describe*")],
    ),
    (
        "CKV_AWS_290",
        POLICY,
        [allow("s3:GetObject"), allow("rds:DescribeDBInstances")],
        [allow("s3:PutObject"), allow("s3:*")],
    ),
    (
        "CKV_AWS_286",
        POLICY,
        [allow("iam:PassRole")],
        [allow(["iam:PassRole", "ec2:RunInstances"]), allow("iam:CreateAccessKey")],
    ),
    (
        "CKV_AWS_288",
        POLICY,
        [allow("s3:GetObject", "arn:aws:s3:::a/*")],
        [allow("secretsmanager:GetSecretValue")],
    ),
    (
        "CKV_AWS_274",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        [{"role": "r", "policyArn": "arn:aws:iam::aws:policy/IAMFullAccess"}],
        [{"role": "r", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}],
    ),
    (
        "CKV2_AWS_56",
        "aws:iam/role:Role",
        [{"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}],
        [{"managedPolicyArns": ["arn:aws:iam::aws:policy/IAMFullAccess"]}],
    ),
    ("CKV_AWS_9", PASSWORDS, [{"maxPasswordAge": 90}], [{}, {"maxPasswordAge": 120}]),
    ("CKV_AWS_10", PASSWORDS, [{"minimumPasswordLength": 14}], [{}, {"minimumPasswordLength": 8}]),
    ("CKV_AWS_14", PASSWORDS, [{"requireSymbols": True}], [{"requireSymbols": False}, {}]),
    ("CKV_AWS_53", BLOCK, [{"bucket": "b", "blockPublicAcls": True}], [{"bucket": "b"}]),
    ("CKV_AWS_56", BLOCK, [{"restrictPublicBuckets": "true"}], [{"blockPublicAcls": True}]),
    (
        "S3.1",
        "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock",
        [
            dict.fromkeys(
                (
                    "blockPublicAcls",
                    "blockPublicPolicy",
                    "ignorePublicAcls",
                    "restrictPublicBuckets",
                ),
                True,
            )
        ],
        [{}, {"blockPublicAcls": True}],
    ),
    (
        "CKV_AWS_57",
        ACL,
        [{"bucket": "b", "acl": "public-read"}],
        [{"bucket": "b", "acl": "public-read-write"}],
    ),
    (
        "CKV_AWS_20",
        ACL,
        [{"bucket": "b", "acl": "private"}],
        [{"bucket": "b", "acl": "public-read"}],
    ),
    (
        "S3.2",
        ACL,
        [{"bucket": "b", "acl": "log-delivery-write"}],
        [{"bucket": "b", "acl": "authenticated-read"}],
    ),
    ("CKV_AWS_20", "aws:s3/bucketV2:BucketV2", [{"acl": "private"}], [{"acl": "public-read"}]),
    ("CKV_AWS_66", LOG_GROUP, [{"retentionInDays": 1}, {"retentionInDays": 0}], [{}]),
    (
        "CKV_AWS_338",
        LOG_GROUP,
        [{"retentionInDays": 0}, {"retentionInDays": 400}],
        [{"retentionInDays": 180}, {}],
    ),
    ("SNS.1", "aws:sns/topic:Topic", [{"kmsMasterKeyId": "alias/aws/sns"}], [{}]),
    (
        "CKV_AWS_27",
        "aws:sqs/queue:Queue",
        [{"sqsManagedSseEnabled": True}, {"kmsMasterKeyId": "alias/aws/sqs"}],
        [{}, {"sqsManagedSseEnabled": False}, {"kmsMasterKeyId": ""}],
    ),
    (
        "SQS.1",
        "aws:sqs/queue:Queue",
        [{}, {"sqsManagedSseEnabled": False, "kmsMasterKeyId": "alias/aws/sqs"}],
        [{"sqsManagedSseEnabled": False}],
    ),
    (
        "CKV_AWS_387",
        "aws:sqs/queuePolicy:QueuePolicy",
        [
            queue_policy(Condition={"Bool": {"aws:SecureTransport": "true"}}),
            queue_policy(Principal={"Service": "*"}),
            queue_policy(Principal={"AWS": "arn:aws:iam::1:root"}),
            queue_policy(Effect="Deny"),
            {"policy": "{"},
        ],
        [queue_policy(), queue_policy(Principal={"AWS": ["arn:aws:iam::1:root", "*"]})],
    ),
    (
        "CKV_AWS_168",
        "aws:sqs/queue:Queue",
        [queue_policy(Condition={"StringEquals": {"aws:SourceAccount": "1"}})],
        [queue_policy()],
    ),
    ("CKV_AWS_387", "aws:sqs/queue:Queue", [queue_policy()], []),
    ("SQS.3", "aws:sqs/queuePolicy:QueuePolicy", [], [queue_policy()]),
    (
        "CKV_AWS_227",
        "aws:kms/key:Key",
        [{"bypassPolicyLockoutSafetyCheck": True}],
        [{"isEnabled": False}],
    ),
    (
        "CKV_AWS_363",
        "aws:lambda/function:Function",
        [{"runtime": "python3.13"}],
        [{"runtime": "nodejs16.x"}],
    ),
    (
        "CKV_AWS_45",
        "aws:lambda/function:Function",
        [{"environment": {}}],
        [{"environment": {"variables": {"PASSWORD": "hunter2hunter2"}}}],
    ),
    (
        "CKV_AWS_261",
        "aws:lb/targetGroup:TargetGroup",
        [{"protocol": "HTTP", "healthCheck": {"path": "/"}}],
        [{"protocol": "HTTP"}],
    ),
    (
        "CKV_AWS_131",
        "aws:alb/loadBalancer:LoadBalancer",
        [{"loadBalancerType": "network"}, {"dropInvalidHeaderFields": True}],
        [{}],
    ),
    (
        "CKV_AWS_328",
        "aws:elb/loadBalancer:LoadBalancer",
        [{}],
        [{"desyncMitigationMode": "monitor"}],
    ),
    (
        "CKV2_AWS_74",
        "aws:lb/listener:Listener",
        [{"protocol": "HTTP", "port": 80}],
        [{"protocol": "HTTPS", "port": 443, "sslPolicy": "ELBSecurityPolicy-2016-08"}],
    ),
    (
        "CKV_AWS_40",
        "aws:iam/policyAttachment:PolicyAttachment",
        [{"users": [None], "groups": ["g"]}],
        [{"users": ["ann"]}],
    ),
    ("EC2.3", "aws:ebs/volume:Volume", [{"encrypted": False}], []),
    ("CKV_AWS_3", "aws:ebs/volume:Volume", [{"encrypted": True}], [{"encrypted": False}, {}]),
]
CASES = [
    pytest.param(
        control, kind, properties, bad, id=f"{control}-{'bad' if bad else 'good'}-{number}"
    )
    for control, kind, good_ones, bad_ones in ROWS
    for bad, listed in ((False, good_ones), (True, bad_ones))
    for number, properties in enumerate(listed)
]


@pytest.mark.parametrize(("control", "kind", "properties", "bad"), CASES)
def test_one_resource(
    control: str,
    kind: str,
    properties: Properties,
    bad: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = named(tmp_path, capsys, [entry(kind, "theirs", properties)])
    assert (control in found.get(urn(kind, "theirs"), set())) == bad


def named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: list[dict[str, Any]]
) -> dict[str, set[str]]:
    """URN -> the outside ids that violations of it name."""
    (one,) = stacks(capsys, states=[written(tmp_path, "state.json", state(entries))])
    found: dict[str, set[str]] = {}
    for violation in one["violations"]:
        found.setdefault(violation["urn"], set()).update(violation["controls"])
    return found
