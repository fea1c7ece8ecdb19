"""Reads from a 64-bit little-endian ELF file which shared libraries it needs.

`ldd` runs the program, so it cannot answer for another architecture; this reads the file.
Layout: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01"
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC_ENTRY = struct.Struct("<qQ")


def needed_libraries(path: Path) -> list[str]:
    """Names of the libraries in DT_NEEDED; empty for a static file.

    Raises `ValueError` when the file is not a 64-bit little-endian ELF file.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise ValueError(f"{path} is not a 64-bit little-endian ELF file")
    segments = list(_segments(data))
    dynamic = next((segment for segment in segments if segment[0] == _PT_DYNAMIC), None)
    if dynamic is None:
        return []
    _, offset, _, size = dynamic
    entries = list(_DYNAMIC_ENTRY.iter_unpack(data[offset : offset + size]))
    tags = entries[: next((i for i, (tag, _) in enumerate(entries) if tag == _DT_NULL), None)]
    strings_address = next((value for tag, value in tags if tag == _DT_STRTAB), 0)
    strings = _file_offset(segments, strings_address)
    return [_string(data, strings + value) for tag, value in tags if tag == _DT_NEEDED]


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(type, file offset, address, size in the file) of each program header."""
    table_offset = struct.unpack_from("<Q", data, 32)[0]
    entry_size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        kind, _, offset, address, _, size, _, _ = _PROGRAM_HEADER.unpack_from(
            data, table_offset + index * entry_size
        )
        yield kind, offset, address, size


def _file_offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, start, size in segments:
        if kind == _PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise ValueError("the ELF file's string table lies outside its segments")


def _string(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode("ascii")
