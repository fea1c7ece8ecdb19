"""RDS's windows compared, over the ends of days and weeks."""

from __future__ import annotations

import pytest

from stacks.windows import daily_minutes, minutes_long, overlap, weekly_minutes


@pytest.mark.parametrize(
    ("backup", "maintenance", "expected"),
    [
        ("01:00-01:30", "sun:03:30-sun:04:30", False),
        ("01:00-01:30", "sun:01:30-sun:02:30", False),
        ("01:00-01:30", "sun:01:29-sun:02:30", True),
        ("23:45-00:15", "mon:00:00-mon:00:30", True),
        ("23:45-00:15", "sun:23:30-sun:23:45", False),
        ("00:00-00:30", "sun:23:50-mon:00:20", True),
        ("03:00-03:30", "sun:23:50-mon:00:20", False),
        ("12:00-12:30", "tue:11:00-thu:11:00", True),
    ],
)
def test_overlap(backup: str, maintenance: str, expected: bool) -> None:
    assert overlap(daily_minutes(backup), weekly_minutes(maintenance)) is expected


def test_length_over_midnight() -> None:
    assert minutes_long(daily_minutes("23:45-00:15")) == 30
    assert minutes_long(weekly_minutes("sun:23:50-mon:00:20")) == 30
