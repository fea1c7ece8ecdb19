"""Logical dumps of the whole database to S3."""

from operations.backup.dump import SCHEDULED_CLASSES, Backup, BackupTarget, run

__all__ = ["SCHEDULED_CLASSES", "Backup", "BackupTarget", "run"]
