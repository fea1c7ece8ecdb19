"""Machines, regions and versions that AWS does not offer are refused, with what to use instead."""

from __future__ import annotations

from typing import Any

import pytest

from facts import rds
from stacks.settings import SettingsError, load
from tests.unit.recorder import REGION, raw_settings


def refused(group: str, field: str, value: Any, region: str | None = REGION) -> list[str]:
    raw = raw_settings("prod")
    raw[group][field] = value
    with pytest.raises(SettingsError) as caught:
        load(raw, "prod", region)
    return caught.value.lines


def test_a_class_that_rds_does_not_have() -> None:
    (line,) = refused("database", "instance_class", "db.r7g.3xlarge")
    assert line.startswith("database.instance_class: 'db.r7g.3xlarge' refused, a class that RDS")
    assert "for PostgreSQL 17 in eu-west-1: RDS has no such class" in line
    assert "Use db.r7g.xlarge, " in line


def test_a_class_that_was_retired_before_the_version() -> None:
    (line,) = refused("database", "instance_class", "db.m4.2xlarge")
    assert "RDS has no such class for PostgreSQL 17" in line


def test_a_class_that_the_region_lacks() -> None:
    (line,) = refused("database", "instance_class", "db.x2g.large", "eu-south-2")
    assert "eu-south-2 does not have it" in line


def test_without_a_region_only_the_version_judges() -> None:
    raw = raw_settings("prod")
    raw["database"]["instance_class"] = "db.x2g.xlarge"
    assert load(raw, "prod").database.instance_class == "db.x2g.xlarge"
    (line,) = refused("database", "instance_class", "db.r7g.3xlarge", None)
    assert "for PostgreSQL 17: RDS has no such class" in line


def test_the_class_of_a_replica_is_judged_too() -> None:
    (line,) = refused("replicas", "instance_class", "db.r7g.3xlarge")
    assert line.startswith("replicas.instance_class: 'db.r7g.3xlarge' refused, ")


def test_a_type_that_ec2_does_not_have() -> None:
    (line,) = refused("pooler", "instance_type", "t4g.huge")
    assert line.startswith("pooler.instance_type: 't4g.huge' refused, a type that EC2 offers in")
    assert "Use t4g." in line


def test_a_region_that_aws_does_not_have() -> None:
    (line,) = refused("pooler", "port", 6543, "eu-west-9")
    assert line.startswith("aws:region: 'eu-west-9' refused, a region of AWS: ")
    assert "Use eu-west-" in line


def test_a_region_without_data_is_not_judged() -> None:
    # A region of a secret partition: AWS publishes nothing about it.
    region = "us-isob-east-1"
    assert rds.instance_classes(region) is None
    assert load(raw_settings("prod"), "prod", region).region == region
