"""When a schedule is due: `rate(…)`, `cron(…)` and `at(…)` expressions.

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import calendar
import datetime
import re
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localcloud.errors import LocalCloudError

_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
# AWS counts Sunday as 1.
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_YEARS = range(1970, 2200)
_CRON_FIELDS = 6


@dataclass(frozen=True)
class Rate:
    """Every `seconds`, counted from the schedule's start."""

    seconds: int


@dataclass(frozen=True)
class At:
    """Once, at this moment (UTC)."""

    moment: datetime.datetime


@dataclass(frozen=True)
class Cron:
    """At the given minutes and hours of the days that `day_matches` accepts, in a time zone."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_matches: Callable[[datetime.date], bool]
    years: frozenset[int]
    zone: datetime.tzinfo


Expression = Rate | At | Cron


def parse(text: str, time_zone: str = "UTC") -> Expression:
    """Parse an expression; raise LocalCloudError, in AWS's words, for one that AWS refuses."""
    refusal = LocalCloudError(f"Invalid Schedule Expression {text}.")
    try:
        zone = zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise LocalCloudError(f"Invalid ScheduleExpressionTimezone {time_zone}.") from error
    found = re.fullmatch(r"(rate|cron|at)\((.+)\)", text)
    if not found:
        raise refusal
    kind, body = found.groups()
    try:
        if kind == "rate":
            return _parse_rate(body)
        if kind == "at":
            moment = datetime.datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
            return At(moment.astimezone(datetime.UTC))
        return _parse_cron(body.split(), zone)
    except ValueError as error:
        raise refusal from error


def _parse_rate(body: str) -> Rate:
    found = re.fullmatch(r"([1-9][0-9]*) (minute|hour|day)(s?)", body)
    if not found:
        raise ValueError(body)
    value, unit, plural = found.groups()
    # AWS: `rate(1 hours)` and `rate(5 minute)` are not valid.
    if (value == "1") == bool(plural):
        raise ValueError(body)
    return Rate(int(value) * _UNIT_SECONDS[unit])


def _parse_cron(fields: list[str], zone: datetime.tzinfo) -> Cron:
    if len(fields) != _CRON_FIELDS:
        raise ValueError("cron has six fields")
    minutes, hours, days, months, weekdays, years = (field.upper() for field in fields)
    # One of day-of-month and day-of-week must be a question mark, the other not.
    if (days == "?") == (weekdays == "?"):
        raise ValueError("day-of-month or day-of-week must be ?")
    month_set = frozenset(_values(months, range(1, 13), _MONTHS))
    match_day = _weekday_rule(weekdays) if days == "?" else _day_rule(days)
    return Cron(
        tuple(_values(minutes, range(60))),
        tuple(_values(hours, range(24))),
        lambda day: day.month in month_set and match_day(day),
        frozenset(_values(years, _YEARS)),
        zone,
    )


def _values(field: str, allowed: range, names: dict[str, int] | None = None) -> list[int]:
    """The numbers that a field of numbers, ranges, steps and lists stands for, in order."""

    def number(text: str) -> int:
        value = (names or {}).get(text)
        value = int(text) if value is None else value
        if value not in allowed:
            raise ValueError(text)
        return value

    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            chosen = allowed
        elif dash:
            chosen = range(number(first), number(last) + 1)
            if not chosen:
                raise ValueError(part)
        else:
            chosen = range(number(first), allowed[-1] + 1 if slash else number(first) + 1)
        if slash and int(step) < 1:
            raise ValueError(part)
        found.update(chosen[:: int(step) if slash else 1])
    return sorted(found)


def _last_day(day: datetime.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _day_rule(field: str) -> Callable[[datetime.date], bool]:
    if field == "L":
        return lambda day: day.day == _last_day(day)
    if found := re.fullmatch(r"([0-9]{1,2}|L)W", field):
        return lambda day: day.day == _nearest_weekday(day, found.group(1))
    days = frozenset(_values(field, range(1, 32)))
    return lambda day: day.day in days


def _nearest_weekday(day: datetime.date, wanted: str) -> int:
    """Day of the month of the weekday nearest to `wanted`, within the same month."""
    last = _last_day(day)
    target = day.replace(day=last if wanted == "L" else min(int(wanted), last))
    saturday, sunday = 5, 6
    if target.weekday() == saturday:
        return target.day - 1 if target.day > 1 else target.day + 2
    if target.weekday() == sunday:
        return target.day + 1 if target.day < last else target.day - 2
    return target.day


def _weekday(day: datetime.date) -> int:
    return day.isoweekday() % 7 + 1


def _weekday_rule(field: str) -> Callable[[datetime.date], bool]:
    if found := re.fullmatch(r"([1-7]|[A-Z]{3})#([1-5])", field):
        wanted = _values(found.group(1), range(1, 8), _WEEKDAYS)[0]
        occurrence = int(found.group(2))
        return lambda day: _weekday(day) == wanted and (day.day + 6) // 7 == occurrence
    if found := re.fullmatch(r"([1-7]|[A-Z]{3})L", field):
        last_wanted = _values(found.group(1), range(1, 8), _WEEKDAYS)[0]
        return lambda day: _weekday(day) == last_wanted and day.day + 7 > _last_day(day)
    chosen = frozenset(_values("7" if field == "L" else field, range(1, 8), _WEEKDAYS))
    return lambda day: _weekday(day) in chosen


def next_after(
    expression: Expression, moment: datetime.datetime, start: datetime.datetime
) -> datetime.datetime | None:
    """The first time at or after `start` and strictly after `moment`, in UTC; None for never.

    `start` is where a rate counts from.
    """
    if isinstance(expression, At):
        return expression.moment if expression.moment > moment else None
    if isinstance(expression, Rate):
        if start > moment:
            return start
        passed = int((moment - start).total_seconds() // expression.seconds) + 1
        return start + datetime.timedelta(seconds=passed * expression.seconds)
    just_before_start = start - datetime.timedelta(seconds=1)
    after = max(moment, just_before_start)
    return next((due for due in _cron_times(expression, after) if due > after), None)


def _cron_times(cron: Cron, after: datetime.datetime) -> Iterator[datetime.datetime]:
    day = after.astimezone(cron.zone).date()
    last_year = max(cron.years)
    # A leap day on a given weekday returns within 40 years; no need to look further.
    for _ in range(366 * 41):
        if day.year > last_year:
            return
        if day.year in cron.years and cron.day_matches(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    local = datetime.datetime(
                        day.year, day.month, day.day, hour, minute, tzinfo=cron.zone
                    )
                    utc = local.astimezone(datetime.UTC)
                    # A time that the change to summer time skips does not happen; one that the
                    # change back repeats happens once.
                    if utc.astimezone(cron.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                        yield utc
        day += datetime.timedelta(days=1)
