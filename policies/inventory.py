"""Resources as rules see them, and how they are joined: by references, never by logical names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from .values import UNKNOWN, Unknown, plain


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

    @classmethod
    def of(
        cls,
        *,
        type: str,
        name: str,
        properties: Mapping[str, object],
        urn: str = "",
        property_dependencies: Mapping[str, Iterable[str]] | None = None,
    ) -> Resource:
        """A resource from raw properties: of the engine, of a state file, or written by hand."""
        converted = plain(properties)
        return cls(
            urn=urn or f"urn:pulumi:stack::project::{type}::{name}",
            type=type,
            name=name,
            properties=cast("dict[str, object]", converted) if isinstance(converted, dict) else {},
            property_dependencies={
                key: tuple(urns) for key, urns in (property_dependencies or {}).items()
            },
        )

    def get(self, property_name: str) -> object:
        """The property's plain value: `None` when missing, `UNKNOWN` when not known yet."""
        return self.properties.get(property_name)

    @property
    def label(self) -> str:
        """How messages name the resource."""
        return f'{self.type} "{self.name}"'


class Stack:
    """All resources of a stack."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self._by_urn = {resource.urn: resource for resource in self.resources}
        self._by_type: dict[str, list[Resource]] = {}
        for resource in self.resources:
            self._by_type.setdefault(resource.type, []).append(resource)

    def of_type(self, *types: str) -> list[Resource]:
        """Every resource of one of `types`, in the stack's order."""
        return [resource for kind in types for resource in self._by_type.get(kind, [])]

    def referenced(
        self,
        resource: Resource,
        property_name: str,
        types: Iterable[str],
        identities: Iterable[str],
    ) -> list[Resource] | Unknown:
        """The resources of `types` that `property_name` of `resource` points to.

        A known value is compared with the targets' `identities` (the properties that AWS names them
        by). Where value or identity is known only after apply, the recorded dependency of the
        property decides. Returns `UNKNOWN` if the value is unknown and depends on no such resource
        of this stack; an empty list if it is known and no such resource has it.
        """
        value = resource.get(property_name)
        wanted = frozenset(types)
        keys = tuple(identities)
        dependencies = [
            target
            for urn in resource.property_dependencies.get(property_name, ())
            if (target := self._by_urn.get(urn)) is not None and target.type in wanted
        ]
        if value is UNKNOWN:
            return dependencies or UNKNOWN
        if value is None or value == "":
            return []
        matching = [
            target
            for target in self.of_type(*wanted)
            if any(target.get(key) == value for key in keys)
        ]
        # A target that is about to be created has no identity yet: the dependency stands for it.
        return matching or [
            target
            for target in dependencies
            if all(target.get(key) in (None, UNKNOWN) for key in keys)
        ]

    def referring(
        self,
        target: Resource,
        types: Iterable[str],
        property_name: str,
        identities: Iterable[str],
    ) -> list[Resource] | Unknown:
        """The resources of `types` whose `property_name` points to `target`.

        `UNKNOWN` if none is certain but some may, because what they point to is not known yet.
        """
        keys = tuple(identities)
        found: list[Resource] = []
        undecided = False
        for resource in self.of_type(*types):
            targets = self.referenced(resource, property_name, (target.type,), keys)
            if targets is UNKNOWN:
                undecided = True
            elif target in targets:
                found.append(resource)
        return UNKNOWN if undecided and not found else found
