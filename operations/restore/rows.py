"""Rows out of the bucket into tables, in parallel: fetched, checked, unpacked and copied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
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

# Pieces below this share objects.
_LARGE_BYTES = 1024 * 1024
# Rows may shrink to a ten-thousandth: what comes out is measured, not what goes in.
_PACKED_BYTES = 64 * 1024
_UNPACKED_BYTES = 256 * 1024


@dataclass
class RowLoader:
    """Loads tables of one backup into one database."""

    backup: Manifest
    reader: ObjectReader
    connect: Connect
    workers: int
    #: Called with the compressed bytes that are done.
    progress: Callable[[int], None] | None = None
    _local: threading.local = field(default_factory=threading.local)
    _sessions: list[psycopg.Connection[Any]] = field(
        default_factory=list["psycopg.Connection[Any]"]
    )

    def load(self, tables: list[TableRecord]) -> None:
        """Load all rows, the largest pieces first; the first failure ends the others.

        Raises:
            OperationError: an object is damaged, or the rows are not as many as were dumped.
        """
        pieces = [(table, rows) for table in tables for rows in table.segments if rows.rows]
        # The largest first; those that share a part one after the other, so that it is read once.
        pieces.sort(key=lambda piece: (-(piece[1].length_bytes // _LARGE_BYTES), piece[1].key))
        try:
            with ThreadPoolExecutor(self.workers, thread_name_prefix="load") as pool:
                futures: list[Future[None]] = [
                    pool.submit(self._load, table, rows) for table, rows in pieces
                ]
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

    def _load(self, table: TableRecord, rows: RowsInObject) -> None:
        connection = self._session()
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in table.columns)
        name = sql.Identifier(table.schema, table.name)
        statement = (
            sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)
            if table.columns
            else sql.SQL("COPY {} FROM STDIN").format(name)
        )
        with connection.transaction(), connection.cursor() as cursor:
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


def unpacked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The text of one zstd frame, in pieces of a size that memory has whatever its rows are."""
    source: Any = _Blocks(iter(blocks))
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_size=_PACKED_BYTES)
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
