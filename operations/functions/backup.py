"""Handler of the function that backs the database up, or hands over what it has no time for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

import boto3

from operations import environment
from operations.backup import Options, failed
from operations.backup.time_budget import OverMemoryError, TooLargeError
from operations.errors import OperationError
from operations.functions import events
from operations.handover.backup_site import BackupSite, summary
from operations.handover.requests import Request
from operations.handover.snapshot_export import Exported, Exporter
from operations.handover.worker_group import HandedOver, WorkerGroup
from operations.structured_log import log_metrics

# What aborting the uploads and telling why takes at the end of the function's time.
_CLEAN_UP_SECONDS = 20.0
_MIB = 1024 * 1024


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda kills the function."""
        ...


@events.of_objects
def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """`{"class": "daily"}` -> a summary of the backup, or `{"handed_over": {...}, "reason"}`.

    `{"time_limit_seconds": 60}` hands over what is expected to take longer than that; a row that
    does not fit into the function's memory is handed over too.
    `{"action": "exports"}` -> `{"exports": [{"export", "state"}]}`: looks after RDS's exports.
    """
    site = BackupSite.from_environment()
    if event.get("action") == "exports":
        exporter = Exporter.from_environment(site)
        return {"exports": exporter.advance() if exporter is not None else []}
    backup_class = str(event.get("class"))
    seconds = context.get_remaining_time_in_millis() / 1000 - _CLEAN_UP_SECONDS
    memory_mib = environment.optional_int("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    try:
        backup = site.back_up(
            backup_class,
            Options(
                # Lambda gives processors by memory.
                worker=f"function, {memory_mib or '?'} MiB",
                time_limit_seconds=max(seconds, 1.0),
                budget_seconds=_asked_budget(event),
                memory_bytes=memory_mib * _MIB if memory_mib else None,
                too_large_fails=False,
            ),
        )
    except TooLargeError as error:
        try:
            return _hand_over(site, backup_class, error)
        except BaseException as refused:
            failed(site.endpoint, backup_class, refused)
            raise
    return summary(backup)


def _asked_budget(event: dict[str, Any]) -> float | None:
    asked = event.get("time_limit_seconds")
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, int | float) or asked < 0:
        raise OperationError(
            f"time_limit_seconds is {asked!r}; it must be a number of seconds, 0 or more"
        )
    return float(asked)


def _hand_over(site: BackupSite, backup_class: str, over: TooLargeError) -> dict[str, Any]:
    """To the worker that the stack has, or to RDS; raises `over` when it has neither."""
    estimate = over.estimate
    too_wide = isinstance(over, OverMemoryError)
    request = Request.new(
        backup_class,
        estimate.seconds,
        estimate.size_bytes,
        # Wide rows get all of the worker's memory, one after the other.
        sessions=1 if too_wide else None,
    )
    group = environment.optional("WORKER_GROUP")
    if group is not None:
        autoscaling = boto3.client("autoscaling")
        given = WorkerGroup(autoscaling, group).hand_over(request, site.desk)
        return _report(site, backup_class, over, given)
    # What a person can mend with more memory fails aloud; an export's success would hide it.
    exporter = None if too_wide else Exporter.from_environment(site)
    if exporter is None:
        raise over
    return _report(site, backup_class, over, exporter.hand_over(request))


def _report(
    site: BackupSite, backup_class: str, over: TooLargeError, given: HandedOver | Exported
) -> dict[str, Any]:
    log_metrics(
        "backup_handed_over",
        dimensions={"Database": site.endpoint.database, "Class": backup_class},
        metrics={"BackupHandedOver": (1, "Count")},
        **asdict(given),
        reason=over.reason,
    )
    return {"handed_over": asdict(given), "reason": over.reason}
