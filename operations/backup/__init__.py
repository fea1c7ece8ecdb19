"""Logical dumps of the whole database to S3."""

from operations.backup.beginning import run
from operations.backup.failures import failed
from operations.backup.manifest import Manifest
from operations.backup.options import (
    CLASSES,
    MOST_WORKERS,
    SCHEDULED_CLASSES,
    BackupTarget,
    Options,
    Progress,
)

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
