"""Instance classes and versions as cfn-lint's data has them. No list of ours is compared."""

from __future__ import annotations

import datetime

import pytest

from facts import ec2, rds
from facts.cloudformation import refreshed
from facts.package_data import gzipped_json_file
from stacks.machines import database_memory_gib


def test_the_data_says_how_old_it_is() -> None:
    assert datetime.date.fromisoformat(refreshed()) > datetime.date(2025, 1, 1)


def test_classes_differ_by_region() -> None:
    ireland, spain = rds.instance_classes("eu-west-1"), rds.instance_classes("eu-south-2")
    assert ireland is not None
    assert spain is not None
    assert "db.r7g.large" in ireland
    # No region has everything: what is missing in one is a refusal there.
    assert "db.x2g.large" in ireland
    assert "db.x2g.large" not in spain


def test_a_region_without_data_is_not_judged() -> None:
    assert rds.instance_classes("mars-north-1") is None
    assert "eu-west-1" in rds.regions()
    assert "mars-north-1" not in rds.regions()


def test_old_classes_are_in_the_region_but_not_for_17() -> None:
    ireland = rds.instance_classes("eu-west-1")
    assert ireland is not None
    assert "db.m4.large" in ireland
    assert "db.m4.large" not in rds.instance_classes_of_version("17")
    assert "db.r7g.large" in rds.instance_classes_of_version("17")
    assert "db.r7g.large" in rds.instance_classes_of_version(rds.latest_minor("17") or "")


def test_nothing_is_known_about_a_version_that_never_was() -> None:
    assert rds.instance_classes_of_version("99") == frozenset()
    assert rds.supported_versions("99") == []
    assert rds.latest_minor("99") is None


def test_versions() -> None:
    assert "17.1" in rds.known_versions()
    assert "17.1" in rds.deprecated_versions()
    assert "17" not in rds.deprecated_versions()
    assert "9" in rds.deprecated_versions()
    supported = rds.supported_versions("17")
    assert supported[0] == "17"
    assert supported[-1] == rds.latest_minor("17")
    # As numbers: 17.10 is newer than 17.9.
    assert supported.index("17.10") > supported.index("17.9")


def test_every_major_version_that_is_offered_has_an_end() -> None:
    offered = {
        version.split(".")[0] for version in rds.known_versions() - rds.deprecated_versions()
    }
    # 11 and 12 have only minors of extended support left.
    assert offered - {"11", "12"} <= set(rds.STANDARD_SUPPORT_ENDS)


@pytest.mark.parametrize("region", sorted(rds.regions()))
def test_every_region_offers_the_classes_of_the_defaults_or_says_so(region: str) -> None:
    classes = rds.instance_classes(region)
    assert classes, region
    assert ec2.instance_types(region) or region not in ec2.regions()


def test_memory_of_the_classes_is_what_ec2_says() -> None:
    """An RDS class runs on the EC2 type of its name: judged by EC2's own description of types."""
    described = gzipped_json_file("moto", "ec2/resources/instance_types.json.gz")
    compared = 0
    for name in sorted(rds.instance_classes_of_version("17")):
        memory = database_memory_gib(name)
        facts = described.get(name.removeprefix("db."))
        if memory is not None and facts is not None:
            assert memory * 1024 == facts["MemoryInfo"]["SizeInMiB"], name
            compared += 1
    assert compared > 100
