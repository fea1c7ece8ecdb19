"""Sequences that stand behind the column that they number: the next INSERT may fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from operations.backup.catalog import quoted

# `seen at once`: an index has the column's furthest value at its end.
_OWNED = """
SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqincrement,
       EXISTS (SELECT FROM pg_catalog.pg_index i
                 JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
                 JOIN pg_catalog.pg_am am ON am.oid = ic.relam AND am.amname = 'btree'
                WHERE i.indrelid = t.oid AND i.indkey[0] = a.attnum
                  AND i.indisvalid AND i.indpred IS NULL) AS seen_at_once,
       s.relpersistence = 'u' OR t.relpersistence = 'u' AS unlogged
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
   AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
   AND sn.nspname !~ '^pg_'
 ORDER BY 1, 2, 3, 4, 5
"""
_AT_ONCE = 100


@dataclass(frozen=True)
class Behind:
    """A sequence, and what is wrong with where it stands."""

    schema: str
    name: str
    finding: str


def behind(
    connection: psycopg.Connection[Any], *, seen_at_once: bool = False, on_standby: bool = False
) -> tuple[int, list[Behind]]:
    """How many owned sequences were looked at, and those that are behind their column.

    Args:
        connection: of a session that may read them and their tables.
        seen_at_once: leave out those for which a whole table would have to be read.
        on_standby: leave out unlogged ones, of which a standby has nothing.
    """
    owned = [
        row[:6]
        for row in connection.execute(_OWNED).fetchall()
        if (row[6] or not seen_at_once) and not (row[7] and on_standby)
    ]
    found: list[Behind] = []
    for first in range(0, len(owned), _AT_ONCE):
        asked = owned[first : first + _AT_ONCE]
        query = " UNION ALL ".join(
            f"SELECT {number}, s.last_value, (SELECT {'max' if increment > 0 else 'min'}"  # noqa: S608
            f"({quoted(column)}) FROM {quoted(table_schema)}.{quoted(table)})"
            f" FROM {quoted(schema)}.{quoted(name)} s"
            for number, (schema, name, table_schema, table, column, increment) in enumerate(asked)
        )
        for number, position, furthest in connection.execute(
            query.encode(connection.info.encoding)
        ):
            schema, name, table_schema, table, column, increment = asked[number]
            if furthest is None or (furthest - position) * increment <= 0:
                continue
            finding = (
                f"{schema}.{name} stands at {position}, {table_schema}.{table}.{column} is at "
                f"{furthest}"
            )
            found.append(Behind(schema, name, finding))
    return len(owned), found
