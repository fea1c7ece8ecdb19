"""Counts and hashes of a table's rows that do not depend on their order.

The sum of one 64-bit hash a row, taken by the server where the rows are: of two tables with the
same sum and count, every row of one is in the other, but for a chance of about one in 2^64. It is
no protection against forgery: that is the SHA-256 of the objects and the manifest's signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from operations.backup.catalog import Column, Table

#: Stands in the manifest, so that a later version can tell how a hash was made.
ALGORITHM = "sum of hash_record_extended, version 1"

# Types whose own hash depends on the value alone and tells apart what their text tells apart.
# All others (enums and regclass hash by OID, intervals by length, arrays without their bounds,
# json has none) are hashed as text; for text itself the cast costs nothing.
_HASHED_DIRECTLY = frozenset(
    ("bool", "bytea", "date", "float4", "float8", "int2", "int4", "int8", "time", "timestamp")
    + ("timestamptz", "uuid")
)


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
    connection: psycopg.Connection[Any], table: Table, *, with_hash: bool = True
) -> Fingerprint:
    """Of the rows that are the user's."""
    text = query(table, table.rows_sql, with_hash=with_hash)
    row = connection.execute(text.encode(connection.info.encoding)).fetchone()
    if row is None:
        raise AssertionError("an aggregate always returns a row")
    return read(int(row[0]), None if row[1] is None else int(row[1]), with_hash=with_hash)


def query(table: Table, rows: str, *, with_hash: bool = True, label: str = "") -> str:
    """Gives one row: how many, and the sum of their hashes or NULL.

    Args:
        table: whose columns are hashed.
        rows: what follows SELECT ..., `FROM ...`.
        with_hash: without it rows are only counted.
        label: an expression that comes before both.
    """
    hashed = f"pg_catalog.sum({_row_hash(table)})" if with_hash and table.columns else "NULL"
    first = f"{label}, " if label else ""
    return f"SELECT {first}pg_catalog.count(*), {hashed} {rows}"


def query_together(tables: Sequence[Table], *, label: str) -> str:
    """Gives one row: `label`, and `place:rows:sum` of each table that has rows, or NULL.

    One statement costs PostgreSQL more than the rows of a small table. Each table has columns.
    """
    rows = " UNION ALL ".join(
        f"SELECT {place} AS place, {_row_hash(table)} AS hash {table.rows_sql}"
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


def _row_hash(table: Table) -> str:
    record = ", ".join(_hashable(column) for column in table.columns)
    return f"pg_catalog.hash_record_extended(ROW({record}), 0)"


def _hashable(column: Column) -> str:
    if column.type_name in _HASHED_DIRECTLY:
        return column.sql
    if column.type_name == "xml":
        # What COPY writes; a cast keeps a declaration that COPY and pg_dump leave out.
        return f'pg_catalog.textin(pg_catalog.xml_out({column.sql})) COLLATE "C"'
    if column.type_name == "bpchar":
        # Hashed as its text without the blanks at its end, which the cast would take away slowly:
        # it costs more than the rest of the hash.
        return f'{column.sql} COLLATE "C"'
    # A nondeterministic collation would call different texts equal.
    return f'{column.sql}::pg_catalog.text COLLATE "C"'
