"""Rules that somebody hears of what happens to databases: RDS event subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .databases import INSTANCE, is_replica
from .inventory import Resource, Stack
from .links import targets
from .requirements import ADVISORY_BELOW_STAGING
from .rules import Context, Outcome, Rule, Severity, StackCheck, Unverified, Violation
from .values import UNKNOWN, boolean, contains_unknown, one_or_many

EVENT_SUBSCRIPTION: Final = "aws:rds/eventSubscription:EventSubscription"
# https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html
_EVENTS: Final = {
    "db-instance": ("maintenance", "configuration change", "failure"),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change", "failure"),
}


@dataclass(frozen=True)
class _Heard:
    """What one enabled subscription hears of a source type."""

    databases: frozenset[Resource] | None
    """`None` for all of the region."""
    events: frozenset[str]
    unknown: bool


def _subscriptions(stack: Stack, source_type: str) -> Iterator[_Heard]:
    for subscription in stack.of_type(EVENT_SUBSCRIPTION):
        enabled, kind = (subscription.get(key) for key in ("enabled", "sourceType"))
        if boolean(enabled, default=True) is False:
            continue
        if kind not in (None, "", UNKNOWN, source_type):
            continue
        databases = None
        unknown = False
        if source_type == "db-instance" and subscription.get("sourceIds") not in (None, []):
            links = targets(stack, subscription, "sourceIds", (INSTANCE,))
            databases = None if links.undecided else frozenset(links.found)
            unknown = links.undecided
        categories = subscription.get("eventCategories")
        unknown |= contains_unknown([enabled, kind, categories])
        events = {str(one).lower() for one in one_or_many(categories)}
        yield _Heard(databases, frozenset(events or _EVENTS[source_type]), unknown)


def _events(source_type: str) -> StackCheck:
    wanted = _EVENTS[source_type]

    def check(stack: Stack, _context: Context) -> Iterator[Outcome]:
        certain: dict[Resource | None, set[str]] = {}
        undecided: set[Resource | None] = set()
        for heard in _subscriptions(stack, source_type):
            for database in heard.databases if heard.databases is not None else (None,):
                if heard.unknown:
                    undecided.add(database)
                else:
                    certain.setdefault(database, set()).update(heard.events)
        for database in stack.of_type(INSTANCE):
            if is_replica(database) and source_type != "db-instance":
                continue  # its source is told of
            known = certain.get(None, set()) | certain.get(database, set())
            missing = [one for one in wanted if one not in known]
            if missing and undecided & {None, database}:
                yield Unverified(database, "the subscriptions to events")
            elif missing:
                yield Violation(
                    database,
                    f"has no enabled event subscription to {', '.join(missing)} of {source_type}",
                    "have one, to a topic that somebody reads",
                )

    return check


def _event_rule(source_type: str, what: str, control: str) -> Rule:
    return Rule(
        id=f"rds-{source_type.removeprefix('db-')}-events",
        title=f"Somebody hears of events of {what}",
        what=f"An enabled event subscription takes {', '.join(_EVENTS[source_type])} of {what} for "
        "every database of the stack.",
        why="A failover, a failure or a changed parameter would be noticed by its consequences.",
        remediation="set database.event_categories (components/database_events.py), or add "
        f'aws.rds.EventSubscription with source_type = "{source_type}".',
        severity=Severity.MEDIUM,
        catalogue=("RDS-23",),
        controls=(control,),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_events(source_type),
        joined_types=(EVENT_SUBSCRIPTION,),
    )


RULES: Final = (
    _event_rule("db-instance", "instances", "RDS.20"),
    _event_rule("db-parameter-group", "parameter groups", "RDS.21"),
    _event_rule("db-security-group", "database security groups", "RDS.22"),
)
