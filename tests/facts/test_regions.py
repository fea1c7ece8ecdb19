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


def test_what_is_no_region() -> None:
    assert not regions.exists("eu-west-99")
    assert not regions.exists("aws-global")
    assert regions.exists("ap-southeast-2")
