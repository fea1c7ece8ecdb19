"""What specs of combinations of database settings share."""

from __future__ import annotations

from typing import Any

from stacks.settings import load
from tests.unit.changed_settings import Refusal, changed, is_refused_in_one_line
from tests.unit.recorder import REGION

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


def is_refused(case: Refusal) -> None:
    """In one line, in a region that is known."""
    is_refused_in_one_line(case, REGION)


def is_accepted(environment: str, changes: dict[str, Any]) -> None:
    """What stands just inside the limits."""
    assert load(changed(environment, **changes), environment, REGION)
