"""Handler of the function that decides which backups may go, and says how old the newest is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from operations import aws_clients, environment
from operations.backup import expiry, exports
from operations.backup.store import Store
from operations.errors import OperationError
from operations.functions import events
from operations.restore import report
from operations.structured_log import log, log_metrics

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_ACTIONS = ("mark", "age")


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"action": "mark"}` -> `{"kept", "marked", "unmarked", "not_backups"}`; S3 removes what is
    marked. `{"action": "age"}` -> `{"newest", "age_seconds"}`, and the metric `BackupAgeSeconds`.
    """
    action = event.get("action", "mark")
    if action not in _ACTIONS:
        raise OperationError(f"action is {action!r}; it must be one of {', '.join(_ACTIONS)}")
    bucket = environment.required("BACKUP_BUCKET")
    s3 = boto3.client("s3", config=aws_clients.patient())
    return _tell_age(s3, bucket) if action == "age" else _mark(s3, bucket)


def _tell_age(s3: S3Client, bucket: str) -> dict[str, Any]:
    """Without any backup there is no value, and the alarm takes missing values for bad ones."""
    database = environment.required("DB_NAME")
    newest = Store.of_function(s3, bucket).newest(database)
    if newest is None:
        log("backup_age", database=database, newest=None)
        return {"newest": None, "age_seconds": None}
    # What was written after this moment is not in it.
    age_seconds = round((datetime.now(UTC) - newest.taken_at).total_seconds())
    log_metrics(
        "backup_age",
        # The bucket's name is this stack's alone, unlike the database's.
        dimensions={"Bucket": bucket, "Database": database},
        metrics={"BackupAgeSeconds": (age_seconds, "Seconds")},
        newest=newest.id,
    )
    return {"newest": newest.id, "age_seconds": age_seconds}


def _mark(s3: S3Client, bucket: str) -> dict[str, Any]:
    found = Store.of_function(s3, bucket).find(brief=True)
    exported = exports.find(s3, bucket) if environment.optional("EXPORTS") else exports.NONE
    decided = expiry.decide(found, report.proven(s3, bucket), datetime.now(UTC), exported)
    done = expiry.apply(decided, s3=s3, bucket=bucket)
    log_metrics(
        "backup_retention",
        dimensions={"Database": environment.required("DB_NAME")},
        metrics={
            "BackupsKept": (len(expiry.kept(done)), "Count"),
            "BackupsMarked": (len(done.marked), "Count"),
        },
        marked=done.marked,
        unmarked=done.unmarked,
    )
    return {
        "kept": [one.id for one in expiry.kept(done)],
        "marked": list(done.marked),
        "unmarked": list(done.unmarked),
        "not_backups": [other.folder for other in (*found.others, *exported.others)],
    }
