"""aws-native: hosts, groups of hosts and load balancers in the provider aws."""

from __future__ import annotations

from typing import Any

import pytest

from policies.coverage import not_covered
from policies.evaluation import evaluate
from policies.inventory import Stack
from policies.rules import Context
from policies.values import UNKNOWN
from tests.policies.native_resources import by_type, native
from tests.policies.one_rule import UNKNOWN as UNKNOWN_TEXT

ENCRYPTED = {"encrypted": True, "kmsKeyId": "k"}


def test_the_root_disk_is_known_by_its_name() -> None:
    for kind in ("ec2:Instance", "autoscaling:LaunchConfiguration"):
        for name in ("/dev/xvda", "/dev/sda1"):
            first = {"deviceName": name, "ebs": ENCRYPTED}
            second = {"deviceName": "/dev/sdf", "ebs": {}}
            without = {"deviceName": "/dev/sdg", "noDevice": {}}
            (one,) = native(kind, {"blockDeviceMappings": [second, first, without]})
            assert one.properties == {"rootBlockDevice": ENCRYPTED, "ebsBlockDevices": [{}]}
        (one,) = native(kind, {"blockDeviceMappings": [second]})
        assert one.properties == {"ebsBlockDevices": [{}]}


@pytest.mark.parametrize(
    ("disks", "root", "others"),
    [
        (UNKNOWN_TEXT, UNKNOWN, UNKNOWN),
        ("odd", "odd", "odd"),
        ([UNKNOWN_TEXT], UNKNOWN, [UNKNOWN]),
        (["odd"], "odd", ["odd"]),
        ([{"deviceName": UNKNOWN_TEXT, "ebs": {}}], UNKNOWN, [UNKNOWN]),
    ],
    ids=str,
)
def test_disks_that_cannot_be_read(disks: Any, root: Any, others: Any) -> None:
    (one,) = native("ec2:Instance", {"blockDeviceMappings": disks})
    assert one.properties == {"rootBlockDevice": root, "ebsBlockDevices": others}


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        ([{"associatePublicIpAddress": True}], True),
        ([{}, {"associatePublicIpAddress": "true"}], "true"),
        ([{"associatePublicIpAddress": False}, {"associatePublicIpAddress": "false"}], False),
        ([], False),
        ([{}], False),
        ([UNKNOWN_TEXT], UNKNOWN),
        ([UNKNOWN_TEXT, {"associatePublicIpAddress": True}], True),
        ([{"associatePublicIpAddress": UNKNOWN_TEXT}], UNKNOWN),
        (["odd"], "odd"),
        ("odd", "odd"),
    ],
    ids=str,
)
def test_an_interface_gives_the_address(interfaces: Any, expected: Any) -> None:
    (one,) = native("ec2:Instance", {"networkInterfaces": interfaces})
    assert one.properties == {"associatePublicIpAddress": expected}


def test_a_host_has_the_groups_of_its_interfaces_and_its_volumes() -> None:
    interfaces = [{"groupSet": ["sg-1"]}, {"groupSet": ["sg-2"]}, {"groupSet": "odd"}]
    (one,) = native("ec2:Instance", {"networkInterfaces": interfaces})
    assert one.get("securityGroups") == ["sg-1", "sg-2"]
    volumes = [{"volumeId": "vol-1", "device": "/dev/sdf"}, "odd"]
    parts = native("ec2:Instance", {"volumes": volumes}, {"id": "i-1"})
    assert [dict(one.properties) for one in parts[1:]] == [
        {"volumeId": "vol-1", "deviceName": "/dev/sdf", "instanceId": "i-1"},
        {"volumeId": "odd", "deviceName": "odd", "instanceId": "i-1"},
    ]
    assert parts[1].type == "aws:ec2/volumeAttachment:VolumeAttachment"


def test_a_template_s_data_are_its_properties() -> None:
    data = {
        "imageId": "ami-1",
        "ebsOptimized": True,
        "metadataOptions": {"httpTokens": "required"},
        "networkInterfaces": [{"groups": ["sg-1"], "deviceIndex": 0}, "odd"],
        "securityGroupIds": ["sg-2"],
    }
    (one,) = native("ec2:LaunchTemplate", {"launchTemplateData": data})
    assert {key: one.get(key) for key in one.properties if one.get(key) is not None} == {
        **{key: data[key] for key in ("imageId", "ebsOptimized", "metadataOptions")},
        "networkInterfaces": [{"securityGroups": ["sg-1"], "deviceIndex": 0}, "odd"],
        "vpcSecurityGroupIds": ["sg-2"],
    }
    for odd, value in ((UNKNOWN_TEXT, UNKNOWN), (5, 5)):
        (one,) = native("ec2:LaunchTemplate", {"launchTemplateData": odd})
        assert one.get("metadataOptions") == one.get("networkInterfaces") == value


def attributes(**pairs: Any) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": value} for key, value in pairs.items()]


def test_a_balancer_s_attributes_are_its_properties() -> None:
    listed = attributes(
        deletion_protection__enabled="true",
        access_logs__s3__enabled="true",
        access_logs__s3__bucket="logs",
        load_balancing__cross_zone__enabled="false",
        routing__http__drop_invalid_header_fields__enabled="true",
        routing__http__desync_mitigation_mode="strictest",
        idle_timeout__timeout_seconds="60",
    )
    given = {"scheme": "internal", "type": "network", "loadBalancerAttributes": listed}
    (one,) = native("elasticloadbalancingv2:LoadBalancer", given, {"loadBalancerArn": "arn:l"})
    assert one.properties == {
        "internal": True,
        "loadBalancerType": "network",
        "accessLogs": {"enabled": "true", "bucket": "logs"},
        "desyncMitigationMode": "strictest",
        "dropInvalidHeaderFields": "true",
        "enableCrossZoneLoadBalancing": "false",
        "enableDeletionProtection": "true",
    }
    assert one.outputs == {"arn": "arn:l"}
    for properties, expected in (
        ({"scheme": "internet-facing"}, {"internal": False}),
        ({"scheme": 5}, {"internal": 5}),
        ({"loadBalancerAttributes": []}, {}),
        ({"loadBalancerAttributes": attributes(access_logs__s3__bucket="b")}, "b"),
    ):
        (one,) = native("elasticloadbalancingv2:LoadBalancer", properties)
        wanted = {"accessLogs": {"bucket": expected}} if expected == "b" else expected
        assert one.properties == wanted
    for odd in (UNKNOWN_TEXT, [UNKNOWN_TEXT], [{"key": UNKNOWN_TEXT, "value": "true"}]):
        (one,) = native("elasticloadbalancingv2:LoadBalancer", {"loadBalancerAttributes": odd})
        assert one.get("accessLogs") is one.get("enableDeletionProtection") is UNKNOWN


def test_a_target_group_checks_what_it_says_something_about() -> None:
    kind = "elasticloadbalancingv2:TargetGroup"
    for properties, expected in (
        ({"healthCheckEnabled": False, "healthCheckPath": "/"}, {"enabled": False, "path": "/"}),
        ({"healthCheckProtocol": "TCP"}, {"protocol": "TCP"}),
        ({"healthCheckEnabled": None}, None),
        ({}, None),
        # What is not known yet hides the rest.
        ({"healthCheckPath": "/", "healthCheckEnabled": UNKNOWN_TEXT}, UNKNOWN),
        ({"healthCheckEnabled": UNKNOWN_TEXT, "healthCheckPath": "/"}, UNKNOWN),
    ):
        (one,) = native(kind, properties)
        assert one.get("healthCheck") == expected


def test_a_stack_of_hosts_is_joined() -> None:
    (targets,) = native(
        "elasticloadbalancingv2:TargetGroup", {"protocol": "HTTP"}, {"targetGroupArn": "arn:t"}
    )
    forward = [{"type": "forward", "targetGroupArn": "arn:t"}]
    for protocol, refused in (("HTTPS", False), ("HTTP", True)):
        fields = {"protocol": protocol, "port": 443, "defaultActions": forward}
        (listener,) = native("elasticloadbalancingv2:Listener", fields)
        found = evaluate(Stack([targets, listener]), Context())
        assert ("lb-targets-encrypted" in {one.rule.id for one in found}) == refused
    redirect = {"type": "redirect", "redirectConfig": {"protocol": "HTTPS"}}
    fields = {"protocol": "HTTP", "port": 80, "defaultActions": [redirect]}
    (listener,) = native("elasticloadbalancingv2:Listener", fields)
    assert "lb-no-plain-http" not in {one.rule.id for one in evaluate(Stack([listener]), Context())}
    by_id = {"launchTemplate": {"launchTemplateId": "lt-1", "version": "1"}}
    assert by_type(native("autoscaling:AutoScalingGroup", by_id)) == {
        "Group": {"launchTemplate": {"id": "lt-1", "version": "1"}}
    }


def test_what_aws_tells_of_hosts_is_no_property() -> None:
    for kind, told in (
        ("ec2:Instance", "instanceId privateIp publicIp privateDnsName publicDnsName state vpcId"),
        ("ec2:LaunchTemplate", "launchTemplateId defaultVersionNumber latestVersionNumber"),
        ("ec2:Volume", "volumeId"),
        ("autoscaling:AutoScalingGroup", "autoScalingGroupArn"),
        ("elasticloadbalancingv2:LoadBalancer", "loadBalancerArn dnsName loadBalancerName"),
        ("elasticloadbalancingv2:TargetGroup", "targetGroupArn loadBalancerArns targetGroupName"),
        ("elasticloadbalancingv2:Listener", "listenerArn"),
        ("rds:DbProxy", "dbProxyArn endpoint vpcId"),
        ("rds:DbProxyTargetGroup", "targetGroupArn"),
        ("rds:GlobalCluster", "globalEndpoint"),
    ):
        imported = dict.fromkeys(told.split(), "x")
        assert not_covered(native(kind, imported, imported)) == [], kind
    (one,) = native("elasticloadbalancingv2:Listener", {"certificates": [{}], "odd": "x"})
    assert [found.reason for found in not_covered([one])] == ["has odd, which no rule reads"]
