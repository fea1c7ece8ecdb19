"""Settings that are refused: each line names field, value, limit and reason, before any resource.

What AWS itself refuses although these rules pass is left to the end-to-end tests.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stacks.schema import SettingsGroup
from stacks.settings import Settings, SettingsError, load
from tests.unit.changed_settings import Refusal, is_refused_in_one_line, names, refused
from tests.unit.recorder import ENVIRONMENTS, raw_settings


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_stacks_are_accepted(environment: str) -> None:
    settings = load(raw_settings(environment), environment)
    assert settings.environment == environment
    assert settings.prefix == f"pgkeep-{environment}"


def test_retention_follows_the_guides() -> None:
    days = {
        environment: load(raw_settings(environment), environment).database.pitr_retention_days
        for environment in ENVIRONMENTS
    }
    assert days == {"local": 1, "dev": 3, "staging": 7, "prod": 30}


def test_pooler_numbers_follow_the_guide() -> None:
    pooler = load(raw_settings("prod"), "prod").pooler
    assert pooler.model_dump(
        include={
            "port",
            "max_client_connections",
            "default_pool_size",
            "min_pool_size",
            "reserve_pool_size",
            "reserve_pool_timeout_seconds",
            "server_lifetime_seconds",
            "server_idle_timeout_seconds",
        }
    ) == {
        "port": 6543,
        "max_client_connections": 1000,
        "default_pool_size": 20,
        "min_pool_size": 5,
        "reserve_pool_size": 5,
        "reserve_pool_timeout_seconds": 5,
        "server_lifetime_seconds": 3600,
        "server_idle_timeout_seconds": 600,
    }


# Those of the database, the pooler and the network: test_settings_*.py.
REFUSED: list[Refusal] = [
    (
        "prod",
        {"secrets__recovery_window_days": 0},
        "secrets.recovery_window_days",
        "0",
        "7 to 30 days",
        "a deleted secret must be possible to restore",
    ),
    (
        "dev",
        {"secrets__recovery_window_days": 3},
        "secrets.recovery_window_days",
        "3",
        "0 or 7 to 30 days",
        "Secrets Manager refuses",
    ),
    (
        "prod",
        {"name": "A_Name"},
        "name",
        "'A_Name'",
        "must be 2 to 32 lower-case letters, digits and single hyphens, with a letter first",
        "fits every name in AWS",
    ),
    (
        "prod",
        {"functions__backup_timeout_seconds": 901},
        "functions.backup_timeout_seconds",
        "901 seconds",
        "at most 900",
        "Lambda stops every function after 900 seconds",
    ),
    (
        "prod",
        {"environment": "dev", "database__multi_az": True},
        "environment",
        "'dev'",
        "must be 'prod'",
        "must not be deployed to another",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_wrong_setting_is_refused_in_one_line(case: Refusal) -> None:
    is_refused_in_one_line(case)


def test_a_missing_setting_says_what_it_is_for() -> None:
    (line,) = refused("prod", workload=...)
    assert line.startswith("workload: missing, required (Folder below workloads/")
    assert line.endswith("Set workload in the stack's file.")


def test_every_mistake_is_reported_at_once() -> None:
    found = refused(
        "prod",
        database__multi_az=False,
        database__pitr_retention_days=7,
        pooler__architecture="x86_64",
    )
    assert [line.split(":")[0] for line in found] == [
        "database.pitr_retention_days",
        "database.multi_az",
        "pooler.architecture",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("multi_azz", "Did you mean multi_az?"),
        ("storage_iops", "Did you mean iops?"),
        ("backup_retention_days", "Did you mean pitr_retention_days?"),
        ("zzz", "Use one of: allocated_storage_gib, apply_changes_immediately, "),
    ],
)
def test_a_misspelt_setting_is_told_what_it_may_mean(name: str, meant: str) -> None:
    (line,) = refused("dev", **{f"database__{name}": 1})
    assert line.startswith(f"database.{name}: 1 refused, no such setting: ")
    assert meant in line


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"network__reserved_cidrs": ["10.0.0.0/8"]}, "must have settings of its own: cidr, name"),
        ({"network__availability_zone_count": "three"}, "must be a whole number"),
        ({"database__multi_az": "perhaps"}, "must be true or false"),
        ({"database__parameters": [1]}, "must be names with values"),
        ({"network__allowed_cidrs": 5}, "must be a list"),
        (
            {"name": 5},
            "must be text in quotes: 2 to 32 lower-case letters, digits and single hyphens, with a letter first",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_in_words_of_the_file(
    changes: dict[str, Any], limit: str
) -> None:
    (line,) = refused("dev", **changes)
    assert f" refused, {limit}: " in line


@pytest.mark.parametrize(
    ("parameters", "field", "limit"),
    [
        ({"work_mem": [1]}, "work_mem", "must be text or a number or true or false"),
        ({"work_mem": None}, "work_mem", "must be text or a number or true or false"),
        ({"1st": "x"}, "1st", "must be a parameter's name, such as work_mem"),
    ],
)
def test_a_wrong_member_of_a_mapping_is_one_line(
    parameters: dict[str, Any], field: str, limit: str
) -> None:
    field = f"database.parameters.{field}"
    (line,) = refused("dev", database__parameters=parameters)
    assert line.startswith(f"{field}: ")
    assert f" refused, {limit}" in line
    assert f"Change {field} in the stack's file. Source: AWS RDS user guide" in line


def test_a_tag_that_is_no_text_is_one_line() -> None:
    (line,) = refused("dev", tags__extra={"team": [1]})
    assert line.startswith("tags.extra.team: [1] refused, must be text: ")


def test_settings_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load("prod", "prod")
    (line,) = caught.value.lines
    assert line.startswith("settings: 'prod' refused, ")


def test_settings_cannot_change_after_loading() -> None:
    settings = load(raw_settings("prod"), "prod")
    with pytest.raises(ValidationError, match="frozen"):
        settings.database.multi_az = False  # type: ignore[misc]


def test_a_long_value_is_cut() -> None:
    (line,) = refused("prod", name="x" * 500)
    assert "x" * 70 in line
    assert "x" * 90 not in line


def test_every_field_is_documented() -> None:
    undocumented: list[str] = []

    def walk(group: type[SettingsGroup], path: str) -> None:
        for name, field in group.model_fields.items():
            notes = field.json_schema_extra
            if not field.description or not isinstance(notes, dict) or not notes.get("why"):
                undocumented.append(f"{path}{name}")
            if isinstance(field.annotation, type) and issubclass(field.annotation, SettingsGroup):
                walk(field.annotation, f"{path}{name}.")
            elif field.annotation in (int, float) and isinstance(notes, dict):
                assert notes["unit"], f"{path}{name} has no unit"
                assert notes["source"], f"{path}{name} has no source"

    walk(Settings, "")
    assert undocumented == []
