"""Outside demands by themselves: what each source's own check finds on one resource or stack."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from tests.policies.one_rule import UNKNOWN, broken, is_broken, made

POLICY, ROLE_POLICY = "aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"
INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
GROUP = "aws:rds/parameterGroup:ParameterGroup"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"


def allows(kind: str = POLICY, more: Any = (), **fields: Any) -> Resource:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **fields}
    kept = {key: value for key, value in statement.items() if value is not None}
    return made(kind, policy={"Statement": [kept, *more]})


ACTIONS, RESOURCES = "iam-no-wildcard-actions", "iam-no-wildcard-resources"


@pytest.mark.parametrize(
    ("fields", "full", "any_resource", "iam", "services"),
    [
        ({}, True, True, True, True),
        ({"Action": "*:*"}, True, True, True, True),
        ({"Action": ["s3:GetObject", "*"]}, True, True, True, True),
        ({"Action": [5, "*"]}, True, True, True, True),
        ({"Resource": None}, True, True, True, True),
        ({"Resource": ["arn:x", "*"]}, True, True, True, True),
        ({"Resource": [5]}, False, True, True, True),
        ({"Resource": "arn:x"}, False, True, True, True),
        ({"Action": "IAM:*"}, False, False, True, True),
        ({"Action": "s3:*"}, False, False, False, True),
        ({"Action": "s3:Get*"}, False, False, False, False),
        ({"Action": [5]}, False, False, False, False),
        ({"Action": None, "NotAction": "s3:*"}, False, False, False, True),
        ({"Effect": "Deny"}, False, False, False, False),
    ],
    ids=str,
)
def test_wildcards(
    fields: dict[str, Any], full: bool, any_resource: bool, iam: bool, services: bool
) -> None:
    one, inline = allows(**fields), allows(ROLE_POLICY, **fields)
    assert is_broken(ACTIONS, "CKV_AWS_62", one) == full
    assert is_broken(ACTIONS, "CKV_AWS_62", inline) == full
    assert is_broken(ACTIONS, "IAM.1", one) == full
    assert not is_broken(ACTIONS, "IAM.1", inline)
    assert is_broken(ACTIONS, "CKV_AWS_63", one) == any_resource
    assert is_broken(ACTIONS, "CKV2_AWS_40", one) == iam
    assert is_broken(ACTIONS, "IAM.21", one) == services
    assert not is_broken(ACTIONS, "IAM.21", inline)


def test_documents_that_cannot_be_read_break_no_demand_of_a_source() -> None:
    unreadable = made(POLICY, policy="{")
    for control in ("CKV_AWS_62", "CKV_AWS_63", "IAM.21"):
        assert not is_broken(ACTIONS, control, unreadable)
    assert not is_broken(RESOURCES, "CKV_AWS_355", unreadable)


@pytest.mark.parametrize(
    ("fields", "restrictable", "writes"),
    [
        ({"Action": "s3:GetObject"}, True, False),
        ({"Action": "s3:PutObject"}, True, True),
        ({"Action": "sts:GetCallerIdentity"}, False, False),
        ({"Action": "tag:GetResources"}, False, False),
        ({"Action": "kms:CreateKey"}, False, False),
        ({"Action": "cloudwatch:PutMetricData"}, False, False),
        ({"Action": None, "NotAction": "s3:*"}, True, True),
        ({"Action": "s3:PutObject", "Resource": None}, True, True),
        ({"Action": "s3:PutObject", "Resource": ["arn:x", "*"]}, True, True),
        ({"Action": "s3:PutObject", "Resource": "arn:x"}, False, False),
        ({"Action": "s3:PutObject", "Resource": [5]}, False, False),
        ({"Action": "s3:PutObject", "Condition": {"Bool": {"a": "b"}}}, False, False),
        ({"Action": "s3:PutObject", "Condition": {}}, True, True),
        ({"Action": "s3:PutObject", "Effect": "Deny"}, False, False),
        ({"Action": [5]}, False, False),
    ],
    ids=str,
)
def test_actions_on_everything(fields: dict[str, Any], restrictable: bool, writes: bool) -> None:
    assert is_broken(RESOURCES, "CKV_AWS_355", allows(**fields)) == restrictable
    assert is_broken(RESOURCES, "CKV_AWS_290", allows(**fields)) == writes


@pytest.mark.parametrize(
    ("actions", "escalates"),
    [
        (["iam:CreateAccessKey"], True),
        (["iam:PassRole"], False),
        (["iam:PassRole", "ec2:RunInstances"], True),
        (["iam:PassRole", "lambda:CreateFunction"], False),
        (["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], True),
        (["iam:*"], True),
        ([5, "s3:GetObject"], False),
    ],
)
def test_ways_to_more_rights(actions: list[Any], escalates: bool) -> None:
    found = is_broken("iam-no-escalation", "CKV_AWS_286", allows(Action=actions))
    assert found == escalates


def test_policies_of_aws_that_are_attached() -> None:
    kind = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    for arn, found in (
        ("arn:aws:iam::aws:policy/AdministratorAccess", True),
        ("arn:aws:iam::aws:policy/IAMFullAccess", False),
        (5, False),
    ):
        attachment = made(kind, policyArn=arn)
        assert is_broken(ACTIONS, "CKV_AWS_274", attachment) == found


def uses(*groups: Resource, **fields: Any) -> list[Resource]:
    base: dict[str, Any] = {"engine": "postgres", "parameterGroupName": groups or None}
    return [made(INSTANCE, "db", **{**base, **fields}), *groups]


def forced(value: Any = None, family: Any = "postgres14", *more: Any) -> Resource:
    listed = [] if value is None else [{"name": "rds.force_ssl", "value": value}]
    return made(GROUP, "group", family=family, parameters=[*listed, *more])


IN_STACK, DEFAULT = "CKV2_AWS_69", "RDS.38"


@pytest.mark.parametrize(
    ("group", "in_stack", "in_force"),
    [
        (forced("1"), False, False),
        (forced("0"), True, True),
        (forced(None), True, True),
        (forced(None, "postgres15"), True, False),
        (forced("0", "postgres15"), True, True),
        (forced(None, 5), True, True),
        (forced("0", "mysql8.4"), False, True),
        (forced(None, "postgres15", 5, {"name": "other", "value": "0"}), True, False),
        (made(GROUP, "group", family="postgres15", parameters="x"), True, False),
        (made(GROUP, "group", family="postgres14", parameters="x"), True, True),
        (made(GROUP, "group", family="postgres14", parameters=UNKNOWN), True, False),
    ],
    ids=range(11),
)
def test_tls_of_a_database_with_a_group(group: Resource, in_stack: bool, in_force: bool) -> None:
    assert is_broken("rds-ssl-enforced", IN_STACK, *uses(group)) == in_stack
    assert is_broken("rds-ssl-enforced", DEFAULT, *uses(group)) == in_force


@pytest.mark.parametrize(
    ("version", "group", "in_force"),
    [
        ("15", None, False),
        ("15.4", "", False),
        (17, None, False),
        ("17.4-R2", "default.postgres17", False),
        ("14.9", None, True),
        ("14", "default.postgres14", True),
        ("17", "elsewhere", True),
        (None, None, True),
        ("new", None, True),
        ("²", None, True),
        ("1500", None, True),
    ],
)
def test_tls_of_a_database_without_a_group(version: Any, group: Any, in_force: bool) -> None:
    database = made(INSTANCE, "db", engineVersion=version, parameterGroupName=group)
    assert is_broken("rds-ssl-enforced", DEFAULT, database) == in_force
    assert not is_broken("rds-ssl-enforced", IN_STACK, database)
    later = made(INSTANCE, "db", engineVersion="14", parameterGroupName=UNKNOWN)
    assert not is_broken("rds-ssl-enforced", DEFAULT, later)
    assert not is_broken("rds-ssl-enforced", IN_STACK, later)


@pytest.mark.parametrize(
    ("rule", "control", "resource", "found"),
    [
        ("rds-storage-encrypted", "CKV_AWS_96", made(CLUSTER, engineMode="serverless"), False),
        ("rds-storage-encrypted", "CKV_AWS_96", made(CLUSTER), True),
        ("rds-no-file-read", "CKV_AWS_388", made(INSTANCE, engine="aurora-postgresql"), True),
        ("rds-no-file-read", "CKV_AWS_388", made(INSTANCE, engine="postgres"), False),
        ("rds-master-username", "RDS.25", made(INSTANCE, username="admin"), True),
        ("rds-master-username", "RDS.25", made(INSTANCE, username="root"), False),
        ("rds-master-username", "RDS.25", made(CLUSTER, masterUsername="admin"), True),
        ("rds-master-username", "RDS.25", made(CLUSTER, masterUsername="x"), False),
        ("rds-master-username", "RDS.25", made(CLUSTER, username="admin"), False),
        ("rds-logs-exported", "CKV_AWS_129", made(INSTANCE), True),
        ("rds-logs-exported", "CKV_AWS_129", made(CLUSTER), False),
        ("rds-logs-exported", "CKV_AWS_324", made(CLUSTER), True),
        ("rds-logs-exported", "CKV_AWS_324", made(INSTANCE), False),
        ("lb-modern-tls", "ELB.17", made("aws:lb/listener:Listener", protocol="https"), True),
        ("lb-modern-tls", "ELB.17", made("aws:lb/listener:Listener", protocol="TLS"), True),
        ("lb-modern-tls", "ELB.17", made("aws:lb/listener:Listener", protocol="HTTP"), False),
        ("lambda-runtime", "CKV_AWS_363",
         made("aws:lambda/function:Function", runtime="python3.8"), False),
        ("lambda-runtime", "CKV_AWS_363",
         made("aws:lambda/function:Function", runtime="go1.x"), True),
        *(("lambda-not-public", "CKV_AWS_301",
           made("aws:lambda/permission:Permission", principal=principal), everyone)
          for principal, everyone in (("*", True), (" *?", True), (None, True), (5, True),
                                      ("s3.amazonaws.com", False))),
        *(("net-no-world-ingress", "CKV_AWS_277", made(SECURITY_GROUP, ingress=ingress), every)
          for ingress, every in (([{"protocol": "-1"}], True), ([{"protocol": "all"}], True),
                                 ([{"protocol": "tcp", "fromPort": -1}], True),
                                 ([{"protocol": "tcp", "fromPort": "-1"}], True),
                                 ([{"protocol": "tcp", "fromPort": 0, "toPort": 65_535}], False),
                                 ("x", True))),
        ("secrets-parameters-encrypted", "CKV_AWS_337",
         made("aws:ssm/parameter:Parameter", type="SecureString"), True),
        ("secrets-parameters-encrypted", "CKV_AWS_337",
         made("aws:ssm/parameter:Parameter", type="String"), False),
    ],
)  # fmt: skip
def test_demands_on_one_resource(rule: str, control: str, resource: Resource, found: bool) -> None:
    assert is_broken(rule, control, resource) == found


@pytest.mark.parametrize(
    ("ports", "network", "four", "six"),
    [
        ((22, 22), "0.0.0.0/0", True, False),
        ((22, 22), "::/0", False, True),
        ((3389, 3389), "nonsense", True, True),
        ((3389, 3390), "0.0.0.0/0", True, False),
        ((22, 22), "10.0.0.0/8", False, False),
        ((22, 22), "fd00::/8", False, False),
        ((5432, 5432), "0.0.0.0/0", False, False),
        ((UNKNOWN, 22), "0.0.0.0/0", True, False),
        ((22, 22), UNKNOWN, False, False),
        (("x", 22), "0.0.0.0/0", True, False),
    ],
    ids=str,
)
def test_ports_of_administration(ports: Any, network: Any, four: bool, six: bool) -> None:
    rule = {"protocol": "tcp", "fromPort": ports[0], "toPort": ports[1], "cidrBlocks": [network]}
    group = made(SECURITY_GROUP, ingress=[rule])
    assert is_broken("net-no-world-ssh", "6.3", group) == four
    assert is_broken("net-no-world-ssh", "6.4", group) == six
    assert not is_broken("net-no-world-ssh", "6.3", made(SECURITY_GROUP, ingress=UNKNOWN))
    odd = made(SECURITY_GROUP, ingress=[{**rule, "cidrBlocks": "x"}])
    assert is_broken("net-no-world-ssh", "6.3", odd) == (ports != (5432, 5432))


def test_volumes_that_a_host_has() -> None:
    rule, control = "ec2-encrypted-disks", "EC2.3"
    volume = made("aws:ebs/volume:Volume", "volume")
    attachment = "aws:ec2/volumeAttachment:VolumeAttachment"
    assert broken(rule, control, volume) == []
    assert broken(rule, control, volume, made(attachment, volumeId=(volume,))) == ["volume"]
    assert broken(rule, control, volume, made(attachment, volumeId=UNKNOWN)) == ["volume"]
    assert broken(rule, control, volume, made(attachment, volumeId="other")) == []
    assert broken(rule, control, made("aws:ec2/instance:Instance", "host")) == ["host"]


def test_urls_for_every_origin_and_method() -> None:
    rule, control = "lambda-url-origins", "CKV2_AWS_75"
    kind = "aws:lambda/functionUrl:FunctionUrl"
    for origins, methods, found in (
        (["*"], ["*"], True),
        (["*"], ["GET"], False),
        (["https://a"], ["*"], False),
        (["https://a"], ["GET"], False),
    ):
        cors = {"allowOrigins": origins, "allowMethods": methods}
        assert is_broken(rule, control, made(kind, cors=cors)) == found
