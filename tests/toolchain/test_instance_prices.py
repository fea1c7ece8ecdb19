"""The table of instance prices: what is kept of the data, and that the shipped one is of the pin."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from facts.prices import INSTANCES
from toolchain import instance_prices
from toolchain.instance_prices import MODULE, date_of, prices_of, table, write
from toolchain.steps import RefusedError


def entry(name: str, vcpu: str = "2", **regions: dict[str, Any]) -> dict[str, Any]:
    pricing = {region.replace("_", "-"): offers for region, offers in regions.items()}
    return {"instance_type": name, "vcpu": vcpu, "pricing": pricing}


def offer(usd: str, key: str = "PostgreSQL") -> dict[str, Any]:
    return {key: {"ondemand": Decimal(usd)}}


def test_only_regions_and_classes_that_are_sold_are_kept() -> None:
    entries = [
        entry(
            "db.r7g.large",
            eu_west_1={**offer("0.268"), "MySQL": {"ondemand": Decimal("0.255")}},
            us_east_1_bos_1=offer("0.3"),
            us_east_1=offer("0"),
            eu_west_2={"MySQL": {"ondemand": Decimal("0.1")}},
        ),
        entry("db.m1.gone", eu_west_1=offer("1")),
        entry("db.m7g.large", eu_west_1={"MySQL": {"ondemand": Decimal(1)}}),
    ]
    kept = frozenset({"db.r7g.large", "db.m7g.large"})
    assert prices_of(entries, "PostgreSQL", kept) == (
        {"db.r7g.large": {"eu-west-1": Decimal("0.268")}},
        {"db.r7g.large": 2},
    )


def test_a_type_is_a_row_and_a_region_a_column() -> None:
    prices = {
        "db.r7g.2xlarge": {"us-east-1": Decimal("0.9560000000")},
        "db.r7g.large": {"eu-west-1": Decimal("0.268"), "us-east-1": Decimal(1)},
    }
    processors = {"db.r7g.2xlarge": 8, "db.r7g.large": 2}
    assert list(table({"rds.instance": (prices, processors)})) == [
        "item\tvcpus\teu-west-1\tus-east-1",
        "rds.instance/db.r7g.large\t2\t0.268\t1",
        "rds.instance/db.r7g.2xlarge\t8\t\t0.956",
    ]


def test_the_date_is_that_of_the_pinned_version() -> None:
    assert date_of("v0.0.0-20250528091325-32acf84f42eb") == "2025-05-28"
    with pytest.raises(RefusedError, match=r"v1\.2\.3 of .* has no date"):
        date_of("v1.2.3")


def test_the_shipped_table_is_of_the_pinned_version() -> None:
    pinned = re.search(r"=> (\S+) (v\S+)", (MODULE / "go.mod").read_text())
    assert pinned
    head = INSTANCES.read_text().split("\nitem\t", 1)[0]
    assert f"# in the Go module {pinned[1]} {pinned[2]}." in head
    assert f"as published on {date_of(pinned[2])}" in head
    assert "Copyright (c) 2013 Garret Heaton" in head
    assert f"{pinned[1]} {pinned[2]} h1:" in (MODULE / "go.sum").read_text()


def test_the_table_is_written_with_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rds-instances.json").write_text(
        '[{"instance_type": "db.r7g.large", "vcpu": "2",'
        ' "pricing": {"eu-west-1": {"PostgreSQL": {"ondemand": 0.268}}}}]'
    )
    (tmp_path / "instances.json").write_text(
        '[{"instance_type": "t4g.small", "vCPU": 2,'
        ' "pricing": {"eu-west-1": {"linux": {"ondemand": "0.0184"}}}},'
        ' {"instance_type": "p5.48xlarge", "vCPU": 192,'
        ' "pricing": {"eu-west-1": {"linux": {"ondemand": "98.32"}}}}]'
    )
    target = tmp_path / "table.tsv"
    monkeypatch.setattr(instance_prices, "INSTANCES", target)
    write(tmp_path, "example.com/data", "v0.0.0-20250528091325-32acf84f42eb")
    lines = target.read_text().splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        "item\tvcpus\teu-west-1",
        "rds.instance/db.r7g.large\t2\t0.268",
        "ec2.instance/t4g.small\t2\t0.0184",
    ]
    assert "# source ec-instances-info: as published on 2025-05-28" in lines
