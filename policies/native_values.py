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
    "selection-tags": _inside(
        "listOfTags",
        _each(_renaming(conditionType="type", conditionKey="key", conditionValue="value")),
    ),
    "tags": _as_map("key", "value"),
    **{
        f"code.{name}": _inside(name)
        for name in ("s3Bucket", "s3Key", "s3ObjectVersion", "imageUri", "zipFile")
    },
}
