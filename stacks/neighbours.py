"""What the files of the other environments say, for rules between stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml

from stacks.schema import Environment

_STACKS = Path(__file__).parent


def vpc_cidr_of(environment: Environment) -> str | None:
    """`network.vpc_cidr` in another environment's file; None without a file or a VPC of its own."""
    path = _STACKS / f"Pulumi.{environment}.yaml"
    if not path.is_file():
        return None
    value: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key in ("config", "pgkeep:settings", "network", "vpc_cidr"):
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(key)
    return value if isinstance(value, str) else None
