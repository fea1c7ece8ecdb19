"""Replicas and copies that RDS would refuse, each refused in one line before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.changed_settings import Refusal, names
from tests.unit.database_combinations import KEY, THERE, is_accepted, is_refused

REFUSED: list[Refusal] = [
    # Replicas
    (
        "prod",
        {"replicas__overrides": [{"number": 2}]},
        "replicas.overrides[0].number",
        "2",
        "at most 1 (replicas.count)",
        "no such replica",
    ),
    (
        "prod",
        {"replicas__overrides": [{"number": 1}, {"number": 1}]},
        "replicas.overrides[1].number",
        "1",
        "once",
        "differ in two ways",
    ),
    (
        "prod",
        {"replicas__overrides": [{"number": 1, "availability_zone": "us-east-1a"}]},
        "replicas.overrides[0].availability_zone",
        "'us-east-1a'",
        "a zone of eu-west-1",
        "in the stack's region",
    ),
    (
        "prod",
        {
            "replicas__overrides": [
                {"number": 1, "availability_zone": "eu-west-1a", "multi_az": True}
            ]
        },
        "replicas.overrides[0].availability_zone",
        "'eu-west-1a'",
        "not with multi_az",
        "chooses both zones",
    ),
    (
        "prod",
        {"replicas__count": 15, "replicas__other_regions": [THERE]},
        "replicas.count",
        "15",
        "at most 15 together with 1 in other regions",
        "no more replicas of one source",
    ),
    (
        "prod",
        {"replicas__other_regions": [{**THERE, "kms_key_arn": None}]},
        "replicas.other_regions[0].kms_key_arn",
        "null",
        "exactly one of kms_key_arn (a key in eu-central-1) and create_kms_key",
        "KMS keys belong to one region",
    ),
    (
        "prod",
        {"replicas__other_regions": [{**THERE, "kms_key_arn": KEY}]},
        "replicas.other_regions[0].kms_key_arn",
        f"'{KEY}'",
        "a key in eu-central-1",
        "cannot encrypt the copy",
    ),
    (
        "prod",
        {"replicas__other_regions": [THERE, THERE]},
        "replicas.other_regions[1].region",
        "'eu-central-1'",
        "one replica a region",
        "would meet",
    ),
    (
        "prod",
        {"database__backup_replication": {"region": "eu-west-1", "create_kms_key": True}},
        "database.backup_replication.region",
        "'eu-west-1'",
        "another region than the stack's",
        "lost with it",
    ),
    (
        "prod",
        {"database__backup_replication": {"region": "eu-central-1"}},
        "database.backup_replication.kms_key_arn",
        "null",
        "exactly one of kms_key_arn (a key in eu-central-1) and create_kms_key",
        "one where it goes",
    ),
    (
        "prod",
        {
            "database__backup_replication": {
                "region": "eu-central-1",
                "create_kms_key": True,
                "retention_days": 36,
            }
        },
        "database.backup_replication.retention_days",
        "36 days",
        "at most 35",
        "at most 35 days",
    ),
]
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("prod", {"replicas__other_regions": [THERE]}),
    (
        "prod",
        {
            "replicas__count": 0,
            "stated_exceptions": [{"field": "replicas.count", "reason": "reports come from S3"}],
        },
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_combination_is_refused_in_one_line(case: Refusal) -> None:
    is_refused(case)


@pytest.mark.parametrize(("environment", "changes"), ACCEPTED)
def test_a_combination_within_the_limits_is_accepted(
    environment: str, changes: dict[str, Any]
) -> None:
    is_accepted(environment, changes)
