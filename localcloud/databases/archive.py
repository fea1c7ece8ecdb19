"""An instance's automated backup on disk: base backups, and the WAL archived since the oldest.

Backups and archived segments never change once they are there, so a copy of them (for a restore, a
snapshot, another region) is a hard link: complete at once, and independent of the original.
"""

import datetime
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.errors import LocalCloudError

_NAME_FORMAT = "%Y%m%dT%H%M%SZ"
# pg_basebackup writes it last.
_MANIFEST = "backup_manifest"


@dataclass
class Archive:
    """The folders `base_backups` and `wal_archive` below `folder`."""

    folder: Path
    # Every commit up to here can be restored: LatestRestorableTime, in whole seconds.
    latest: datetime.datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def wal(self) -> Path:
        """Folder of archived segments and timeline histories."""
        return self.folder / "wal_archive"

    @property
    def base_backups(self) -> Path:
        """Folder of base backups, each named by when it began."""
        return self.folder / "base_backups"

    def backups(self) -> list[Path]:
        """The complete base backups, oldest first."""
        return sorted(self.base_backups.glob("*Z"), key=lambda path: path.name)

    def earliest(self, retention_days: int, now: datetime.datetime) -> datetime.datetime | None:
        """The first moment that can be restored: EarliestTime of the restore window."""
        ended = [end for path in self.backups() if (end := _end(path)) is not None]
        if not ended or self.latest is None:
            return None
        oldest = now - datetime.timedelta(days=retention_days)
        return max(_next_second(ended[0]), oldest.replace(microsecond=0))

    def start_for(self, moment: datetime.datetime) -> Path | None:
        """The newest base backup that was complete at `moment`."""
        usable = [path for path in self.backups() if (end := _end(path)) and end <= moment]
        return usable[-1] if usable else None

    def link_from(self, backup: Path, target: Path) -> None:
        """Give `target` a base backup as `base` and all WAL since it began as `wal`."""
        target.mkdir(mode=0o700)
        link_tree(backup, target / "base")
        wal = target / "wal"
        wal.mkdir(mode=0o755)
        target.chmod(0o755)
        first = start_time(backup)
        for path in self._segments():
            if path.suffix == ".history" or _modified(path) >= first:
                os.link(path, wal / path.name)

    def follow(self, source: "Archive") -> None:
        """Take over what `source` has more."""
        with self._lock:
            self.wal.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.base_backups.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Read first: what is linked then reaches at least that far.
            latest = source.latest
            for path in source._segments():
                if not (self.wal / path.name).exists():
                    os.link(path, self.wal / path.name)
            for path in source.backups():
                if not (self.base_backups / path.name).exists():
                    link_tree(path, self.base_backups / path.name)
            self.latest = latest

    def prune(self, oldest: datetime.datetime | None, now: datetime.datetime) -> None:
        """Remove what no restorable time from `oldest` on needs; None: everything up to `now`."""
        backups = self.backups()
        if not backups:
            return
        needed: list[Path] = []
        if oldest is not None:
            earlier = [path for path in backups if start_time(path) <= oldest]
            # The last one before the window is where its first moments are restored from.
            needed = backups[max(len(earlier) - 1, 0) :]
        for path in backups:
            if path not in needed:
                shutil.rmtree(path)
        # A segment archived before a backup began holds nothing that backup needs.
        first = start_time(needed[0]) if needed else now
        for path in self._segments():
            if path.suffix != ".history" and _modified(path) < first:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything: what is archived from now on is another cluster's."""
        with self._lock:
            self.latest = None
            shutil.rmtree(self.base_backups, ignore_errors=True)
            for path in [*self.wal.iterdir()] if self.wal.is_dir() else []:
                path.unlink()

    def _segments(self) -> list[Path]:
        """Archived files that are whole."""
        if not self.wal.is_dir():
            return []
        return [path for path in self.wal.iterdir() if not path.name.endswith(".partial")]


def name_of(moment: datetime.datetime) -> str:
    """Folder name of a base backup that begins at `moment`."""
    return moment.strftime(_NAME_FORMAT)


def start_time(backup: Path) -> datetime.datetime:
    """When a base backup began: its folder's name."""
    moment = datetime.datetime.strptime(backup.name, _NAME_FORMAT)  # noqa: DTZ007
    return moment.replace(tzinfo=datetime.UTC)


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder as hard links; `target` appears only when it is complete."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    copy_tree(source, unfinished, "--link")
    unfinished.rename(target)


def copy_tree(source: Path, target: Path, *options: str) -> None:
    """Copy a folder with owners, modes and times. Raises LocalCloudError."""
    completed = subprocess.run(
        ["cp", "--archive", "--no-target-directory", *options, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise LocalCloudError(f"Copy of {source} failed: {completed.stderr.strip()[-300:]}")


def _end(backup: Path) -> datetime.datetime | None:
    try:
        return _modified(backup / _MANIFEST)
    except FileNotFoundError:
        return None


def _next_second(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(microsecond=0) + datetime.timedelta(seconds=1)


def _modified(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
