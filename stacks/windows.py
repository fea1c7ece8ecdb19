"""RDS's backup and maintenance windows as minutes of the week, to compare them."""

from __future__ import annotations

MINIMUM_MINUTES = 30
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Start and end; the end lies behind the start, past the week's or day's end if it wraps.
Window = tuple[int, int]


def daily_minutes(window: str) -> Window:
    """`HH:MM-HH:MM` as minutes of the day."""
    start, end = (_minute(time) for time in window.split("-"))
    return start, end if end > start else end + _DAY_MINUTES


def weekly_minutes(window: str) -> Window:
    """`ddd:HH:MM-ddd:HH:MM` as minutes of the week that begins on Monday."""
    start, end = (
        _DAYS.index(day) * _DAY_MINUTES + _minute(time)
        for day, time in (part.split(":", 1) for part in window.split("-"))
    )
    return start, end if end > start else end + _WEEK_MINUTES


def minutes_long(window: Window) -> int:
    """Length in minutes."""
    return window[1] - window[0]


def overlap(daily: Window, weekly: Window) -> bool:
    """Whether a daily window meets a weekly one on any day."""
    # One day before and two weeks after cover windows that wrap.
    return any(
        daily[0] + day * _DAY_MINUTES < weekly[1] and weekly[0] < daily[1] + day * _DAY_MINUTES
        for day in range(-1, 15)
    )


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)
