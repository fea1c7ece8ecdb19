"""Rules for hosts, functions and load balancers: metadata, addresses, disks, failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .inventory import Resource
from .requirements import (
    ADVISORY_BELOW_STAGING,
    each,
    flag,
    given,
    number,
    on_resource,
    one_of,
)
from .rules import Context, Outcome, Rule, Severity

HOST: Final = "aws:ec2/instance:Instance"
TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
CONFIGURATION: Final = "aws:ec2/launchConfiguration:LaunchConfiguration"
VOLUME: Final = "aws:ebs/volume:Volume"
DEFAULT_ENCRYPTION: Final = "aws:ebs/encryptionByDefault:EncryptionByDefault"
FUNCTION: Final = "aws:lambda/function:Function"
FUNCTION_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
TARGET_GROUP: Final = "aws:lb/targetGroup:TargetGroup"
BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"


def _metadata_off(resource: Resource) -> bool:
    options = resource.get("metadataOptions")
    return isinstance(options, dict) and options.get("httpEndpoint") == "disabled"


def _no_public_address(resource: Resource, context: Context) -> Iterator[Outcome]:
    private = flag("associatePublicIpAddress", False, default=False)
    check = each("networkInterfaces", private) if resource.type == TEMPLATE else private
    yield from on_resource(check)(resource, context)


def _encrypted_disks(resource: Resource, context: Context) -> Iterator[Outcome]:
    if resource.type == TEMPLATE:
        disks = each("blockDeviceMappings", flag("ebs.encrypted", True, default=False), at_least=1)
        yield from on_resource(disks)(resource, context)
    elif resource.type == VOLUME:
        yield from on_resource(flag("encrypted", True, default=False))(resource, context)
    else:
        yield from on_resource(
            flag("rootBlockDevice.encrypted", True, default=False),
            each("ebsBlockDevices", flag("encrypted", True, default=False)),
        )(resource, context)


def _health_checked(group: Resource, context: Context) -> Iterator[Outcome]:
    """A healthCheck that is there is enabled unless it says otherwise."""
    there = group.get("healthCheck") not in (None, {})
    yield from on_resource(flag("healthCheck.enabled", True, default=there))(group, context)


RULES: Final = (
    Rule(
        id="ec2-metadata-needs-token",
        title="The metadata service asks for a token",
        what="metadataOptions.httpTokens is required on hosts and launch templates.",
        why="A forged request from the host would hand out its role's credentials.",
        remediation='set metadata_options http_tokens = "required" (components/pooler_hosts.py).',
        severity=Severity.HIGH,
        catalogue=("EC2-01",),
        controls=("CKV_AWS_79", "EC2.8", "EC2.170", "6.7"),
        types=(HOST, TEMPLATE, CONFIGURATION),
        check_resource=on_resource(
            one_of("metadataOptions.httpTokens", ("required",)), unless=_metadata_off
        ),
    ),
    Rule(
        id="ec2-metadata-one-hop",
        title="The metadata service answers the host itself only",
        what="metadataOptions.httpPutResponseHopLimit is 1 on hosts and launch templates.",
        why="A container or a proxy on the host would reach the role's credentials.",
        remediation="set metadata_options http_put_response_hop_limit = 1.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-01",),
        controls=("CKV_AWS_341",),
        types=(HOST, TEMPLATE, CONFIGURATION),
        check_resource=on_resource(
            number("metadataOptions.httpPutResponseHopLimit", default=1, least=1, most=1)
        ),
    ),
    Rule(
        id="ec2-no-public-address",
        title="Hosts have no public address",
        what="associatePublicIpAddress is not true on hosts, launch templates and configurations.",
        why="A host that holds connections to the database would face the internet.",
        remediation="set associate_public_ip_address = False.",
        severity=Severity.CRITICAL,
        catalogue=("EC2-02",),
        controls=(
            "CKV_AWS_88",
            "EC2.9",
            "EC2.25",
            "CKV_AWS_389",
            "ec2-instance-no-public-ip",
            "disallowPublicIp",
        ),
        types=(HOST, TEMPLATE, CONFIGURATION),
        check_resource=_no_public_address,
    ),
    Rule(
        id="ec2-encrypted-disks",
        title="The disks of hosts are encrypted",
        what="Every root device, data device, volume and device mapping is encrypted.",
        why="A snapshot of the disk could be read by whoever gets hold of it.",
        remediation="set encrypted = True on each device.",
        severity=Severity.HIGH,
        catalogue=("EC2-03",),
        controls=("CKV_AWS_8", "CKV_AWS_3", "CKV2_AWS_2", "EC2.3", "EC2.181", "encrypted-volumes"),
        types=(HOST, TEMPLATE, CONFIGURATION, VOLUME),
        check_resource=_encrypted_disks,
    ),
    Rule(
        id="ec2-volume-customer-key",
        title="Volumes are under a key of one's own",
        what="kmsKeyId is set on every EBS volume.",
        why="Under AWS's own key a snapshot cannot be given to a recovery account.",
        remediation="set kms_key_id on the aws.ebs.Volume.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-03",),
        controls=("CKV_AWS_189",),
        types=(VOLUME,),
        check_resource=on_resource(given("kmsKeyId")),
    ),
    Rule(
        id="ec2-encryption-by-default",
        title="New disks are encrypted by default",
        what="enabled is true on the account's EBS encryption by default.",
        why="A disk that somebody makes by hand would not be encrypted.",
        remediation="set enabled = True on aws.ebs.EncryptionByDefault.",
        severity=Severity.HIGH,
        catalogue=("EC2-06",),
        controls=("CKV_AWS_106", "EC2.7", "6.1.1"),
        types=(DEFAULT_ENCRYPTION,),
        check_resource=on_resource(flag("enabled", True, default=True)),
    ),
    Rule(
        id="lb-deletion-protected",
        title="Load balancers cannot be deleted by mistake",
        what="enableDeletionProtection is true on every load balancer.",
        why="Its name is in every application's configuration and would not come back.",
        remediation="set database.deletion_protection: true in "
        "stacks/Pulumi.<environment>.yaml, which protects the load balancer too.",
        severity=Severity.MEDIUM,
        catalogue=("NLB-01",),
        controls=("CKV_AWS_150", "ELB.6", "elb-deletion-protection-enabled"),
        types=(BALANCER,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(flag("enableDeletionProtection", True, default=False)),
    ),
    Rule(
        id="lb-internal",
        title="Load balancers are inside the VPC",
        what="internal is true on every load balancer.",
        why="The door to the database would stand on the internet.",
        remediation="set internal = True on the aws.lb.LoadBalancer.",
        severity=Severity.CRITICAL,
        catalogue=("NLB-01",),
        controls=(),
        types=(BALANCER,),
        check_resource=on_resource(flag("internal", True, default=False)),
    ),
    Rule(
        id="lb-health-check",
        title="Target groups check their targets",
        what="Every target group has a healthCheck that is not switched off.",
        why="Connections would go on being sent to a dead host.",
        remediation="set health_check with enabled = True.",
        severity=Severity.MEDIUM,
        catalogue=("NLB-03",),
        controls=("CKV_AWS_261",),
        types=(TARGET_GROUP,),
        check_resource=_health_checked,
    ),
    Rule(
        id="lambda-dead-letters",
        title="Failed events of functions are kept",
        what="deadLetterConfig.targetArn is set on every function.",
        why="A backup or a rotation that failed would vanish without a trace.",
        remediation="set dead_letter_config (components/operation_function.py).",
        severity=Severity.MEDIUM,
        catalogue=("LMB-03",),
        controls=("CKV_AWS_116",),
        types=(FUNCTION,),
        check_resource=on_resource(given("deadLetterConfig.targetArn")),
    ),
    Rule(
        id="lambda-customer-key",
        title="Functions' environments are under a key of one's own",
        what="kmsKeyArn is set on every function.",
        why="Whoever may read functions would see their variables.",
        remediation="set kms_key_arn (components/operation_function.py).",
        severity=Severity.MEDIUM,
        catalogue=("LMB-02",),
        controls=("CKV_AWS_173",),
        types=(FUNCTION,),
        check_resource=on_resource(given("kmsKeyArn")),
    ),
    Rule(
        id="lambda-url-authorized",
        title="Function URLs ask who calls",
        what="authorizationType is AWS_IAM on every function URL.",
        why="Anyone on the internet could run the function.",
        remediation='set authorization_type = "AWS_IAM", or remove the URL.',
        severity=Severity.CRITICAL,
        catalogue=("LMB-04",),
        controls=("CKV_AWS_258",),
        types=(FUNCTION_URL,),
        check_resource=on_resource(one_of("authorizationType", ("AWS_IAM",))),
    ),
)
