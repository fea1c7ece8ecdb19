"""Rows out of the bucket into tables, in parallel: fetched, checked, unpacked and copied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import psycopg
import zstandard
from psycopg import sql

from operations.backup.fingerprints import session_settings
from operations.backup.manifest import Manifest, RowsInObject, TableRecord
from operations.backup.object_reader import ObjectReader
from operations.backup.session import Connect
from operations.errors import OperationError
from operations.restore.partition_routes import Name

#: What is smaller shares an object with others, and is not worth a TRUNCATE.
LARGE_BYTES = 1024 * 1024
# A table above a third of a worker's share is cut, so that no worker is alone at the end for long.
_SHARES_PER_WORKER = 3
# Rows may shrink to a ten-thousandth: what comes out is measured, not what goes in.
_PACKED_BYTES = 64 * 1024
_UNPACKED_BYTES = 256 * 1024


@dataclass(frozen=True)
class Share:
    """What one worker loads in one transaction: pieces of one table; `whole`: all of its rows."""

    table: TableRecord
    pieces: tuple[RowsInObject, ...]
    whole: bool

    @property
    def length_bytes(self) -> int:
        """As they are in the bucket."""
        return sum(rows.length_bytes for rows in self.pieces)


@dataclass
class RowLoader:
    """Loads tables of one backup into one database."""

    backup: Manifest
    reader: ObjectReader
    connect: Connect
    workers: int
    #: Called with the compressed bytes that are done.
    progress: Callable[[int], None] | None = None
    #: The table that takes the rows of a partition in its place.
    routes: Mapping[Name, Name] = field(default_factory=dict[Name, Name])
    _local: threading.local = field(default_factory=threading.local)
    _sessions: list[psycopg.Connection[Any]] = field(
        default_factory=list["psycopg.Connection[Any]"]
    )

    def load(self, tables: list[TableRecord]) -> None:
        """Load all rows, the largest pieces first; the first failure ends the others.

        Raises:
            OperationError: an object is damaged, or the rows are not as many as were dumped.
        """
        planned = shares(tables, self.workers)
        try:
            with ThreadPoolExecutor(self.workers, thread_name_prefix="load") as pool:
                futures: list[Future[None]] = [pool.submit(self._load, share) for share in planned]
                try:
                    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    for session in self._sessions:
                        session.cancel_safe(timeout=5)
                    raise
        finally:
            for session in self._sessions:
                session.close()

    def _load(self, share: Share) -> None:
        connection = self._session()
        with connection.transaction():
            frozen = (
                share.whole
                and (share.table.schema, share.table.name) not in self.routes
                and freezable(connection, share.table.schema, share.table.name)
            )
            for rows in share.pieces:
                self._copy(connection, share.table, rows, frozen=frozen)

    def _copy(
        self,
        connection: psycopg.Connection[Any],
        table: TableRecord,
        rows: RowsInObject,
        *,
        frozen: bool,
    ) -> None:
        target = self.routes.get((table.schema, table.name), (table.schema, table.name))
        statement = copy_in(*target, table.columns, frozen=frozen)
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for text in unpacked(self.reader.read_frame(self.backup, rows)):
                    copy.write(text)
            if cursor.rowcount != rows.rows:
                raise OperationError(
                    f"{table.label}, pages {rows.pages}: {cursor.rowcount} rows came out of "
                    f"{rows.key}, {rows.rows} were dumped; the restore was stopped. Use another "
                    "backup"
                )
        if self.progress is not None:
            self.progress(rows.length_bytes)

    def _session(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self.connect()
            connection.autocommit = True
            for setting in session_settings(self.backup.encoding, connection.info.server_version):
                connection.execute(setting.encode())
            self._sessions.append(connection)
            self._local.connection = connection
        return connection


def shares(tables: Sequence[TableRecord], workers: int) -> list[Share]:
    """What one worker loads in one transaction each, the largest first.

    A table that is large, but not too large to wait for at the end, is one share.
    """
    total = sum(rows.length_bytes for table in tables for rows in table.segments)
    largest = total / (workers * _SHARES_PER_WORKER)
    found: list[Share] = []
    for table in tables:
        pieces = tuple(rows for rows in table.segments if rows.rows)
        table_bytes = sum(rows.length_bytes for rows in pieces)
        if table_bytes >= LARGE_BYTES and (table_bytes <= largest or len(pieces) == 1):
            found.append(Share(table, pieces, whole=True))
        else:
            found.extend(Share(table, (rows,), whole=False) for rows in pieces)
    # Those that share a part one after the other, so that it is read once.
    found.sort(key=lambda one: (-(one.length_bytes // LARGE_BYTES), one.pieces[0].key))
    return found


def freezable(connection: psycopg.Connection[Any], schema: str, name: str) -> bool:
    """Whether COPY may write the rows of an empty table as frozen in this transaction.

    Then nothing has to come back to them: not the first readers, who would mark each row as
    committed and so write every page again, nor autovacuum. PostgreSQL allows it in a table that
    the same transaction has truncated. Tables that hold rows (an extension's) are left alone.
    """
    label = sql.Identifier(schema, name)
    row = connection.execute(
        """SELECT pg_catalog.pg_relation_size(oid) = 0
                  AND pg_catalog.has_table_privilege(oid, 'TRUNCATE')
             FROM pg_catalog.to_regclass(%s) oid""",
        (label.as_string(connection),),
    ).fetchone()
    if row is None or not row[0]:
        return False
    connection.execute(sql.SQL("TRUNCATE ONLY {}").format(label))
    return True


def copy_in(schema: str, name: str, columns: Sequence[str], *, frozen: bool) -> sql.Composed:
    """COPY of text into these columns of a table, which may have none."""
    return sql.SQL("COPY {}{} FROM STDIN{}").format(
        sql.Identifier(schema, name),
        sql.SQL(" ({})").format(sql.SQL(", ").join(sql.Identifier(one) for one in columns))
        if columns
        else sql.SQL(""),
        sql.SQL(" (FREEZE)") if frozen else sql.SQL(""),
    )


def unpacked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The text of zstd's frames, in pieces of a size that memory has whatever its rows are."""
    source: Any = _Blocks(iter(blocks))
    reader = zstandard.ZstdDecompressor().stream_reader(
        source, read_size=_PACKED_BYTES, read_across_frames=True
    )
    while text := reader.read(_UNPACKED_BYTES):
        yield text


class _Blocks:
    """Blocks as the file that zstandard reads."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = memoryview(block)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)
