"""Handler of the function that decides which backups may go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3

from operations import aws_clients, environment
from operations.backup import expiry
from operations.backup.store import Store
from operations.restore import report
from operations.structured_log import log_metrics


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Any event -> `{"kept", "marked", "unmarked", "not_backups"}`; S3 removes what is marked."""
    bucket = environment.required("BACKUP_BUCKET")
    s3 = boto3.client("s3", config=aws_clients.patient())
    found = Store(s3, bucket).find()
    decided = expiry.decide(found, report.proven(s3, bucket), datetime.now(UTC))
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
        "not_backups": [other.folder for other in found.others],
    }
