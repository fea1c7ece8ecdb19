"""The word of a run that made no backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.structured_log import log_metrics

if TYPE_CHECKING:
    from operations.database import Endpoint


def failed(endpoint: Endpoint, backup_class: str, error: BaseException) -> None:
    """Publish that there is no backup, and why."""
    log_metrics(
        "backup_failed",
        dimensions={"Database": endpoint.database, "Class": backup_class},
        metrics={"BackupSuccess": (0, "Count")},
        error=f"{type(error).__name__}: {error}",
    )
