"""What Amazon EC2 offers: instance types by region, and their processor."""

from __future__ import annotations

import re
from functools import cache

from facts import cloudformation

_TYPES_BY_REGION = "aws_ec2_instance/instancetype_enum"


@cache
def regions() -> frozenset[str]:
    """The regions whose instance types are known."""
    return cloudformation.regions(_TYPES_BY_REGION)


@cache
def instance_types(region: str) -> frozenset[str] | None:
    """The instance types of a region; None where the region is not known."""
    found = cloudformation.by_region(_TYPES_BY_REGION, region)
    return None if found is None else frozenset(found["enum"])


def architecture(instance_type: str) -> str:
    """`arm64` (Graviton: a `g` behind the generation), or `x86_64`.

    AWS EC2 user guide: instance type naming conventions. tests/facts compares it with EC2's list.
    """
    family = instance_type.split(".", 1)[0]
    graviton = family == "a1" or re.fullmatch(r"[a-z]+\d+g[a-z]*", family) is not None
    return "arm64" if graviton else "x86_64"
