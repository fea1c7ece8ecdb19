"""Prices from AWS's price list (the Query API, `pricing:GetProducts`), with the table behind it.

One request a charge, a short time each. The API needs any AWS credentials with
`pricing:GetProducts`; where it does not answer, the shipped table serves, and the price says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from facts.prices import Price, Prices, shipped_table

# The endpoint that every commercial region uses. Source: AWS Billing, "Using the price list API".
ENDPOINT_REGION = "us-east-1"
TIMEOUT_SECONDS = 3

_ZONES = {"single-az": "Single-AZ", "multi-az": "Multi-AZ"}
_RDS_MULTI = {"single-az": "", "multi-az": "Multi-AZ-"}


class PriceSource(StrEnum):
    """Who is asked for prices."""

    AUTO = "auto"
    """AWS when the preview uses an account, else the table."""
    AWS = "aws"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    """How an item is found in the price list."""

    service: str
    filters: Mapping[str, str]
    usage: str = ""
    """End of the `usagetype`, which begins with a code of the region outside us-east-1."""
    pattern: str = ""
    """A regular expression of the `usagetype` where it is not that code and `usage` alone."""


def choose_prices(source: PriceSource, *, offline: bool) -> Prices:
    """AWS's price list before the table, or the table alone."""
    if source is PriceSource.TABLE or (source is PriceSource.AUTO and offline):
        return shipped_table()
    return PriceList(shipped_table())


@dataclass
class PriceList:
    """Asks AWS for each price once; after the first failure to reach it only `behind` is asked."""

    behind: Prices
    client: Any = None
    """A boto3 client of `pricing`; made at the first question."""
    _known: dict[tuple[str, str], Price | None] = field(
        default_factory=dict[tuple[str, str], Price | None]
    )
    _reachable: bool = True

    def price(self, item: str, region: str) -> Price | None:
        """AWS's price of now; the table's where AWS has no single answer."""
        key = (item, region)
        if key not in self._known:
            self._known[key] = self._ask(item, region) or self.behind.price(item, region)
        return self._known[key]

    def _ask(self, item: str, region: str) -> Price | None:
        query = query_of(item)
        if query is None or not self._reachable:
            return None
        filters = {"regionCode": region, **query.filters}
        try:
            self.client = self.client or _client()
            answer = self.client.get_products(
                ServiceCode=query.service,
                FormatVersion="aws_v1",
                Filters=[
                    {"Type": "TERM_MATCH", "Field": name, "Value": value}
                    for name, value in filters.items()
                ]
                + (
                    [{"Type": "CONTAINS", "Field": "usagetype", "Value": query.usage}]
                    if query.usage
                    else []
                ),
            )
        except (BotoCoreError, ClientError):
            self._reachable = False  # No network or no permission: it would not answer next time.
            return None
        known = self.behind.price(item, region)
        unit = known.unit if known else ""
        return _single(map(json.loads, answer.get("PriceList", ())), query, unit)


def _client() -> Any:
    return boto3.client(
        "pricing",
        region_name=ENDPOINT_REGION,
        config=Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},
        ),
    )


def _single(products: Iterable[Mapping[str, Any]], query: Query, unit: str) -> Price | None:
    """The one on-demand price of the products; None if there is none, or they differ."""
    pattern = query.pattern or (rf"(?:^|-){re.escape(query.usage)}$" if query.usage else "")
    wanted = re.compile(pattern)
    found: dict[Decimal, Price] = {}
    for product in products:
        attributes = product.get("product", {}).get("attributes", {})
        if not wanted.search(str(attributes.get("usagetype", ""))):
            continue
        for term in product.get("terms", {}).get("OnDemand", {}).values():
            begin = _first_dimension(term.get("priceDimensions", {}).values())
            usd = None if begin is None else _decimal(begin.get("pricePerUnit", {}).get("USD"))
            if begin is not None and usd:
                published = date.fromisoformat(str(product.get("publicationDate", ""))[:10])
                shown = unit or str(begin.get("unit", "")).lower()
                found[usd] = Price(usd, shown, published, live=True)
    return next(iter(found.values())) if len(found) == 1 else None


def _first_dimension(dimensions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first step of a price that falls with volume, after what is free."""
    paid = [d for d in dimensions if _decimal(d.get("pricePerUnit", {}).get("USD"))]
    return min(paid, key=lambda d: _decimal(d.get("beginRange")) or Decimal(0), default=None)


def _decimal(text: object) -> Decimal | None:
    try:
        return Decimal(str(text)).normalize()
    except InvalidOperation:
        return None


def query_of(item: str) -> Query | None:
    """How the price list names an item; None for what only the table knows."""
    kind, *parts = item.split("/")
    build = _QUERIES.get(kind)
    return build(parts) if build else None


def _instance(parts: list[str]) -> Query:
    return Query(
        "AmazonRDS",
        {
            "instanceType": parts[0],
            "databaseEngine": "PostgreSQL",
            "deploymentOption": _ZONES[parts[1]],
            "productFamily": "Database Instance",
        },
    )


def _host(parts: list[str]) -> Query:
    return Query(
        "AmazonEC2",
        {
            "instanceType": parts[0],
            "operatingSystem": "Linux",
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        },
    )


def _insights(parts: list[str]) -> Query:
    """Retention of Performance Insights: `PI_LTR_FMR` is the first month, `PI_LTR_AMR` a further.

    What stands behind that is a family of instances, or Aurora's serverless capacity, which is
    not paid by vCPU.
    """
    usage = {"first-month": "PI_LTR_FMR", "additional-month": "PI_LTR_AMR"}[parts[0]]
    family = {"productFamily": "Performance Insights"}
    return Query("AmazonRDS", family, usage, rf"(?:^|-){usage}(?!.*Serverless)")


def _rds(name: str) -> Callable[[list[str]], Query | None]:
    """Storage, IOPS and throughput: `RDS:Multi-AZ-GP3-Storage`."""

    def build(parts: list[str]) -> Query | None:
        kind, zones = parts
        usage = _RDS_USAGE.get((name, kind))
        if usage is None:
            return None
        filters = {"databaseEngine": "PostgreSQL"}
        return Query("AmazonRDS", filters, f"RDS:{_RDS_MULTI[zones]}{usage}")

    return build


def _plain(service: str, usage: str) -> Callable[[list[str]], Query]:
    return lambda _parts: Query(service, {}, usage)


_RDS_USAGE = {
    ("storage", "gp2"): "GP2-Storage",
    ("storage", "gp3"): "GP3-Storage",
    ("storage", "io1"): "PIOPS-Storage",
    ("storage", "io2"): "PIOPS-Storage-IO2",
    ("iops", "gp3"): "GP3-PIOPS",
    ("iops", "io1"): "PIOPS",
    ("iops", "io2"): "PIOPS-IO2",
    ("throughput", "gp3"): "GP3-Throughput",
}
# Usage types as AWS's bills and price list name them. What is not here comes from the table.
_QUERIES: Mapping[str, Callable[[list[str]], Query | None]] = {
    "rds.instance": _instance,
    "rds.storage": _rds("storage"),
    "rds.iops": _rds("iops"),
    "rds.throughput": _rds("throughput"),
    "rds.performance-insights": _insights,
    # A product an engine; where their prices differ there is no single answer.
    "cloudwatch.database-insights": lambda _parts: Query(
        "AmazonCloudWatch", {}, "DatabaseInsights-vCPU-Hours", "DatabaseInsights-vCPU-Hours$"
    ),
    "ec2.instance": _host,
    "ebs.storage": lambda parts: Query("AmazonEC2", {}, f"EBS:VolumeUsage.{parts[0]}"),
    "nat.hour": _plain("AmazonEC2", "NatGateway-Hours"),
    "nat.gib": _plain("AmazonEC2", "NatGateway-Bytes"),
    "vpc.ipv4": _plain("AmazonVPC", "PublicIPv4:InUseAddress"),
    "vpc.endpoint": lambda parts: Query(
        "AmazonVPC", {}, "VpcEndpoint-Hours" if parts == ["hour"] else "VpcEndpoint-Bytes"
    ),
    "kms.key": _plain("awskms", "KMS-Keys"),
}
