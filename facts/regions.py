"""AWS's partitions and regions, from botocore's own table."""

from __future__ import annotations

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


def exists(region: str) -> bool:
    """Whether AWS has such a region."""
    return partition_of(region) is not None
