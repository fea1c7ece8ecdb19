"""Networks that are refused, one line each, before any resource."""

from __future__ import annotations

import pytest

from tests.unit.changed_settings import Refusal, is_refused_in_one_line, names

REFUSED: list[Refusal] = [
    (
        "prod",
        {"network__vpc_cidr": "8.8.0.0/16"},
        "network.vpc_cidr",
        "'8.8.0.0/16'",
        "a private range of RFC 1918",
        "private ranges only",
    ),
    (
        "prod",
        {"network__vpc_cidr": "10.0.0.0/24"},
        "network.vpc_cidr",
        "'10.0.0.0/24'",
        "a prefix of /16 to /20",
        "sixteen subnets",
    ),
    (
        "prod",
        {"network__vpc_cidr": "10.0.0.1/16"},
        "network.vpc_cidr",
        "'10.0.0.1/16'",
        "has host bits set",
        "private ranges only",
    ),
    (
        "prod",
        {"network__vpc_cidr": ...},
        "network.vpc_cidr",
        "null",
        "exactly one of network.vpc_cidr and network.existing",
        "makes a VPC or uses one",
    ),
    (
        "prod",
        {"network__availability_zone_count": 1},
        "network.availability_zone_count",
        "1 zone refused",
        "at least 2",
        "a Multi-AZ database",
    ),
    (
        "staging",
        {"network__nat_gateway_count": 3},
        "network.nat_gateway_count",
        "3",
        "the setting is gone",
        "network.nat says it in words",
    ),
    (
        "dev",
        {"network__nat": "none"},
        "network.nat",
        "'none'",
        "a way out unless pooler.image_has_packages is true",
        "Debian's image has no PgBouncer",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_wrong_setting_is_refused_in_one_line(case: Refusal) -> None:
    is_refused_in_one_line(case)
