"""Outputs: predicted at preview, and as they stand in the state after apply."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider import sdk_types
from localcloud.provider.resource import Resource
from localcloud.provider.wire import UNKNOWN, Unknown

# What pulumi-aws gives for a computed output that AWS does not report; by the type's first letters.
_EMPTY: dict[str, Any] = {"st": "", "bo": False, "in": 0, "nu": 0.0, "[]": [], "{}": {}}


def without_internal(values: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without those that only the provider uses (`__defaults`)."""
    return {k: v for k, v in values.items() if not k.startswith("__")}


def without_write_only(resource: Resource, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as they may stand in the state."""
    return {k: v for k, v in inputs.items() if k not in resource.write_only}


def predicted(resource: Resource, inputs: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Outputs at preview: the inputs, and everything that AWS will compute as unknown."""
    outputs = without_write_only(resource, inputs)
    for name, notation in sdk_types.output_types(resource.kind).items():
        if name not in outputs and not notation.endswith("?"):
            outputs[name] = UNKNOWN
    _add_common(resource, outputs, inputs, region)
    return outputs


def state(
    resource: Resource, inputs: Mapping[str, Any], observed: Mapping[str, Any], region: str
) -> dict[str, Any]:
    """Outputs after apply: what was asked for, and what AWS reports beyond it."""
    known = sdk_types.output_types(resource.kind)
    outputs = {
        name: _EMPTY[notation[:2]]
        for name, notation in known.items()
        if notation[:2] in _EMPTY and not notation.endswith("?")
    }
    outputs |= {k: v for k, v in observed.items() if k in known and v is not None}
    outputs |= without_write_only(resource, inputs)
    _add_common(resource, outputs, inputs, region)
    return outputs


def _add_common(
    resource: Resource, outputs: dict[str, Any], inputs: Mapping[str, Any], region: str
) -> None:
    known = sdk_types.output_types(resource.kind)
    if "tags" in known and "tags" not in inputs:
        outputs.pop("tags", None)
    if "tagsAll" in known:
        tags = inputs.get("tags") or {}
        outputs["tagsAll"] = dict(tags) if isinstance(tags, Mapping) else UNKNOWN
    if "region" in known:
        outputs["region"] = UNKNOWN if isinstance(inputs.get("region"), Unknown) else region
