"""AWS's list prices: the dated tables that are shipped, and what a price is.

`prices.tsv` has what was found of each service, a source a row; `instance_prices.tsv` has every
instance of RDS for PostgreSQL and EC2 in every region, of one day. Of two prices the newer serves.
An item is a name of our own for something that AWS sells by the unit, `rds.storage/gp3/multi-az`.
Prices are US dollars on demand, without tax, exact as AWS writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Protocol

TABLE = Path(__file__).with_name("prices.tsv")
INSTANCES = Path(__file__).with_name("instance_prices.tsv")
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
    """Whether AWS's price list said so in this run; otherwise a shipped table did."""
    table: str = ""
    """Name of the shipped table's file."""


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
        """The table's price; None where the table has none.

        A Multi-AZ instance that has no price of its own costs twice the Single-AZ one, as all do
        whose two prices are known (AWS rounds each to a tenth of a cent).
        """
        found = self.prices.get((item, region))
        if found is None and item.startswith("rds.instance/") and item.endswith("/multi-az"):
            single = self.prices.get((item.removesuffix("multi-az") + "single-az", region))
            return None if single is None else replace(single, usd=2 * single.usd)
        return found

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
    """What comes with pgkeep: of each item and region the newer of both tables' prices."""
    prices = dict(_parse_instances(INSTANCES.read_text()))
    for key, price in _parse(TABLE.read_text()):
        known = prices.get(key)
        if known is None or known.published <= price.published:
            prices[key] = price
    return PriceTable(prices)


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
                price = Price(Decimal(cell), unit, published[source_name], table=TABLE.name)
                yield (item, region), price


def _parse_instances(text: str) -> Iterator[tuple[tuple[str, str], Price]]:
    """Rows of instances: the price of an hour by region; RDS's are Single-AZ."""
    source = _SOURCE.search(text)
    published = date.fromisoformat(source["date"]) if source else date.min
    (_, _, *regions), *rows = _instance_rows(text)
    for item, _, *cells in rows:
        name = f"{item}/single-az" if item.startswith("rds.") else item
        for region, cell in zip(regions, cells, strict=True):
            if cell:
                price = Price(Decimal(cell), "hour", published, table=INSTANCES.name)
                yield (name, region), price


def _instance_rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


@cache
def _processors() -> Mapping[str, int]:
    _, *rows = _instance_rows(INSTANCES.read_text())
    return {item.partition("/")[2]: int(count) for item, count, *_ in rows}


_SMALL_SIZES = frozenset({"nano", "micro", "small", "medium", "large"})


def vcpus(instance_class: str) -> int | None:
    """Virtual processors of an RDS instance class.

    As the table says; of newer t, m and r families by the rule that theirs follow too: up to
    `large` 2, then 4 a factor of `xlarge`. Source: "DB instance classes" in the RDS user guide.
    None for other families that the table does not know, and for `db.serverless`.
    """
    if known := _processors().get(instance_class):
        return known
    found = re.fullmatch(
        r"db\.[tmr]\d[a-z]*\.(?:(?P<factor>\d*)xlarge|(?P<size>\w+))", instance_class
    )
    if not found:
        return None
    if found["size"]:
        return 2 if found["size"] in _SMALL_SIZES else None
    return 4 * int(found["factor"] or 1)
