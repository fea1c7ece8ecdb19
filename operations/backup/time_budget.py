"""Whether a backup fits into the time it has, before a byte of it is written; and what does not.

Measured by the newest backups of the same database and the sizes now. A run that would pass its
limit is refused: it would only hold its locks and fail at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.backup import manifest
from operations.backup.manifest import Manifest
from operations.errors import OperationError
from operations.structured_log import log, log_metrics

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Without a measurement: a quarter of what two busy cores did (586 MB in 10 s).
ASSUMED_BYTES_A_SECOND = 15 * 1024 * 1024
#: Below this a backup's duration is connecting and pg_dump's start, and tells no speed.
TELLING_BYTES = 256 * 1024 * 1024
# How many of the newest backups are looked at; the slowest of them counts.
_NEWEST = 5
# Load and network differ from day to day.
_RESERVE = 1.25
_METADATA = {"source-bytes", "duration-seconds", "worker"}


@dataclass(frozen=True)
class Speed:
    """How fast backups were; `based_on` names the measurement."""

    bytes_a_second: float
    based_on: str


@dataclass(frozen=True)
class Estimate:
    """How long a backup will take, with its reserve; `based_on` names the measurement."""

    seconds: float
    size_bytes: int
    bytes_a_second: float
    based_on: str


class TooLargeError(OperationError):
    """A run needs more than it has; a larger worker may have it. `reason` says what alone."""

    def __init__(self, text: str, reason: str, estimate: Estimate) -> None:
        super().__init__(text)
        self.reason = reason
        self.estimate = estimate


class OverMemoryError(TooLargeError):
    """A row does not fit into the memory of the run; no backup was made."""

    def __init__(self, reason: str, memory_bytes: int, estimate: Estimate) -> None:
        """Say what was too large for which memory, and what to do."""
        mib = memory_bytes // (1024 * 1024)
        reason = f"{reason}, within the {mib} MiB that one program has here"
        super().__init__(
            f"{reason}; no backup was made. Give it more memory: functions.backup_memory_mib, a "
            "larger backups.worker.instance_type, or pgkeep backup run --here where there is more",
            reason,
            estimate,
        )


class OverBudgetError(TooLargeError):
    """The backup would not end in its time; nothing was written."""

    def __init__(self, estimate: Estimate, seconds: float) -> None:
        """Say what was expected, what there is, and what to do; `reason` leaves the last out."""
        mib = 1024 * 1024
        reason = (
            f"a backup of {estimate.size_bytes / mib:.0f} MiB would take about "
            f"{estimate.seconds:.0f} s ({estimate.bytes_a_second / mib:.0f} MiB/s by "
            f"{estimate.based_on}), more than the {seconds:.0f} s that this run has"
        )
        super().__init__(
            f"{reason}; nothing was written. Run it where there is no limit: "
            "pgkeep backup run --here --workers N",
            reason,
            estimate,
        )


def assumed() -> Speed:
    """Where nothing was measured."""
    return Speed(float(ASSUMED_BYTES_A_SECOND), "assumption")


def measured(
    *, s3: S3Client, bucket: str, database: str, classes: Sequence[str], worker: str
) -> Speed:
    """By the newest backups that the same kind of `worker` made, else by an assumption.

    Args:
        s3: may list the bucket and read manifests.
        bucket: where the backups are.
        database: whose.
        classes: of backups to look at.
        worker: as `Options.worker`.
    """
    found: list[Speed] = []
    for identifier, key in _newest(s3, bucket, database, classes):
        rate = _rate(s3, bucket, key, worker)
        if rate is not None:
            found.append(Speed(rate, f"backup {identifier}"))
    return min(found, key=lambda one: one.bytes_a_second, default=assumed())


def estimate(size_bytes: int, speed: Speed) -> Estimate:
    """For tables of that size on the server's disk."""
    seconds = size_bytes / speed.bytes_a_second * _RESERVE
    return Estimate(seconds, size_bytes, speed.bytes_a_second, speed.based_on)


def metadata(made: Manifest) -> dict[str, str]:
    """What tells the speed of a backup, for its manifest's object: a HEAD request gives it.

    The manifest of ten thousand tables has megabytes, and the newest five are asked every time.
    """
    return {
        "source-bytes": str(made.source_bytes),
        "duration-seconds": str(made.duration_seconds),
        "worker": _ascii(made.worker),
    }


def check(found: Estimate, seconds: float | None, *, database: str) -> None:
    """Publish the estimate, and refuse what does not fit into `seconds`.

    Raises:
        OverBudgetError: it does not fit.
    """
    log_metrics(
        "backup_estimate",
        dimensions={"Database": database},
        metrics={"BackupEstimatedSeconds": (round(found.seconds, 1), "Seconds")},
        size_bytes=found.size_bytes,
        based_on=found.based_on,
        limit_seconds=seconds,
    )
    if seconds is not None and found.seconds > seconds:
        raise OverBudgetError(found, seconds)


def _newest(
    s3: S3Client, bucket: str, database: str, classes: Sequence[str]
) -> list[tuple[str, str]]:
    """Ids and keys of manifests; ids begin with their time."""
    from botocore.exceptions import ClientError

    folders: list[tuple[str, str]] = []
    try:
        for backup_class in classes:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{backup_class}/{database}/", Delimiter="/"
            )
            for page in pages:
                for entry in page.get("CommonPrefixes", []):
                    folder = entry.get("Prefix", "")
                    folders.append((folder.split("/")[2], f"{folder}{manifest.NAME}"))
    except ClientError as error:
        # A backup without an estimate is better than none.
        log("no_estimate", error=str(error))
        return []
    return sorted(folders, reverse=True)[:_NEWEST]


def _ascii(worker: str) -> str:
    """As metadata take it."""
    return worker.encode("ascii", "backslashreplace").decode("ascii")


def _rate(s3: S3Client, bucket: str, key: str, worker: str) -> float | None:
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = {**s3.head_object(Bucket=bucket, Key=key)["Metadata"]}
        if not found.keys() >= _METADATA:
            # Of a version that wrote it into the manifest alone.
            document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            found = {name: document[name.replace("-", "_")] for name in _METADATA}
        size, duration = float(found["source-bytes"]), float(found["duration-seconds"])
        same = _ascii(found["worker"]) == _ascii(worker)
    except (ClientError, AttributeError, ValueError, KeyError, TypeError):
        # No manifest, or one of an older version: it measures nothing.
        return None
    return size / duration if same and duration > 0 and size >= TELLING_BYTES else None
