"""Brings a backup into an empty database: definitions, rows in parallel, indexes, positions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from operations.backup.children import Login
from operations.backup.manifest import Manifest, TableRecord
from operations.backup.object_reader import ObjectReader
from operations.backup.session import Connect
from operations.restore import partition_routes, preconditions, schema, statistics
from operations.restore.rows import RowLoader
from operations.restore.schema import SchemaArchive
from operations.restore.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator

    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Options:
    """How a restore works."""

    workers: int = 2
    selection: Selection = field(default_factory=Selection)
    #: Objects belong to the role that restores, without grants; the role manifest comes after.
    no_owner: bool = False
    #: Called with what is being done, and the share of the rows' bytes that is (0 to 1).
    progress: Callable[[str, float], None] | None = None


@dataclass
class Restored:
    """What was done and how long each step took, in seconds.

    All definitions are restored, also with a selection; then the other tables are empty, and there
    are no foreign keys, because the rows that they point to may not be there.
    """

    backup_id: str
    tables: tuple[TableRecord, ...]
    steps: dict[str, float] = field(default_factory=dict[str, float])
    #: The backup's `globals.json`.
    described: dict[str, Any] = field(default_factory=dict[str, Any])
    #: What could not be restored here, and why.
    left_out: list[str] = field(default_factory=list[str])

    @property
    def duration_seconds(self) -> float:
        """Of all steps."""
        return round(sum(self.steps.values()), 3)


def restore(
    backup: Manifest, *, s3: S3Client, bucket: str, login: Login, connect: Connect, options: Options
) -> Restored:
    """Restore into the database of `login`, which must hold no user's tables yet.

    Args:
        login: for pg_restore; the same user as `connect` logs in with.
        connect: makes a session in the target.

    Raises:
        OperationError: the target is not empty, roles that own things are missing, the backup is
            damaged, or pg_restore failed. The target is then incomplete and says so.
    """
    return _Restore(backup, ObjectReader(s3, bucket), login, connect, options).run()


@dataclass
class _Restore:
    backup: Manifest
    reader: ObjectReader
    login: Login
    connect: Connect
    options: Options
    done_bytes: int = 0

    def run(self) -> Restored:
        backup, options = self.backup, self.options
        tables = options.selection.of(backup)
        result = Restored(backup.id, tuple(tables))
        whole = options.selection.everything
        with self.connect() as connection:
            connection.autocommit = True
            preconditions.refuse_unless_empty(connection, self.login.endpoint)
            positions = result.described = self._globals()
            if not options.no_owner:
                preconditions.refuse_missing_roles(connection, self.login.endpoint, positions)
        with schema.fetched(
            backup,
            self.reader,
            self.login,
            workers=options.workers,
            no_owner=options.no_owner,
            without_foreign_keys=not whole,
        ) as archive:
            self._with_definitions(archive, result, tables)
        with self.connect() as connection:
            connection.autocommit = True
            with self._step(result, "sequences"):
                set_sequences(connection, positions["sequences"])
        with self._step(result, "statistics"):
            statistics.analyze(self.connect, options.workers)
        return result

    def _with_definitions(
        self, archive: SchemaArchive, result: Restored, tables: list[TableRecord]
    ) -> None:
        with ExitStack() as around:
            with self._step(result, "definitions"):
                around.enter_context(archive.around(self.connect))
            with self._step(result, "rows"):
                self._load(tables)
            if self.options.selection.everything:
                with self._step(result, "large objects"):
                    schema.restore_large_objects(self.backup, self.reader, self.login)
            with self._step(result, "indexes and constraints"):
                around.close()
        result.left_out += archive.left_out

    def _load(self, tables: list[TableRecord]) -> None:
        total = sum(rows.length_bytes for table in tables for rows in table.segments) or 1

        def progress(done: int) -> None:
            self.done_bytes += done
            if self.options.progress is not None:
                self.options.progress("rows", self.done_bytes / total)

        with self.connect() as connection:
            routes = partition_routes.read(connection)
        loader = RowLoader(
            self.backup, self.reader, self.connect, self.options.workers, progress, routes
        )
        loader.load(tables)

    def _globals(self) -> dict[str, Any]:
        stored = next(one for one in self.backup.objects if one.key == self.backup.globals_key)
        return json.loads(b"".join(self.reader.read(stored)))

    @contextmanager
    def _step(self, result: Restored, name: str) -> Generator[None]:
        if self.options.progress is not None:
            self.options.progress(name, 0.0)
        started = time.monotonic()
        yield
        result.steps[name] = round(time.monotonic() - started, 3)


def set_sequences(connection: psycopg.Connection[Any], positions: list[dict[str, Any]]) -> None:
    """Sequences that the selection left out are not there, and are passed over."""
    for one in positions:
        name = sql.Identifier(one["schema"], one["name"]).as_string(connection)
        connection.execute(
            """SELECT pg_catalog.setval(pg_catalog.to_regclass(%s), %s, %s)
                WHERE pg_catalog.to_regclass(%s) IS NOT NULL""",
            (name, one["last_value"], one["is_called"], name),
        )
