"""A stack's settings with something changed, and what is said when they are refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.recorder import raw_settings

# environment, changes, field, value, limit, reason
Refusal = tuple[str, dict[str, Any], str, str, str, str]


def changed(environment: str, /, **changes: Any) -> dict[str, Any]:
    """The settings of a stack with `group__field=value` set, or removed when the value is `...`."""
    raw = copy.deepcopy(raw_settings(environment))
    for path, value in changes.items():
        *groups, field = path.split("__")
        target = raw
        for group in groups:
            target = target.setdefault(group, {})
        if value is ...:
            del target[field]
        else:
            target[field] = value
    return raw


def refused(environment: str, region: str | None = None, /, **changes: Any) -> list[str]:
    """The lines that refuse a stack's settings with `changes`."""
    with pytest.raises(SettingsError) as caught:
        load(changed(environment, **changes), environment, region)
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


def is_refused_in_one_line(case: Refusal, region: str | None = None) -> None:
    """Field and value stand first, then the limit and the reason, and last what to do."""
    environment, changes, field, value, limit, reason = case
    (line,) = refused(environment, region, **changes)
    assert line.startswith(f"{field}: {value}")
    assert "refused, " in line
    assert limit in line
    assert reason in line
    assert line.endswith(".")


def names(refusals: list[Refusal]) -> list[str]:
    """How pytest calls them."""
    return [f"{number}-{case[2]}" for number, case in enumerate(refusals)]
