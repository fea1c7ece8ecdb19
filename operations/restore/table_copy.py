"""Single tables out of a database that runs, such as a restored instance, into another one.

Nothing is kept in between: definitions come by pg_dump, rows by COPY from server to server, all of
one exported snapshot.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from operations.backup import (
    catalog,
    cluster_globals,
    definitions,
    owned_sequences,
    renames,
    session,
)
from operations.backup.catalog import Table
from operations.backup.children import Children, Login
from operations.backup.fingerprints import fingerprint, session_settings
from operations.backup.manifest import Manifest, TableRecord
from operations.backup.row_hashes import ALGORITHM
from operations.backup.session import Connect, Snapshot
from operations.restore import partition_routes, preconditions, statistics
from operations.restore.partition_routes import Name
from operations.restore.restore import Options, Restored, set_sequences
from operations.restore.rows import LARGE_BYTES, copy_in, freezable
from operations.restore.schema import SchemaArchive

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Side:
    """One of the two databases; the login is for pg_dump and pg_restore."""

    login: Login
    connect: Connect


@dataclass
class TableCopy:
    """A copy that can be prepared: `described` says what there is before anything is written."""

    source_id: str
    source: Side
    options: Options
    snapshot: Snapshot
    chosen: list[Table]
    found: catalog.Catalog
    roles: dict[str, Any]
    sequences: list[dict[str, Any]]
    not_validated: tuple[tuple[str, str, str], ...]
    sequences_behind: tuple[tuple[str, str], ...]
    names: renames.Names
    steps: dict[str, float] = field(default_factory=dict[str, float])

    def described(self) -> Manifest:
        """The source as a manifest without objects; its tables are those that are copied."""
        taken_at = self.snapshot.taken_at.isoformat()
        return Manifest(
            id=self.source_id,
            backup_class="",
            database=self.source.login.endpoint.database,
            started_at=taken_at,
            finished_at=taken_at,
            duration_seconds=0.0,
            keep_until=None,
            snapshot_at=taken_at,
            snapshot_lsn=self.snapshot.lsn,
            server_version=self.snapshot.server_version,
            encoding=self.snapshot.encoding,
            client_version="",
            hash_algorithm=ALGORITHM,
            schema_key="",
            globals_key="",
            large_objects_key=None,
            large_object_count=0,
            extensions=self.found.extensions,
            tables=(),
            objects=(),
            skipped=(),
            collation=self.found.collation,
            not_validated=self.not_validated,
            sequences_behind=self.sequences_behind,
        )

    def run(self, target: Side) -> Restored:
        """Bring all definitions and the chosen tables' rows into the empty database `target`.

        The other tables stay empty, and there are no foreign keys: the rows that they point to
        may not be there.

        Raises:
            OperationError: the target is not empty, pg_dump or pg_restore failed, or in the source
                something was renamed or rows were hidden meanwhile.
            psycopg.Error: the rows could not be copied. The target is then incomplete.
        """
        with target.connect() as connection:
            connection.autocommit = True
            preconditions.refuse_unless_empty(connection, target.login.endpoint)
            if not self.options.no_owner:
                preconditions.refuse_missing_roles(connection, target.login.endpoint, self.roles)
        with (
            tempfile.NamedTemporaryFile(prefix="pgkeep-schema-", suffix=".dump") as file,
            ExitStack() as around,
        ):
            with self._step("definitions"):
                self._dump_definitions(Path(file.name))
                archive = SchemaArchive(
                    Path(file.name),
                    target.login,
                    self.options.workers,
                    self.options.no_owner,
                    without_foreign_keys=True,
                )
                around.enter_context(archive.around(target.connect))
            with self._step("rows"):
                records = self._copy_all(target)
                self._refuse_changes()
            with self._step("indexes and constraints"):
                around.close()
        with self._step("sequences and statistics"):
            with target.connect() as connection:
                connection.autocommit = True
                set_sequences(connection, self.sequences)
            statistics.analyze(target.connect, self.options.workers)
        return Restored(self.source_id, tuple(records), self.steps, left_out=archive.left_out)

    def _dump_definitions(self, path: Path) -> None:
        words = ["--format=custom", "--no-password", f"--snapshot={self.snapshot.name}"]
        children = Children(self.source.login, made="copy")
        with (
            children.output(
                "pg_dump",
                [*words, *definitions.SCHEMA],
                server_options=definitions.NO_COMPILATION,
            ) as output,
            path.open("wb") as file,
        ):
            while block := output.read(_READ_BYTES):
                file.write(block)

    def _copy_all(self, target: Side) -> list[TableRecord]:
        local, total = threading.local(), sum(table.size_bytes for table in self.chosen) or 1
        done: list[int] = []
        with target.connect() as connection:
            routes = partition_routes.read(connection)
        with ExitStack() as sessions:

            def copy(table: Table) -> TableRecord:
                pair: tuple[Any, Any] | None = getattr(local, "pair", None)
                if pair is None:
                    pair = local.pair = self._pair(sessions, target)
                record = _copy(*pair, table, routes.get((table.schema, table.name)))
                done.append(table.size_bytes)
                if self.options.progress is not None:
                    self.options.progress("rows", sum(done) / total)
                return record

            by_size = sorted(self.chosen, key=lambda table: -table.size_bytes)
            with ThreadPoolExecutor(self.options.workers, thread_name_prefix="copy") as pool:
                return list(pool.map(copy, by_size))

    def _refuse_changes(self) -> None:
        """A session of its own: those of the snapshot are in transactions to the end."""
        with self.source.connect() as connection:
            connection.autocommit = True
            renames.refuse(connection, self.names, "copy", "what was copied does not count")
            session.refuse_hidden_rows(connection, "copy")

    def _pair(
        self, sessions: ExitStack, target: Side
    ) -> tuple[psycopg.Connection[Any], psycopg.Connection[Any]]:
        source = sessions.enter_context(self.source.connect())
        source.autocommit = True
        for statement in session.import_statements(self.snapshot):
            source.execute(statement.encode())
        to = sessions.enter_context(target.connect())
        to.autocommit = True
        for setting in session_settings(self.snapshot.encoding, to.info.server_version):
            to.execute(setting.encode())
        return source, to

    @contextmanager
    def _step(self, name: str) -> Generator[None]:
        if self.options.progress is not None:
            self.options.progress(name, 0.0)
        started = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - started, 3)


@contextmanager
def prepared(source_id: str, source: Side, options: Options) -> Generator[TableCopy]:
    """Export a snapshot of the source, and hold it while the block runs.

    Args:
        source_id: what the source is, for the report.
        source: must stay as it is no longer than the block; it may be written to.
        options: with the selection.

    Raises:
        OperationError: the source has no table or schema of a chosen name, or hides rows of one.
    """
    with source.connect() as connection:
        snapshot = session.export(connection, made="copy")
        found = catalog.read(connection, on_standby=snapshot.on_standby)
        roles = cluster_globals.read(connection, source.login.endpoint.database)
        _, behind = owned_sequences.behind(connection, seen_at_once=True)
        yield TableCopy(
            source_id,
            source,
            options,
            snapshot,
            options.selection.among(found.tables, f"the database of {source_id}"),
            found,
            roles,
            [asdict(sequence) for sequence in catalog.sequences(connection, made="copy")],
            cluster_globals.not_validated(connection),
            tuple((one.schema, one.name) for one in behind),
            renames.read(connection),
        )


def _copy(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    table: Table,
    route: Name | None,
) -> TableRecord:
    out = f"COPY (SELECT {table.columns_sql} {table.rows_sql}) TO STDOUT"
    with (
        source.cursor() as reading,
        target.transaction(),
        target.cursor() as writing,
        reading.copy(out.encode(source.info.encoding)) as blocks,
    ):
        names = [column.name for column in table.columns]
        large = table.size_bytes >= LARGE_BYTES
        frozen = large and route is None and freezable(target, table.schema, table.name)
        into = route or (table.schema, table.name)
        with writing.copy(copy_in(*into, names, frozen=frozen)) as entrance:
            for block in blocks:
                entrance.write(block)
    there = fingerprint(source, table)
    return TableRecord(
        table.schema,
        table.name,
        tuple(column.name for column in table.columns),
        there.rows,
        there.hash,
        (),
    )
