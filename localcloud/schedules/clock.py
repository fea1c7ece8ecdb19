"""Watches EventBridge schedules and scheduled rules, and fires each when it is due."""

import datetime
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.events.models import events_backends
from moto.scheduler.models import scheduler_backends

from localcloud.errors import LocalCloudError
from localcloud.repeated import Repeated
from localcloud.schedules import expressions, rules, targets

_log = logging.getLogger(__name__)

# AWS fires within the minute; half a second keeps tests short.
_TICK_SECONDS = 0.5

Now = Callable[[], datetime.datetime]


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Timer:
    """Something that fires: `identity` changes when it is replaced or its time is changed."""

    identity: str
    expression: expressions.Expression
    start: datetime.datetime
    end: datetime.datetime | None
    fire: Callable[[datetime.datetime], None]


class Agenda:
    """Knows of each timer when it is due next; times missed while nobody asked are skipped."""

    def __init__(self) -> None:
        self._next: dict[str, datetime.datetime | None] = {}

    def due(
        self, timers: Iterable[Timer], now: datetime.datetime
    ) -> list[tuple[Timer, datetime.datetime]]:
        """What is to fire now, and since when. Timers that are not given again are forgotten."""
        found: list[tuple[Timer, datetime.datetime]] = []
        seen: set[str] = set()
        for timer in timers:
            seen.add(timer.identity)
            if timer.identity not in self._next:
                before_start = min(timer.start, now) - datetime.timedelta(microseconds=1)
                self._next[timer.identity] = _next(timer, before_start)
            due = self._next[timer.identity]
            if due is None or due > now:
                continue
            self._next[timer.identity] = _next(timer, now)
            found.append((timer, due))
        for gone in self._next.keys() - seen:
            del self._next[gone]
        return found


class Clock(Repeated):
    """Fires what is due, each firing in a thread of its own."""

    def __init__(self, account_id: str, region: str, now: Now = _utc_now) -> None:
        super().__init__("schedules", _TICK_SECONDS, self.tick)
        self._account_id = account_id
        self._region = region
        self._now = now
        self._agenda = Agenda()

    def tick(self) -> None:
        """Fire what is due now."""
        for timer, due in self._agenda.due([*self._schedules(), *self._rules()], self._now()):
            name = f"schedule-{timer.identity[-40:]}"
            threading.Thread(target=timer.fire, args=(due,), name=name, daemon=True).start()

    def _schedules(self) -> Iterator[Timer]:
        backend: Any = scheduler_backends[self._account_id][self._region]
        for group in list(backend.schedule_groups.values()):
            for schedule in list(group.schedules.values()):
                if schedule.state == "ENABLED":
                    timer = self._schedule_timer(group, schedule)
                    if timer:
                        yield timer

    def _schedule_timer(self, group: Any, schedule: Any) -> Timer | None:
        zone = schedule.schedule_expression_timezone
        try:
            expression = expressions.parse(schedule.schedule_expression, zone)
        except LocalCloudError:
            return None
        # Without a start date a rate begins at once; everything else follows its own time.
        start = _moment(schedule.start_date) or _moment(schedule.last_modified_date)
        end = _moment(schedule.end_date)

        def fire(due: datetime.datetime) -> None:
            once = isinstance(expression, expressions.At)
            try:
                targets.fire_schedule(self._account_id, self._region, schedule, due)
            except Exception:
                _log.exception("schedule %s", schedule.arn)
            if once and schedule.action_after_completion == "DELETE":
                group.schedules.pop(schedule.name, None)

        identity = f"{schedule.last_modified_date} {zone} {schedule.schedule_expression}"
        return Timer(f"{identity} {schedule.arn}", expression, start or self._now(), end, fire)

    def _rules(self) -> Iterator[Timer]:
        backend: Any = events_backends[self._account_id][self._region]
        for bus in list(backend.event_buses.values()):
            for rule in list(bus.rules.values()):
                if rule.state != "ENABLED" or not rule.scheduled_expression:
                    continue
                try:
                    expression = expressions.parse(rule.scheduled_expression)
                except LocalCloudError:
                    continue
                if not hasattr(rule, "first_seen"):
                    rule.first_seen = self._now()
                start = rule.first_seen
                if isinstance(expression, expressions.Rate):
                    # A rule's rate begins one period after its creation, unlike a schedule's.
                    start += datetime.timedelta(seconds=expression.seconds)

                def fire(due: datetime.datetime, rule: Any = rule) -> None:
                    rules.fire_scheduled(rule, due)

                identity = f"{rule.scheduled_expression} {rule.arn}"
                yield Timer(identity, expression, start, None, fire)


def _next(timer: Timer, moment: datetime.datetime) -> datetime.datetime | None:
    due = expressions.next_after(timer.expression, moment, timer.start)
    return None if due and timer.end and due > timer.end else due


def _moment(value: Any) -> datetime.datetime | None:
    return datetime.datetime.fromtimestamp(float(value), datetime.UTC) if value else None
