"""Resources of the provider aws-native as the rules know them: as resources of the provider aws.

aws-native speaks to AWS's Cloud Control API, so that its properties are CloudFormation's. They are
translated at the door, by the tables of `native_types.py`: one resource may become several (a
bucket's versioning and public access block are resources of their own in the provider aws), all of
them with the URN of the one that was declared. What cannot be translated is listed as not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from .inventory import Resource, canonical_type
from .values import UNKNOWN

PACKAGE: Final = "aws-native:"
_BLANK: Final = (None, "", False, [], {})
# What AWS tells of resources; a state without inputs (an import) has it beside the properties.
_TOLD: Final = (
    "__defaults arn attachmentCount autoScalingGroupArn automaticRestartTime awsId backupPlanArn "
    "backupPlanId backupVaultArn blockPublicAccessStates canonicalHostedZoneId certificateDetails "
    "cidrBlock cidrBlockAssociations createDate creationTimestamp dbClusterArn dbClusterResourceId "
    "dbInstanceArn dbInstanceStatus dbParameterGroupArn dbProxyArn dbProxyEndpointArn "
    "dbSubnetGroupArn dbiResourceId defaultNetworkAcl defaultSecurityGroup defaultVersionId "
    "defaultVersionNumber dnsEntries dnsName domainName dualStackDomainName endpoint functionArn "
    "functionUrl globalEndpoint groupId id instanceCreateTime instanceId internetGatewayId "
    "ipv6CidrBlocks isAttachable isDefault isStorageConfigUpgradeAvailable keyId "
    "latestRestorableTime latestVersionNumber launchTemplateId listenerArn listenerEndpoint "
    "loadBalancerArn loadBalancerArns loadBalancerFullName loadBalancerName "
    "networkAclAssociationId networkInterfaceIds percentProgress permissionsBoundaryUsageCount "
    "policyArn policyId privateDnsName privateIp publicDnsName publicIp readEndpoint "
    "readReplicaDbClusterIdentifiers readReplicaDbInstanceIdentifiers regionalDomainName "
    "resumeFullAutomationModeTime roleId routeTableId secondaryAvailabilityZone selectionId "
    "snapStartResponse state statusInfos storageEncryptionType storageOperationPercentProgress "
    "storageOperationStatus storageThroughput subnetId targetGroupArn targetGroupFullName "
    "targetGroupName topicArn updateDate versionId volumeId vpcId websiteUrl"
)
_READ_ONLY: Final = frozenset(_TOLD.split())

Fields = Mapping[str, object]
Make = Callable[[object, Fields], list[dict[str, object]]]
Converter = Callable[[object], object]


@dataclass(frozen=True)
class Translation:
    """How one type is written in the provider aws."""

    type: str
    names: str
    """Words: `name`, `name>other` or `name>other:how`, `how` being a key of `converters`."""
    ignored: str = ""
    """Properties that no rule asks about, and that neither keep data nor let anybody in."""
    attributes: str = ""
    """Outputs under another name, in the form of `names`."""
    fixed: Mapping[str, object] = field(default_factory=dict[str, object])
    """What the provider aws would be told where aws-native has no choice."""
    missing: Mapping[str, object] = field(default_factory=dict[str, object])
    """What AWS does where nothing is said, if that differs from what the provider aws does."""
    unsaid: str = ""
    """What cannot be said in aws-native at all, as the end of a sentence of a coverage note."""
    companions: tuple[Companion, ...] = ()
    unless: str = ""
    """A property that makes it another type: `otherwise`, where it is given."""
    otherwise: Translation | None = None


@dataclass(frozen=True)
class Companion:
    """A resource of its own in the provider aws, that is a property here."""

    type: str
    source: str
    """The property that it stands in."""
    make: Make
    """What there is for a value of that property; the other properties are given too."""
    own: tuple[str, str] | None = None
    """Its property that names the resource it belongs to, and by what of it."""
    read_back: bool = True
    """Whether AWS gives the property back: if so, one that is gone was taken away by hand."""


def expanded(resource: Resource) -> list[Resource]:
    """The resource, or what it is in the provider aws: the resource itself, then its companions."""
    if not resource.type.startswith(PACKAGE):
        return [resource]
    from .native_types import TRANSLATIONS

    found = TRANSLATIONS.get(resource.type)
    return [resource] if found is None else list(_translated(resource, found))


def _translated(resource: Resource, how: Translation) -> Iterator[Resource]:
    if how.otherwise is not None and resource.get(how.unless) not in (None, ""):
        how = how.otherwise
    names = _pairs(how.names)
    outputs = {**names, **_pairs(how.attributes)}
    made = _renamed(resource.outputs, outputs) if resource.outputs else {}
    made |= {"id": resource.outputs["id"]} if "id" in resource.outputs else {}
    main = replace(
        resource,
        type=canonical_type(how.type),
        properties={**how.missing, **_renamed(resource.properties, names), **how.fixed},
        outputs=made,
        property_dependencies=_dependencies(resource, names),
        hidden=frozenset(target for one in resource.hidden for target, _ in names.get(one, ())),
        untranslated=tuple(_untranslated(resource, how, outputs)),
    )
    yield main
    for companion in how.companions:
        yield from _beside(resource, main, companion)


def _beside(resource: Resource, main: Resource, companion: Companion) -> Iterator[Resource]:
    asked = _made(companion, resource.properties)
    made = _made(companion, resource.outputs)
    own: dict[str, object] = {}
    if companion.own is not None:
        name, by = companion.own
        identity = main.identity(by) or main.identity("id")
        own[name] = UNKNOWN if identity is None else identity
    dependencies = resource.property_dependencies.get(companion.source, ())
    for index, properties in enumerate(asked):
        outputs = made[index] if index < len(made) else {}
        if companion.read_back and resource.outputs:
            # What AWS no longer has is blank, and not what was asked for.
            outputs = {**dict.fromkeys(properties, ""), **outputs}
        yield replace(
            resource,
            type=canonical_type(companion.type),
            properties={**properties, **own},
            outputs={**outputs, **own} if resource.outputs else {},
            property_dependencies={
                **(dict.fromkeys(properties, dependencies) if dependencies else {}),
                **(dict.fromkeys(own, (resource.urn,))),
            },
            hidden=frozenset(properties if companion.source in resource.hidden else ()),
        )


def _made(companion: Companion, fields: Fields) -> list[dict[str, object]]:
    value = fields.get(companion.source)
    return [] if value in (None, "") else companion.make(value, fields)


def _untranslated(
    resource: Resource, how: Translation, outputs: Mapping[str, object]
) -> Iterator[str]:
    known = {*outputs, *how.ignored.split(), *(one.source for one in how.companions)}
    for name, value in resource.properties.items():
        if name not in known and name not in _READ_ONLY and value not in _BLANK:
            yield f"has {name}, which no rule reads"
    if how.unsaid:
        yield how.unsaid


def _pairs(names: str) -> dict[str, list[tuple[str, Converter]]]:
    """Name -> the names under which the provider aws has it, with what makes its value of it."""
    from .native_values import CONVERTERS

    pairs: dict[str, list[tuple[str, Converter]]] = {}
    for word in names.split():
        name, _, rest = word.partition(">")
        target, _, converter = (rest or name).partition(":")
        pairs.setdefault(name, []).append((target, CONVERTERS[converter]))
    return pairs


def _renamed(
    fields: Fields, names: Mapping[str, Iterable[tuple[str, Converter]]]
) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in fields.items():
        for target, convert in names.get(name, ()):
            converted = value if value is UNKNOWN else convert(value)
            before = found.get(target)
            if isinstance(converted, dict) and isinstance(before, dict):
                # One object there is several properties here.
                converted = {**cast("Fields", before), **cast("Fields", converted)}
            if converted is not None and before is not UNKNOWN:
                found[target] = converted
    return found


def _dependencies(
    resource: Resource, names: Mapping[str, Iterable[tuple[str, Converter]]]
) -> dict[str, tuple[str, ...]]:
    return {
        target: urns
        for name, urns in resource.property_dependencies.items()
        for target, _ in names.get(name, ())
    }


def nested(names: str) -> Make:
    """What makes one companion of an object, whose fields are translated by `names`.

    What is not known yet, or no object, makes each of its properties so.
    """

    def make(value: object, _fields: Fields) -> list[dict[str, object]]:
        pairs = _pairs(names)
        if isinstance(value, dict):
            return [_renamed(cast("Fields", value), pairs)]
        return [{target: value for targets in pairs.values() for target, _ in targets}]

    return make


def each_nested(names: str) -> Make:
    """The same for each object of a list."""

    def make(value: object, fields: Fields) -> list[dict[str, object]]:
        items = cast("list[object]", value if isinstance(value, list) else [value])
        return [found for one in items for found in nested(names)(one, fields)]

    return make
