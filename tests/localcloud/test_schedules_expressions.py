"""Schedule expressions: what is due when, and what AWS refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.errors import LocalCloudError
from localcloud.schedules.expressions import next_after, parse


def due(text: str, moment: str, zone: str = "UTC", start: str = "2000-01-01T00:00:00") -> str:
    found = next_after(
        parse(text, zone),
        datetime.fromisoformat(moment).replace(tzinfo=UTC),
        datetime.fromisoformat(start).replace(tzinfo=UTC),
    )
    return found.strftime("%Y-%m-%dT%H:%M") if found else "never"


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("cron(0 3 * * ? *)", "2026-03-01T03:00:00", "2026-03-02T03:00"),
        ("cron(0 3 * * ? *)", "2026-03-01T02:59:59", "2026-03-01T03:00"),
        ("cron(0/15 8-10 ? * MON-FRI *)", "2026-03-06T10:45:00", "2026-03-09T08:00"),
        ("cron(5,35 * * * ? *)", "2026-03-01T03:06:00", "2026-03-01T03:35"),
        ("cron(0 0 L * ? *)", "2028-02-10T00:00:00", "2028-02-29T00:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-03-01T00:00:00", "2026-03-02T09:00"),
        ("cron(0 9 ? * FRIL *)", "2026-03-01T00:00:00", "2026-03-27T09:00"),
        ("cron(0 9 15W * ? *)", "2026-03-01T00:00:00", "2026-03-16T09:00"),
        ("cron(0 0 29 2 ? *)", "2025-03-01T00:00:00", "2028-02-29T00:00"),
        ("cron(0 0 1 1 ? 2027)", "2026-03-01T00:00:00", "2027-01-01T00:00"),
        ("cron(0 0 1 1 ? 2025)", "2026-03-01T00:00:00", "never"),
        ("cron(0 0 ? * SUN *)", "2026-03-02T00:00:00", "2026-03-08T00:00"),
        ("at(2026-04-01T10:20:00)", "2026-03-01T00:00:00", "2026-04-01T10:20"),
        ("at(2026-04-01T10:20:00)", "2026-04-01T10:20:00", "never"),
    ],
)
def test_next_time(text: str, moment: str, expected: str):
    assert due(text, moment) == expected


def test_rate_counts_from_its_start():
    start = "2026-03-01T00:01:30"
    assert due("rate(1 hour)", "2026-03-01T00:00:00", start=start) == "2026-03-01T00:01"
    assert due("rate(1 hour)", "2026-03-01T00:01:30", start=start) == "2026-03-01T01:01"
    assert due("rate(5 minutes)", "2026-03-01T02:04:00", start=start) == "2026-03-01T02:06"


def test_time_zone_and_change_of_the_clock():
    zone = "Europe/Berlin"
    assert due("cron(30 12 * * ? *)", "2026-07-01T00:00:00", zone) == "2026-07-01T10:30"
    # 2:30 does not exist on 29 March 2026, and happens twice on 25 October.
    assert due("cron(30 2 * * ? *)", "2026-03-28T12:00:00", zone) == "2026-03-30T00:30"
    first = due("cron(30 2 * * ? *)", "2026-10-24T12:00:00", zone)
    assert first == "2026-10-25T00:30"
    assert due("cron(30 2 * * ? *)", first, zone) == "2026-10-26T01:30"


@pytest.mark.parametrize(
    "text",
    [
        "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 weeks)", "every day",
        "cron(0 3 * * * *)", "cron(0 3 ? * ? *)", "cron(0 3 * * ?)", "cron(60 3 * * ? *)",
        "cron(0 24 * * ? *)", "cron(0 0 32 * ? *)", "cron(0/0 0 1 * ? *)", "cron(0 0 ? * XYZ *)",
        "at(2026-13-01T00:00:00)", "at(tomorrow)", "cron()", "",
    ],
)  # fmt: skip
def test_what_aws_refuses(text: str):
    with pytest.raises(LocalCloudError, match="Invalid Schedule Expression"):
        parse(text)


def test_unknown_time_zone():
    with pytest.raises(LocalCloudError, match="Invalid ScheduleExpressionTimezone Mars/Base"):
        parse("rate(1 hour)", "Mars/Base")


def test_every_time_follows_the_one_before():
    expression = parse("cron(0/7 */5 ? * TUE,THU *)")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(200):
        following = next_after(expression, moment, datetime(2000, 1, 1, tzinfo=UTC))
        assert following and following > moment
        assert following - moment < timedelta(days=6)
        moment = following
