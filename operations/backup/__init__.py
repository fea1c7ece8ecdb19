"""Logical dumps of the whole database to S3."""

from operations.backup.dump import (
    CLASSES,
    SCHEDULED_CLASSES,
    BackupTarget,
    Options,
    Progress,
    run,
)
from operations.backup.manifest import Manifest

__all__ = [
    "CLASSES",
    "SCHEDULED_CLASSES",
    "BackupTarget",
    "Manifest",
    "Options",
    "Progress",
    "run",
]
