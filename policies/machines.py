"""Rules for EC2 hosts and Auto Scaling: user data, roles, monitoring, keys of disks, groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .hosts import CONFIGURATION, HOST, TARGET_GROUP, TEMPLATE
from .inventory import Resource, Stack
from .links import targets
from .requirements import (
    ADVISORY_BELOW_STAGING,
    Part,
    at_least,
    each,
    flag,
    given,
    if_given,
    on_resource,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .secret_texts import secret_in
from .values import UNKNOWN, boolean, contains_unknown, sequence, shown

SNAPSHOT_COPY: Final = "aws:ebs/snapshotCopy:SnapshotCopy"
GROUP: Final = "aws:autoscaling/group:Group"
ATTACHMENT: Final = "aws:autoscaling/attachment:Attachment"
CLASSIC_BALANCER: Final = "aws:elb/loadBalancer:LoadBalancer"
# Families whose types are not EBS-optimised unless asked for; later ones always are.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ebs-optimized.html
_NOT_OPTIMIZED: Final = frozenset(
    {"c1", "c3", "cc2", "cr1", "g2", "hs1", "i2", "m1", "m2", "m3", "r3", "t1", "t2"}
)


def _no_secret_in_user_data(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "fetch it from Secrets Manager with the host's role when the host starts"
    for name in ("userData", "userDataBase64"):
        value = resource.get(name)
        if value is UNKNOWN:
            if name not in resource.hidden:
                yield Unverified(resource, name)
            else:
                yield Violation(resource, f"has a secret as {name}", limit)
        elif isinstance(value, str) and (kind := secret_in(value)):
            yield Violation(resource, f"has {kind} in {name}", limit)
        elif value is not None and not isinstance(value, str):
            yield Violation(resource, f"has {name} = {shown(value)}", "be a text")


def _profile(part: Part) -> Iterator[Outcome]:
    value = part.read("iamInstanceProfile")
    if value is UNKNOWN:
        yield part.unverified("iamInstanceProfile")
        return
    names = [value]
    if part.resource.type == TEMPLATE:
        names = [part.read(f"iamInstanceProfile.{name}") for name in ("arn", "name")]
    if not any(one is UNKNOWN or (isinstance(one, str) and one.strip()) for one in names):
        yield part.violation("iamInstanceProfile", value, "name a profile")


def _monitored(resource: Resource, context: Context) -> Iterator[Outcome]:
    if resource.type == TEMPLATE:
        check = flag("monitoring.enabled", True, default=False)
    elif resource.type == CONFIGURATION:
        check = flag("enableMonitoring", True, default=True)
    else:
        check = flag("monitoring", True, default=False)
    yield from on_resource(check)(resource, context)


def _optimized(resource: Resource, context: Context) -> Iterator[Outcome]:
    kind = resource.get("instanceType")
    if kind is UNKNOWN and resource.get("ebsOptimized") is None:
        yield Unverified(resource, "instanceType")
        return
    family = kind.partition(".")[0] if isinstance(kind, str) else ""
    # Of a host by itself the program says so; its type is changed more easily than a template's.
    always = bool(family) and family not in _NOT_OPTIMIZED and resource.type == TEMPLATE
    yield from on_resource(flag("ebsOptimized", True, default=always))(resource, context)


def _disk_keys(resource: Resource, context: Context) -> Iterator[Outcome]:
    if resource.type == TEMPLATE:
        check = each("blockDeviceMappings", if_given("ebs", given("ebs.kmsKeyId")))
        yield from on_resource(check)(resource, context)
    else:
        yield from on_resource(
            if_given("rootBlockDevice", given("rootBlockDevice.kmsKeyId")),
            each("ebsBlockDevices", given("kmsKeyId")),
        )(resource, context)


def _uses_template(group: Resource, _context: Context) -> Iterator[Outcome]:
    part = Part(group, _context, "", group.properties)
    mixed = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
    names = [
        *(part.read(f"launchTemplate.{key}") for key in ("id", "name")),
        *(part.read(f"{mixed}.{key}") for key in ("launchTemplateId", "launchTemplateName")),
    ]
    if any(isinstance(name, str) and name for name in names):
        return
    if UNKNOWN in names:
        yield Unverified(group, "launchTemplate")
    else:
        yield Violation(group, "has no launch template", "start its hosts from a launch template")


def _several_zones(group: Resource, context: Context) -> Iterator[Outcome]:
    name = "availabilityZones" if group.get("vpcZoneIdentifiers") is None else "vpcZoneIdentifiers"
    yield from on_resource(at_least(name, 2, "zones"))(group, context)


def _tags_propagate(group: Resource, _context: Context) -> Iterator[Outcome]:
    tags = sequence(group.get("tags"))
    if tags is UNKNOWN:
        yield Unverified(group, "tags")
        return
    entries = tags if isinstance(tags, list) else []
    passed_on = [
        boolean(one.get("propagateAtLaunch"), default=False)
        for one in entries
        if isinstance(one, dict)
    ]
    if True in passed_on:
        return
    if contains_unknown(entries):
        yield Unverified(group, "tags")
    else:
        yield Violation(group, "passes no tag on to its hosts", "have tags with propagateAtLaunch")


def _balancers_check(stack: Stack, _context: Context) -> Iterator[Outcome]:
    places = (
        (ATTACHMENT, "lbTargetGroupArn", TARGET_GROUP),
        (ATTACHMENT, "elb", CLASSIC_BALANCER),
        (GROUP, "targetGroupArns", TARGET_GROUP),
        (GROUP, "loadBalancers", CLASSIC_BALANCER),
    )
    limit = "be attached to what checks the health of its hosts"
    for kind, property_name, target_type in places:
        for resource in stack.of_type(kind):
            for target in targets(stack, resource, property_name, (target_type,)).found:
                check = target.get("healthCheck")
                if check is UNKNOWN:
                    yield Unverified(resource, f"healthCheck of {target.label}")
                elif not isinstance(check, dict) or not check:
                    found = f"is attached to {target.label}, which has no healthCheck"
                    yield Violation(resource, found, limit)


def _replaces_sick_hosts(group: Resource, _context: Context) -> Iterator[Outcome]:
    attached = [group.get(name) for name in ("targetGroupArns", "loadBalancers")]
    if all(value in (None, []) for value in attached):
        return
    kind, lifetime = group.get("healthCheckType"), group.get("maxInstanceLifetime")
    if UNKNOWN in (kind, lifetime):
        yield Unverified(group, "healthCheckType")
    elif kind != "ELB" and (not isinstance(lifetime, int) or lifetime <= 0):
        yield Violation(
            group,
            f"has healthCheckType = {shown(kind)} and no maxInstanceLifetime",
            "have ELB, or a lifetime after which every host is replaced",
        )


RULES: Final = (
    Rule(
        id="ec2-no-secret-user-data",
        title="User data holds no secret",
        what="userData of hosts, templates and configurations has no key, password or token, "
        "plain, in base64 or packed.",
        why="Everybody who may describe instances, and every process on the host, reads user data.",
        remediation="give the host a role and read the secret by its ARN "
        "(components/pooler_user_data.py).",
        severity=Severity.CRITICAL,
        catalogue=("EC2-04",),
        controls=("CKV_AWS_46",),
        types=(HOST, TEMPLATE, CONFIGURATION),
        check_resource=_no_secret_in_user_data,
    ),
    Rule(
        id="ec2-instance-profile",
        title="Hosts have a role of their own",
        what="iamInstanceProfile is set on hosts and launch templates.",
        why="Without a role somebody will put long-lived keys on the host.",
        remediation="set iam_instance_profile (components/pooler_hosts.py).",
        severity=Severity.MEDIUM,
        catalogue=("EC2-05",),
        controls=("CKV2_AWS_41", "2.17"),
        types=(HOST, TEMPLATE),
        check_resource=on_resource(_profile),
    ),
    Rule(
        id="ec2-detailed-monitoring",
        title="Hosts are measured every minute",
        what="Detailed monitoring is on for hosts, templates and configurations.",
        why="Measured every five minutes, an overloaded pooler is over before an alarm rings.",
        remediation="set monitoring with enabled = True on the template, "
        "monitoring = True on the host.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-05",),
        controls=("CKV_AWS_126", "ec2-instance-detailed-monitoring-enabled"),
        types=(HOST, TEMPLATE, CONFIGURATION),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_monitored,
    ),
    Rule(
        id="ec2-ebs-optimized",
        title="Disks have their own bandwidth",
        what="ebsOptimized is true on hosts and templates of families that are not so by default.",
        why="Traffic of clients and of disks would slow each other down.",
        remediation="set ebs_optimized = True, or a type of the current generation.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-05",),
        controls=("CKV_AWS_135",),
        types=(HOST, TEMPLATE),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_optimized,
    ),
    Rule(
        id="ec2-termination-protected",
        title="Hosts outside of a group cannot be terminated by mistake",
        what="disableApiTermination is true on every host that is no part of an Auto Scaling "
        "group.",
        why="One wrong call ends the host with its disks.",
        remediation="set disable_api_termination = True.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-05",),
        controls=(),
        types=(HOST,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(flag("disableApiTermination", True, default=False)),
    ),
    Rule(
        id="ec2-disk-customer-key",
        title="Disks of hosts are under a key of one's own",
        what="kmsKeyId is set on root devices, data devices and device mappings.",
        why="Under AWS's own key a snapshot of the disk cannot be given to a recovery account.",
        remediation="set kms_key_id on the device, and allow Auto Scaling's service-linked role to "
        "use the key (disk_key_users in components/encryption_keys.py).",
        severity=Severity.MEDIUM,
        catalogue=("EC2-03",),
        controls=(),
        types=(HOST, TEMPLATE),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_disk_keys,
    ),
    Rule(
        id="ec2-copies-customer-key",
        title="Copied disk snapshots are encrypted by a key of one's own",
        what="encrypted is true and kmsKeyId set on every copy of an EBS snapshot.",
        why="A copy under AWS's own key cannot be used from another account.",
        remediation="set encrypted = True and kms_key_id on the aws.ebs.SnapshotCopy.",
        severity=Severity.HIGH,
        catalogue=("EC2-06",),
        controls=("CKV_AWS_183",),
        types=(SNAPSHOT_COPY,),
        check_resource=on_resource(flag("encrypted", True, default=False), given("kmsKeyId")),
    ),
    Rule(
        id="asg-launch-template",
        title="Groups start hosts from a launch template",
        what="launchTemplate, also of a mixed instances policy, is set on every group.",
        why="Launch configurations know neither metadata tokens of today nor new types.",
        remediation="set launch_template on the aws.autoscaling.Group.",
        severity=Severity.MEDIUM,
        catalogue=("ASG-01",),
        controls=("CKV_AWS_315", "AutoScaling.9"),
        types=(GROUP,),
        check_resource=_uses_template,
    ),
    Rule(
        id="asg-several-zones",
        title="Groups span two zones",
        what="Every group has subnets, or zones, of at least two zones.",
        why="The loss of one zone would take every pooler.",
        remediation="set network.availability_zone_count: 2 or more.",
        severity=Severity.HIGH,
        catalogue=("ASG-01",),
        controls=("AutoScaling.2",),
        types=(GROUP,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_several_zones,
    ),
    Rule(
        id="asg-tags-propagate",
        title="Hosts carry the tags of their group",
        what="Every group has a tag with propagateAtLaunch.",
        why="A host that nobody owns is neither patched nor paid for.",
        remediation="set tags in the stack's settings, or tags with propagate_at_launch = True.",
        severity=Severity.MEDIUM,
        catalogue=("ASG-01",),
        controls=("CKV_AWS_153",),
        types=(GROUP,),
        check_resource=_tags_propagate,
    ),
    Rule(
        id="asg-targets-checked",
        title="What a group is attached to checks its hosts",
        what="Every target group or balancer that a group is attached to has a health check.",
        why="Connections would go on being sent to a dead host.",
        remediation="set health_check on the aws.lb.TargetGroup.",
        severity=Severity.MEDIUM,
        catalogue=("ASG-01",),
        controls=("CKV2_AWS_15",),
        types=(),
        check_stack=_balancers_check,
        joined_types=(GROUP, ATTACHMENT),
    ),
    Rule(
        id="asg-replaces-hosts",
        title="Hosts that are ill are replaced",
        what="A group behind a balancer has healthCheckType ELB, or a maxInstanceLifetime: a check "
        "that proves a query would replace every pooler in an outage of the database.",
        why="A host that runs but does not serve would stay for ever.",
        remediation="set pooler.max_host_lifetime_days in stacks/Pulumi.<environment>.yaml, or "
        'health_check_type = "ELB".',
        severity=Severity.MEDIUM,
        catalogue=("ASG-01",),
        controls=("AutoScaling.1",),
        types=(GROUP,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_replaces_sick_hosts,
    ),
)
