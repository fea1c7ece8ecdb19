"""One export of a snapshot to S3, from its start to its end."""

import datetime
import threading
from typing import Any, cast

from moto.rds.models import ExportTask

from localcloud.databases.snapshots import LocalDBSnapshot, Snapshots

_RUNNING = frozenset({"STARTING", "IN_PROGRESS", "CANCELING"})


class LocalExportTask(ExportTask):
    """An export, with the attributes that moto leaves out."""

    def __init__(
        self, backend: Snapshots, snapshot: LocalDBSnapshot, inputs: dict[str, Any]
    ) -> None:
        super().__init__(backend, snapshot, inputs)
        self.status = "STARTING"
        self.source_type = "SNAPSHOT"
        self.kms_key_id = inputs["kms_key_id"]
        self.percent_progress = 0
        self.total_extracted_data_in_gb = 0
        self.failure_cause: str | None = None
        self.warning_message: str | None = None
        self.snapshot_time = snapshot.snapshot_database_time
        self.task_start_time: datetime.datetime | None = None
        self.task_end_time: datetime.datetime | None = None
        self.cancelled = threading.Event()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status in _RUNNING

    def begin(self) -> None:
        """The copy of the snapshot is open: rows are read now."""
        self.status = "IN_PROGRESS"
        self.task_start_time = _now()

    def end(self, status: str, cause: str | None = None) -> None:
        """COMPLETE, FAILED or CANCELED."""
        self.failure_cause, self.task_end_time = cause, _now()
        if status == "COMPLETE":
            self.percent_progress = 100
        self.status = status
        cast(LocalDBSnapshot, self.snapshot).record(f"export-{status.lower()}")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
