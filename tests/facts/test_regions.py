"""Partitions and regions from botocore's table."""

from __future__ import annotations

import pytest

from facts import regions


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("eu-west-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ],
)
def test_the_partition_of_a_region(region: str, partition: str, suffix: str) -> None:
    found = regions.partition_of(region)
    assert found is not None
    assert (found.name, found.dns_suffix) == (partition, suffix)


@pytest.mark.parametrize(
    ("region", "letters"),
    [("eu-west-1", "abc"), ("us-east-1", "abcdef"), ("us-west-1", "ac"), ("cn-north-1", "abc")],
)
def test_the_zones_of_a_region(region: str, letters: str) -> None:
    assert regions.zones(region) == tuple(f"{region}{letter}" for letter in letters)
    assert regions.zones("eu-west-9") == ()


def test_what_is_no_region() -> None:
    assert not regions.exists("eu-west-99")
    assert not regions.exists("aws-global")
    assert regions.exists("ap-southeast-2")
