"""What must hold in any database that was restored, whatever it was restored from.

Each check gives how many things it examined and what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from operations.backup import owned_sequences
from operations.backup.manifest import Manifest

_Examination = tuple[int, list[str]]


def _constraints(connection: psycopg.Connection[Any]) -> _Examination:
    """A constraint that is not validated may be broken by rows that are there."""
    rows = connection.execute(
        """SELECT n.nspname || '.' || c.relname, conname, convalidated
             FROM pg_catalog.pg_constraint
             JOIN pg_catalog.pg_class c ON c.oid = conrelid
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE contype IN ('c', 'f', 'n')"""
    ).fetchall()
    return len(rows), [
        f"{table}: constraint {name} is not validated" for table, name, valid in rows if not valid
    ]


def was_so_before(finding: str, backup: Manifest) -> bool:
    """Whether a finding is of what was backed up already, as the backup says.

    Of a constraint that was NOT VALID, a restore that brings every row back brings back the rows
    too that break it; a sequence that was behind its column stands where it stood.
    """
    return any(
        finding.startswith(f"{schema}.{table}: ")
        and finding.endswith((f" ({name})", f": constraint {name} is not validated"))
        for schema, table, name in backup.not_validated
    ) or any(
        finding.startswith(f"{schema}.{name} stands at ")
        for schema, name in backup.sequences_behind
    )


_FOREIGN_KEYS = """
SELECT c.conname, cn.nspname, ct.relname, pn.nspname, pt.relname,
       (SELECT array_agg(a.attname ORDER BY k.n)
          FROM unnest(c.conkey) WITH ORDINALITY k(attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
       (SELECT array_agg(a.attname ORDER BY k.n)
          FROM unnest(c.confkey) WITH ORDINALITY k(attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
       ct.relkind, pt.relkind
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class ct ON ct.oid = c.conrelid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = ct.relnamespace
  JOIN pg_catalog.pg_class pt ON pt.oid = c.confrelid
  JOIN pg_catalog.pg_namespace pn ON pn.oid = pt.relnamespace
 WHERE c.contype = 'f' AND c.conparentid = 0
"""


def _orphans(connection: psycopg.Connection[Any]) -> _Examination:
    """Rows whose foreign key points to nothing, found by a join and not by the constraint."""
    keys = connection.execute(_FOREIGN_KEYS).fetchall()
    # Operators of extension types (citext) are where the extension is.
    connection.execute(
        """SELECT pg_catalog.set_config('search_path',
                  (SELECT string_agg(quote_ident(nspname), ',') FROM pg_catalog.pg_namespace
                    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'), false)"""
    )
    wrong: list[str] = []
    for name, schema, table, parent_schema, parent, columns, parent_columns, kind, of in keys:
        pairs = list(zip(columns, parent_columns, strict=True))
        query = sql.SQL(
            "SELECT count(*) FROM {}{} c WHERE {} AND NOT EXISTS (SELECT FROM {}{} p WHERE {})"
        ).format(
            _only(kind),
            sql.Identifier(schema, table),
            sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(_id(a)) for a, _ in pairs),
            _only(of),
            sql.Identifier(parent_schema, parent),
            sql.SQL(" AND ").join(sql.SQL("p.{} = c.{}").format(_id(b), _id(a)) for a, b in pairs),
        )
        row = connection.execute(query).fetchone()
        if row and row[0]:
            wrong.append(f"{schema}.{table}: {row[0]} rows point to nothing ({name})")
    connection.execute("SET search_path = ''")
    return len(keys), wrong


def _only(kind: str) -> sql.SQL:
    """A foreign key holds for a table without those that inherit from it, but for partitions."""
    return sql.SQL("" if kind == "p" else "ONLY ")


def _sequences(connection: psycopg.Connection[Any]) -> _Examination:
    """A sequence behind its column makes the next INSERT fail."""
    examined, behind = owned_sequences.behind(connection)
    return examined, [one.finding for one in behind]


def _valid_indexes(connection: psycopg.Connection[Any]) -> _Examination:
    rows = connection.execute(
        """SELECT indexrelid::regclass::text, indisvalid AND indisready FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"""
    ).fetchall()
    return len(rows), [f"index {name} is not valid" for name, valid in rows if not valid]


#: By what a report calls them.
DATABASE_CHECKS: dict[str, Callable[[psycopg.Connection[Any]], _Examination]] = {
    "constraints validated": _constraints,
    "no orphaned rows": _orphans,
    "sequences ahead of their columns": _sequences,
    "indexes valid": _valid_indexes,
}


def _id(name: str) -> sql.Identifier:
    return sql.Identifier(name)
