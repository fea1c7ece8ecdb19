"""Values of aws-native in the form that the provider aws has them in.

Each converter takes a plain value. What it does not understand it returns as it is, so that the
rules refuse it as a value of a wrong type; unknown parts stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from .values import UNKNOWN

Converter = Callable[[object], object]
_EVERY_NETWORK: Final = "0.0.0.0/0"
# The disk that a host starts from, in images of Amazon, Debian and Ubuntu.
_ROOT_DEVICES: Final = ("/dev/xvda", "/dev/sda1")
# What EC2 adds to a group that names no egress. It says what it is: nobody wrote it, and nobody can
# describe it better than by rules of the group's own.
OPEN_TO_ALL: Final = {
    "protocol": "-1",
    "cidrBlocks": [_EVERY_NETWORK],
    "description": "EC2's own, in a group without egress rules",
}


def _fields(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _renaming(**names: str) -> Converter:
    """An object with its fields renamed: native name -> name in the provider aws."""

    def convert(value: object) -> object:
        fields = _fields(value)
        if fields is None:
            return value
        return {names[key]: item for key, item in fields.items() if key in names}

    return convert


def _each(convert: Converter) -> Converter:
    """`convert` for every item of a list."""

    def of_list(value: object) -> object:
        if not isinstance(value, list):
            return value
        return [item if item is UNKNOWN else convert(item) for item in cast("list[object]", value)]

    return of_list


def _as_map(key_name: str, value_name: str) -> Converter:
    """A list of pairs as a map; unknown where a pair is."""

    def convert(value: object) -> object:
        if not isinstance(value, list):
            return value
        found: dict[str, object] = {}
        for item in cast("list[object]", value):
            fields = _fields(item)
            if fields is None or not isinstance(fields.get(key_name), str):
                return UNKNOWN if item is UNKNOWN or fields is not None else value
            found[str(fields[key_name])] = fields.get(value_name)
        return found

    return convert


def _parameters(value: object) -> object:
    """A parameter group's map as a list."""
    fields = _fields(value)
    if fields is None:
        return value
    return [{"name": name, "value": given} for name, given in fields.items()]


def _opening(value: object) -> object:
    """A rule inside of a security group."""
    fields = _fields(value)
    if fields is None:
        return value
    found = {name: fields[name] for name in ("fromPort", "toPort", "description") if name in fields}
    found["protocol"] = fields.get("ipProtocol")
    sources = {
        "cidrBlocks": ("cidrIp",),
        "ipv6CidrBlocks": ("cidrIpv6",),
        "prefixListIds": ("sourcePrefixListId", "destinationPrefixListId"),
        "securityGroups": (
            *("sourceSecurityGroupId", "sourceSecurityGroupName"),
            "destinationSecurityGroupId",
        ),
    }
    given = {
        target: listed
        for target, names in sources.items()
        if (listed := [fields[name] for name in names if fields.get(name) not in (None, "")])
    }
    # AWS refuses a rule without a source; until then it is the widest.
    return {**found, **(given or {"cidrBlocks": [_EVERY_NETWORK]})}


def _openings_out(value: object) -> object:
    """A group's outgoing rules; without one, EC2's own lets everything out."""
    return _each(_opening)(value) or [OPEN_TO_ALL]


def _documents(value: object) -> object:
    """A role's inline policies."""
    return _each(_renaming(policyName="name", policyDocument="policy"))(value)


def _key_of(value: object) -> object:
    fields = _fields(value)
    return value if fields is None else fields.get("kmsKeyId")


def _without_star(value: object) -> object:
    """A log group's ARN without the streams in it."""
    return value.removesuffix(":*") if isinstance(value, str) else value


def _kebab(value: object) -> object:
    """PublicRead as public-read."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", value).lower()


def _lifecycle_rule(value: object) -> object:
    """A rule of a bucket's lifecycle; what narrows it stands in its filter."""
    fields = _fields(value)
    if fields is None:
        return value
    narrowed = ("prefix", "tagFilters", "objectSizeGreaterThan", "objectSizeLessThan")
    kept = ("id", "status", "abortIncompleteMultipartUpload")
    found = {name: fields[name] for name in kept if name in fields}
    found |= {"filter": given} if (given := _given(fields, narrowed)) else {}
    days = {"days": "expirationInDays", "date": "expirationDate"}
    if expires := {new: fields[old] for new, old in days.items() if old in fields}:
        found["expiration"] = expires
    older = fields.get("noncurrentVersionExpiration")
    if older is None and "noncurrentVersionExpirationInDays" in fields:
        older = {"noncurrentDays": fields["noncurrentVersionExpirationInDays"]}
    return {**found, **({} if older is None else {"noncurrentVersionExpiration": older})}


def _given(fields: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: fields[name] for name in names if fields.get(name) not in (None, "", [])}


def _first(value: object) -> object:
    """The one rule of a list."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return items[0] if items else value


_LIFECYCLE: Final = _renaming(
    deleteAfterDays="deleteAfter", moveToColdStorageAfterDays="coldStorageAfter"
)


def _plan_rule(value: object) -> object:
    fields = _fields(value)
    if fields is None:
        return value
    found = _renaming(
        ruleName="ruleName",
        targetBackupVault="targetVaultName",
        scheduleExpression="schedule",
        enableContinuousBackup="enableContinuousBackup",
        startWindowMinutes="startWindow",
        completionWindowMinutes="completionWindow",
        lifecycle="lifecycle",
        copyActions="copyActions",
    )(value)
    rule = cast("dict[str, object]", found)
    if "lifecycle" in rule:
        rule["lifecycle"] = _LIFECYCLE(rule["lifecycle"])
    if "copyActions" in rule:
        rule["copyActions"] = _each(_copy_action)(rule["copyActions"])
    return rule


def _copy_action(value: object) -> object:
    fields = _fields(value)
    if fields is None:
        return value
    found = {"destinationVaultArn": fields.get("destinationBackupVaultArn")}
    if "lifecycle" in fields:
        found["lifecycle"] = _LIFECYCLE(fields["lifecycle"])
    return found


def _inside(name: str, convert: Converter = lambda value: value) -> Converter:
    """A field of an object, which is a property of its own in the provider aws."""

    def of_field(value: object) -> object:
        fields = _fields(value)
        if fields is None:
            return value
        return convert(fields.get(name))

    return of_field


def _also(**names: str) -> Converter:
    """An object with some fields renamed, and the others as they are."""

    def convert(value: object) -> object:
        fields = _fields(value)
        return (
            value if fields is None else {names.get(key, key): item for key, item in fields.items()}
        )

    return convert


def _disks(*, root: bool) -> Converter:
    """The disks of a host: the one that its image starts from, as AWS's images name it, or else."""

    def convert(value: object) -> object:
        if not isinstance(value, list):
            return value
        found: list[object] = []
        for one in cast("list[object]", value):
            fields = _fields(one)
            first = fields is not None and fields.get("deviceName") in _ROOT_DEVICES
            if fields is None or fields.get("deviceName") is UNKNOWN:
                found.append(one if fields is None else UNKNOWN)
            elif first == root and "ebs" in fields:
                found.append(fields["ebs"])
        if not root:
            return found
        return found[0] if found else None

    return convert


def _public(value: object) -> object:
    """Whether an interface of a host gets a public address."""
    if not isinstance(value, list):
        return value
    answers = [_inside("associatePublicIpAddress")(one) for one in cast("list[object]", value)]
    some = [one for one in answers if one not in (None, False, "false")]
    return next((one for one in some if one is not UNKNOWN), UNKNOWN if some else False)


def _interface_groups(value: object) -> object:
    """The security groups of a host's interfaces."""
    if not isinstance(value, list):
        return None
    listed = [_inside("groupSet")(one) for one in cast("list[object]", value)]
    return [one for groups in listed if isinstance(groups, list) for one in groups] or None


def _attribute(name: str) -> Converter:
    """One of a load balancer's attributes, which are a list of pairs."""

    def convert(value: object) -> object:
        pairs = _as_map("key", "value")(value)
        fields = _fields(pairs)
        return pairs if fields is None else fields.get(name)

    return convert


def _balancer_logs(value: object) -> object:
    names = {"access_logs.s3.enabled": "enabled", "access_logs.s3.bucket": "bucket"}
    found = {target: _attribute(name)(value) for name, target in names.items()}
    if any(one is UNKNOWN for one in found.values()):
        return UNKNOWN
    return {key: one for key, one in found.items() if one is not None} or None


def _conditions(value: object) -> object:
    """A backup selection's conditions, spelt as CloudFormation does or with a small letter."""
    fields = _fields(value)
    if fields is None:
        return value
    kinds = {"stringLike": "stringLikes", "stringNotLike": "stringNotLikes"}
    entry = _renaming(
        conditionKey="key", conditionValue="value", ConditionKey="key", ConditionValue="value"
    )
    small = {key[:1].lower() + key[1:]: item for key, item in fields.items()}
    return {kinds.get(key, key): _each(entry)(item) for key, item in small.items()}


def _field(name: str) -> Converter:
    """An object with the value as its one field."""
    return lambda value: None if value is None else {name: value}


def _is_internal(value: object) -> object:
    return value == "internal" if isinstance(value, str) else value


_DATA: Final = (
    *("blockDeviceMappings", "disableApiTermination", "ebsOptimized", "iamInstanceProfile"),
    *("imageId", "instanceType", "keyName", "metadataOptions", "monitoring", "userData"),
    "securityGroupIds",
)
CONVERTERS: Final[Mapping[str, Converter]] = {
    "": lambda value: value,
    "lifecycle": _each(_lifecycle_rule),
    "arn-of-group": _without_star,
    "canned": _kebab,
    "dimensions": _as_map("name", "value"),
    "documents": _documents,
    "encryption": _each(
        _renaming(
            serverSideEncryptionByDefault="applyServerSideEncryptionByDefault",
            bucketKeyEnabled="bucketKeyEnabled",
        )
    ),
    "first": _first,
    "key": _key_of,
    "openings": _each(_opening),
    "openings-out": _openings_out,
    "parameters": _parameters,
    "plan-name": _inside("backupPlanName"),
    "plan-rules": _inside("backupPlanRule", _each(_plan_rule)),
    "selection-name": _inside("selectionName"),
    "selection-role": _inside("iamRoleArn"),
    "selection-resources": _inside("resources"),
    "selection-not": _inside("notResources"),
    "selection-conditions": _inside("conditions", _conditions),
    "selection-tags": _inside(
        "listOfTags",
        _each(_renaming(conditionType="type", conditionKey="key", conditionValue="value")),
    ),
    "tags": _as_map("key", "value"),
    "actions": _each(_also(redirectConfig="redirect", forwardConfig="forward")),
    "internal": _is_internal,
    "interface-groups": _interface_groups,
    "other-disks": _disks(root=False),
    "public": _public,
    "root-disk": _disks(root=True),
    "template": _renaming(launchTemplateId="id", launchTemplateName="name", version="version"),
    "balancer.deletion": _attribute("deletion_protection.enabled"),
    "balancer.desync": _attribute("routing.http.desync_mitigation_mode"),
    "balancer.headers": _attribute("routing.http.drop_invalid_header_fields.enabled"),
    "balancer.logs": _balancer_logs,
    "balancer.zones": _attribute("load_balancing.cross_zone.enabled"),
    "data.networkInterfaces": _inside("networkInterfaces", _each(_also(groups="securityGroups"))),
    **{f"data.{name}": _inside(name) for name in _DATA},
    **{f"health.{name}": _field(name) for name in ("enabled", "path", "port", "protocol")},
    **{
        f"code.{name}": _inside(name)
        for name in ("s3Bucket", "s3Key", "s3ObjectVersion", "imageUri", "zipFile")
    },
}
