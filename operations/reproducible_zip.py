"""Zip archives that are equal byte for byte when their content is, and are built only when not."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# Lambda unpacks with the modes stored here; the oldest time a zip can hold.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644
_PROGRAM_MODE = 0o755
_UNIX = 3


def content_key(files: Iterable[Path], *settings: str) -> str:
    """A digest of the files' names and bytes and of whatever else decides the result."""
    digest = hashlib.sha256()
    for setting in settings:
        digest.update(f"{setting}\0".encode())
    for path in sorted(files):
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build_once(archive: Path, key: str, build: Callable[[Path], None]) -> bool:
    """Call `build(path)` unless `archive` was built for the same `key`. Returns whether it did.

    The archive appears complete or not at all.
    """
    stamp = archive.with_name(f"{archive.name}.key")
    if archive.is_file() and stamp.is_file() and stamp.read_text() == key:
        return False
    archive.parent.mkdir(parents=True, exist_ok=True)
    temporary = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        build(temporary)
        stamp.unlink(missing_ok=True)
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
    stamp.write_text(key)
    return True


def write(archive: Path, members: Iterable[tuple[str, Path]]) -> None:
    """Write (name in the archive, file) pairs, sorted, with fixed times and modes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as output:
        for name, path in sorted(members):
            entry = zipfile.ZipInfo(name, _TIMESTAMP)
            entry.create_system = _UNIX
            executable = path.stat().st_mode & stat.S_IXUSR
            mode = _PROGRAM_MODE if executable else _FILE_MODE
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            output.writestr(entry, path.read_bytes(), compresslevel=6)


def tree(root: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Every file below `root` with its name in an archive; compiled Python is left out."""
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{prefix}{path.relative_to(root).as_posix()}", path
