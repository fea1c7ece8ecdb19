"""Hosts, their disks and images, target groups: which property counts for which type."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, kinds, made

HOST, TEMPLATE = "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME, TARGETS = "aws:ebs/volume:Volume", "aws:lb/targetGroup:TargetGroup"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"httpTokens": "required"}, []),
        ({"httpTokens": "optional"}, [REFUSAL]),
        ({"httpEndpoint": "disabled"}, []),
        ({"httpEndpoint": "enabled"}, [REFUSAL]),
        ("disabled", [REFUSAL]),
        (None, [REFUSAL]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_the_metadata_service_asks_for_a_token(options: Any, expected: list[Kind]) -> None:
    assert kinds("ec2-metadata-needs-token", made(HOST, "h", metadataOptions=options)) == expected


def test_addresses_are_those_of_a_host_or_of_a_template_s_interfaces() -> None:
    rule, public = "ec2-no-public-address", {"associatePublicIpAddress": True}
    assert kinds(rule, made(HOST, "h", **public)) == [REFUSAL]
    assert kinds(rule, made(HOST, "h", networkInterfaces=[public])) == []
    assert kinds(rule, made(TEMPLATE, "t", networkInterfaces=[{}, public])) == [REFUSAL]
    assert kinds(rule, made(TEMPLATE, "t", **public)) == []


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        (TEMPLATE, {"blockDeviceMappings": [{"ebs": {"encrypted": True}}]}, []),
        (TEMPLATE, {"blockDeviceMappings": [{"ebs": {}}]}, [REFUSAL]),
        (TEMPLATE, {"rootBlockDevice": {"encrypted": True}}, [REFUSAL]),
        (VOLUME, {"encrypted": True}, []),
        (VOLUME, {"rootBlockDevice": {"encrypted": True}}, [REFUSAL]),
        (HOST, {"rootBlockDevice": {"encrypted": True}}, []),
        (HOST, {"encrypted": True}, [REFUSAL]),
        (HOST, {"rootBlockDevice": {"encrypted": True}, "ebsBlockDevices": [{}]}, [REFUSAL]),
    ],
    ids=str,
)
def test_disks_are_encrypted(kind: str, properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("ec2-encrypted-disks", made(kind, "h", **properties)) == expected


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"path": "/"}, []),
        ({"enabled": True}, []),
        ({"enabled": False}, [REFUSAL]),
        ({}, [REFUSAL]),
        (None, [REFUSAL]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_targets_are_checked(check: Any, expected: list[Kind]) -> None:
    assert kinds("lb-health-check", made(TARGETS, "t", healthCheck=check)) == expected


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("ami:Ami", {"ebsBlockDevices": [{"encrypted": True}]}, []),
        ("ami:Ami", {"ebsBlockDevices": [{}]}, [REFUSAL]),
        ("ami:Ami", {"ebsBlockDevices": [{"snapshotId": ""}]}, [REFUSAL]),
        ("ami:Ami", {"ebsBlockDevices": [{"snapshotId": "snap-1"}]}, []),
        ("ami:Ami", {"encrypted": True}, []),
        ("amiCopy:AmiCopy", {"encrypted": True}, []),
        ("amiCopy:AmiCopy", {}, [REFUSAL]),
    ],
    ids=str,
)
def test_images_are_encrypted(kind: str, properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("ec2-images-encrypted", made(f"aws:ec2/{kind}", "i", **properties)) == expected
