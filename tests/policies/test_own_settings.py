"""What pgkeep's settings offer in prod passes pgkeep's policies; what they let a team give up does
not, and the settings ask for an exemption of each rule that refuses it."""

from __future__ import annotations

import copy
import datetime
import re
from typing import Any

import pytest
import yaml

from pgkeep.program import run
from policies.catalogue import RULES
from policies.evaluation import Judge, Kind
from policies.inventory import Resource, Stack
from policies.rules import Context, Enforcement, Environment
from stacks.rules.environments import GUARDS
from stacks.settings import Settings, load
from tests.unit.recorder import REGION, REPOSITORY, raw_settings
from tests.unit.test_generated_settings import answers

KEY = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
FAR_KEY = KEY.replace("eu-west-1", "eu-central-1")
FAR = {
    "region": "eu-central-1",
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}
BUCKET_ELSEWHERE = {
    "region": "eu-central-1",
    "bucket_arn": "arn:aws:s3:::archive",
    "key_arn": FAR_KEY.replace("123456789012", "210987654321"),
    "account_id": "210987654321",
}

# Settings that exclude each other stand in different sets.
FEATURES: dict[str, dict[str, Any]] = {
    "replicas of all kinds, AWS Backup, a NAT gateway a zone": {
        "replicas": {
            "count": 2,
            "overrides": [
                {"number": 2, "multi_az": True, "instance_class": "db.r7g.xlarge"},
            ],
            "other_regions": [{**FAR, "create_kms_key": True}],
        },
        "database": {
            "storage_type": "io2",
            "iops": 20000,
            "allocated_storage_gib": 400,
            "dedicated_log_volume": True,
            "database_insights_mode": "advanced",
            "performance_insights_retention_days": 465,
            "origin": {"snapshot": {"identifier": "old"}},
        },
        "network": {
            "availability_zone_count": 3,
            "nat": "one_per_zone",
            "allowed_security_groups": [
                {"id": "sg-0123456789abcdef0", "doors": ["pooler"], "reason": "the shop"}
            ],
        },
        "backups": {
            "aws_backup": {"region": "eu-central-1", "lock": {"mode": "compliance"}},
            "object_lock": {"mode": "compliance"},
            "inventory": {"enabled": True},
            "worker": {"enabled": False},
            "replication": {"region": "eu-central-1"},
        },
        "monitoring": {"emails": ["dba@example.com"]},
        "permissions_boundary": "arn:aws:iam::123456789012:policy/boundary",
    },
    "keys of the team's own, a replica elsewhere under one, an archive in another account": {
        "replicas": {"other_regions": [{**FAR, "kms_key_arn": FAR_KEY, "multi_az": True}]},
        "database": {"origin": {"point_in_time": {"source_identifier": "old", "kms_key_arn": KEY}}},
        "keys": {f"{purpose}_arn": KEY for purpose in ("backups", "secrets", "telemetry", "hosts")},
        "network": {"nat": "single"},
        "pooler": {"pool_mode": "session", "image_id": "ami-0123456789abcdef0"},
        "backups": {"replication": BUCKET_ELSEWHERE},
    },
    "blue/green updates of PostgreSQL 16": {
        "database": {
            "engine_version": "16",
            "blue_green_updates": True,
            "parameters": {"rds.logical_replication": 1},
        },
        "replicas": {"count": 0},
        "stated_exceptions": [
            {"field": "replicas.count", "reason": "blue/green updates exclude replicas"}
        ],
    },
}

# A value of each guarded setting with which the guard does not hold.
GIVEN_UP: dict[str, Any] = {
    "database.pitr_retention_days": 7,
    "database.multi_az": False,
    "database.deletion_protection": False,
    "database.final_snapshot": False,
    "database.monitoring_interval_seconds": 0,
    "database.keep_automated_backups": False,
    "database.keep_kms_key": False,
    "database.event_categories": [],
    "replicas.count": 0,
    "monitoring.log_deletion_protection": False,
    "network.flow_logs.enabled": False,
    "network.interface_endpoints": False,
    "backups.keep_bucket": False,
    "backups.object_lock.mode": "off",
    "backups.replication": None,
    "secrets.recovery_window_days": 0,
    "tags.owner": None,
    "tags.data_classification": None,
    "tags.cost_centre": None,
}


def refused_rules(settings: Settings, exemptions: object = None) -> set[str]:
    """The rules that would stop the engine."""
    judge = Judge(Context(environment=Environment.PROD), exemptions)
    declared = run(settings, REGION, answers(settings)).resources
    resources = [
        Resource.of(
            type=one.type,
            name=one.name,
            urn=one.urn,
            properties=one.inputs,
            property_dependencies=one.property_dependencies,
            protect=one.protect,
        )
        for one in declared
        if one.custom and not one.external
    ]
    stack = Stack(resources)
    verdicts = [found for one in resources for found in judge.resource(one, stack)]
    verdicts += [*judge.joins(stack), *judge.exemption_problems(stack)]
    return {
        one.rule.id
        for one in verdicts
        if one.kind is Kind.VIOLATION and one.enforcement is Enforcement.MANDATORY
    }


def laid_over(raw: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(raw)
    for key, value in changes.items():
        under = merged.get(key)
        whole = not (isinstance(value, dict) and isinstance(under, dict))
        merged[key] = value if whole else laid_over(under, value)
    return merged


@pytest.mark.parametrize("name", FEATURES)
def test_what_the_settings_offer_passes_the_policies(name: str) -> None:
    settings = load(laid_over(raw_settings("prod"), FEATURES[name]), "prod", REGION)
    assert refused_rules(settings) == set()


def test_guards_name_settings_and_rules_of_the_policy_pack() -> None:
    rules = {rule.id for rule in RULES}
    for guard in GUARDS:
        group: Any = Settings
        for part in guard.field.split("."):
            field = group.model_fields[part]
            group = field.annotation
        assert rules.issuperset(guard.policy_rules), guard.field


def test_a_guard_that_is_given_up_names_every_rule_that_refuses_it() -> None:
    assert set(GIVEN_UP) == {guard.field for guard in GUARDS}
    raw = raw_settings("prod")
    for path, value in GIVEN_UP.items():
        nested = value
        for part in reversed(path.split(".")):
            nested = {part: nested}
        raw = laid_over(raw, nested)
    reason = "given up so that a test sees what refuses it"
    raw["network"]["nat"] = "one_per_zone"
    raw["backups"]["aws_backup"] = {"region": "eu-central-1", "lock": {"mode": "governance"}}
    raw["stated_exceptions"] = [{"field": path, "reason": reason} for path in GIVEN_UP]
    named = {rule for guard in GUARDS for rule in guard.policy_rules}
    raw["policy_exemptions"] = [
        {
            "rule": rule,
            "resource": "aws:rds/instance:Instance::database-instance",
            "reason": reason,
            "owner": "platform@example.com",
            "expires": "2027-01-31",
        }
        for rule in sorted(named)
    ]
    assert refused_rules(load(raw, "prod", REGION)) == named


def test_the_first_step_of_a_deletion_is_allowed_with_what_the_docs_say() -> None:
    page = (REPOSITORY / "docs/database.md").read_text().partition("## Deletion in two steps")[2]
    block = page.partition("```yaml\n")[2].partition("```")[0]
    soon = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    block = re.sub(r'(?<=&until )"[^"]+"', f'"{soon}"', block)
    changes = yaml.safe_load(block)
    settings = load(laid_over(raw_settings("prod"), changes), "prod", REGION)
    assert refused_rules(settings, changes["policy_exemptions"]) == set()
    # Each of them is needed.
    for one in changes["policy_exemptions"]:
        others = [other for other in changes["policy_exemptions"] if other != one]
        assert refused_rules(settings, others) == {one["rule"]}
