"""AWS's list prices: the dated table that is shipped (`prices.tsv`), and what a price is.

An item is a name of our own for something that AWS sells by the unit, `rds.storage/gp3/multi-az`.
Prices are US dollars on demand, without tax, exact as AWS writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Protocol

TABLE = Path(__file__).with_name("prices.tsv")
# What AWS's own pricing calculator takes for a month.
HOURS_PER_MONTH = Decimal(730)

_SOURCE = re.compile(r"# source (?P<name>[a-z-]+): as published on (?P<date>\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Price:
    """What one unit costs in one region, and how old that knowledge is."""

    usd: Decimal
    unit: str
    """`hour`, `GiB-month`, `request`..."""
    published: date
    live: bool = False
    """Whether AWS's price list said so in this run; otherwise the shipped table did."""


class Prices(Protocol):
    """Whoever knows prices: the shipped table or AWS's price list."""

    def price(self, item: str, region: str) -> Price | None:
        """The price of one unit of the item; None when it is not known, never a guess."""
        ...


@dataclass(frozen=True)
class PriceTable:
    """Prices by item and region."""

    prices: Mapping[tuple[str, str], Price]

    def price(self, item: str, region: str) -> Price | None:
        """The table's price; None where the table has none."""
        return self.prices.get((item, region))

    @property
    def regions(self) -> frozenset[str]:
        """Every region that the table has any price of."""
        return frozenset(region for _, region in self.prices)

    @property
    def oldest(self) -> date:
        """When the oldest price of the table was published."""
        return min(price.published for price in self.prices.values())


@cache
def shipped_table() -> PriceTable:
    """The table that comes with pgkeep."""
    return PriceTable(dict(_parse(TABLE.read_text())))


def _parse(text: str) -> Iterator[tuple[tuple[str, str], Price]]:
    published: dict[str, date] = {}
    regions: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            if source := _SOURCE.match(line):
                published[source["name"]] = date.fromisoformat(source["date"])
            continue
        item, unit, source_name, *cells = line.split("\t")
        if not regions:
            regions = cells
            continue
        for region, cell in zip(regions, cells, strict=True):
            if cell:
                yield (item, region), Price(Decimal(cell), unit, published[source_name])


_SMALL_SIZES = frozenset({"nano", "micro", "small", "medium", "large"})


def vcpus(instance_class: str) -> int | None:
    """Virtual processors of a t, m or r instance class of the families in the table.

    Up to `large` they have 2, then 4 a factor of `xlarge`. Source: "DB instance classes" in the
    RDS user guide. None for other families, such as x2g or metal sizes.
    """
    found = re.fullmatch(
        r"db\.[tmr]\d[a-z]*\.(?:(?P<factor>\d*)xlarge|(?P<size>\w+))", instance_class
    )
    if not found:
        return None
    if found["size"]:
        return 2 if found["size"] in _SMALL_SIZES else None
    return 4 * int(found["factor"] or 1)
