"""Rules for alarms: they reach somebody, and the ones that a database needs are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from .databases import INSTANCE, is_replica
from .inventory import Resource, Stack
from .requirements import ADVISORY_BELOW_STAGING, flag, on_resource
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, shown

ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
_METRICS: Final = ("CPUUtilization", "FreeStorageSpace", "DatabaseConnections")
_REPLICA_METRIC: Final = "ReplicaLag"
# AWS has no such metric: a program publishes its own, and names it after what it measures.
_BACKUP_AGE: Final = re.compile(r"backup.*(age|since)|(age|since).*backup", re.IGNORECASE)


def _has_action(alarm: Resource, _context: Context) -> Iterator[Outcome]:
    actions = alarm.get("alarmActions")
    if actions is UNKNOWN:
        yield Unverified(alarm, "alarmActions")
    elif not isinstance(actions, list) or not actions:
        yield Violation(alarm, f"has alarmActions = {shown(actions)}", "name a topic")


def _databases_watched(stack: Stack, _context: Context) -> Iterator[Outcome]:
    alarms = _Alarms(stack.of_type(ALARM))
    for database in stack.of_type(INSTANCE):
        wanted = (*_METRICS, _REPLICA_METRIC) if is_replica(database) else _METRICS
        mine = alarms.about(database)
        undecided = any(alarm.get("metricName") is UNKNOWN for alarm in mine)
        missing = sorted(set(wanted) - {str(alarm.get("metricName")) for alarm in mine})
        if missing and undecided:
            yield Unverified(database, "the metricName of an alarm")
        elif missing and alarms.may_be_about(database):
            yield Unverified(database, "the namespace or the dimensions of an alarm")
        elif missing:
            names = ", ".join(missing)
            yield Violation(
                database, f"has no alarm for {names} in this stack", f"have alarms for {names}"
            )


def _backup_age_watched(stack: Stack, _context: Context) -> Iterator[Outcome]:
    names = [alarm.get("metricName") for alarm in stack.of_type(ALARM)]
    if any(isinstance(name, str) and _BACKUP_AGE.search(name) for name in names):
        return
    for database in stack.of_type(INSTANCE):
        if is_replica(database):
            continue
        if UNKNOWN in names:
            yield Unverified(database, "the metricName of an alarm")
        else:
            limit = "have one that rings when the last proven backup is too old"
            yield Violation(database, "has no alarm on the age of its backups", limit)


class _Alarms:
    """Alarms by the database that they are about: a state may have thousands of both."""

    def __init__(self, alarms: Iterable[Resource]) -> None:
        self._by_name: dict[str, list[Resource]] = {}
        self._by_urn: dict[str, list[Resource]] = {}
        self._namespace_unknown = False
        self._without_reference: list[Resource] = []
        for alarm in alarms:
            self._namespace_unknown |= alarm.get("namespace") is UNKNOWN
            if alarm.get("namespace") != "AWS/RDS":
                continue
            urns = alarm.property_dependencies.get("dimensions", ())
            for urn in urns:
                self._by_urn.setdefault(urn, []).append(alarm)
            if not urns:
                self._without_reference.append(alarm)
            name = _dimension(alarm)
            if isinstance(name, str):
                self._by_name.setdefault(name, []).append(alarm)
        self._dimension_unknown = any(
            _dimension(alarm) is UNKNOWN for alarm in self._without_reference
        )

    def about(self, database: Resource) -> list[Resource]:
        """The alarms that are certainly about `database`."""
        identifier = database.identity("identifier")
        named = self._by_name.get(identifier, []) if isinstance(identifier, str) else []
        # An alarm sees the metrics of its own region only.
        named = [alarm for alarm in named if not alarm.elsewhere(database)]
        # An identifier that RDS makes up is known after apply: the recorded dependency decides.
        return named + [
            alarm
            for alarm in self._by_urn.get(database.urn, [])
            if _dimension(alarm) is UNKNOWN or identifier in (None, UNKNOWN)
        ]

    def may_be_about(self, database: Resource) -> bool:
        """Whether values that are not known yet could make another alarm one of the database's."""
        if self._namespace_unknown or self._dimension_unknown:
            return True
        return database.identity("identifier") is UNKNOWN and bool(self._without_reference)


def _dimension(alarm: Resource) -> object:
    dimensions = alarm.get("dimensions")
    if not isinstance(dimensions, dict):
        return dimensions
    return cast("dict[str, object]", dimensions).get("DBInstanceIdentifier")


RULES: Final = (
    Rule(
        id="logs-alarm-actions-enabled",
        title="Alarms are not silenced for good",
        what="actionsEnabled is true on every alarm.",
        why="A silenced alarm is forgotten until the disk is full.",
        remediation="remove actions_enabled = False.",
        severity=Severity.HIGH,
        catalogue=("LOG-02",),
        controls=("CKV_AWS_319",),
        types=(ALARM,),
        check_resource=on_resource(flag("actionsEnabled", True, default=True)),
    ),
    Rule(
        id="logs-alarm-has-action",
        title="Every alarm reaches somebody",
        what="alarmActions names at least one target on every alarm.",
        why="An alarm that tells nobody is only seen after the outage.",
        remediation="set alarm_actions to the alarm topic (components/alarm_topic.py).",
        severity=Severity.HIGH,
        catalogue=("LOG-02",),
        controls=(),
        types=(ALARM,),
        check_resource=_has_action,
    ),
    Rule(
        id="logs-database-alarms",
        title="Every database has its alarms",
        what="Every instance has alarms for CPU, storage and connections, a replica also for lag.",
        why="A full disk or a lagging replica would be noticed by users first.",
        remediation="add the alarms (components/monitoring.py) with the dimension "
        "DBInstanceIdentifier of the instance.",
        severity=Severity.HIGH,
        catalogue=("LOG-02",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_databases_watched,
        joined_types=(ALARM, INSTANCE),
    ),
    Rule(
        id="logs-backup-age-alarm",
        title="Somebody hears when backups stop",
        what="A stack with a database has an alarm on a metric of the age of its backups: alarms "
        "on failed backup functions see what failed, not what never ran.",
        why="Backups that quietly stopped are noticed when one is needed.",
        remediation="publish the age of the last backup and add an alarm on it "
        "(monitoring.backup_age_hours; components/monitoring.py).",
        severity=Severity.HIGH,
        catalogue=("LOG-02",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_backup_age_watched,
        joined_types=(ALARM,),
    ),
)
