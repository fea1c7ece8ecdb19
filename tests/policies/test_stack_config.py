"""Which environment a stack is judged as, and where its exemptions are read from."""

from __future__ import annotations

import json

import pytest

from policies.rules import Environment
from policies.stack_config import environment, exemption_entries


@pytest.mark.parametrize(
    ("config", "stack_name", "tags", "expected"),
    [
        ({}, "dev", {}, "dev"),
        ({}, "acme/pgkeep/staging", {}, "staging"),
        ({}, "feature-17", {}, "prod"),
        ({}, "development", {}, "prod"),
        ({"pgkeep:environment": "staging"}, "eu-1", {}, "staging"),
        ({"pgkeep:settings": '{"environment": "dev"}'}, "eu-1", {}, "dev"),
        ({}, "eu-1", {"environment": "local"}, "local"),
        # Where they differ, the strictest counts.
        ({"pgkeep:environment": "local"}, "prod", {}, "prod"),
        ({"pgkeep:settings": '{"environment": "prod"}'}, "dev", {}, "prod"),
        ({"pgkeep:environment": "nonsense"}, "x", {}, "prod"),
        ({"pgkeep:settings": "{"}, "x", {}, "prod"),
        ({"pgkeep:settings": '["dev"]'}, "x", {}, "prod"),
        ({"pgkeep:settings": '{"environment": {}}'}, "x", {}, "prod"),
    ],
)
def test_environment(
    config: dict[str, str], stack_name: str, tags: dict[str, str], expected: str
) -> None:
    assert environment(config, stack_name, tags) is Environment(expected)


def test_exemptions_of_both_places_are_joined() -> None:
    config = {
        "pgkeep:settings": json.dumps({"policy_exemptions": [{"rule": "a"}]}),
        "pgkeep:policy_exemptions": json.dumps([{"rule": "b"}]),
    }
    assert exemption_entries(config) == [{"rule": "a"}, {"rule": "b"}]
    assert exemption_entries({}) == []


@pytest.mark.parametrize("raw", ["{", "nonsense", "5", '{"rule": "a"}'])
def test_what_cannot_be_read_is_passed_on_to_be_refused(raw: str) -> None:
    assert not isinstance(exemption_entries({"pgkeep:policy_exemptions": raw}), list)
