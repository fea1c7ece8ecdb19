"""Rows whose partition is another one after a restore: they are loaded through their root.

A hash of an enum's value, of an OID, or of text under a collation that calls unequal text equal is
not the same on every server. A row that was in one partition of such a table may belong into its
neighbour, and PostgreSQL refuses it where it was. pg_dump loads by the root for enums, for the same
reason (its manual, option --load-via-partition-root).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from operations.backup.catalog import Table
from operations.backup.fingerprints import Fingerprint, fingerprint
from operations.backup.manifest import TableRecord

#: Schema and name.
Name = tuple[str, str]

# Types that a hash operator class may be for, whose values are numbered by each server or may be
# made of such ones; an operator class of the user's may do anything.
_ROUTED = """
SELECT n.nspname, c.relname, rn.nspname, r.relname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(c.oid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE c.relispartition AND c.relkind = 'r'
   AND EXISTS (
       SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a
         JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = a.relid AND p.partstrat = 'h'
        WHERE EXISTS (SELECT FROM pg_catalog.pg_opclass o
                        JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.opcnamespace
                       WHERE o.oid = ANY (p.partclass::oid[])
                         AND (o_n.nspname <> 'pg_catalog' OR o.opcintype IN (
                             'anyenum'::regtype, 'anyarray'::regtype, 'anyrange'::regtype,
                             'anymultirange'::regtype, 'record'::regtype, 'oid'::regtype,
                             'oidvector'::regtype)))
           OR EXISTS (SELECT FROM pg_catalog.pg_collation l
                       WHERE l.oid = ANY (p.partcollation::oid[]) AND NOT l.collisdeterministic))
"""


def read(connection: psycopg.Connection[Any]) -> dict[Name, Name]:
    """The root of each partition whose rows have to come through it."""
    rows = connection.execute(_ROUTED).fetchall()
    return {(schema, name): (root_schema, root) for schema, name, root_schema, root in rows}


def compare(
    connection: psycopg.Connection[Any],
    wanted: Sequence[TableRecord],
    found: Sequence[Table],
    routes: Mapping[Name, Name],
    *,
    algorithm: str,
) -> list[str]:
    """What differs between all rows of a root's partitions and those that were backed up.

    Args:
        connection: with the settings of a backup's session.
        wanted: the backup's tables; those without a route are passed over.
        found: the database's tables.
        routes: of the database.
        algorithm: of the backup's hashes.
    """
    by_root: dict[Name, list[TableRecord]] = {}
    for record in wanted:
        if root := routes.get((record.schema, record.name)):
            by_root.setdefault(root, []).append(record)
    leaves = [one for one in found if (one.schema, one.name) in routes]
    differences = (
        _difference(
            connection,
            root,
            records,
            [one for one in leaves if routes[one.schema, one.name] == root],
            algorithm,
        )
        for root, records in by_root.items()
    )
    return [line for line in differences if line is not None]


def _difference(
    connection: psycopg.Connection[Any],
    root: Name,
    records: Sequence[TableRecord],
    leaves: Sequence[Table],
    algorithm: str,
) -> str | None:
    label = ".".join(root)
    orders = {(one.schema, one.name): one.columns for one in records}
    with_hash = all(one.hash is not None for one in records)
    found = Fingerprint(0, 0 if with_hash else None)
    for table in leaves:
        types = {column.name: column for column in table.columns}
        order = orders.get((table.schema, table.name), records[0].columns)
        if missing := [name for name in order if name not in types]:
            return f"{table.label} lacks the columns {', '.join(missing)}"
        same_order = replace(table, columns=tuple(types[name] for name in order))
        found += fingerprint(connection, same_order, with_hash=with_hash, algorithm=algorithm)
    expected = sum((Fingerprint(one.rows, one.hash) for one in records), Fingerprint(0, 0))
    if expected.rows != found.rows:
        return f"{label} has {found.rows} rows in its partitions, the backup has {expected.rows}"
    # Rows that were hashed with their columns in another order have other hashes.
    if len(set(orders.values())) == 1 and expected != found:
        return f"{label} has the same number of rows in its partitions and other content"
    return None
