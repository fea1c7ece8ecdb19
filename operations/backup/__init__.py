"""Logical dumps of the whole database to S3."""

from operations.backup.dump import Backup, BackupTarget, run

__all__ = ["Backup", "BackupTarget", "run"]
