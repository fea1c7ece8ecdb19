"""AWS's partitions and regions, from botocore's own table; their zones, from cfn-lint's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from facts import package_data


@dataclass(frozen=True)
class Partition:
    """A separate AWS: `aws`, `aws-cn`, `aws-us-gov`, ..."""

    name: str
    dns_suffix: str
    regions: frozenset[str]


@cache
def partitions() -> tuple[Partition, ...]:
    """Every partition."""
    table = package_data.json_file("botocore", "data/partitions.json")
    return tuple(
        Partition(
            entry["id"],
            entry["outputs"]["dnsSuffix"],
            # `aws-global` and its like stand for services without a region.
            frozenset(region for region in entry["regions"] if not region.endswith("-global")),
        )
        for entry in table["partitions"]
    )


@cache
def partition_of(region: str) -> Partition | None:
    """The partition that a region belongs to; None if there is no such region."""
    return next((found for found in partitions() if region in found.regions), None)


@cache
def zones(region: str) -> tuple[str, ...]:
    """Names of the zones that a region has; empty where they are not known.

    An account may have fewer, and its letters may stand for other zones than another account's.
    """
    table = package_data.text("cfnlint", "helpers.py").partition("\nAVAILABILITY_ZONES = {")[2]
    found = re.search(rf'^    "{re.escape(region)}": \[(.*?)\]', table, re.DOTALL | re.MULTILINE)
    return tuple(re.findall(r'"([a-z0-9-]+)"', found[1])) if found else ()


def exists(region: str) -> bool:
    """Whether AWS has such a region."""
    return partition_of(region) is not None
