"""The bad changes of bad_changes.py, refused by the real engine at preview, all in one run.

Resources need not succeed: what the pack refuses never reaches the provider, which is an echo.
"""

from __future__ import annotations

import json
import re

import pytest

from policies.catalogue import RULES
from policies.rules import Environment
from tests.policies.bad_changes import BAD_CHANGES
from tests.policies.test_engine import Project

# Declared by their types' tokens, so that the table needs no class of the SDK and no import of it.
PROGRAM = """
import json, pulumi
for name, kind, properties in json.loads({table!r}):
    pulumi.CustomResource(kind, name, properties, pulumi.ResourceOptions(version="7.51.1"))
"""
# "  - [mandatory] [severity: high]  RULE  (TYPE: NAME)"
_REFUSED = re.compile(r"\[mandatory\] \[severity: \w+\]  ([\w-]+)  \(\S+ (\S+)\)")


def resource_name(change: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", change.lower())


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    project = Project(tmp_path_factory.mktemp("bad"), "prod")
    table = [
        (resource_name(change), kind, properties)
        for change, (_rule, kind, properties) in BAD_CHANGES.items()
    ]
    text = project.run(PROGRAM.format(table=json.dumps(table)), "preview")
    assert not text.endswith("exit 0"), text
    assert project.created_types() == []
    return text


@pytest.mark.parametrize("change", BAD_CHANGES)
def test_the_engine_refuses_it_with_rule_resource_and_remedy(change: str, output: str) -> None:
    rule_id = BAD_CHANGES[change][0]
    lines = output.splitlines()
    messages = [
        lines[number + 1].strip()
        for number, line in enumerate(lines)
        if (found := _REFUSED.search(line)) and found.groups() == (rule_id, resource_name(change))
    ]
    assert messages, [line for line in lines if resource_name(change) in line]
    assert all(message.startswith(f"{rule_id}: ") for message in messages)
    assert all("What to do: " in message for message in messages)


def test_there_are_forty_of_rules_that_are_mandatory_in_prod() -> None:
    assert len(BAD_CHANGES) >= 40
    mandatory = {rule.id for rule in RULES if rule.enforcement[Environment.PROD] == "mandatory"}
    assert {rule for rule, _kind, _properties in BAD_CHANGES.values()} <= mandatory
    assert len({rule for rule, _kind, _properties in BAD_CHANGES.values()}) >= 35
