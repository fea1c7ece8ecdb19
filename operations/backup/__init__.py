"""Logical dumps of the whole database to S3."""

from operations.backup.dump import (
    CLASSES,
    MOST_WORKERS,
    SCHEDULED_CLASSES,
    BackupTarget,
    Options,
    Progress,
    failed,
    run,
)
from operations.backup.manifest import Manifest

__all__ = [
    "CLASSES",
    "MOST_WORKERS",
    "SCHEDULED_CLASSES",
    "BackupTarget",
    "Manifest",
    "Options",
    "Progress",
    "failed",
    "run",
]
