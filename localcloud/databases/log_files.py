"""DescribeDBLogFiles and DownloadDBLogFilePortion over a server's log folder."""

from pathlib import Path
from typing import Any

from moto.rds.exceptions import RDSClientError

# AWS, DownloadDBLogFilePortion: a response holds at most 1 MB and 10,000 lines.
_LARGEST_PORTION_BYTES = 1024 * 1024
_MOST_LINES = 10_000


def describe(
    folder: Path, name_contains: str | None, written_since_milliseconds: int | None
) -> list[dict[str, Any]]:
    """Name, size and time of the last write (ms since 1970) of each file below `folder`."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or (name_contains and name_contains not in name):
            continue
        status = path.stat()
        written = int(status.st_mtime * 1000)
        if written >= (written_since_milliseconds or 0):
            found.append({"LogFileName": name, "LastWritten": written, "Size": status.st_size})
    return found


def portion(folder: Path, name: str, marker: str | None, lines: int | None) -> dict[str, Any]:
    """The next part of a file; without a marker its last lines, marker "0" begins at its start.

    Raises DBLogFileNotFoundFault.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise RDSClientError("DBLogFileNotFoundFault", f"DBLogFile {name} is not found.")
    count = min(lines or _MOST_LINES, _MOST_LINES)
    with path.open("rb") as file:
        size = path.stat().st_size
        if marker is None:
            file.seek(max(0, size - _LARGEST_PORTION_BYTES))
            taken = file.read().splitlines(keepends=True)[-count:]
            position = size
        else:
            start = int(marker) if marker.isdecimal() else 0
            file.seek(start)
            taken = file.read(_LARGEST_PORTION_BYTES).splitlines(keepends=True)[:count]
            position = start + sum(map(len, taken))
    return {
        "LogFileData": b"".join(taken).decode(errors="replace"),
        "Marker": str(position),
        "AdditionalDataPending": position < size,
    }
