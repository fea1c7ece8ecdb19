"""Origins, upgrades and protection of a database that RDS or pgkeep refuses, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.changed_settings import Refusal, names
from tests.unit.database_combinations import KEY, POINT, THERE, is_accepted, is_refused
from tests.unit.test_network import EXISTING

REFUSED: list[Refusal] = [
    (
        "dev",
        {"database__origin": {"snapshot": {"identifier": "old"}, "point_in_time": POINT}},
        "database.origin",
        "'snapshot, point_in_time'",
        "at most one of snapshot, point_in_time and existing",
        "an instance has one origin",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {**POINT, "source_identifier": "other"}}},
        "database.origin.point_in_time",
        "'source_identifier, source_resource_id'",
        "exactly one of source_identifier, source_resource_id, automated_backups_arn",
        "RDS recovers one source",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {"kms_key_arn": KEY}}},
        "database.origin.point_in_time",
        "null",
        "exactly one of source_identifier",
        "RDS recovers one source",
    ),
    (
        "dev",
        {
            "database__origin": {
                "point_in_time": {"source_identifier": "pgkeep-dev", "kms_key_arn": KEY}
            }
        },
        "database.origin.point_in_time.source_identifier",
        "'pgkeep-dev'",
        "must not be this stack's own instance",
        "names are unique in a region",
    ),
    (
        "dev",
        {"database__origin": {"point_in_time": {**POINT, "time": "yesterday"}}},
        "database.origin.point_in_time.time",
        "'yesterday'",
        "must be YYYY-MM-DDTHH:MM:SSZ",
        "RDS takes UTC times only",
    ),
    (
        "dev",
        {
            "database__origin": {"existing": {"identifier": "legacy", "kms_key_arn": KEY}},
            "database__identifier": "another",
            "network__vpc_cidr": None,
            "network__existing": EXISTING,
        },
        "database.identifier",
        "'another'",
        "must be 'legacy'",
        "an imported instance keeps its name",
    ),
    (
        "dev",
        {"database__origin": {"existing": {"identifier": "legacy", "kms_key_arn": KEY}}},
        "database.origin.existing",
        "'legacy'",
        "needs network.existing",
        "poolers and functions have to reach it",
    ),
    (
        "dev",
        {"database__major_upgrade": {"from_version": "16", "to_version": "16"}},
        "database.major_upgrade",
        "'16 to 16'",
        "must go to a later version",
        "no way back",
    ),
    (
        "dev",
        {
            "database__engine_version": "16",
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
        },
        "database.major_upgrade.to_version",
        "'17'",
        "must be '16' (database.engine_version)",
        "allowed for one change by name",
    ),
    (
        "dev",
        {
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
            "database__apply_changes_immediately": False,
        },
        "database.apply_changes_immediately",
        "false",
        "must be true with database.major_upgrade",
        "still uses the old parameter group",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": 1},
            "database__identifier": "a" * 61,
            "replicas__count": 0,
        },
        "database.blue_green_updates",
        "true",
        "needs an instance name of at most 60 characters",
        "gives the deployment the instance's name",
    ),
    (
        "dev",
        {
            "database__major_upgrade": {"from_version": "16", "to_version": "17"},
            "replicas__other_regions": [THERE],
        },
        "database.major_upgrade",
        "'16 to 17'",
        "not with replicas.other_regions",
        "others lose replication",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": 1},
        },
        "database.blue_green_updates",
        "true",
        "not with 1 read replica",
        "refuses an instance with replicas",
    ),
    (
        "dev",
        {"database__blue_green_updates": True, "replicas__count": 0},
        "database.blue_green_updates",
        "true",
        "needs database.parameters rds.logical_replication: 1",
        "logical replication",
    ),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": True},
            "database__master_password": "managed_by_rds",
            "replicas__count": 0,
        },
        "database.blue_green_updates",
        "true",
        "not with database.master_password managed_by_rds",
        "whose password it manages",
    ),
    (
        "dev",
        {"database__master_password": "managed_by_rds"},
        "database.master_password",
        "'managed_by_rds'",
        "not with 1 read replica",
        "whose master password it manages",
    ),
    (
        "dev",
        {"database__final_snapshot": True},
        "database.keep_kms_key",
        "false",
        "must be true with database.final_snapshot",
        "would be lost with its key",
    ),
    (
        "dev",
        {"database__deletion_protection": True},
        "database.deletion_protection",
        "true",
        "needs database.final_snapshot",
        "deletion takes two steps: first deletion_protection: false",
    ),
    (
        "prod",
        {"database__keep_automated_backups": False},
        "database.keep_automated_backups",
        "false",
        "must be true in prod",
        "to the second",
    ),
    (
        "prod",
        {"replicas__count": 0},
        "replicas.count",
        "0",
        "at least 1 replica in prod",
        "second copy",
    ),
    (
        "prod",
        {"stated_exceptions": [{"field": "pooler.port", "reason": "we like another"}]},
        "stated_exceptions[0].field",
        "'pooler.port'",
        "must be one of database.pitr_retention_days, database.multi_az",
        "no guard that could be left out",
    ),
    (
        "prod",
        {"stated_exceptions": [{"field": "replicas.count", "reason": "no reports here"}]},
        "stated_exceptions[0].field",
        "'replicas.count'",
        "must be a guard that is left out",
        "would hide the next mistake",
    ),
]
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("dev", {"database__final_snapshot": True, "database__keep_kms_key": True}),
    ("dev", {"database__final_snapshot": True, "keys__database_arn": KEY}),
    ("dev", {"database__master_password": "managed_by_rds", "replicas__count": 0}),
    ("dev", {"database__engine_version": "16"}),
    (
        "dev",
        {
            "database__blue_green_updates": True,
            "database__parameters": {"rds.logical_replication": "on"},
            "replicas__count": 0,
        },
    ),
    ("dev", {"database__major_upgrade": {"from_version": "16", "to_version": "17"}}),
    ("dev", {"database__origin": {"snapshot": {"identifier": "rds:pgkeep-old-2026-11-01"}}}),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_combination_is_refused_in_one_line(case: Refusal) -> None:
    is_refused(case)


@pytest.mark.parametrize(("environment", "changes"), ACCEPTED)
def test_a_combination_within_the_limits_is_accepted(
    environment: str, changes: dict[str, Any]
) -> None:
    is_accepted(environment, changes)
