"""The shipped price table is complete for what pgkeep deploys, and exact."""

import re
from datetime import date
from decimal import Decimal

import pytest

from facts import rds
from facts.prices import INSTANCES, TABLE, shipped_table, vcpus

# What a stack of pgkeep is made of and pays by the hour or month.
NEEDED = [
    "rds.instance/db.t4g.micro/single-az",
    "rds.instance/db.t4g.medium/single-az",
    "rds.instance/db.t4g.medium/multi-az",
    "rds.instance/db.r6g.large/single-az",
    "rds.instance/db.r6g.large/multi-az",
    "rds.storage/gp3/single-az",
    "rds.storage/gp3/multi-az",
    "rds.backup-storage",
    "ec2.instance/t4g.small",
    "ec2.instance/t3.small",
    "ebs.storage/gp3",
    "nat.hour",
    "nat.gib",
    "elb.network/hour",
    "vpc.endpoint/hour",
    "vpc.ipv4",
    "kms.key",
    "secretsmanager.secret",
    "cloudwatch.alarm",
    "logs.ingestion",
    "logs.storage",
    "s3.storage/STANDARD",
    "lambda.duration/x86_64",
    "lambda.request",
    "sqs.request",
]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
@pytest.mark.parametrize("item", NEEDED)
def test_the_table_prices_what_a_stack_needs(item: str, region: str) -> None:
    assert shipped_table().price(item, region)


def test_no_two_sources_price_the_same() -> None:
    rows = [line.split("\t") for line in TABLE.read_text().splitlines() if "\t" in line]
    cells = [
        (row[0], column) for row in rows for column, usd in enumerate(row) if usd and column > 2
    ]
    assert len(cells) == len(set(cells))


@pytest.mark.parametrize(
    ("item", "region", "usd", "unit"),
    [
        ("rds.instance/db.r6g.large/single-az", "eu-west-1", "0.252", "hour"),
        ("rds.instance/db.r6g.large/multi-az", "eu-west-1", "0.504", "hour"),
        ("rds.instance/db.r7g.large/single-az", "eu-west-1", "0.268", "hour"),
        ("rds.instance/db.r7g.large/multi-az", "eu-west-1", "0.536", "hour"),
        ("rds.instance/db.m7g.xlarge/single-az", "ap-southeast-2", "0.468", "hour"),
        ("ec2.instance/c7g.medium", "eu-west-1", "0.0388", "hour"),
        ("rds.storage/gp3/multi-az", "us-east-1", "0.23", "GiB-month"),
        ("nat.hour", "eu-west-1", "0.048", "hour"),
        ("kms.key", "us-west-2", "1", "key-month"),
        ("lambda.duration/arm64", "us-east-1", "0.0000133334", "GiB-second"),
    ],
)
def test_prices_are_exactly_those_of_aws(item: str, region: str, usd: str, unit: str) -> None:
    price = shipped_table().price(item, region)
    assert price
    assert (price.usd, price.unit, price.live) == (Decimal(usd), unit, False)


def test_what_the_table_does_not_know_is_none_and_never_zero() -> None:
    table = shipped_table()
    assert table.price("rds.performance-insights/first-month", "eu-west-1") is None
    assert table.price("rds.instance/db.r7g.large/multi-az", "cn-north-1") is None
    assert table.price("rds.instance/db.r99.large/single-az", "eu-west-1") is None
    assert table.price("kms.key", "mars-north-1") is None
    assert all(price.usd > 0 for price in table.prices.values())


def test_every_price_names_a_dated_source() -> None:
    table = shipped_table()
    assert table.oldest == date(2025, 5, 28)
    assert {price.table for price in table.prices.values()} == {TABLE.name, INSTANCES.name}
    read = table.price("rds.instance/db.r7g.large/multi-az", "eu-west-1")
    assert read
    assert (read.published, read.table) == (date(2025, 5, 28), INSTANCES.name)
    natted = table.price("nat.hour", "eu-west-1")
    assert natted
    assert natted.published == date(2026, 9, 25)
    named = {line.split("\t")[2] for line in TABLE.read_text().splitlines() if "\t" in line}
    described = set(re.findall(r"# source ([a-z-]+):", TABLE.read_text()))
    assert named - {"source"} == described


def test_a_standby_costs_as_much_as_its_primary() -> None:
    """Within the rounding of AWS's own list: what is not so was read from a wrong cell."""
    table = shipped_table()
    compared = 0  # Only prices that were both found, none that was doubled.
    for (item, region), price in table.prices.items():
        if item.startswith("rds.instance/") and item.endswith("/single-az"):
            both = table.prices.get((item.replace("single-az", "multi-az"), region))
            if both:
                most = Decimal("0.02") * price.usd + Decimal("0.001")
                assert abs(both.usd - 2 * price.usd) <= most
                compared += 1
    assert compared >= 10


# Regions that are younger than the table of instances, and those of AWS China, which sells in yuan.
WITHOUT_PRICES = {"ap-east-2", "ap-southeast-6", "cn-north-1", "cn-northwest-1"}


@pytest.mark.parametrize("region", sorted(rds.regions()))
def test_every_region_has_the_prices_of_its_instances(region: str) -> None:
    """A class that came after the table was read has none: that is said, and nothing guessed."""
    assert (_priced(region) >= 15) == (region not in WITHOUT_PRICES)


def _priced(region: str) -> int:
    table = shipped_table()
    return sum(
        table.price(f"rds.instance/{name}/single-az", region) is not None
        for name in rds.instance_classes(region) or ()
    )


def test_both_tables_agree_where_both_have_a_price() -> None:
    """They were read from AWS's list by different people at different times."""
    rows = [line.split("\t") for line in INSTANCES.read_text().splitlines() if line[0] != "#"]
    (_, _, *regions), *instances = rows
    by_instance = {
        (item, region): Decimal(usd)
        for item, _, *cells in instances
        for region, usd in zip(regions, cells, strict=True)
        if usd
    }
    compared = 0
    for (item, region), price in shipped_table().prices.items():
        name = item.removesuffix("/single-az").removesuffix("/multi-az")
        other = by_instance.get((name, region))
        if price.table == TABLE.name and other:
            factor = 2 if item.endswith("/multi-az") else 1
            assert abs(price.usd - factor * other) <= Decimal("0.001"), (item, region)
            compared += 1
    assert compared >= 90


@pytest.mark.parametrize(
    ("instance_class", "count"),
    [
        ("db.t4g.micro", 2),
        ("db.r7g.large", 2),
        ("db.m7i.xlarge", 4),
        ("db.r6g.16xlarge", 64),
        ("db.x2g.large", 2),
        ("db.m3.medium", 1),
        ("db.r9gx.2xlarge", 8),
        ("db.z9d.large", None),
        ("db.serverless", None),
    ],
)
def test_vcpus(instance_class: str, count: int | None) -> None:
    assert vcpus(instance_class) == count
