"""The rows of a piece: counted and hashed by the server, copied, compressed and uploaded.

`psql` reads COPY and Python compresses what it gives in large blocks: a loop over rows in Python
would be the slowest part. Tables too small to be worth a process are read in the session itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import zstandard
from psycopg import sql

from operations.backup.catalog import Table
from operations.backup.children import Children
from operations.backup.fingerprints import Fingerprint, fingerprint
from operations.backup.manifest import RowsInObject
from operations.backup.object_writer import ObjectWriter, StoredObject, Uploads
from operations.backup.segments import Piece, Segment
from operations.backup.session import Sessions, import_statements
from operations.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_BYTES = 1024 * 1024
# Below this a new psql costs more than reading rows in Python.
_PROCESS_FROM_BYTES = 1024 * 1024


@dataclass(frozen=True)
class DumpedPiece:
    """A piece that is in the bucket."""

    stored: StoredObject
    segments: tuple[tuple[Table, RowsInObject, Fingerprint], ...]


@dataclass(frozen=True)
class RowDumper:
    """Dumps pieces with what all workers of a run share."""

    sessions: Sessions
    children: Children
    uploads: Uploads
    compression_level: int
    #: Tables above it are counted and not hashed; None: all are hashed.
    largest_hashed_table_bytes: int | None

    def dump(self, piece: Piece, key: str) -> DumpedPiece:
        """Put one piece into one object.

        Raises:
            OperationError: psql failed, or the rows copied are not as many as the server counted.
        """
        writer = self.uploads.open(key)
        try:
            segments = tuple(
                (segment.table, *self._segment(segment, writer, key)) for segment in piece.segments
            )
            return DumpedPiece(writer.close(), segments)
        except BaseException:
            writer.abort()
            raise

    def _segment(
        self, segment: Segment, writer: ObjectWriter, key: str
    ) -> tuple[RowsInObject, Fingerprint]:
        table = segment.table
        limit = self.largest_hashed_table_bytes
        with_hash = limit is None or table.size_bytes <= limit
        # First the hash: it brings the pages into the cache that COPY reads right after.
        expected = fingerprint(self.sessions.mine(), table, _rows(segment), with_hash=with_hash)
        offset = writer.size_bytes
        frame = _Frame(writer, self.compression_level)
        for block in self._copy(segment):
            frame.write(block)
        frame.close()
        if frame.rows != expected.rows:
            raise OperationError(
                f"{table.label}, pages {segment.pages_label}: COPY gave {frame.rows} rows, the "
                f"server counts {expected.rows} in the same snapshot; no backup was made. Check "
                "the table's indexes and storage (amcheck) before trying again"
            )
        length = writer.size_bytes - offset
        return RowsInObject(key, offset, length, segment.pages_label, frame.rows), expected

    def _copy(self, segment: Segment) -> Iterator[bytes]:
        statement = _copy_statement(segment)
        connection = self.sessions.mine()
        if segment.size_bytes < _PROCESS_FROM_BYTES:
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in copy:
                    yield bytes(row)
            return
        words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        for text in (*import_statements(self.sessions.snapshot), statement.as_string(connection)):
            words += ["--command", text]
        with self.children.output("psql", words) as output:
            yield from _blocks(output)


def _rows(segment: Segment) -> sql.Composable:
    """`FROM ...` for the rows of a segment."""
    table = segment.table
    rows: sql.Composable = sql.SQL("FROM ONLY {}").format(sql.Identifier(table.schema, table.name))
    if table.condition:
        # An extension's own words (pg_extension.extcondition), as pg_dump takes them.
        rows += sql.SQL(" ") + sql.SQL(table.condition)  # pyright: ignore[reportArgumentType]
    elif segment.first_page is not None:
        rows += sql.SQL(" WHERE ctid >= {}").format(_page(segment.first_page))
        if segment.end_page is not None:
            rows += sql.SQL(" AND ctid < {}").format(_page(segment.end_page))
    return rows


def _page(number: int) -> sql.Composable:
    return sql.SQL("{}::pg_catalog.tid").format(sql.Literal(f"({number},0)"))


def _copy_statement(segment: Segment) -> sql.Composed:
    table = segment.table
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    if segment.whole and not table.condition and table.columns:
        name = sql.Identifier(table.schema, table.name)
        return sql.SQL("COPY {} ({}) TO STDOUT").format(name, columns)
    return sql.SQL("COPY (SELECT {} {}) TO STDOUT").format(columns, _rows(segment))


def _blocks(output: IO[bytes]) -> Iterator[bytes]:
    while block := output.read(_READ_BYTES):
        yield block


class _Frame:
    """One zstd frame of COPY text; `rows` counts its lines, of which each is one row."""

    def __init__(self, writer: ObjectWriter, level: int) -> None:
        self._writer = writer
        compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._compress: Any = compressor.compressobj()
        self.rows = 0

    def write(self, block: bytes) -> None:
        # COPY writes a line feed inside a value as \n, so line feeds end rows and nothing else.
        self.rows += block.count(b"\n")
        if compressed := self._compress.compress(block):
            self._writer.write(compressed)

    def close(self) -> None:
        self._writer.write(self._compress.flush())
