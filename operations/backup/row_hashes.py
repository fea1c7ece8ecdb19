"""The hash of one row as the server computes it, by each way that backups were ever hashed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from operations.backup.catalog import Column
from operations.errors import OperationError

#: Stands in the manifest, so that a later version can tell how a hash was made.
ALGORITHM = "sum of column hashes, version 2"

# Functions whose hash depends on the value alone and tells apart what their text tells apart, but
# for -0 and 0. PostgreSQL's own for all eight bytes of a timestamp have 32 bits.
_FUNCTIONS = {
    "float4": "hashfloat4extended",
    "float8": "hashfloat8extended",
    "int2": "hashint2extended",
    "int4": "hashint4extended",
    "time": "time_hash_extended",
    "timestamp": "timestamp_hash_extended",
    "uuid": "uuid_hash_extended",
}

_JOINED_AT_ONCE = 16

_DIRECTLY_IN_RECORD = frozenset((*_FUNCTIONS, "bool", "bytea", "date", "int8", "timestamptz"))


def of_row(columns: Sequence[Column], algorithm: str = ALGORITHM) -> str:
    """SQL for a 64-bit integer, which is never NULL. There is at least one column."""
    return _ALGORITHMS[algorithm](columns)


def refuse_unknown(algorithm: str) -> None:
    """Raises `OperationError` if this version cannot hash so."""
    if algorithm not in _ALGORITHMS:
        known = ", ".join(map(repr, _ALGORITHMS))
        raise OperationError(
            f"the backup's rows were hashed by {algorithm!r}, this version of pgkeep knows "
            f"{known}; use the version that made it"
        )


def _of_columns(columns: Sequence[Column]) -> str:
    """Each column hashed in its own way (its place is the seed), joined and hashed once more.

    Without the last hash, a sum over rows would not tell which values stood in one row. No record
    is built, for which PostgreSQL works as long as for everything else here.
    """
    # Not the place itself for NULL: it is the hash of the float 0.
    parts = [
        f"coalesce({_of_column(column, place)}, -{place})"
        for place, column in enumerate(columns, start=1)
    ]
    # 1,600 of them in a row would be as many levels deep to PostgreSQL.
    while len(parts) > 1:
        parts = [
            f"({' # '.join(parts[first : first + _JOINED_AT_ONCE])})"
            for first in range(0, len(parts), _JOINED_AT_ONCE)
        ]
    return _of_64_bits(parts[0], 0)


def _of_column(column: Column, place: int) -> str:
    kind = column.type_name
    if function := _FUNCTIONS.get(kind):
        return f"pg_catalog.{function}({column.sql}, {place})"
    if kind == "bool":
        return f"pg_catalog.hashint4extended({column.sql}::pg_catalog.int4, {place})"
    if kind == "bytea":
        # Not as text, which is twice as long.
        return f"pg_catalog.hash_record_extended(ROW({column.sql}), {place})"
    if kind == "int8":
        return _of_64_bits(column.sql, place)
    if kind == "timestamptz":
        utc = f"pg_catalog.timezone('UTC', {column.sql})"
        return f"pg_catalog.timestamp_hash_extended({utc}, {place})"
    function = "hashbpcharextended" if kind == "bpchar" else "hashtextextended"
    return f"pg_catalog.{function}({_text(column)}, {place})"


def _of_64_bits(value: str, place: int) -> str:
    """By the seed, of which every bit counts: hashint8extended takes 1 and 2^32 for the same."""
    return f"pg_catalog.hashint4extended({place}, {value})"


def _of_record(columns: Sequence[Column]) -> str:
    """As until November 2026; backups are kept for a year and longer."""
    record = ", ".join(
        column.sql if column.type_name in _DIRECTLY_IN_RECORD else _text(column)
        for column in columns
    )
    return f"pg_catalog.hash_record_extended(ROW({record}), 0)"


def _text(column: Column) -> str:
    """For types without a hash of their own, or with one that does not tell all values apart.

    Enums and regclass hash by OID, intervals by length, arrays without their bounds, numerics
    without their scale, json has none. For text itself the cast costs nothing. A nondeterministic
    collation would call different texts equal.
    """
    if column.type_name == "xml":
        # What COPY writes; a cast keeps a declaration that COPY and pg_dump leave out.
        return f'pg_catalog.textin(pg_catalog.xml_out({column.sql})) COLLATE "C"'
    if column.type_name == "bpchar":
        # Hashed as its text without the blanks at its end, which the cast would take away slowly:
        # it costs more than the rest of the hash.
        return f'{column.sql} COLLATE "C"'
    return f'{column.sql}::pg_catalog.text COLLATE "C"'


_ALGORITHMS: dict[str, Callable[[Sequence[Column]], str]] = {
    ALGORITHM: _of_columns,
    "sum of hash_record_extended, version 1": _of_record,
}
