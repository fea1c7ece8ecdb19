"""Resources of aws-native as the rules see them, for specs of the translation."""

from __future__ import annotations

from typing import Any

from policies.inventory import Resource
from policies.native import expanded


def native(
    kind: str, properties: dict[str, Any], outputs: dict[str, Any] | None = None, **fields: Any
) -> list[Resource]:
    return expanded(
        Resource.of(
            type=f"aws-native:{kind}", name="it", properties=properties, outputs=outputs, **fields
        )
    )


def by_type(resources: list[Resource]) -> dict[str, dict[str, object]]:
    return {one.type.rpartition(":")[2]: dict(one.properties) for one in resources}
