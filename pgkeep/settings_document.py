"""The settings of a stack as a document: schema, effective values and where each comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pgkeep.stack_files import StackFile
from stacks.connection_budget import ConnectionBudget, ServerBudget, connection_budget
from stacks.defaults import Origin, origins
from stacks.reference import limits
from stacks.settings import Settings


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting of a stack: what the schema says about it, and its value."""

    group: str
    """Dotted group, empty at the top."""
    name: str
    value: Any
    """As JSON has it."""
    origin: Origin
    unit: str
    limits: str
    description: str
    why: str
    source: str
    """Where the setting's own numbers and limits come from."""

    @property
    def field(self) -> str:
        """The dotted name."""
        return f"{self.group}.{self.name}" if self.group else self.name


def effective_settings(stack: StackFile, settings: Settings) -> list[EffectiveSetting]:
    """Every setting of the stack in the order of the schema."""
    found = origins(settings, stack.mapping, stack.name, stack.path.name)
    return [
        _setting(group, name, field, value, found)
        for group, name, field, value in _walk(settings, "")
    ]


def document(stack: StackFile, settings: Settings) -> dict[str, Any]:
    """What `pgkeep settings --json` prints of one stack."""
    budget = connection_budget(settings)
    return {
        "stack": stack.name,
        "file": stack.label,
        "region": stack.region,
        "refusals": [],
        "settings": [
            {
                "field": each.field,
                "value": each.value,
                "unit": each.unit,
                "from": each.origin.text,
                "layer": each.origin.layer,
                "limits": each.limits,
                "description": each.description,
                "why": each.why,
                "source": each.origin.source or each.source,
            }
            for each in effective_settings(stack, settings)
        ],
        "connection_budget": None if budget is None else _budget(budget),
    }


def refused_document(stack: StackFile, refusals: list[str]) -> dict[str, Any]:
    """What `pgkeep settings --json` prints of a stack that cannot be deployed."""
    return {
        "stack": stack.name,
        "file": stack.label,
        "region": stack.region,
        "refusals": refusals,
    }


def _walk(group: BaseModel, prefix: str) -> Iterator[tuple[str, str, FieldInfo, Any]]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, f"{prefix}.{name}" if prefix else name)
        else:
            yield prefix, name, field, value


def _setting(
    group: str, name: str, field: FieldInfo, value: Any, found: dict[str, Origin]
) -> EffectiveSetting:
    extra = field.json_schema_extra
    notes = cast("dict[str, str]", extra) if isinstance(extra, dict) else {}
    dotted = f"{group}.{name}" if group else name
    return EffectiveSetting(
        group=group,
        name=name,
        value=_json(value),
        origin=found[dotted],
        unit=notes.get("unit", ""),
        limits=limits(field),
        description=field.description or "",
        why=notes.get("why", ""),
        source=notes.get("source", ""),
    )


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_json(each) for each in cast("list[Any]", value)]
    return value


def _budget(budget: ConnectionBudget) -> dict[str, Any]:
    return {
        "primary": _server(budget.primary),
        "replica": None if budget.replica is None else _server(budget.replica),
    }


def _server(server: ServerBudget) -> dict[str, Any]:
    return dataclasses.asdict(server) | {
        "for_pools": server.for_pools,
        "per_host": server.per_host,
        "demand_connections": server.demand.connections,
        "fits": server.fits,
    }
