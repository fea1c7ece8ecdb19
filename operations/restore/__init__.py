"""Restores of logical backups, and the proof that they are whole."""

from operations.restore.restore import Options, Restored, restore
from operations.restore.selection import Selection

__all__ = ["Options", "Restored", "Selection", "restore"]
