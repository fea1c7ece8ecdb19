"""The JSON schema is the settings', accepts the shipped stacks, and refuses what editors can see."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from stacks.json_schema import DIALECT, text
from tests.unit.recorder import ENVIRONMENTS, REPOSITORY

SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "stacks/settings.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def stack(environment: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / f"stacks/Pulumi.{environment}.yaml").read_text())


def test_the_file_is_current() -> None:
    written = (REPOSITORY / "stacks/settings.schema.json").read_text()
    assert written == text(), "run: python -m stacks.json_schema > stacks/settings.schema.json"


def test_it_is_a_schema() -> None:
    assert SCHEMA["$schema"] == DIALECT
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_stacks_are_valid_and_name_their_schema(environment: str) -> None:
    assert list(VALIDATOR.iter_errors(stack(environment))) == []
    first = (REPOSITORY / f"stacks/Pulumi.{environment}.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./settings.schema.json"


@pytest.mark.parametrize(
    ("group", "setting", "value", "words"),
    [
        ("database", "pitr_retention_days", 36, "36 is greater than the maximum of 35"),
        ("database", "multi_az", "sometimes", "'sometimes' is not of type 'boolean'"),
        ("database", "monitoring_interval_seconds", 7, "7 is not one of [0, 1, 5"),
        ("database", "multi_azz", True, "'multi_azz' was unexpected"),
        ("database", "instance_class", "large", "does not match"),
    ],
)
def test_what_an_editor_underlines(group: str, setting: str, value: Any, words: str) -> None:
    content = stack("prod")
    content["config"]["pgkeep:settings"][group][setting] = value
    (error,) = VALIDATOR.iter_errors(content)
    assert words in error.message


def test_a_region_that_aws_does_not_have() -> None:
    content = stack("prod")
    content["config"]["aws:region"] = "eu-west-9"
    (error,) = VALIDATOR.iter_errors(content)
    assert "'eu-west-9' is not one of" in error.message


def test_every_setting_is_explained() -> None:
    def walk(node: Any) -> None:
        for name, member in node.get("properties", {}).items():
            assert member.get("description"), name
            walk(member)

    walk(SCHEMA)
    for definition in SCHEMA["$defs"].values():
        walk(definition)
    retention = SCHEMA["$defs"]["DatabaseSettings"]["properties"]["pitr_retention_days"]
    assert "(days)" in retention["description"]
    assert "dev 3, staging 7, prod 30" in retention["description"]


def test_what_every_environment_has_a_default_for_is_not_required() -> None:
    assert "instance_class" not in SCHEMA["$defs"]["DatabaseSettings"]["required"]
    assert "name" in SCHEMA["$defs"]["DatabaseSettings"]["required"]
