"""Costs are exact sums of list prices; what has no price is said and never guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from facts.prices import Price, shipped_table
from localcloud.provider.registry import RESOURCE_TOKENS
from pgkeep.plan.estimate import Estimate, estimate, money, source_of
from pgkeep.plan.free_types import is_free, is_known
from pgkeep.plan.pricing_rules import RULES
from pgkeep.plan.values import UNKNOWN
from tests.command_line.plans import logged, made, step

DATABASE = "aws:rds/instance:Instance"
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"


def cost_of(*events: dict[str, Any], region: str = "eu-west-1") -> Estimate:
    return estimate(made(*events, region=region).changes, shipped_table(), region)


def created(type_: str, **inputs: Any) -> Decimal:
    return cost_of(step("create", type_, "one", None, inputs)).after


@pytest.mark.parametrize(
    ("region", "inputs", "usd"),
    [
        # 730 h of 0.252, 100 GiB of 0.127
        ("eu-west-1", {"allocatedStorage": 100}, "196.66"),
        # 730 h of 0.504, 100 GiB of 0.254
        ("eu-west-1", {"allocatedStorage": 100, "multiAz": True}, "393.32"),
        # 730 h of 0.225, 400 GiB of 0.115, 3,000 IOPS of 0.02 above 12,000 (from 400 GiB on)
        ("us-east-1", {"allocatedStorage": 400, "iops": 15_000}, "270.25"),
        # All IOPS of io2 are paid: 730 h of 0.225, 100 GiB of 0.125, 1,000 IOPS of 0.1
        ("us-east-1", {"allocatedStorage": 100, "storageType": "io2", "iops": 1000}, "276.75"),
        # Performance Insights of 7 days is free
        (
            "eu-west-1",
            {
                "allocatedStorage": 100,
                "performanceInsightsEnabled": True,
                "performanceInsightsRetentionPeriod": 7,
            },
            "196.66",
        ),
    ],
)
def test_a_database_costs_exactly(region: str, inputs: dict[str, Any], usd: str) -> None:
    database = {"instanceClass": "db.r6g.large", "storageType": "gp3", **inputs}
    assert created(DATABASE, region=region, **database) == Decimal(usd)


def test_each_part_of_a_database_without_a_price_is_said() -> None:
    inputs = {
        "instanceClass": "db.r6g.large",
        "allocatedStorage": 400,
        "storageType": "gp3",
        "iops": 15_000,
        "storageThroughput": 600,
        "performanceInsightsEnabled": True,
        "performanceInsightsRetentionPeriod": 93,
    }
    found = cost_of(step("create", DATABASE, "db", None, inputs))
    # 730 h of 0.252, 400 GiB of 0.127
    assert found.after == Decimal("234.76")
    assert found.total == "234.76 + ?"
    assert found.unpriced == (
        "rds:Instance db: 100 MiB/s above the baseline",
        "rds:Instance db: 3,000 IOPS above the baseline",
        "rds:Instance db: Performance Insights, 2 vCPU, first month",
        "rds:Instance db: Performance Insights, 2 vCPU, 2 further months",
    )


def test_a_replica_inherits_what_it_does_not_say() -> None:
    primary = {
        "identifier": "db",
        "instanceClass": "db.r6g.large",
        "allocatedStorage": 100,
        "storageType": "gp3",
        "multiAz": True,
    }
    replica = {"replicateSourceDb": "db", "instanceClass": "db.t4g.medium"}
    both = cost_of(
        step("create", DATABASE, "primary", None, primary),
        step("create", DATABASE, "replica", None, replica),
    )
    # 730 h of 0.069, 100 GiB of 0.127
    assert both.after - Decimal("393.32") == Decimal("63.07")


def test_hosts_cost_what_the_template_beside_them_says() -> None:
    template = {
        "instanceType": "t4g.small",
        "blockDeviceMappings": [{"ebs": {"volumeSize": 10, "volumeType": "gp3"}}],
    }
    found = cost_of(
        step("create", GROUP, "hosts", None, {"desiredCapacity": 3, "minSize": 3, "maxSize": 4}),
        step("create", TEMPLATE, "template", None, template),
    )
    # 3 x 730 h of 0.0184, 3 x 10 GiB of 0.088
    assert found.after == Decimal("42.936")
    assert any(unit.assumption == "up to 4 hosts during a refresh" for unit in found.unit_prices)


@pytest.mark.parametrize(
    ("type_", "inputs", "usd"),
    [
        ("aws:ec2/natGateway:NatGateway", {}, "35.04"),
        ("aws:ec2/eip:Eip", {}, "3.65"),
        ("aws:lb/loadBalancer:LoadBalancer", {"loadBalancerType": "network"}, "18.396"),
        (ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": [UNKNOWN] * 3}, "24.09"),
        (ENDPOINT, {"vpcEndpointType": "Gateway"}, "0"),
        ("aws:kms/key:Key", {"enableKeyRotation": True}, "1"),
        ("aws:secretsmanager/secret:Secret", {"replicas": [{"region": "eu-central-1"}]}, "0.8"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", {"period": 60}, "0.1"),
        ("aws:s3/bucket:Bucket", {}, "0"),
        ("aws:iam/role:Role", {}, "0"),
    ],
)
def test_other_resources(type_: str, inputs: dict[str, Any], usd: str) -> None:
    assert created(type_, **inputs) == Decimal(usd)


def test_a_resource_in_another_region_has_its_price() -> None:
    alarm = created("aws:cloudwatch/metricAlarm:MetricAlarm", region="us-west-2", period=10)
    assert alarm == Decimal("0.3")
    # 730 h of 0.239, 100 GiB of 0.115 in us-east-1
    inputs = {"instanceClass": "db.r7g.large", "allocatedStorage": 100, "storageType": "gp3"}
    assert created(DATABASE, region="us-east-1", **inputs) == Decimal("185.97")


def test_a_resource_of_another_region_is_named_and_priced_there() -> None:
    found = cost_of(
        step("create", "aws:kms/key:Key", "here", None, {}),
        step("create", DATABASE, "there", None, {
            "region": "eu-central-1",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "storageType": "gp3",
        }),
    )  # fmt: skip
    # 1, and in Frankfurt 730 h of 0.019 and 20 GiB of 0.137
    assert found.after == Decimal("17.61")
    lines = {line.what for cost in found.resources for line in cost.after}
    assert lines == {
        "key",
        "db.t4g.micro Single-AZ in eu-central-1",
        "20 GiB gp3 Single-AZ in eu-central-1",
    }


def test_the_difference_to_now() -> None:
    old = {"instanceClass": "db.r6g.large", "allocatedStorage": 100, "storageType": "gp3"}
    new = {**old, "multiAz": True}
    found = cost_of(step("update", DATABASE, "db", old, new))
    assert (found.before, found.after) == (Decimal("196.66"), Decimal("393.32"))
    deleted = cost_of(step("delete", DATABASE, "db", old))
    assert (deleted.before, deleted.after) == (Decimal("196.66"), Decimal(0))
    kept = cost_of(step("delete", DATABASE, "db", old, retainOnDelete=True))
    assert (kept.before, kept.after) == (Decimal("196.66"), Decimal("196.66"))


def test_no_known_price_is_said_and_counts_nothing() -> None:
    found = cost_of(
        step("create", DATABASE, "db", None, {"instanceClass": "db.x99.large", "multiAz": True})
    )
    assert found.after == 0
    assert found.unpriced == ("rds:Instance db: db.x99.large Multi-AZ",)
    mars = cost_of(step("create", "aws:kms/key:Key", "k", None, {}), region="mars-1")
    assert mars.unpriced == ("kms:Key k: key",)
    assert source_of(mars.prices) == "no price known"


def test_a_type_that_nobody_looked_up_is_said() -> None:
    found = cost_of(step("create", "aws:fsx/openZfsVolume:OpenZfsVolume", "v", None, {}))
    assert found.after == 0
    assert found.unpriced == ("fsx:OpenZfsVolume v: whether it costs anything",)


def test_what_the_program_makes_has_a_known_price() -> None:
    """Every type that the local cloud supports, which is every type that the program uses."""
    unknown = {type_ for type_ in RESOURCE_TOKENS if not is_known(type_)}
    assert unknown == set()
    assert not {type_ for type_ in RULES if is_free(type_)}


def test_what_is_paid_by_use_has_a_unit_price_and_an_assumption() -> None:
    units = {unit.what: unit for unit in logged("offline", "prod").estimate.unit_prices}
    growth = units["RDS storage beyond the allocated, gp3 Multi-AZ"]
    assert growth.price
    assert growth.price.usd == Decimal("0.254")
    assert growth.assumption == "pgkeep-prod may grow from 100 to 1,000 GiB"
    assert units["RDS backups and snapshots beyond the size of the databases"].assumption == (
        "100 GiB are free, 30 days are kept"
    )
    assert units["NAT gateway, data processed"].price
    assert "S3 storage in GLACIER_IR" in units or "S3 storage" in units


def test_a_vault_is_paid_by_what_is_in_it() -> None:
    found = cost_of(step("create", "aws:backup/vault:Vault", "vault", None, {}))
    assert (found.after, found.unpriced) == (Decimal(0), ())
    (unit,) = found.unit_prices
    assert (unit.what, unit.price) == ("AWS Backup, recovery points of RDS", None)


def test_money_is_rounded_only_where_it_is_shown() -> None:
    assert money(Decimal("1234.565")) == "1,234.56"
    assert money(Decimal("-0.3")) == "-0.30"


def test_the_source_names_each_table_its_days_and_how_many_prices() -> None:
    database = {"instanceClass": "db.r7g.large", "allocatedStorage": 100, "storageType": "gp3"}
    found = cost_of(step("create", DATABASE, "db", None, database))
    # 730 h of 0.268, 100 GiB of 0.127
    assert found.total == "208.34"
    assert source_of(found.prices) == (
        "AWS's price list, as read 2025-05-28 (1 of 2, facts/instance_prices.tsv); "
        "as read 2026-09-11 (1 of 2, facts/prices.tsv)"
    )
    now = Price(Decimal(1), "hour", date(2026, 11, 20), live=True)
    assert source_of([now, *found.prices]).startswith(
        "AWS's price list, asked now (1 of 3); as read"
    )


@pytest.mark.parametrize(
    ("instance_class", "mode", "days", "lines"),
    [
        ("db.r7g.large", "advanced", 465, [("Database Insights Advanced, 2 vCPU", 1460)]),
        ("db.r7g.large", "standard", 31, [("Performance Insights, 2 vCPU, first month", 2)]),
        (
            "db.z9d.large",
            "standard",
            93,
            [
                ("Performance Insights, vCPU of db.z9d.large, first month", 1),
                ("Performance Insights, vCPU of db.z9d.large, 2 further months", 2),
            ],
        ),
        (
            "db.z9d.large",
            "advanced",
            465,
            [("Database Insights Advanced, vCPU of db.z9d.large", 730)],
        ),
    ],
)
def test_insights_are_paid_by_vcpu(
    instance_class: str, mode: str, days: int, lines: list[tuple[str, int]]
) -> None:
    inputs = {
        "instanceClass": instance_class,
        "performanceInsightsEnabled": True,
        "performanceInsightsRetentionPeriod": days,
        "databaseInsightsMode": mode,
    }
    (cost,) = cost_of(step("create", DATABASE, "db", None, inputs)).resources
    assert [(line.what, line.quantity) for line in cost.after if "Insights" in line.what] == lines
    assert all(line.price is None for line in cost.after if "Insights" in line.what)
