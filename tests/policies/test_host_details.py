"""The conditions of the rules for hosts, groups, vaults and parameters."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from policies.inventory import Resource
from policies.rules import Environment
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made, told

HOST = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"
GROUP = "aws:autoscaling/group:Group"
HIDDEN = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "AAAA",
}
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"


def test_user_data() -> None:
    rule = "ec2-no-secret-user-data"
    assert kinds(rule, made(HOST)) == []
    assert kinds(rule, made(HOST, userData="#!/bin/sh")) == []
    assert kinds(rule, made(HOST, userData=f"id={KEY_ID}")) == REFUSED
    packed = base64.b64encode(f"#!/bin/sh\nid={KEY_ID}\n".encode()).decode()
    assert kinds(rule, made(HOST, userDataBase64=packed)) == REFUSED
    assert kinds(rule, made(HOST, userData=5)) == REFUSED
    assert kinds(rule, made(HOST, userData=UNKNOWN)) == NOTED
    (finding,) = told(rule, made(HOST, userData=HIDDEN))
    assert "has a secret as userData" in finding


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (HOST, "profile", []),
        (HOST, None, REFUSED),
        (HOST, " ", REFUSED),
        (HOST, 5, REFUSED),
        (HOST, UNKNOWN, NOTED),
        (HOST, {"name": "profile"}, REFUSED),
        (TEMPLATE, {"arn": "arn:x"}, []),
        (TEMPLATE, {"name": "profile"}, []),
        (TEMPLATE, {"arn": UNKNOWN}, []),
        (TEMPLATE, {"arn": "", "name": " "}, REFUSED),
        (TEMPLATE, {"arn": ["x"]}, REFUSED),
        (TEMPLATE, "profile", REFUSED),
        (TEMPLATE, None, REFUSED),
        (TEMPLATE, UNKNOWN, NOTED),
    ],
    ids=str,
)
def test_profiles(kind: str, value: Any, expected: Any) -> None:
    assert kinds("ec2-instance-profile", made(kind, iamInstanceProfile=value)) == expected


def test_monitoring() -> None:
    rule = "ec2-detailed-monitoring"
    assert kinds(rule, made(TEMPLATE, monitoring={"enabled": True})) == []
    assert kinds(rule, made(TEMPLATE, monitoring=True)) == REFUSED
    assert kinds(rule, made(HOST, monitoring=True)) == []
    assert kinds(rule, made(HOST)) == REFUSED
    assert kinds(rule, made(CONFIGURATION)) == []
    assert kinds(rule, made(CONFIGURATION, enableMonitoring=False)) == REFUSED


def test_bandwidth_of_disks() -> None:
    rule = "ec2-ebs-optimized"
    assert kinds(rule, made(TEMPLATE, instanceType="t4g.small")) == []
    assert kinds(rule, made(TEMPLATE, instanceType="t4g.small", ebsOptimized=False)) == REFUSED
    assert kinds(rule, made(TEMPLATE, instanceType="m3.large")) == REFUSED
    assert kinds(rule, made(TEMPLATE, instanceType=5)) == REFUSED
    assert kinds(rule, made(TEMPLATE)) == REFUSED
    assert kinds(rule, made(TEMPLATE, instanceType=UNKNOWN)) == NOTED
    assert kinds(rule, made(TEMPLATE, instanceType=UNKNOWN, ebsOptimized=True)) == []
    assert kinds(rule, made(HOST, instanceType="t4g.small")) == REFUSED
    assert kinds(rule, made(HOST, instanceType="t4g.small", ebsOptimized=True)) == []


def test_keys_of_disks() -> None:
    rule, key = "ec2-disk-customer-key", "arn:aws:kms:a:1:key/b"
    assert kinds(rule, made(TEMPLATE, blockDeviceMappings=[{"ebs": {}}])) == REFUSED
    assert kinds(rule, made(TEMPLATE, blockDeviceMappings=[{"ebs": {"kmsKeyId": key}}])) == []
    assert kinds(rule, made(TEMPLATE, blockDeviceMappings=[{"noDevice": "x"}])) == []
    assert kinds(rule, made(HOST, rootBlockDevice={})) == REFUSED
    assert kinds(rule, made(HOST, ebsBlockDevices=[{}])) == REFUSED
    assert kinds(rule, made(HOST, rootBlockDevice={"kmsKeyId": key})) == []


def test_groups_start_from_a_template() -> None:
    rule = "asg-launch-template"
    specification = "launchTemplateSpecification"
    for field in ("id", "name"):
        assert kinds(rule, made(GROUP, launchTemplate={field: "a"})) == []
        assert kinds(rule, made(GROUP, launchTemplate={field: ""})) == REFUSED
        assert kinds(rule, made(GROUP, launchTemplate={field: ["a"]})) == REFUSED
        assert kinds(rule, made(GROUP, launchTemplate={field: UNKNOWN})) == NOTED
    for field in ("launchTemplateId", "launchTemplateName"):
        mixed = {"launchTemplate": {specification: {field: "a"}}}
        assert kinds(rule, made(GROUP, mixedInstancesPolicy=mixed)) == []
    assert kinds(rule, made(GROUP, launchConfiguration="a")) == REFUSED
    assert kinds(rule, made(GROUP, launchTemplate=UNKNOWN)) == NOTED


def test_groups_span_zones() -> None:
    rule = "asg-several-zones"
    assert kinds(rule, made(GROUP, availabilityZones=["a", "b"])) == []
    assert kinds(rule, made(GROUP, availabilityZones=["a"])) == REFUSED
    one = made(GROUP, availabilityZones=["a", "b"], vpcZoneIdentifiers=["s"])
    assert kinds(rule, one) == REFUSED
    assert kinds(rule, made(GROUP, vpcZoneIdentifiers=["s", "t"])) == []


def test_tags_reach_hosts() -> None:
    rule = "asg-tags-propagate"
    assert kinds(rule, made(GROUP, tags=[{"propagateAtLaunch": True}])) == []
    assert kinds(rule, made(GROUP, tags=[{"key": "a"}, {"propagateAtLaunch": "true"}])) == []
    assert kinds(rule, made(GROUP, tags=[{"propagateAtLaunch": False}])) == REFUSED
    assert kinds(rule, made(GROUP, tags=["x", 5])) == REFUSED
    assert kinds(rule, made(GROUP, tags="x")) == REFUSED
    assert kinds(rule, made(GROUP)) == REFUSED
    assert kinds(rule, made(GROUP, tags=UNKNOWN)) == NOTED
    assert kinds(rule, made(GROUP, tags=[{"propagateAtLaunch": UNKNOWN}])) == NOTED
    assert kinds(rule, made(GROUP, tags=[{"key": UNKNOWN}, {"propagateAtLaunch": True}])) == []


def test_balancers_check_hosts() -> None:
    rule = "asg-targets-checked"
    for kind, attachment, listed in (
        ("aws:lb/targetGroup:TargetGroup", "lbTargetGroupArn", "targetGroupArns"),
        ("aws:elb/loadBalancer:LoadBalancer", "elb", "loadBalancers"),
    ):
        for check, expected in (
            ({"path": "/"}, []),
            ({}, REFUSED),
            ("x", REFUSED),
            (None, REFUSED),
            (UNKNOWN, NOTED),
        ):
            target = made(kind, "target", healthCheck=check)
            attached = made("aws:autoscaling/attachment:Attachment", **{attachment: (target,)})
            assert kinds(rule, target, attached) == expected
            assert kinds(rule, target, made(GROUP, **{listed: (target,)})) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"healthCheckType": "ELB"}, []),
        ({"healthCheckType": "EC2"}, REFUSED),
        ({}, REFUSED),
        ({"maxInstanceLifetime": 86_400}, []),
        ({"maxInstanceLifetime": 0}, REFUSED),
        ({"maxInstanceLifetime": -1}, REFUSED),
        ({"maxInstanceLifetime": "x"}, REFUSED),
        ({"healthCheckType": "ELB", "maxInstanceLifetime": "x"}, []),
        ({"healthCheckType": UNKNOWN}, NOTED),
        ({"maxInstanceLifetime": UNKNOWN}, NOTED),
    ],
    ids=str,
)
def test_sick_hosts_are_replaced(fields: dict[str, Any], expected: Any) -> None:
    rule = "asg-replaces-hosts"
    assert kinds(rule, made(GROUP, targetGroupArns=["arn:x"], **fields)) == expected
    assert kinds(rule, made(GROUP, loadBalancers=["x"], targetGroupArns=[], **fields)) == expected
    assert kinds(rule, made(GROUP, targetGroupArns=[], **fields)) == []


PLAN, VAULT = "aws:backup/plan:Plan", "aws:backup/vault:Vault"
FAR = "arn:aws:backup:eu-central-1:1:backup-vault:far"
NEAR = "arn:aws:backup:eu-west-1:1:backup-vault:near"


def plan(*destinations: Any, **fields: Any) -> Resource:
    actions = [{"destinationVaultArn": one} for one in destinations]
    return made(PLAN, **{"region": "eu-west-1", "rules": [{"copyActions": actions}], **fields})


def test_vaults_are_locked() -> None:
    rule, lock = "backup-vault-locked", "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
    vault = made(VAULT, "vault", name="v")
    assert kinds(rule, vault) == REFUSED
    assert kinds(rule, vault, made(lock, backupVaultName="v", minRetentionDays=30)) == []
    assert kinds(rule, vault, made(lock, backupVaultName=UNKNOWN, minRetentionDays=30)) == NOTED


def test_plans_keep_backups() -> None:
    rule = "backup-plan-keeps"
    for days, expected in ((30, []), (29, REFUSED), ("x", REFUSED), (UNKNOWN, NOTED), (None, [])):
        assert kinds(rule, made(PLAN, rules=[{"lifecycle": {"deleteAfter": days}}])) == expected
    assert kinds(rule, made(PLAN, rules=[{"lifecycle": "x"}])) == REFUSED
    week = made(PLAN, rules=[{"lifecycle": {"deleteAfter": 7}}])
    assert kinds(rule, week, environment=Environment.STAGING) == []
    for rules, expected in (
        (UNKNOWN, NOTED),
        ([UNKNOWN], NOTED),
        ([], REFUSED),
        (None, REFUSED),
        ("x", REFUSED),
        ([5], REFUSED),
    ):
        assert kinds(rule, made(PLAN, rules=rules)) == expected


@pytest.mark.parametrize(
    ("destinations", "expected"),
    [
        ([FAR], []),
        ([NEAR], REFUSED),
        ([NEAR, FAR], []),
        ([], REFUSED),
        (["x"], REFUSED),
        ([5], REFUSED),
        ([UNKNOWN], NOTED),
        ([NEAR, UNKNOWN], NOTED),
        ([FAR, UNKNOWN], []),
    ],
    ids=str,
)
def test_plans_copy_to_another_region(destinations: list[Any], expected: Any) -> None:
    assert kinds("backup-plan-copies", plan(*destinations)) == expected


def test_copies_that_cannot_be_read() -> None:
    rule = "backup-plan-copies"
    for rules, expected in (
        (UNKNOWN, NOTED),
        ([UNKNOWN], NOTED),
        ([{"copyActions": UNKNOWN}], NOTED),
        ([{"copyActions": [5]}], REFUSED),
        ([{"copyActions": {"destinationVaultArn": FAR}}], []),
        ([{}], REFUSED),
        ([5], REFUSED),
    ):
        assert kinds(rule, plan(rules=rules)) == expected


def test_a_vault_of_the_stack_says_its_region() -> None:
    rule = "backup-plan-copies"
    for region, expected in (("eu-central-1", []), ("eu-west-1", NOTED), (None, NOTED)):
        vault = made(VAULT, "vault", name="v", region=region)
        rules = [{"copyActions": [{"destinationVaultArn": UNKNOWN}]}]
        copies = Resource.of(
            type=PLAN,
            name="plan",
            properties={"region": "eu-west-1", "rules": rules},
            property_dependencies={"rules": [vault.urn]},
        )
        assert kinds(rule, vault, copies) == expected
    # It is where backups go first, and no copy.
    vault = made(VAULT, "vault", name="v", region="eu-central-1")
    assert kinds(rule, vault, plan(rules=[{"targetVaultName": "v"}])) == REFUSED
