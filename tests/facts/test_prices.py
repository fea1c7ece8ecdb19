"""The shipped price table is complete for what pgkeep deploys, and exact."""

import re
from datetime import date
from decimal import Decimal

import pytest

from facts.prices import TABLE, shipped_table, vcpus

# What a stack of pgkeep is made of and pays by the hour or month.
NEEDED = [
    "rds.instance/db.t4g.micro/single-az",
    "rds.instance/db.t4g.medium/single-az",
    "rds.instance/db.m7g.large/multi-az",
    "rds.instance/db.r6g.large/multi-az",
    "rds.storage/gp3/single-az",
    "rds.storage/gp3/multi-az",
    "rds.iops/gp3/multi-az",
    "rds.throughput/gp3/multi-az",
    "rds.backup-storage",
    "rds.performance-insights/first-month",
    "ec2.instance/t4g.small",
    "ec2.instance/t3.small",
    "elb.network/hour",
    "vpc.endpoint/hour",
    "vpc.ipv4",
    "kms.key",
    "secretsmanager.secret",
    "cloudwatch.alarm",
    "logs.ingestion",
    "logs.storage",
    "s3.storage/STANDARD",
    "s3.storage/GLACIER_IR",
    "lambda.duration/arm64",
    "scheduler.invocation",
]


@pytest.mark.parametrize("item", NEEDED)
def test_every_region_of_the_table_prices_what_a_stack_needs(item: str) -> None:
    table = shipped_table()
    assert {region for region in table.regions if table.price(item, region) is None} == set()


@pytest.mark.parametrize(
    ("item", "region", "usd", "unit"),
    [
        ("rds.instance/db.r7g.large/single-az", "eu-west-1", "0.268", "hour"),
        ("rds.instance/db.r7g.large/multi-az", "eu-west-1", "0.536", "hour"),
        ("rds.storage/gp3/multi-az", "us-east-1", "0.23", "GiB-month"),
        ("nat.hour", "eu-west-1", "0.048", "hour"),
        ("kms.key", "ap-southeast-2", "1", "key-month"),
        ("lambda.duration/arm64", "us-east-1", "0.0000133334", "GiB-second"),
    ],
)
def test_prices_are_exactly_those_of_aws(item: str, region: str, usd: str, unit: str) -> None:
    price = shipped_table().price(item, region)
    assert price
    assert (price.usd, price.unit, price.live) == (Decimal(usd), unit, False)


def test_what_the_table_does_not_know_is_none_and_never_zero() -> None:
    table = shipped_table()
    assert table.price("rds.instance/db.r7g.large/single-az", "eu-west-3") is None
    assert table.price("rds.instance/db.r99.large/single-az", "eu-west-1") is None
    assert table.price("kms.key", "mars-north-1") is None
    assert all(price.usd > 0 for price in table.prices.values())


def test_every_price_names_a_dated_source() -> None:
    table = shipped_table()
    assert table.oldest == date(2025, 6, 18)
    natted = table.price("nat.hour", "eu-west-1")
    assert natted
    assert natted.published == date(2026, 8, 1)
    named = {line.split("\t")[2] for line in TABLE.read_text().splitlines() if "\t" in line}
    described = set(re.findall(r"# source ([a-z-]+):", TABLE.read_text()))
    assert named - {"source"} == described


def test_a_standby_costs_as_much_as_its_primary() -> None:
    """Within the rounding of AWS's own list: what is not so was read from a wrong cell."""
    table = shipped_table()
    compared = 0
    for (item, region), price in table.prices.items():
        if item.startswith("rds.instance/") and item.endswith("/single-az"):
            both = table.price(item.replace("single-az", "multi-az"), region)
            assert both
            assert abs(both.usd - 2 * price.usd) <= Decimal("0.02") * price.usd + Decimal("0.001")
            compared += 1
    assert compared > 700


@pytest.mark.parametrize(
    ("instance_class", "count"),
    [
        ("db.t4g.micro", 2),
        ("db.r7g.large", 2),
        ("db.m7i.xlarge", 4),
        ("db.r6g.16xlarge", 64),
        ("db.x2g.large", None),
        ("db.serverless", None),
    ],
)
def test_vcpus(instance_class: str, count: int | None) -> None:
    assert vcpus(instance_class) == count
