"""Machines, regions and versions that AWS does not offer are refused, with what to use instead."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from facts import postgresql_parameters, rds
from stacks.settings import SettingsError, load
from tests.unit.recorder import ENVIRONMENTS, REGION, deploy, raw_settings, settings


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
    raw = raw_settings("prod")
    raw.setdefault("pooler", {})["image_id"] = "ami-0123456789abcdef0"
    raw["database"]["ca_bundle_path"] = "stacks/rds_ca/eu-west-1.pem"
    assert load(raw, "prod", region).region == region


def test_more_zones_than_the_region_has() -> None:
    (line,) = refused("network", "availability_zone_count", 3, "us-west-1")
    assert line.startswith(
        "network.availability_zone_count: 3 refused, at most 2 in us-west-1: it has us-west-1a, "
        "us-west-1c. Set it to 2 or choose another region."
    )
    # Zones that are named are AWS's to judge: an account's letters are its own.
    raw = raw_settings("prod")
    raw["network"]["availability_zones"] = ["us-west-1a", "us-west-1b"]
    raw["network"]["availability_zone_count"] = 3
    assert load(raw, "prod", "us-west-1").network.zone_count == 2


def test_another_partition_needs_roots_and_an_image() -> None:
    roots, line = refused("pooler", "image_id", None, "cn-north-1")
    assert roots.startswith(
        "database.ca_bundle_path: 'stacks/rds_ca/{region}.pem' refused, a file with RDS's roots of "
        "cn-north-1: pgkeep ships those of the commercial partition, and cn-north-1 is of aws-cn."
    )
    assert line.startswith("pooler.image_id: null refused, required in partition aws-cn: only in")


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (
            {"work_memm": 65536},
            "database.parameters.work_memm: 65536 refused, must be a parameter of postgres17: RDS "
            "refuses names that the family does not have. Did you mean work_mem?",
        ),
        (
            {"work_mem": "64MB"},
            "database.parameters.work_mem: '64MB' refused, a whole number from 64 to 2147483647 "
            "kB: RDS takes a number in kB, without a unit. Write 65536.",
        ),
        (
            {"random_page_cost": -1},
            "database.parameters.random_page_cost: -1 refused, a number from 0 to 1.79769e+308: ",
        ),
        ({"fsync": False}, "database.parameters.fsync: false refused, cannot be modified on RDS"),
    ],
)
def test_parameters_that_rds_would_refuse(parameters: dict[str, Any], line: str) -> None:
    (found,) = refused("database", "parameters", parameters)
    assert found.startswith(line)


def test_parameters_belong_to_the_major_version() -> None:
    raw = raw_settings("prod")
    raw["database"] |= {"engine_version": "16", "parameters": {"transaction_timeout": 1000}}
    with pytest.raises(SettingsError) as caught:
        load(raw, "prod", REGION)
    (line,) = caught.value.lines
    assert "must be a parameter of postgres16" in line


def test_a_replica_in_another_region_is_judged_there() -> None:
    raw = raw_settings("prod")
    replica = {
        "region": "eu-south-2",
        "instance_class": "db.x2g.large",
        "create_kms_key": True,
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    }
    raw["replicas"]["other_regions"] = [replica]
    with pytest.raises(SettingsError) as caught:
        load(raw, "prod", REGION)
    (line,) = caught.value.lines
    assert line.startswith("replicas.other_regions[0].instance_class: 'db.x2g.large' refused, ")
    assert "eu-south-2 does not have it" in line


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_programs_own_parameters_are_ones_that_rds_takes(environment: str) -> None:
    for type_, inputs in deploy(settings(environment)).resources.values():
        if type_ != "aws:rds/parameterGroup:ParameterGroup":
            continue
        for entry in inputs["parameters"]:
            name = entry["name"]
            known = postgresql_parameters.parameter(name, inputs["family"])
            assert known is not None, name
            assert postgresql_parameters.problem(name, entry["value"], inputs["family"]) is None
            assert entry["applyMethod"] == known.apply_method, name


def test_a_version_whose_support_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rds.STANDARD_SUPPORT_ENDS, "17", datetime.date(2024, 2, 29))
    (line,) = refused("database", "engine_version", "17")
    assert line.startswith(
        "database.engine_version: '17' refused, standard support ended on 2024-02-29: "
    )
    raw = raw_settings("prod")
    raw["database"]["extended_support"] = True
    assert load(raw, "prod", REGION).database.extended_support


def test_a_version_that_rds_has_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rds, "deprecated_versions", lambda: frozenset({"17"}))
    (line,) = refused("database", "engine_version", "17")
    assert line.startswith("database.engine_version: '17' refused, one of 17.1, ")
    assert "RDS does not create it any more (standard support of 17 ends 2030-02-28)" in line
