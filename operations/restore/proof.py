"""Proves that a restored database is the one that was backed up.

Nothing here trusts what the restore said: every check asks the database again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql

from operations.backup import catalog, row_hashes, row_security
from operations.backup.catalog import Column, Table
from operations.backup.fingerprints import (
    Fingerprint,
    RowSecurity,
    fingerprint,
    session_settings,
)
from operations.backup.manifest import Manifest, TableRecord
from operations.backup.session import Connect
from operations.restore import partition_routes
from operations.restore.database_checks import DATABASE_CHECKS, was_so_before

#: Takes what is looked at and the share of it that was (0 to 1).
ShownProgress = Callable[[str, float], None]


class _Share:
    """How much of one step is done, counted by several sessions."""

    def __init__(self, step: str, total: int, progress: ShownProgress | None) -> None:
        self._step, self._total, self._progress = step, total, progress
        self._done = 0
        self._lock = threading.Lock()
        self.add(0)

    def add(self, amount: int) -> None:
        if self._progress is not None:
            with self._lock:
                self._done += amount
                self._progress(self._step, self._done / max(self._total, 1))


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `findings` is empty when it holds."""

    name: str
    examined: int
    findings: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.findings


@dataclass
class Proof:
    """All checks of one restored database."""

    backup_id: str
    checks: list[Check] = field(default_factory=list[Check])
    #: What could not be looked at here, and why.
    left_out: list[str] = field(default_factory=list[str])

    @property
    def proven(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)


def prove(
    backup: Manifest,
    *,
    connect: Connect,
    tables: Sequence[TableRecord] | None = None,
    workers: int = 2,
    progress: ShownProgress | None = None,
) -> Proof:
    """Compare the database that `connect` reaches with the manifest.

    Args:
        backup: the manifest of what was restored.
        connect: makes a session that may read every table.
        tables: those whose rows were restored; None: all of the backup.
        workers: sessions that count and hash side by side.
        progress: called with what is looked at, and the share of it that was (0 to 1).

    Raises:
        OperationError: the backup's hashes were made by another version of pgkeep's algorithm.
    """
    row_hashes.refuse_unknown(backup.hash_algorithm)
    proof = Proof(backup.id)
    chosen = backup.tables if tables is None else tuple(tables)
    with connect() as connection:
        connection.autocommit = True
        met = row_security.tables(connection)
        policies = row_security.setting(met)
        _prepare(connection, backup.encoding, policies)
        found = catalog.read(connection, on_standby=False)
        with _check(proof, "rows", len(chosen)) as findings:
            labels = {one.label for one in chosen}
            hidden = _hidden(
                connection, [one for one in met if tables is None or one.label in labels]
            )
            findings.extend(hidden.values())
            routes = partition_routes.read(connection)
            alone = [
                one
                for one in chosen
                if (one.schema, one.name) not in routes and one.label not in hidden
            ]
            share = _Share("rows", sum(record.rows + 1 for record in alone), progress)

            def opened() -> psycopg.Connection[Any]:
                session = connect()
                session.autocommit = True
                _prepare(session, backup.encoding, policies)
                return session

            by = backup.hash_algorithm
            findings.extend(
                _compare_rows(
                    alone, found.tables, opened, algorithm=by, workers=workers, done=share
                )
            )
            findings.extend(
                partition_routes.compare(connection, chosen, found.tables, routes, algorithm=by)
            )
        counted = [one.label for one in chosen if one.hash is None and one.columns]
        if counted:
            proof.left_out.append(
                f"content of {len(counted)} tables, which the backup counted and did not hash: "
                + ", ".join(counted[:5])
                + (", ..." if len(counted) > 5 else "")
            )
        if tables is None:
            with _check(proof, "tables", len(found.tables)) as findings:
                there = {table.label for table in found.tables}
                known = {table.label for table in backup.tables}
                findings.extend(f"{name} was not in the backup" for name in sorted(there - known))
            if backup.large_object_count or found.large_object_count:
                with _check(proof, "large objects", found.large_object_count) as findings:
                    if found.large_object_count != backup.large_object_count:
                        findings.append(
                            f"{found.large_object_count} large objects, the backup has "
                            f"{backup.large_object_count}"
                        )
        _check_database(proof, connection, progress, backup)
        _check_extensions(proof, backup, found)
        _check_indexes(proof, connection, connect, workers, progress)
    return proof


def prove_without_manifest(
    source: str,
    *,
    connect: Connect,
    workers: int = 2,
    progress: ShownProgress | None = None,
    before: Manifest | None = None,
) -> tuple[Proof, dict[str, int]]:
    """What can be said of a database that was restored as part of an instance.

    Args:
        source: what it was restored from, for the proof's `backup_id`.
        connect: makes a session that may read every table.
        workers: sessions that check indexes side by side.
        progress: called with what is looked at, and the share of it that was (0 to 1).
        before: the newest backup, for what was wrong in it already.

    Returns:
        The proof, and the rows of every table by `schema.table`: counted, compared with nothing.
    """
    proof = Proof(source)
    counts: dict[str, int] = {}
    with connect() as connection:
        connection.autocommit = True
        row = connection.execute("SHOW server_encoding").fetchone()
        met = row_security.tables(connection)
        _prepare(connection, str(row[0]) if row else "UTF8", row_security.setting(met))
        found = catalog.read(connection, on_standby=False)
        with _check(proof, "every row can be read", len(found.tables)) as findings:
            findings.extend(_hidden(connection, met).values())
            share = _Share("rows", sum(table.size_bytes + 1 for table in found.tables), progress)
            for table in found.tables:
                try:
                    counts[table.label] = _count(connection, table)
                except psycopg.errors.DataCorrupted as error:
                    findings.append(f"{table.label}: {error.diag.message_primary}")
                share.add(table.size_bytes + 1)
        _check_database(proof, connection, progress, before)
        _check_indexes(proof, connection, connect, workers, progress)
    return proof, counts


def _count(connection: psycopg.Connection[Any], table: Table) -> int:
    query = f"SELECT count(*) {table.rows_sql}"
    row = connection.execute(query.encode(connection.info.encoding)).fetchone()
    return int(row[0]) if row else 0


def _check_database(
    proof: Proof,
    connection: psycopg.Connection[Any],
    progress: ShownProgress | None,
    backup: Manifest | None,
) -> None:
    for name, examine in DATABASE_CHECKS.items():
        if progress:
            progress(name, 0.0)
        with _check(proof, name, 0) as findings:
            examined, wrong = examine(connection)
            before = [line for line in wrong if backup and was_so_before(line, backup)]
            findings.extend(line for line in wrong if line not in before)
            proof.left_out += [f"{line}, which was so when it was backed up" for line in before]
        _examined(proof, examined)


@contextmanager
def _check(proof: Proof, name: str, examined: int) -> Generator[list[str]]:
    findings: list[str] = []
    started = time.monotonic()
    yield findings
    seconds = round(time.monotonic() - started, 3)
    proof.checks.append(Check(name, examined, tuple(findings), seconds))


def _examined(proof: Proof, count: int) -> None:
    last = proof.checks[-1]
    proof.checks[-1] = Check(last.name, count, last.findings, last.seconds)


def _prepare(
    connection: psycopg.Connection[Any], encoding: str, policies: RowSecurity = "off"
) -> None:
    version = connection.info.server_version
    for setting in session_settings(encoding, version, row_security=policies):
        connection.execute(setting.encode())


def _hidden(
    connection: psycopg.Connection[Any], met: Sequence[row_security.Table]
) -> dict[str, str]:
    """Findings by table: what is not seen whole is not proven."""
    return {
        table.label: f"{table.label}: row-level security hides rows from {connection.info.user}"
        for table in met
        if table.is_hidden
    }


def _compare_rows(
    wanted: Sequence[TableRecord],
    found: Sequence[Table],
    opened: Connect,
    *,
    algorithm: str,
    workers: int,
    done: _Share,
) -> list[str]:
    there = {(table.schema, table.name): table for table in found}
    sessions: list[psycopg.Connection[Any]] = []

    def compare(share: Sequence[TableRecord]) -> list[str]:
        connection = opened()
        sessions.append(connection)
        differences: list[str] = []
        for record in share:
            table = there.get((record.schema, record.name))
            if difference := _difference(connection, record, table, algorithm):
                differences.append(difference)
            done.add(record.rows + 1)
        return differences

    by_size = sorted(wanted, key=lambda record: -record.rows)
    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="prove") as pool:
            shares = [by_size[number::workers] for number in range(workers)]
            return [line for lines in pool.map(compare, shares) for line in lines]
    finally:
        for session in sessions:
            session.close()


def _difference(
    connection: psycopg.Connection[Any], record: TableRecord, table: Table | None, algorithm: str
) -> str | None:
    if table is None:
        return f"{record.label} is missing"
    types = {column.name: column for column in table.columns}
    missing = [name for name in record.columns if name not in types]
    if missing:
        return f"{record.label} lacks the columns {', '.join(missing)}"
    columns: tuple[Column, ...] = tuple(types[name] for name in record.columns)
    same_order = replace(table, columns=columns)
    actual = fingerprint(
        connection, same_order, with_hash=record.hash is not None, algorithm=algorithm
    )
    if actual == Fingerprint(record.rows, record.hash):
        return None
    if actual.rows != record.rows:
        return f"{record.label} has {actual.rows} rows, the backup has {record.rows}"
    return f"{record.label} has the same number of rows and other content"


def _check_extensions(proof: Proof, backup: Manifest, found: catalog.Catalog) -> None:
    with _check(proof, "extensions", len(backup.extensions)) as findings:
        there = dict(found.extensions)
        for name, version in backup.extensions:
            if name not in there:
                findings.append(f"extension {name} {version} is missing")


_BTREE_INDEXES = """
SELECT i.indexrelid, i.indexrelid::regclass::text, c.relpages + 1
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
  JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND i.indisvalid AND c.relpersistence <> 't'
 ORDER BY c.relpages DESC, c.oid
"""


def _check_indexes(
    proof: Proof,
    connection: psycopg.Connection[Any],
    connect: Connect,
    workers: int,
    progress: ShownProgress | None,
) -> None:
    """amcheck reads every B-tree and looks each row of its table up in it."""
    present = _amcheck_schema(connection)
    if present is None:
        try:
            connection.execute("CREATE EXTENSION amcheck WITH SCHEMA pg_catalog")
        except psycopg.errors.Error as error:
            proof.left_out.append(f"amcheck is not to be had here: {error.diag.message_primary}")
            return
    schema = _amcheck_schema(connection) or "public"
    check = sql.SQL("SELECT {}(%s::oid::regclass, true)").format(
        sql.Identifier(schema, "bt_index_check")
    )
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"

    def examine(share: Sequence[tuple[int, str, int]]) -> list[str]:
        findings: list[str] = []
        with connect() as session:
            session.autocommit = True
            _prepare(session, encoding)
            for oid, name, pages in share:
                try:
                    session.execute(check, (oid,))
                except psycopg.errors.IndexCorrupted as error:
                    findings.append(f"index {name}: {error.diag.message_primary}")
                done.add(pages)
        return findings

    indexes = connection.execute(_BTREE_INDEXES).fetchall()
    done = _Share("indexes", sum(pages for _, _, pages in indexes), progress)
    shares = [indexes[number::workers] for number in range(min(workers, len(indexes)))]
    try:
        with (
            _check(proof, "indexes checked with amcheck", len(indexes)) as findings,
            ThreadPoolExecutor(workers, thread_name_prefix="amcheck") as pool,
        ):
            findings.extend(line for lines in pool.map(examine, shares) for line in lines)
    finally:
        if present is None:
            # The database is to be what was backed up, no more.
            connection.execute("DROP EXTENSION amcheck")


def _amcheck_schema(connection: psycopg.Connection[Any]) -> str | None:
    row = connection.execute(
        """SELECT n.nspname FROM pg_catalog.pg_extension e
             JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = 'amcheck'"""
    ).fetchone()
    return str(row[0]) if row else None
