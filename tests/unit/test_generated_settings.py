"""Property: settings that are accepted can be previewed; a refusal names a setting, in one line."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from pgkeep.program import Answers, aws_answers, run
from stacks.settings import Settings, SettingsError, load
from tests.unit.generated_settings import Mutation, has_setting, mutations
from tests.unit.recorder import REGION, raw_settings

# Always the same examples, so that a failure is the change's and not the day's.
BOUNDED = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    # A failing example is long, but each of its lines is a setting; making it short takes minutes.
    "phases": [Phase.generate],
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
ENVIRONMENTS = st.sampled_from(["dev", "staging", "prod", "local"])


def changed(raw: dict[str, Any], mutation: Mutation) -> dict[str, Any]:
    path, value = mutation
    result = copy.deepcopy(raw)
    *groups, name = path.split(".")
    target = result
    for group in groups:
        target = target.setdefault(group, {})
    target[name] = value
    return result


def answers(settings: Settings) -> Answers:
    """AWS's answers in a region of four zones, as many as the settings may ask for."""
    usual = aws_answers(settings, REGION)

    def answer(token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if token == "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {
                "names": [f"{REGION}{zone}" for zone in "abcd"],
                "zoneIds": [f"euw1-az{number}" for number in (1, 2, 3, 4)],
            }
        return usual(token, arguments)

    return answer


def judge(raw: dict[str, Any], environment: str) -> Settings | None:
    """The settings, or None if they are refused with a message that holds what it must."""
    try:
        return load(raw, environment, REGION)
    except SettingsError as error:
        assert error.lines
        for line in error.lines:
            field, separator, rest = line.partition(": ")
            assert separator, line
            assert field == "aws:region" or has_setting(field), line
            assert "refused, " in rest or rest.startswith("missing, "), line
            assert "\n" not in line
            assert line.endswith("."), line
        return None


@profile(**BOUNDED, max_examples=150)
@given(environment=ENVIRONMENTS, drawn=st.lists(mutations(), min_size=1, max_size=6))
def test_a_refusal_names_a_setting_in_one_line(environment: str, drawn: list[Mutation]) -> None:
    raw = raw_settings(environment)
    for mutation in drawn:
        raw = changed(raw, mutation)
    judge(raw, environment)


@profile(**BOUNDED, max_examples=14)
@given(environment=ENVIRONMENTS, drawn=st.lists(mutations(), min_size=15, max_size=30))
def test_what_is_accepted_can_be_previewed(environment: str, drawn: list[Mutation]) -> None:
    """Changes pile up as long as they are accepted; the program runs with all of them."""
    raw = raw_settings(environment)
    accepted = judge(raw, environment)
    for mutation in drawn:
        candidate = changed(raw, mutation)
        found = judge(candidate, environment)
        if found is not None:
            raw, accepted = candidate, found
    assert accepted is not None
    declared = run(accepted, REGION, answers(accepted))
    assert len(declared.resources) > 100


def test_the_judge_of_messages_bites() -> None:
    assert has_setting("database.parameters.work_mem")
    assert has_setting("pooler.roles[0].name")
    assert has_setting("pooler.roles.0.name")
    assert not has_setting("database.multi_azz")
    with pytest.raises(AssertionError):
        judge_line("something went wrong")


def judge_line(line: str) -> None:
    assert has_setting(line.partition(": ")[0]), line
