"""Security groups with inline rules, the VPC's default group, and rules of their own."""

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError, RefusedError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.network import HELD, ec2_arn, ec2_tags
from localcloud.provider.sdk_types import Failure

_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def permissions(rule: Mapping[str, Any], group_id: str) -> Iterator[dict[str, Any]]:
    """EC2's permissions for one inline rule: one a source, so that they compare one by one."""
    protocol = str(rule["protocol"])
    base: dict[str, Any] = {"IpProtocol": "-1" if protocol in ("-1", "all") else protocol}
    if base["IpProtocol"] != "-1":
        base |= {"FromPort": int(rule["fromPort"]), "ToPort": int(rule["toPort"])}
    described = {"Description": rule["description"]} if rule.get("description") else {}
    groups = list(rule.get("securityGroups") or []) + ([group_id] if rule.get("self") else [])
    for member, key, values in (
        ("IpRanges", "CidrIp", rule.get("cidrBlocks")),
        ("Ipv6Ranges", "CidrIpv6", rule.get("ipv6CidrBlocks")),
        ("PrefixListIds", "PrefixListId", rule.get("prefixListIds")),
        ("UserIdGroupPairs", "GroupId", groups),
    ):
        for value in values or []:
            yield {**base, member: [{key: value, **described}]}


class _Rules(Resource):
    """What both kinds of group share: inline rules that are the whole truth when they are given."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        for name, member in (("ingress", "Ingress"), ("egress", "Egress")):
            if name not in changed:
                continue
            old = [
                p
                for rule in context.old_inputs.get(name) or []
                for p in permissions(rule, context.id)
            ]
            new = [
                p for rule in context.inputs.get(name) or [] for p in permissions(rule, context.id)
            ]
            gone = [p for p in old if p not in new]
            added = [p for p in new if p not in old]
            if gone:
                self._change(context, f"RevokeSecurityGroup{member}", gone)
            if added:
                self._change(context, f"AuthorizeSecurityGroup{member}", added)

    def _change(self, context: Context, operation: str, rules: list[dict[str, Any]]) -> None:
        try:
            context.call("ec2", operation, GroupId=context.id, IpPermissions=rules)
        except RefusedError as error:
            if error.code != "InvalidPermission.NotFound":
                raise

    def revoke_all(self, context: Context) -> None:
        """Removes every rule, AWS's own allow-all egress included, as pulumi-aws does."""
        found = self.read(context)
        if found.get("IpPermissions"):
            self._change(context, "RevokeSecurityGroupIngress", found["IpPermissions"])
        if found.get("IpPermissionsEgress"):
            self._change(context, "RevokeSecurityGroupEgress", found["IpPermissionsEgress"])

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        for name, member in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            values[name] = [
                _inline(rule, values.get("id", context.id)) for rule in found.get(member) or []
            ]
        return values


def _inline(permission: Mapping[str, Any], group_id: str) -> dict[str, Any]:
    pairs = permission.get("UserIdGroupPairs") or []
    groups = [pair["GroupId"] for pair in pairs if pair.get("GroupId")]
    ranges = permission.get("IpRanges") or []
    everything = [*ranges, *pairs]
    return {
        "protocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "cidrBlocks": [item["CidrIp"] for item in ranges],
        "ipv6CidrBlocks": [item["CidrIpv6"] for item in permission.get("Ipv6Ranges") or []],
        "prefixListIds": [item["PrefixListId"] for item in permission.get("PrefixListIds") or []],
        "securityGroups": [group for group in groups if group != group_id],
        "self": group_id in groups,
        "description": next((i["Description"] for i in everything if i.get("Description")), ""),
    }


class _SecurityGroup(_Rules):
    def start(self, context: Context) -> None:
        parameters = self.request(context.aws, context.inputs)
        tags = context.inputs.get("tags") or {}
        if tags and self.tags:
            parameters |= self.tags.in_create(tags)
        context.id = context.call("ec2", "CreateSecurityGroup", **parameters)["GroupId"]
        with keeping(context):
            self.revoke_all(context)
            self.apply_updates(context, names("ingress egress"))

    def delete(self, context: Context) -> None:
        if context.inputs.get("revokeRulesOnDelete"):
            self.revoke_all(context)
        super().delete(context)


class _DefaultSecurityGroup(_Rules):
    """Takes over the group that every VPC has; it cannot be deleted, only let go."""

    def start(self, context: Context) -> None:
        groups = context.call(
            "ec2",
            "DescribeSecurityGroups",
            Filters=[
                {"Name": "vpc-id", "Values": [context.inputs["vpcId"]]},
                {"Name": "group-name", "Values": ["default"]},
            ],
        )["SecurityGroups"]
        if not groups:
            raise NotFoundError(f"{context.subject}: {context.inputs['vpcId']} has no such group")
        context.id = groups[0]["GroupId"]
        self.revoke_all(context)
        self.apply_updates(context, names("ingress egress"))
        if context.inputs.get("tags") and self.tags:
            self.tags.apply(context, {}, context.inputs["tags"])

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        if inputs.get("vpcId") is None:
            reason = "is required by the local cloud, which has no default VPC of yours"
            return [Failure("vpcId", reason)]
        return []


class _Rule(Resource):
    """One rule with an id of its own."""

    @property
    def _egress(self) -> bool:
        return "Egress" in self.kind

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        given = [name for name in _SOURCES if inputs.get(name) is not None]
        if len(given) != 1:
            reason = f"exactly one of {', '.join(_SOURCES)} is needed, but {len(given)} are given"
            return [Failure(given[1] if given else _SOURCES[0], reason)]
        if inputs.get("ipProtocol") in ("tcp", "udp") and inputs.get("fromPort") is None:
            return [Failure("fromPort", f"is required for protocol {inputs['ipProtocol']}")]
        return []

    def plan(self, aws: Any, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        del aws, inputs
        return [{}]

    def start(self, context: Context) -> None:
        values = context.inputs
        described = {"Description": values["description"]} if values.get("description") else {}
        permission: dict[str, Any] = {"IpProtocol": values["ipProtocol"]}
        for name, member in (("fromPort", "FromPort"), ("toPort", "ToPort")):
            if values.get(name) is not None and values["ipProtocol"] != "-1":
                permission[member] = values[name]
        for name, member, key in (
            ("cidrIpv4", "IpRanges", "CidrIp"),
            ("cidrIpv6", "Ipv6Ranges", "CidrIpv6"),
            ("prefixListId", "PrefixListIds", "PrefixListId"),
            ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId"),
        ):
            if values.get(name):
                permission[member] = [{key: values[name], **described}]
        parameters: dict[str, Any] = {
            "GroupId": values["securityGroupId"],
            "IpPermissions": [permission],
        }
        if values.get("tags") and self.tags:
            parameters |= self.tags.in_create(values["tags"])
        answer = context.call("ec2", self.create_with.name, **parameters)
        context.id = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def apply_updates(self, context: Context, changed: Names) -> None:
        if not changed - {"tags"}:
            return
        values = context.inputs
        rule: dict[str, Any] = {"IpProtocol": values["ipProtocol"]}
        for name, member in (
            ("fromPort", "FromPort"),
            ("toPort", "ToPort"),
            ("cidrIpv4", "CidrIpv4"),
            ("cidrIpv6", "CidrIpv6"),
            ("prefixListId", "PrefixListId"),
            ("referencedSecurityGroupId", "ReferencedGroupId"),
            ("description", "Description"),
        ):
            if values.get(name) is not None:
                rule[member] = values[name]
        context.call(
            "ec2",
            "ModifySecurityGroupRules",
            GroupId=values["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": context.id, "SecurityGroupRule": rule}],
        )

    def delete(self, context: Context) -> None:
        operation = "RevokeSecurityGroupEgress" if self._egress else "RevokeSecurityGroupIngress"
        context.call(
            "ec2",
            operation,
            GroupId=context.inputs["securityGroupId"],
            SecurityGroupRuleIds=[context.id],
        )


def _rule(kind: str) -> Resource:
    return _Rule(
        kind=f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule",
        service="ec2",
        create_with=Operation(f"AuthorizeSecurityGroup{kind}"),
        identifier="",
        read_with=Operation(
            "DescribeSecurityGroupRules",
            {"SecurityGroupRuleIds": ["$id"]},
            "SecurityGroupRules[0]",
        ),
        special=names(
            "cidrIpv4 cidrIpv6 description fromPort toPort ipProtocol prefixListId "
            "referencedSecurityGroupId securityGroupId"
        ),
        replaces=names("securityGroupId"),
        renames={
            "securityGroupId": "GroupId",
            "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
        },
        # AWS reports the ports of "all protocols" as -1.
        unobserved=names("fromPort toPort"),
        formats={
            "arn": "arn:aws:ec2:{region}:{account}:security-group-rule/{id}",
            "securityGroupRuleId": "{id}",
        },
        tags=ec2_tags("security-group-rule"),
        not_found=names(
            "InvalidSecurityGroupRuleId.NotFound InvalidGroup.NotFound InvalidPermission.NotFound"
        ),
        delete_before_replace=True,
    )


RESOURCES: tuple[Resource, ...] = (
    _SecurityGroup(
        kind="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        create_with=Operation("CreateSecurityGroup"),
        identifier="result.GroupId",
        read_with=Operation("DescribeSecurityGroups", {"GroupIds": ["$id"]}, "SecurityGroups[0]"),
        delete_with=Operation("DeleteSecurityGroup", {"GroupId": "$id"}),
        renames={"name": "GroupName"},
        special=names("ingress egress"),
        local=names("revokeRulesOnDelete"),
        replaces=names("name namePrefix description vpcId"),
        defaults={"description": "Managed by Pulumi", "revokeRulesOnDelete": False},
        autoname="name",
        autoname_limit=255,
        unordered=names("ingress egress"),
        formats=ec2_arn("security-group"),
        tags=ec2_tags("security-group"),
        not_found=names("InvalidGroup.NotFound InvalidGroupId.NotFound"),
        delete_retries=HELD,
    ),
    _DefaultSecurityGroup(
        kind="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        service="ec2",
        create_with=Operation("CreateSecurityGroup"),
        identifier="result.GroupId",
        read_with=Operation("DescribeSecurityGroups", {"GroupIds": ["$id"]}, "SecurityGroups[0]"),
        renames={"name": "GroupName"},
        special=names("ingress egress"),
        local=names("revokeRulesOnDelete"),
        replaces=names("vpcId"),
        defaults={"revokeRulesOnDelete": False},
        unordered=names("ingress egress"),
        formats=ec2_arn("security-group"),
        tags=ec2_tags("security-group"),
        not_found=names("InvalidGroup.NotFound InvalidGroupId.NotFound"),
    ),
    _rule("Ingress"),
    _rule("Egress"),
)
