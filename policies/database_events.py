"""Rules that somebody hears of what happens to databases: RDS event subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .databases import INSTANCE, is_replica
from .inventory import Stack
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


def _events(source_type: str) -> StackCheck:
    wanted = _EVENTS[source_type]

    def check(stack: Stack, _context: Context) -> Iterator[Outcome]:
        for database in stack.of_type(INSTANCE):
            if is_replica(database) and source_type != "db-instance":
                continue  # its source is told of
            heard: set[str] = set()
            undecided = False
            for subscription in stack.of_type(EVENT_SUBSCRIPTION):
                values = [subscription.get(key) for key in ("enabled", "sourceType")]
                about = subscription.get("sourceIds")
                if boolean(values[0], default=True) is False or values[1] not in (
                    *(None, "", UNKNOWN),
                    source_type,
                ):
                    continue
                if source_type == "db-instance" and about not in (None, []):
                    links = targets(stack, subscription, "sourceIds", (INSTANCE,))
                    undecided |= links.undecided
                    if database not in links.found:
                        continue
                categories = subscription.get("eventCategories")
                if contains_unknown([*values, categories]):
                    undecided = True
                    continue
                known = {str(one).lower() for one in one_or_many(categories)}
                heard |= known or set(wanted)
            missing = [one for one in wanted if one not in heard]
            if missing and undecided:
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
