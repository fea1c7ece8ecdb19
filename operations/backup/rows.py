"""The rows of an object: counted and hashed by the server, copied, compressed and uploaded.

One `psql` an object is told for each of its tables to write a line that begins with a mark and
tells count and hash, and COPY; a line with the mark alone is the end. Count and hash of small
tables come together, in a line before the first of them. Python only cuts the output at the marks
and compresses it in large blocks: a loop over rows or a process for each table would be the slowest
part.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zstandard

from operations.backup import fingerprints
from operations.backup.batches import Batch, Batches, cut
from operations.backup.catalog import Table
from operations.backup.children import Children, OutOfMemoryError
from operations.backup.conversation import Conversation
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import RowsInObject
from operations.backup.marked_output import EndedError, MarkedOutput
from operations.backup.object_writer import ObjectWriter, StoredObject, Uploads
from operations.backup.segments import Segment
from operations.backup.session import Snapshot, begin_statements, import_settings
from operations.errors import OperationError

# Bare values, one line for the one row: `100 -1234`.
_PSQL = (
    "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator= ",
    "--set=ON_ERROR_STOP=1", "--file=-",
)  # fmt: skip

# As one message to the server: a message each would cost more than the rows of a small table. No
# more, because logs (pgaudit) tell the whole message for each statement in it.
_TABLES_A_MESSAGE = 25
# Tables up to so many bytes are counted and hashed by one statement: for a statement of its own,
# PostgreSQL works longer than for so many rows.
_TOGETHER_BYTES = 64 * 1024
# So that psql never waits for Python, and a session that ends later than others has few of them.
_BATCHES_AHEAD = 2
# Then a transaction gives back its locks, an index's for each table too: a server has room for 64 a
# connection (max_locks_per_transaction). The run's own session keeps every table locked.
_TABLES_A_TRANSACTION = 500


@dataclass(frozen=True)
class DumpedObject:
    """Rows that are in the bucket."""

    stored: StoredObject
    segments: tuple[tuple[Table, RowsInObject, Fingerprint], ...]


@dataclass(frozen=True)
class RowDumper:
    """Dumps rows with what all workers of a run share."""

    snapshot: Snapshot
    children: Children
    uploads: Uploads
    compression_level: int
    #: Tables above it are counted and not hashed; None: all are hashed.
    largest_hashed_table_bytes: int | None

    def batches(self, small: Sequence[Segment], sessions: int) -> Batches:
        """Of tables that share objects, for so many `sessions` side by side."""
        alone = [segment for segment in small if not self._is_counted_together(segment)]
        together = [segment for segment in small if self._is_counted_together(segment)]
        return Batches(
            (*cut(alone, sessions, together=False), *cut(together, sessions, together=True))
        )

    def dump(self, batches: Iterator[Batch], key: str, done: Callable[[int], None]) -> DumpedObject:
        """Put what `batches` gives, until it gives no more, into one object.

        Args:
            batches: asked for the next one while those before are at work.
            key: of the object.
            done: told the bytes on the server's disk of what was read.

        Raises:
            OutOfMemoryError: a row is too wide for the memory of one program.
            OperationError: psql failed, or the rows copied are not as many as the server counted.
        """
        writer = self.uploads.open(key)
        asked: list[Table] = []
        dumped: list[tuple[Table, RowsInObject, Fingerprint]] = []
        complete = False
        try:
            with self.children.conversation("psql", _PSQL) as psql:
                mark = secrets.token_hex(16)
                marked = MarkedOutput(psql, b"\v" + mark.encode())
                compressor = zstandard.ZstdCompressor(self.compression_level, write_checksum=True)
                try:
                    for batch in self._ask(batches, psql, mark, asked):
                        if not dumped:
                            _up_to_mark(marked)
                        for one in _expected(batch, marked):
                            dumped.append(_segment(one, marked, compressor, writer, key))
                        done(batch.size_bytes)
                    complete = True
                except EndedError:
                    # Leaving the block says why psql ended.
                    pass
            if not complete:
                raise OperationError("psql ended before its script did; no backup was made")
            return DumpedObject(writer.close(), tuple(dumped))
        except OutOfMemoryError as error:
            writer.abort()
            table = asked[len(dumped)]
            raise OutOfMemoryError(f"a row of {table.label} is too wide: {error}") from None
        except BaseException:
            writer.abort()
            raise

    def _ask(
        self, batches: Iterator[Batch], psql: Conversation, mark: str, asked: list[Table]
    ) -> Iterator[Batch]:
        """Gives each batch when its answer is to be read; the next ones are asked for by then."""
        # COPY writes no vertical tab, in no encoding of a server: in a value it is \v. What follows
        # it here, rows would hold by a chance of 1 in 2^128.
        label = rf"E'\x0b{mark}'"
        # One message: psql would wait for the answer to each. `\;` does not send it yet.
        settings = "\\; ".join(import_settings(self.snapshot))
        self._say(psql, [settings, *begin_statements(self.snapshot)])
        ahead: deque[Batch] = deque()
        in_transaction = 0
        more = True
        while more or ahead:
            while more and len(ahead) <= _BATCHES_AHEAD:
                batch = next(batches, None)
                if batch is None:
                    self._say(psql, [f"SELECT {label}"])
                    more = False
                    break
                in_transaction += len(batch.segments)
                if in_transaction > _TABLES_A_TRANSACTION:
                    self._say(psql, ["COMMIT", *begin_statements(self.snapshot)])
                    in_transaction = len(batch.segments)
                asked += [segment.table for segment in batch.segments]
                self._say(psql, self._messages(batch, label))
                ahead.append(batch)
            if ahead:
                yield ahead.popleft()

    def _say(self, psql: Conversation, messages: Iterable[str]) -> None:
        psql.say("".join(f"{message};\n" for message in messages).encode(self.snapshot.codec))

    def _is_counted_together(self, segment: Segment) -> bool:
        table = segment.table
        return (
            segment.whole
            and segment.size_bytes <= _TOGETHER_BYTES
            and bool(table.columns)
            # An extension's words, which may be more than a condition.
            and not table.condition
            and self._is_hashed(table)
        )

    def _is_hashed(self, table: Table) -> bool:
        limit = self.largest_hashed_table_bytes
        return limit is None or table.size_bytes <= limit

    def _messages(self, batch: Batch, mark: str) -> Iterator[str]:
        # First the hash: it brings the pages into the cache that COPY reads right after.
        if batch.together:
            tables = [segment.table for segment in batch.segments]
            yield fingerprints.query_together(tables, label=mark)
        for first in range(0, len(batch.segments), _TABLES_A_MESSAGE):
            some = batch.segments[first : first + _TABLES_A_MESSAGE]
            yield "\\;\n".join(self._statements(one, mark, batch.together) for one in some)

    def _statements(self, segment: Segment, mark: str, counted: bool) -> str:
        table, rows = segment.table, _rows(segment)
        first = f"SELECT {mark}"
        if not counted:
            with_hash = self._is_hashed(table)
            first = fingerprints.query(table, rows, with_hash=with_hash, label=mark)
        return f"{first}\\;\n{_copy_statement(segment, rows)}"


def _expected(batch: Batch, marked: MarkedOutput) -> Iterator[tuple[Segment, Fingerprint]]:
    """What the server says of each segment, read just before its rows."""
    if not batch.together:
        for segment in batch.segments:
            yield segment, _fingerprint(marked.line())
        return
    count = len(batch.segments)
    found = fingerprints.read_together(marked.line().decode("ascii"), count)
    _up_to_mark(marked)
    for segment, fingerprint in zip(batch.segments, found, strict=True):
        # Nothing stands behind its mark.
        marked.line()
        yield segment, fingerprint


def _up_to_mark(marked: MarkedOutput) -> None:
    """Nothing may come before the next mark."""
    for block in marked.until_mark():
        raise OperationError(f"psql said {bytes(block[:80])!r} before the rows of a table")


def _segment(
    one: tuple[Segment, Fingerprint],
    marked: MarkedOutput,
    compressor: Any,
    writer: ObjectWriter,
    key: str,
) -> tuple[Table, RowsInObject, Fingerprint]:
    segment, expected = one
    offset, lines = writer.size_bytes, marked.lines
    # Each table begins a frame, so that it can be read alone. One for each block: zstd copies what
    # belongs to a longer frame, and then compares across two places, for a sixth more time.
    if (whole := marked.section()) is not None:
        writer.write(compressor.compress(whole))
    else:
        for block in marked.until_mark():
            writer.write(compressor.compress(block))
    rows = marked.lines - lines
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
    count, _, value = line.decode("ascii").strip().partition(" ")
    return fingerprints.read(int(count), int(value) if value else None)


def _rows(segment: Segment) -> str:
    """`FROM ...` for the rows of a segment."""
    rows = segment.table.rows_sql
    # One with a condition is not cut.
    if segment.first_page is not None:
        rows += f" WHERE ctid >= {_page(segment.first_page)}"
        if segment.end_page is not None:
            rows += f" AND ctid < {_page(segment.end_page)}"
    return rows


def _page(number: int) -> str:
    return f"'({number},0)'::pg_catalog.tid"


def _copy_statement(segment: Segment, rows: str) -> str:
    table = segment.table
    if segment.whole and not table.condition and table.columns:
        return f"COPY {table.sql} ({table.columns_sql}) TO STDOUT"
    return f"COPY (SELECT {table.columns_sql} {rows}) TO STDOUT"
