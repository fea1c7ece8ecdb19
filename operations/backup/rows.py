"""The rows of a piece: counted and hashed by the server, copied, compressed and uploaded.

One `psql` a piece reads a script: for each of its tables the count and hash, COPY, and a mark that
ends it. Python only cuts the output at the marks and compresses it in large blocks: a loop over
rows or a process for each table would be the slowest part.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zstandard
from psycopg import sql

from operations.backup import fingerprints
from operations.backup.catalog import Table
from operations.backup.children import Children, OutOfMemoryError
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import RowsInObject
from operations.backup.marked_output import EndedError, MarkedOutput
from operations.backup.object_writer import ObjectWriter, StoredObject, Uploads
from operations.backup.segments import Piece, Segment
from operations.backup.session import Snapshot, import_statements
from operations.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bare values, one line for the one row: `100 -1234`.
_PSQL = (
    "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator= ",
    "--set=ON_ERROR_STOP=1", "--file=-",
)  # fmt: skip


@dataclass(frozen=True)
class DumpedPiece:
    """A piece that is in the bucket."""

    stored: StoredObject
    segments: tuple[tuple[Table, RowsInObject, Fingerprint], ...]


@dataclass(frozen=True)
class RowDumper:
    """Dumps pieces with what all workers of a run share."""

    snapshot: Snapshot
    children: Children
    uploads: Uploads
    compression_level: int
    #: Tables above it are counted and not hashed; None: all are hashed.
    largest_hashed_table_bytes: int | None

    def dump(self, piece: Piece, key: str) -> DumpedPiece:
        """Put one piece into one object.

        Raises:
            OutOfMemoryError: a row is too wide for the memory of one program.
            OperationError: psql failed, or the rows copied are not as many as the server counted.
        """
        writer = self.uploads.open(key)
        # Rows hold it by a chance of 1 in 2^128.
        mark = secrets.token_hex(16)
        dumped: list[tuple[Table, RowsInObject, Fingerprint]] = []
        try:
            script = self._script(piece, mark)
            with self.children.output("psql", _PSQL, script=script) as output:
                marked = MarkedOutput(output, mark.encode() + b"\n")
                compressor = zstandard.ZstdCompressor(self.compression_level, write_checksum=True)
                try:
                    for segment in piece.segments:
                        dumped.append(_segment(segment, marked, compressor, writer, key))
                except EndedError:
                    # Leaving the block says why psql ended.
                    pass
            if len(dumped) < len(piece.segments):
                raise OperationError("psql ended before its script did; no backup was made")
            return DumpedPiece(writer.close(), tuple(dumped))
        except OutOfMemoryError as error:
            writer.abort()
            table = piece.segments[len(dumped)].table
            raise OutOfMemoryError(f"a row of {table.label} is too wide: {error}") from None
        except BaseException:
            writer.abort()
            raise

    def _script(self, piece: Piece, mark: str) -> bytes:
        lines = [f"{statement};" for statement in import_statements(self.snapshot)]
        for segment in piece.segments:
            lines += self._statements(segment)
            lines.append(f"\\echo {mark}")
        return "\n".join(lines).encode(self.snapshot.codec)

    def _statements(self, segment: Segment) -> Iterator[str]:
        table, limit = segment.table, self.largest_hashed_table_bytes
        with_hash = limit is None or table.size_bytes <= limit
        rows = _rows(segment)
        # First the hash: it brings the pages into the cache that COPY reads right after.
        for statement in (
            fingerprints.query(table, rows, with_hash=with_hash),
            _copy_statement(segment, rows),
        ):
            # On a line of its own: an extension's words may end in a comment.
            yield f"{statement.as_string()}\n;"


def _segment(
    segment: Segment, marked: MarkedOutput, compressor: Any, writer: ObjectWriter, key: str
) -> tuple[Table, RowsInObject, Fingerprint]:
    expected = _fingerprint(marked.line())
    offset = writer.size_bytes
    rows = 0
    # A frame for each table, so that it can be read alone.
    frame = compressor.compressobj()
    for block in marked.until_mark():
        # COPY writes a line feed inside a value as \n, so line feeds end rows and nothing else.
        rows += block.count(b"\n")
        if compressed := frame.compress(block):
            writer.write(compressed)
    writer.write(frame.flush())
    if rows != expected.rows:
        raise OperationError(
            f"{segment.table.label}, pages {segment.pages_label}: COPY gave {rows} rows, the "
            f"server counts {expected.rows} in the same snapshot; no backup was made. Check "
            "the table's indexes and storage (amcheck) before trying again"
        )
    length = writer.size_bytes - offset
    where = RowsInObject(key, offset, length, segment.pages_label, rows)
    return segment.table, where, expected


def _fingerprint(line: bytes) -> Fingerprint:
    count, _, value = line.decode("ascii").partition(" ")
    return fingerprints.read(int(count), int(value) if value else None)


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


def _copy_statement(segment: Segment, rows: sql.Composable) -> sql.Composed:
    table = segment.table
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    if segment.whole and not table.condition and table.columns:
        name = sql.Identifier(table.schema, table.name)
        return sql.SQL("COPY {} ({}) TO STDOUT").format(name, columns)
    return sql.SQL("COPY (SELECT {} {}) TO STDOUT").format(columns, rows)
