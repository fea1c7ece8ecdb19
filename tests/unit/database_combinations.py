"""What specs of combinations of database settings share."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.test_settings import changed

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"
KEY_THERE = "arn:aws:kms:eu-central-1:123456789012:key/4567cdef-0123-0123-0123-0123456789ab"
POINT = {"source_resource_id": "db-ABC", "kms_key_arn": KEY}
THERE: dict[str, Any] = {
    "region": "eu-central-1",
    "kms_key_arn": KEY_THERE,
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}
LARGE = {"database__allocated_storage_gib": 400}


def refused(environment: str, /, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(changed(environment, **changes), environment, "eu-west-1")
    return caught.value.lines


# environment, changes, field, value, limit, reason
Refusal = tuple[str, dict[str, Any], str, str, str, str]


def names(refusals: list[Refusal]) -> list[str]:
    """How pytest calls them."""
    return [f"{number}-{case[2]}" for number, case in enumerate(refusals)]


def is_refused_in_one_line(case: Refusal) -> None:
    """Field and value stand first, then the limit and the reason."""
    environment, changes, field, value, limit, reason = case
    (line,) = refused(environment, **changes)
    assert line.startswith(f"{field}: {value}")
    assert "refused, " in line
    assert limit in line
    assert reason in line
    assert line.endswith(".")
    assert "\n" not in line


def is_accepted(environment: str, changes: dict[str, Any]) -> None:
    """What stands just inside the limits."""
    assert load(changed(environment, **changes), environment, "eu-west-1")
