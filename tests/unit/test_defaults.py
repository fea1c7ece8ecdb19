"""What an environment gets where its file is silent, and where each value comes from."""

from __future__ import annotations

from typing import Any

import pytest

from stacks import defaults
from stacks.database_settings import DatabaseSettings
from stacks.defaults import ENVIRONMENT_DEFAULTS, origins, with_defaults
from stacks.messages import group_of
from stacks.settings import Settings, load
from tests.unit.recorder import ENVIRONMENTS

REQUIRED: dict[str, Any] = {
    "workload": "node_pass",
    "tags": {"owner": "platform", "data_classification": "internal", "cost_centre": "databases"},
    "network": {"vpc_cidr": "10.20.0.0/16"},
    "database": {"name": "node_pass"},
}


def silent(environment: str) -> dict[str, Any]:
    """The least that a stack's file can say."""
    copies = {"backups": {"replication": {"region": "eu-central-1"}}}
    return {"environment": environment, **REQUIRED, **(copies if environment == "prod" else {})}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_silent_file_is_deployable(environment: str) -> None:
    assert load(silent(environment), environment).environment == environment


# As the guides say: cryptowallet's retention, guards in staging and prod only, sizes that grow.
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("pitr_retention_days", [1, 3, 7, 30]),
        ("multi_az", [False, False, True, True]),
        ("deletion_protection", [False, False, True, True]),
        ("final_snapshot", [False, False, True, True]),
        ("log_retention_days", [7, 30, 90, 365]),
        ("instance_class", ["db.m7i.large", "db.t4g.medium", "db.m7g.large", "db.r7g.large"]),
    ],
)
def test_the_database_differs_by_environment(field: str, expected: list[Any]) -> None:
    found = [
        getattr(load(silent(environment), environment).database, field)
        for environment in ENVIRONMENTS
    ]
    assert found == expected


def test_every_row_names_a_setting_known_environments_and_a_source() -> None:
    for row in ENVIRONMENT_DEFAULTS:
        model: Any = Settings
        for name in row.field.split("."):
            assert name in model.model_fields, f"no setting {row.field}"
            model = group_of(model.model_fields[name].annotation)
        assert set(row.values) <= set(ENVIRONMENTS)
        assert row.values
        assert row.source
    names = [row.field for row in ENVIRONMENT_DEFAULTS]
    assert len(names) == len(set(names)), "a setting has two rows"


def test_the_file_wins_also_with_false_and_null() -> None:
    raw = silent("prod")
    raw["database"] = {"name": "node_pass", "multi_az": False, "instance_class": None}
    merged = with_defaults(Settings, raw, "prod")
    assert merged["database"]["multi_az"] is False
    assert merged["database"]["instance_class"] is None
    assert merged["database"]["pitr_retention_days"] == 30


def test_the_file_is_not_changed() -> None:
    raw = silent("prod")
    with_defaults(Settings, raw, "prod")
    assert raw == silent("prod")


def test_a_malformed_group_is_left_for_the_validation() -> None:
    raw = silent("prod") | {"database": "large"}
    assert with_defaults(Settings, raw, "prod")["database"] == "large"


def test_a_group_that_is_off_gets_no_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    row = defaults.EnvironmentDefault("network.existing.vpc_id", "a test", {"prod": "vpc-1"})
    monkeypatch.setattr(defaults, "ENVIRONMENT_DEFAULTS", (row,))
    assert with_defaults(Settings, silent("prod"), "prod") == silent("prod")
    raw = silent("prod") | {"network": {"existing": {}}}
    merged = with_defaults(Settings, raw, "prod")
    assert merged["network"] == {"existing": {"vpc_id": "vpc-1"}}


def test_an_unknown_environment_has_no_defaults() -> None:
    assert with_defaults(Settings, silent("qa"), "qa") == silent("qa")


def test_every_value_says_where_it_comes_from() -> None:
    raw = silent("prod")
    found = origins(load(raw, "prod"), raw, "prod")
    assert found["database.name"].text == "Pulumi.prod.yaml"
    assert found["database.name"].layer == "file"
    assert found["database.pitr_retention_days"].text == "default for prod"
    assert found["database.pitr_retention_days"].source == "guide cryptowallet: backup retention"
    assert found["database.multi_az"].text == "default"
    values = set(DatabaseSettings.model_fields) - {"origin"}
    assert {f"database.{name}" for name in values} <= set(found)
    assert "database.origin.snapshot" in found


def test_the_region_is_not_a_setting_but_known() -> None:
    assert load(silent("prod"), "prod", "eu-west-1").region == "eu-west-1"
    assert load(silent("prod"), "prod").region is None
