"""Resources as rules see them, and how they are joined: by references, never by logical names."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeVar, cast

from .effective import Restraint
from .older_buckets import current_name, current_properties
from .values import UNKNOWN, Unknown, hidden_properties, plain

# Older names under which pulumi-aws knows the same resources (the aliases in its SDK).
_OLDER_NAMES: Final = (
    (re.compile(r"aws:(?:alb|applicationloadbalancing|elasticloadbalancingv2)/"), "aws:lb/"),
    (re.compile(r"aws:elasticloadbalancing/"), "aws:elb/"),
    (re.compile(r"aws:s3/(bucket[A-Z]\w+)V2:(\w+)V2"), r"aws:s3/\1:\2"),
)
# As Pulumi YAML writes a type: the engine knows it by its whole name.
_SHORT: Final = re.compile(r"aws:([\w-]+):([A-Z])(\w*)")

# Names that are one in all regions: of buckets, and of what has no region at all.
_WITHOUT_REGION: Final = re.compile(r"aws:(?:s3|iam|cloudfront|route53)/")

_Made = TypeVar("_Made")


@functools.cache
def canonical_type(kind: str) -> str:
    """The name by which rules know a type."""
    if short := _SHORT.fullmatch(kind):
        service, first, rest = short.groups()
        kind = f"aws:{service}/{first.lower()}{rest}:{first}{rest}"
    for pattern, name in _OLDER_NAMES:
        kind = pattern.sub(name, kind)
    return kind


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource: its plain properties and the references that the engine recorded."""

    urn: str
    type: str
    name: str
    properties: Mapping[str, object]
    """As `values.plain` returns them: secrets unwrapped, `UNKNOWN` where not known yet."""
    property_dependencies: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """URNs of the resources whose outputs each property was made of."""
    outputs: Mapping[str, object] = field(default_factory=dict[str, object])
    """What AWS made of it, in a state: joins compare ids, ARNs and names with it. Not judged."""
    hidden: frozenset[str] = frozenset()
    """Properties that are set, to a secret that cannot be read here: `UNKNOWN`, and never will be
    known."""
    protect: bool = False
    """Pulumi's own option: the engine refuses to delete it."""
    declared_type: str = ""
    """As the program names it, which may be an older name of `type`."""
    region: str = ""
    """Where AWS has it, if that is known: its own, or its provider's."""
    restraints: tuple[Restraint, ...] = ()
    """Of a policy document in a state: what else holds for each role that it is given to."""
    untranslated: tuple[str, ...] = ()
    """What no rule can read of it: ends of sentences (see `native.py`)."""

    @classmethod
    def of(
        cls,
        *,
        type: str,
        name: str,
        properties: Mapping[str, object],
        urn: str = "",
        property_dependencies: Mapping[str, Iterable[str]] | None = None,
        outputs: Mapping[str, object] | None = None,
        protect: bool = False,
        region: str = "",
    ) -> Resource:
        """A resource from raw properties: of the engine, of a state file, or written by hand."""
        converted = plain(properties)
        made = plain(outputs or {})
        return cls(
            urn=urn or f"urn:pulumi:stack::project::{type}::{name}",
            type=canonical_type(type),
            name=name,
            properties=current_properties(type, _fields(converted)),
            property_dependencies={
                current_name(type, key): tuple(urns)
                for key, urns in (property_dependencies or {}).items()
            },
            outputs=current_properties(type, _fields(made)),
            hidden=frozenset(current_name(type, key) for key in hidden_properties(properties)),
            protect=protect,
            declared_type=type,
            region=region,
        )

    def get(self, property_name: str) -> object:
        """The property's plain value: `None` when missing, `UNKNOWN` when not known yet."""
        return self.properties.get(property_name)

    def identity(self, property_name: str) -> object:
        """What AWS knows the resource by: what it made, or else what was asked for."""
        made = self.outputs.get(property_name)
        return self.properties.get(property_name) if made in (None, "") else made

    @cached_property
    def place(self) -> tuple[str, str, str]:
        """Account and region of its ARN, region of its provider; empty if unknown, or it has none.

        An ARN is not compared with a provider: a resource may name another region than its own.
        """
        arn = self.outputs.get("arn")
        parts = arn.split(":", 5) if isinstance(arn, str) and arn.startswith("arn:") else []
        region, account = (parts[3], parts[4]) if len(parts) == 6 else ("", "")
        if _WITHOUT_REGION.match(self.type):
            return account, "", ""
        return account, region, self.region

    def elsewhere(self, other: Resource) -> bool:
        """Whether the two certainly stand in different accounts or regions.

        A name is one there only; an ARN or an id that AWS makes up is one everywhere.
        """
        places = zip(self.place, other.place, strict=True)
        return any(one and two and one != two for one, two in places)

    @property
    def label(self) -> str:
        """How messages name the resource."""
        return f'{self.declared_type or self.type} "{self.name}"'


def _fields(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


class Stack:
    """All resources of a stack, with the joins indexed: a state may have ten thousand."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        # What a resource of aws-native is in several parts has one URN: the first part is itself.
        self._by_urn = {resource.urn: resource for resource in reversed(self.resources)}
        self._by_type: dict[str, list[Resource]] = {}
        for resource in self.resources:
            self._by_type.setdefault(resource.type, []).append(resource)
        self._identified: dict[tuple[str, str], dict[str, list[Resource]]] = {}
        self._referring: dict[
            tuple[tuple[str, ...], str, str, tuple[str, ...]], tuple[_Referring, bool]
        ] = {}
        self._remembered: dict[object, object] = {}

    def remembered(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What `make` made of this stack the first time that `key` was asked for."""
        if key not in self._remembered:
            self._remembered[key] = make()
        return cast("_Made", self._remembered[key])

    def by_urn(self, urn: str) -> Resource | None:
        """The resource with this URN."""
        return self._by_urn.get(urn)

    def known_as(self, kind: str, key: str, value: str) -> list[Resource]:
        """The resources of the type `kind` that AWS knows by `value` of the property `key`."""
        return self._index(kind, key).get(value, [])

    def of_type(self, *types: str) -> list[Resource]:
        """Every resource of one of `types`, in the stack's order."""
        return [resource for kind in types for resource in self._by_type.get(kind, [])]

    def referenced(
        self,
        resource: Resource,
        property_name: str,
        types: Sequence[str],
        identities: Sequence[str],
    ) -> list[Resource] | Unknown:
        """The resources of `types` that `property_name` of `resource` points to.

        A known value is compared with the targets' `identities` (the properties that AWS names them
        by) and their ARNs. Where value or identity is known only after apply, the recorded
        dependency of the property decides. Returns `UNKNOWN` if the value is unknown and depends on
        no such resource of this stack; an empty list if it is known and no such resource has it.
        """
        value = resource.get(property_name)
        dependencies = [
            target
            for urn in resource.property_dependencies.get(property_name, ())
            if (target := self._by_urn.get(urn)) is not None and target.type in types
        ]
        if value is UNKNOWN:
            return dependencies or UNKNOWN
        if not isinstance(value, str) or not value:
            return []
        keys = dict.fromkeys((*identities, "arn"))
        matching = dict.fromkeys(
            target
            for kind in types
            for key in keys
            for target in self._index(kind, key).get(value, [])
        )
        if value.startswith("arn:"):
            here = list(matching)
        else:
            here = [target for target in matching if not target.elsewhere(resource)]
        if matching:
            # Two resources may have one name: the recorded dependency says which is meant.
            return [target for target in matching if target in dependencies] or here
        return [target for target in dependencies if _may_be(target, value, tuple(keys))]

    def referring(
        self,
        target: Resource,
        types: Sequence[str],
        property_name: str,
        identities: Sequence[str],
    ) -> list[Resource] | Unknown:
        """The resources of `types` whose `property_name` points to `target`.

        `UNKNOWN` if none is certain but some may, because what they point to is not known yet.
        """
        key = (tuple(types), property_name, target.type, tuple(identities))
        if key not in self._referring:
            found: _Referring = {}
            undecided = False
            for resource in self.of_type(*types):
                targets = self.referenced(resource, property_name, [target.type], identities)
                if targets is UNKNOWN:
                    undecided = True
                    continue
                for one in targets:
                    found.setdefault(one, []).append(resource)
            self._referring[key] = (found, undecided)
        found, undecided = self._referring[key]
        return found.get(target) or (UNKNOWN if undecided else [])

    def _index(self, kind: str, key: str) -> dict[str, list[Resource]]:
        """Resources of the type `kind` by the value of their property `key`."""
        if (kind, key) not in self._identified:
            index: dict[str, list[Resource]] = {}
            for resource in self._by_type.get(kind, []):
                value = resource.identity(key)
                if isinstance(value, str):
                    index.setdefault(value, []).append(resource)
            self._identified[kind, key] = index
        return self._identified[kind, key]


def _may_be(target: Resource, value: str, identities: tuple[str, ...]) -> bool:
    """Whether `value`, which was made of outputs of `target` but is none of its identities, is it.

    A target that is about to be created has no name yet, and an ARN is another spelling of a known
    name. Any other text was made of the name ("<bucket>-logs") to name something else. Ids that AWS
    makes up are not put together to others, so that they do not count against it.
    """
    names = [
        found
        for key in identities
        if key not in ("id", "arn") and isinstance(found := target.identity(key), str) and found
    ]
    if value.startswith("arn:"):
        # arn:partition:service:region:account:type/name, or type:name, or name
        parts = re.split("[:/]", value.split(":", 5)[-1])
        return not names or any(found in parts for found in names)
    return not names


_Referring = dict[Resource, list[Resource]]
