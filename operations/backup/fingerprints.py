"""Counts and hashes of a table's rows that do not depend on their order.

The sum of one 64-bit hash a row, taken by the server where the rows are: of two tables with the
same sum and count, every row of one is in the other, but for a chance of about one in 2^64 (where
they differ in one timestamp alone, 2^32). It is no protection against forgery: that is the SHA-256
of the objects and the manifest's signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from operations.backup import row_hashes
from operations.backup.catalog import Table

_TRANSACTION_TIMEOUT_FROM = 170_000

RowSecurity = Literal["off", "on"]


@dataclass(frozen=True)
class Fingerprint:
    """How many rows, and the sum of their hashes; None where the hash was left out."""

    rows: int
    hash: int | None

    def __add__(self, other: Fingerprint) -> Fingerprint:
        """Of two sets of rows together."""
        both = None if self.hash is None or other.hash is None else self.hash + other.hash
        return Fingerprint(self.rows + other.rows, both)


def session_settings(
    encoding: str, server_version: int, *, row_security: RowSecurity = "off"
) -> tuple[str, ...]:
    """What makes text and hashes the same in every session, as in pg_dump's own.

    Limits of the role or the database end no session; `server_version` as PostgreSQL counts it.
    With `row_security` off, PostgreSQL refuses to read a table whose policies concern the user; on
    is for who knows that they hide nothing (`operations.backup.row_security`).
    """
    newer = ("SET transaction_timeout = 0",) if server_version >= _TRANSACTION_TIMEOUT_FROM else ()
    return (
        *newer,
        f"SET client_encoding = {sql.Literal(encoding).as_string()}",
        "SET DateStyle = 'ISO'",
        "SET IntervalStyle = 'postgres'",
        "SET TimeZone = 'UTC'",
        "SET extra_float_digits = 3",
        "SET bytea_output = 'hex'",
        "SET search_path = ''",
        f"SET row_security = {row_security}",
        "SET statement_timeout = 0",
        "SET lock_timeout = 0",
        "SET idle_in_transaction_session_timeout = 0",
    )


def fingerprint(
    connection: psycopg.Connection[Any],
    table: Table,
    *,
    with_hash: bool = True,
    algorithm: str = row_hashes.ALGORITHM,
) -> Fingerprint:
    """Of the rows that are the user's."""
    text = query(table, table.rows_sql, with_hash=with_hash, algorithm=algorithm)
    row = connection.execute(text.encode(connection.info.encoding)).fetchone()
    if row is None:
        raise AssertionError("an aggregate always returns a row")
    return read(int(row[0]), None if row[1] is None else int(row[1]), with_hash=with_hash)


def query(
    table: Table,
    rows: str,
    *,
    with_hash: bool = True,
    label: str = "",
    algorithm: str = row_hashes.ALGORITHM,
) -> str:
    """Gives one row: how many, and the sum of their hashes or NULL.

    Args:
        table: whose columns are hashed.
        rows: what follows SELECT ..., `FROM ...`.
        with_hash: without it rows are only counted.
        label: an expression that comes before both.
        algorithm: of the hashes, as manifests name it.
    """
    hashed = "NULL"
    if with_hash and table.columns:
        hashed = f"pg_catalog.sum({row_hashes.of_row(table.columns, algorithm)})"
    first = f"{label}, " if label else ""
    return f"SELECT {first}pg_catalog.count(*), {hashed} {rows}"


def query_together(tables: Sequence[Table], *, label: str) -> str:
    """Gives one row: `label`, and `place:rows:sum` of each table that has rows, or NULL.

    One statement costs PostgreSQL more than the rows of a small table. Each table has columns.
    """
    rows = " UNION ALL ".join(
        f"SELECT {place} AS place, {row_hashes.of_row(table.columns)} AS hash {table.rows_sql}"
        for place, table in enumerate(tables)
    )
    found = "pg_catalog.concat_ws(':', place, pg_catalog.count(*), pg_catalog.sum(hash))"
    sums = f"SELECT {found} AS found FROM ({rows}) AS hashed GROUP BY place"  # noqa: S608
    return f"SELECT {label}, pg_catalog.string_agg(found, ' ') FROM ({sums}) AS summed"  # noqa: S608


def read_together(text: str, count: int) -> list[Fingerprint]:
    """What `query_together` gave for `count` tables, in their order."""
    found = [Fingerprint(0, 0)] * count
    for one in text.split():
        place, rows, hash_sum = map(int, one.split(":"))
        found[place] = Fingerprint(rows, hash_sum)
    return found


def read(rows: int, hash_sum: int | None, *, with_hash: bool = True) -> Fingerprint:
    """What `query` gave; the sum of no rows is NULL there."""
    return Fingerprint(rows, 0 if rows == 0 and with_hash else hash_sum)
