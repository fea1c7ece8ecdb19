"""Prices from AWS's price list: the one that fits, or the table's."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber

from facts.price_list import PriceList, PriceSource, choose_prices, query_of
from facts.prices import PriceTable, shipped_table


def product(usage: str, *steps: tuple[str, str], unit: str = "GB-Mo") -> str:
    """A product as GetProducts answers: (beginRange, USD) for each step of its price."""
    dimensions = {
        f"S.T.{number}": {"unit": unit, "beginRange": begin, "pricePerUnit": {"USD": usd}}
        for number, (begin, usd) in enumerate(steps)
    }
    return json.dumps(
        {
            "product": {"attributes": {"usagetype": usage}},
            "terms": {"OnDemand": {"S.T": {"priceDimensions": dimensions}}},
            "publicationDate": "2026-11-20T12:00:00Z",
        }
    )


def asking(*answers: list[str]) -> PriceList:
    client = boto3.client("pricing", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    stubber = Stubber(client)
    for answer in answers:
        expected = {"ServiceCode": ANY, "FormatVersion": "aws_v1", "Filters": ANY}
        stubber.add_response("get_products", {"PriceList": answer}, expected)
    stubber.activate()
    return PriceList(shipped_table(), client)


STORAGE = "rds.storage/gp3/multi-az"


def test_the_price_of_now_is_taken_and_asked_once() -> None:
    answer = [
        product("EU-RDS:Multi-AZ-GP3-Storage", ("0", "0.3000000000")),
        product("EU-RDS:Multi-AZ-GP3-Storage-Mirror", ("0", "0.9")),
    ]
    prices = asking(answer)
    for _ in range(2):
        price = prices.price(STORAGE, "eu-west-1")
        assert price
        assert (price.usd, price.unit, price.live) == (Decimal("0.3"), "GiB-month", True)
        assert price.published.isoformat() == "2026-11-20"


def test_us_east_1_has_no_prefix_and_free_steps_are_no_price() -> None:
    answer = [product("NatGateway-Hours", ("0", "0.0000000000"), ("100", "0.045"), unit="Hrs")]
    price = asking(answer).price("nat.hour", "us-east-1")
    assert price
    assert (price.usd, price.live) == (Decimal("0.045"), True)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [product("EU-RDS:GP3-Storage", ("0", "0.3"))],
        [
            product("EU-RDS:Multi-AZ-GP3-Storage", ("0", "0.3")),
            product("EU-RDS:Multi-AZ-GP3-Storage", ("0", "0.4")),
        ],
    ],
    ids=["nothing", "another usage", "two different prices"],
)
def test_without_a_single_answer_the_table_serves(answer: list[str]) -> None:
    price = asking(answer).price(STORAGE, "eu-west-1")
    assert price == shipped_table().price(STORAGE, "eu-west-1")


@pytest.mark.parametrize(
    ("item", "usages", "usd"),
    [
        (
            "rds.performance-insights/first-month",
            {
                "EU-PI_LTR_FMR:R7G": "1.7",
                "EU-PI_LTR_FMR:M7G": "1.7",
                "EU-PI_LTR_FMR:Serverless": "2",
            },
            "1.7",
        ),
        ("rds.performance-insights/additional-month", {"PI_LTR_AMR:T4G": "0.07"}, "0.07"),
        (
            "rds.performance-insights/first-month",
            {"PI_LTR_FMR:R7G": "1", "PI_LTR_FMR:R5": "2"},
            None,
        ),
        (
            "cloudwatch.database-insights",
            {
                "EU-CW:DatabaseInsights-vCPU-Hours": "0.0125",
                "EU-CW:DatabaseInsights-ACU-Hours": "1",
            },
            "0.0125",
        ),
    ],
)
def test_insights_have_a_price_where_all_instances_pay_the_same(
    item: str, usages: dict[str, str], usd: str | None
) -> None:
    answer = [product(usage, ("0", price), unit="vCPU-Month") for usage, price in usages.items()]
    price = asking(answer).price(item, "eu-west-1")
    assert (price and price.usd) == (usd and Decimal(usd))


def test_an_unreachable_list_is_asked_once_only() -> None:
    class Client:
        asked = 0

        def get_products(self, **_: Any) -> dict[str, Any]:
            self.asked += 1
            raise EndpointConnectionError(
                endpoint_url="https://api.pricing.us-east-1.amazonaws.com"
            )

    client = Client()
    prices = PriceList(shipped_table(), client)
    for item in (STORAGE, "kms.key", "nat.hour"):
        price = prices.price(item, "eu-west-1")
        assert price
        assert not price.live
    assert client.asked == 1


def test_who_is_asked() -> None:
    assert isinstance(choose_prices(PriceSource.TABLE, offline=False), PriceTable)
    assert isinstance(choose_prices(PriceSource.AUTO, offline=True), PriceTable)
    assert isinstance(choose_prices(PriceSource.AUTO, offline=False), PriceList)
    assert isinstance(choose_prices(PriceSource.AWS, offline=True), PriceList)


def test_every_query_is_of_an_item_of_the_table() -> None:
    asked = {item for item, _ in shipped_table().prices if query_of(item)}
    assert {item.split("/")[0] for item in asked} == {
        "rds.instance",
        "rds.storage",
        "rds.iops",
        "ec2.instance",
        "ebs.storage",
        "nat.hour",
        "nat.gib",
        "vpc.ipv4",
        "vpc.endpoint",
        "kms.key",
    }
    query = query_of("rds.iops/io2/multi-az")
    assert query
    assert query.usage == "RDS:Multi-AZ-PIOPS-IO2"
    assert query_of("rds.throughput/gp3/single-az")
