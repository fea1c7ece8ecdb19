"""What the provider aws is told, written for aws-native: to judge the same settings in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from policies.inventory import Resource
from policies.native import Translation, expanded
from policies.native_types import TRANSLATIONS
from tests.policies import good_stack


class UnsayableError(Exception):
    """The property or value does not exist in aws-native."""


def renamed(**names: str) -> Callable[[Any], Any]:
    """An object with its fields renamed back."""

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        back = {target: name for name, target in names.items()}
        if not value.keys() <= back.keys():
            raise UnsayableError
        return {back[key]: item for key, item in value.items()}

    return convert


def each(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def of_list(value: Any) -> Any:
        return [convert(item) for item in value] if isinstance(value, list) else value

    return of_list


def listed(key_name: str, value_name: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return [{key_name: key, value_name: item} for key, item in value.items()]

    return convert


def parameters(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    found: dict[str, Any] = {}
    for item in value:
        name = item.get("name") if isinstance(item, dict) else None
        # CloudFormation applies what is dynamic at once.
        waits = isinstance(item, dict) and item.get("applyMethod", "immediate") != "immediate"
        if not isinstance(name, str) or name in found or waits:
            raise UnsayableError
        found[name] = item.get("value")
    return found


def opening(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    names = {"protocol": "ipProtocol", "cidrBlocks": "cidrIp", "ipv6CidrBlocks": "cidrIpv6"}
    names |= {"securityGroups": "sourceSecurityGroupId", "prefixListIds": "sourcePrefixListId"}
    found: dict[str, Any] = {}
    for key, item in cast("dict[str, Any]", value).items():
        if key in ("cidrBlocks", "ipv6CidrBlocks", "securityGroups", "prefixListIds"):
            if not isinstance(item, list) or len(item) > 1 or not item:
                raise UnsayableError
            found[names[key]] = item[0]
        elif key in ("self", "egress"):
            raise UnsayableError
        else:
            found[names.get(key) or key] = item
    return found


def lifecycle_rule(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = {key: item for key, item in value.items() if key not in ("filter", "expiration")}
    narrowed = value.get("filter", {})
    if not isinstance(narrowed, dict) or not narrowed.keys() <= {"prefix"}:
        raise UnsayableError
    expiration = value.get("expiration", {})
    found |= {"prefix": narrowed["prefix"]} if narrowed.get("prefix") else {}
    return found | ({"expirationInDays": expiration["days"]} if "days" in expiration else {})


def plan_rule(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    names = {"targetVaultName": "targetBackupVault", "schedule": "scheduleExpression"}
    found = {names.get(key, key): item for key, item in value.items()}
    if "lifecycle" in found:
        found["lifecycle"] = LIFE(found["lifecycle"])
    if "copyActions" in found:
        actions = each(
            renamed(destinationBackupVaultArn="destinationVaultArn", lifecycle="lifecycle")
        )(found["copyActions"])
        found["copyActions"] = actions
    return found


def also(**names: str) -> Callable[[Any], Any]:
    """An object with some fields renamed back."""
    back = {target: name for name, target in names.items()}

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {back.get(key, key): item for key, item in value.items()}

    return convert


def disks(device: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if device == ROOT and not isinstance(value, dict):
            raise UnsayableError
        listed_ = value if isinstance(value, list) else [value]
        return [{"deviceName": device, "ebs": one} for one in listed_]

    return convert


def attribute(key: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        return [{"key": key, "value": str(value).lower() if isinstance(value, bool) else value}]

    return convert


def balancer_logs(value: Any) -> Any:
    if not isinstance(value, dict) or not value.keys() <= {"enabled", "bucket"}:
        raise UnsayableError
    return [one for key, item in value.items() for one in attribute(f"access_logs.s3.{key}")(item)]


def scheme(value: Any) -> Any:
    if not isinstance(value, bool):
        raise UnsayableError
    return "internal" if value else "internet-facing"


def of_data(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Callable[[Any], Any]:
    return lambda value: {name: convert(value)}


ROOT = "/dev/xvda"
DATA = (
    *("blockDeviceMappings", "disableApiTermination", "ebsOptimized", "iamInstanceProfile"),
    *("imageId", "instanceType", "keyName", "metadataOptions", "monitoring", "userData"),
    "securityGroupIds",
)
LIFE = renamed(deleteAfterDays="deleteAfter", moveToColdStorageAfterDays="coldStorageAfter")
SSE = each(
    renamed(
        serverSideEncryptionByDefault="applyServerSideEncryptionByDefault",
        bucketKeyEnabled="bucketKeyEnabled",
    )
)
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "": lambda value: value,
    "dimensions": listed("name", "value"),
    "documents": each(renamed(policyName="name", policyDocument="policy")),
    "first": lambda value: [value],
    "openings": each(opening),
    "openings-out": each(opening),
    "parameters": parameters,
    "plan-rules": lambda value: {"backupPlanRule": each(plan_rule)(value)},
    "tags": listed("key", "value"),
    "actions": each(also(redirectConfig="redirect", forwardConfig="forward")),
    "internal": scheme,
    "other-disks": disks("/dev/sdf"),
    "public": lambda value: [{"associatePublicIpAddress": value}],
    "root-disk": disks(ROOT),
    "template": also(launchTemplateId="id", launchTemplateName="name"),
    "balancer.deletion": attribute("deletion_protection.enabled"),
    "balancer.desync": attribute("routing.http.desync_mitigation_mode"),
    "balancer.headers": attribute("routing.http.drop_invalid_header_fields.enabled"),
    "balancer.logs": balancer_logs,
    "balancer.zones": attribute("load_balancing.cross_zone.enabled"),
    "data.networkInterfaces": of_data("networkInterfaces", each(also(groups="securityGroups"))),
    **{f"data.{name}": of_data(name) for name in DATA},
    **{f"health.{name}": lambda value: value for name in ("enabled", "path", "port", "protocol")},
}
# A part of a bucket, a vault: what stands in the property of the resource that it belongs to.
PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "BucketServerSideEncryptionConfiguration": lambda it: {
        "serverSideEncryptionConfiguration": SSE(it.get("rules"))
    },
    "BucketVersioning": lambda it: it.get("versioningConfiguration"),
    "BucketLifecycleConfiguration": lambda it: {"rules": each(lifecycle_rule)(it.get("rules"))},
    "BucketOwnershipControls": lambda it: {"rules": [it.get("rule")]},
    "BucketLogging": renamed(destinationBucketName="targetBucket", logFilePrefix="targetPrefix"),
    "BucketNotification": lambda it: {
        "eventBridgeConfiguration": {"eventBridgeEnabled": it.get("eventbridge", False)}
    },
    "BucketAcl": lambda it: "".join(word.title() for word in str(it.get("acl")).split("-")),
    "BucketPublicAccessBlock": lambda it: it,
    "BucketObjectLockConfiguration": lambda it: it,
    "BucketReplicationConfig": lambda it: it,
    "VaultLockConfiguration": lambda it: it,
}


def translations() -> dict[str, tuple[str, Translation]]:
    """aws type -> its type in aws-native."""
    found: dict[str, tuple[str, Translation]] = {}
    for native, how in TRANSLATIONS.items():
        found.setdefault(how.type, (native, how))
    return found


TYPES = translations()
OWNERS = {
    one.type: (native, one)
    for native, how in TRANSLATIONS.items()
    for one in how.companions
    if one.type.rpartition(":")[2] in PARTS
}


def properties_of(how: Translation, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as aws-native has them.

    Raises:
        UnsayableError: one of them does not exist there.
    """
    back: dict[str, tuple[str, str]] = {}
    for word in how.names.split():
        name, _, rest = word.partition(">")
        target, _, converter = (rest or name).partition(":")
        back[target] = (name, converter)
    found: dict[str, Any] = {}
    for target, value in properties.items():
        if how.fixed.get(target, value) != value and not isinstance(how.fixed[target], bool):
            continue  # the name of a last snapshot
        if target in how.fixed and how.fixed[target] == value:
            continue
        if target not in back or back[target][1] not in CONVERTERS:
            raise UnsayableError(target)
        name, converter = back[target]
        if converter.startswith("health."):
            if not isinstance(value, dict):
                raise UnsayableError(target)
            found |= {f"healthCheck{key.title()}": item for key, item in value.items()}
            continue
        written = CONVERTERS[converter](value) if value is not None else None
        found[name] = together(found[name], written) if name in found else written
    return found


def together(one: Any, other: Any) -> Any:
    """What two properties of the provider aws make of one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **other}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    raise UnsayableError


def scene(entries: Mapping[str, dict[str, Any]], spoilt: str = "") -> list[Resource]:
    """Good resources with these properties, in aws-native where that can be said.

    Raises:
        UnsayableError: the resource `spoilt` cannot be said.
    """
    kinds = {name: good_stack.ALL[name][0] for name in entries}
    parts: dict[str, dict[str, Any]] = {}
    folded: set[str] = set()
    written: dict[str, dict[str, Any]] = {}
    for name, kind in kinds.items():
        try:
            if kind in TYPES:
                written[name] = properties_of(TYPES[kind][1], entries[name])
            elif kind in OWNERS:
                owner, source, value = _part(name, kind, entries)
                parts.setdefault(owner, {})[source] = value
                folded.add(name)
        except UnsayableError:
            if name == spoilt:
                raise
    kinds = {name: kind for name, kind in kinds.items() if name not in folded}
    urns = {
        name: good_stack.urn(name, TYPES[kind][0] if name in written else kind)
        for name, kind in kinds.items()
    }
    found: list[Resource] = []
    for name, kind in kinds.items():
        references = good_stack.ALL[name][2]
        properties = entries[name]
        if name in written:
            native, how = TYPES[kind]
            pairs = [word.partition(">") for word in how.names.split()]
            back = {(rest or one).partition(":")[0]: one for one, _, rest in pairs}
            references = {back.get(key, key): names for key, names in references.items()}
            kind, properties = native, {**written[name], **parts.get(name, {})}  # noqa: PLW2901
        one = Resource.of(
            type=kind,
            name=name,
            urn=urns[name],
            properties=properties,
            property_dependencies={
                key: [urns[target] for target in names] for key, names in references.items()
            },
            protect=True,
        )
        found += expanded(one)
    return found


def _part(name: str, kind: str, entries: Mapping[str, dict[str, Any]]) -> tuple[str, str, Any]:
    """The resource that a part belongs to, the property that has it there, and its value."""
    part = OWNERS[kind][1]
    own = part.own[0] if part.own else ""
    owners = good_stack.ALL[name][2].get(own, ())
    if len(owners) != 1 or entries[name].get(own) != good_stack.ALL[name][1].get(own):
        raise UnsayableError(name)
    rest = {key: value for key, value in entries[name].items() if key != own}
    return owners[0], part.source, PARTS[kind.rpartition(":")[2]](rest)
