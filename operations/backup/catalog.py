"""What there is to back up: tables with their columns and sizes, sequences, extensions, roles.

Read in the transaction of the exported snapshot, from the catalogs that pg_dump reads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from operations.backup import table_changes
from operations.backup.manifest import Collation
from operations.errors import OperationError

#: What a run reads tables for, in what it says.
Made = Literal["backup", "copy"]
#: How long a migration may keep a backup from starting.
LOCK_WAIT_SECONDS = 60
_TABLES_A_LOCK = 500
# Each has one row, and would be a round trip.
_SEQUENCES_A_QUERY = 200
# Type kinds of pg_type.typtype.
_DOMAIN = "d"
# PostgreSQL's own way to keep tables (src/include/catalog/pg_am.dat). An extension's may have rows
# elsewhere than on pages.
_HEAP = "2"


def quoted(name: str) -> str:
    """A name as SQL writes it (PQescapeIdentifier)."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Column:
    """A column that COPY writes (generated ones are computed again by the restore)."""

    name: str
    #: Name of the base type in pg_catalog (domains resolved), or "" for a type of the user's.
    type_name: str

    @property
    def sql(self) -> str:
        """Its name in a statement."""
        return quoted(self.name)


@dataclass(frozen=True)
class Table:
    """A table that holds rows itself: ordinary, a partition, or one in an inheritance tree."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    #: Heap pages and bytes of the heap with its TOAST table, when the backup began.
    pages: int
    size_bytes: int
    #: An extension's own condition on the rows that are the user's; "" for all rows.
    condition: str = ""
    #: Known to hold no row that the snapshot shows: it has no page, though it was locked before.
    empty: bool = False

    @property
    def label(self) -> str:
        """`schema.table`, as in reports."""
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """Its name in a statement.

        Text, as the properties below: psycopg.sql took ten times as long for ten thousand tables.
        """
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def columns_sql(self) -> str:
        """The columns' names in a statement."""
        return ", ".join(column.sql for column in self.columns)

    @property
    def rows_sql(self) -> str:
        """`FROM ...` for the rows that are the user's.

        A condition is an extension's own words (pg_extension.extcondition), as pg_dump takes them.
        They may end in a comment: what follows stands on a line of its own.
        """
        return f"FROM ONLY {self.sql}" + (f" {self.condition}\n" if self.condition else "")


@dataclass(frozen=True)
class Sequence:
    """A sequence and where it stands."""

    schema: str
    name: str
    last_value: int
    is_called: bool


@dataclass(frozen=True)
class Skipped:
    """Something whose rows a backup does not hold, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Catalog:
    """The database as its snapshot shows it."""

    tables: tuple[Table, ...]
    extensions: tuple[tuple[str, str], ...]
    large_object_count: int
    skipped: tuple[Skipped, ...]
    collation: Collation

    @property
    def size_bytes(self) -> int:
        """Of all tables with their TOAST tables."""
        return sum(table.size_bytes for table in self.tables)


def read(connection: psycopg.Connection[Any], *, on_standby: bool) -> Catalog:
    """Read everything; a standby cannot read unlogged tables, which are then skipped by name."""
    tables, skipped = _tables(connection, on_standby=on_standby)
    return Catalog(
        tables=tables,
        extensions=tuple(
            connection.execute(
                "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY 1"
            ).fetchall()
        ),
        large_object_count=_number(
            connection, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"
        ),
        skipped=skipped,
        collation=collation(connection),
    )


# As pg_dump: no catalogs, no temporary tables, of extensions only what they marked as the user's.
_FROM_TABLES = """
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT pg_catalog.unnest(extconfig) AS oid,
                    pg_catalog.unnest(extcondition) AS condition
               FROM pg_catalog.pg_extension) e ON e.oid = c.oid
 WHERE c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND (e.oid IS NOT NULL OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
           AND d.deptype = 'e'))
"""

# The sizes wait for the tables' locks, so names are read without them.
_NAMES = f"SELECT n.nspname, c.relname {_FROM_TABLES} AND c.relkind = 'r'"

_REWRITTEN = f"""
SELECT count(*) {_FROM_TABLES} AND c.relkind = 'r'
   AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
"""  # noqa: S608

_TABLES = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END,
       CASE WHEN c.reltoastrelid <> 0
            THEN pg_catalog.pg_relation_size(c.reltoastrelid) ELSE 0 END,
       e.condition, c.relam = {_HEAP}
{_FROM_TABLES} ORDER BY n.nspname, c.relname
"""

_COLUMNS = """
SELECT a.attrelid, a.attname, a.atttypid
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   AND c.relnamespace <> 'pg_catalog'::regnamespace
 ORDER BY a.attrelid, a.attnum
"""

_PROVIDERS: dict[str, Literal["builtin", "icu", "libc"]] = {
    "b": "builtin", "c": "libc", "i": "icu"
}  # fmt: skip

# Not the two types that every table is.
_TYPES = """
SELECT t.oid, t.typtype, t.typbasetype,
       CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END
  FROM pg_catalog.pg_type t
 WHERE t.typnamespace = 'pg_catalog'::regnamespace OR t.typtype = 'd'
"""
# What is not among them: a type of the user's that is no domain.
_OTHER = ("", 0, "")


def _tables(
    connection: psycopg.Connection[Any], *, on_standby: bool
) -> tuple[tuple[Table, ...], tuple[Skipped, ...]]:
    block_bytes = _number(connection, "SELECT current_setting('block_size')::int")
    types: dict[int, tuple[str, int, str]] = {
        oid: (kind, base, name) for oid, kind, base, name in connection.execute(_TYPES)
    }
    columns: dict[int, list[Column]] = {}
    for relation, name, type_oid in connection.execute(_COLUMNS):
        columns.setdefault(relation, []).append(Column(name, _base_type(types, type_oid)))
    tables: list[Table] = []
    skipped: list[Skipped] = []
    for row in connection.execute(_TABLES):
        oid, schema, name, kind, persistence, heap, toast, condition, in_pages = row
        label = f"{schema}.{name}"
        if kind == "f":
            skipped.append(Skipped(label, "a foreign table: its rows are on another server"))
        elif persistence == "u" and on_standby:
            skipped.append(Skipped(label, "an unlogged table: a replica does not have its rows"))
        else:
            tables.append(
                Table(
                    schema=schema,
                    name=name,
                    columns=tuple(columns.get(oid, ())),
                    pages=heap // block_bytes,
                    size_bytes=heap + toast,
                    condition=condition or "",
                    empty=in_pages and heap == 0,
                )
            )
    return tuple(tables), tuple(skipped)


def _base_type(types: dict[int, tuple[str, int, str]], oid: int) -> str:
    kind, base, name = types.get(oid, _OTHER)
    return _base_type(types, base) if kind == _DOMAIN else name


def collation(connection: psycopg.Connection[Any]) -> Collation:
    """Of the database that this is connected to."""
    # As a document, because columns came and were renamed from version to version.
    query = "SELECT to_jsonb(d) FROM pg_catalog.pg_database d WHERE datname = current_database()"
    row = connection.execute(query.encode()).fetchone()
    found: dict[str, Any] = row[0] if row else {}
    return Collation(
        provider=_PROVIDERS[found.get("datlocprovider", "c")],
        collate=found["datcollate"],
        ctype=found["datctype"],
        locale=found.get("datlocale") or found.get("daticulocale"),
    )


def names(connection: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """Schema and name of every table whose rows a backup holds."""
    return set(connection.execute(_NAMES).fetchall())


def lock(connection: psycopg.Connection[Any], tables: Collection[tuple[str, str]]) -> None:
    """Keep every table from being altered or dropped, as pg_dump does; reads and writes go on.

    Raises:
        psycopg.errors.LockNotAvailable: one is being changed now, or somebody waits to change it.
        psycopg.errors.UndefinedTable: one is gone.
        psycopg.errors.InvalidSchemaName: one is gone with its schema.
    """
    ordered = sorted(tables)
    for first in range(0, len(ordered), _TABLES_A_LOCK):
        # Text: psycopg.sql takes longer for the names than the server for the locks.
        names = ", ONLY ".join(
            f"{quoted(schema)}.{quoted(name)}"
            for schema, name in ordered[first : first + _TABLES_A_LOCK]
        )
        statement = f"LOCK TABLE ONLY {names} IN ACCESS SHARE MODE NOWAIT"
        connection.execute(statement.encode(connection.info.encoding))


def being_changed(
    error: psycopg.errors.LockNotAvailable, by: list[str], made: Made = "backup"
) -> OperationError:
    """What `lock` met with for too long, and whose sessions that are."""
    return OperationError(
        f"a table's definition is being changed since more than {LOCK_WAIT_SECONDS} s, so that "
        f"it cannot be read ({error.diag.message_primary}){table_changes.named(by)}; no {made} was "
        "made. End the migration (SELECT pg_terminate_backend(PROCESS)) and start again"
    )


def no_room(
    error: psycopg.errors.OutOfMemory, tables: int, made: Made = "backup"
) -> OperationError:
    """What a server says that has no more room for locks."""
    return OperationError(
        f"the server has no room for the locks of {tables} tables ({error.diag.message_primary}); "
        f"no {made} was made. Raise max_locks_per_transaction in its parameters, and restart it"
    )


def as_in_snapshot(connection: psycopg.Connection[Any]) -> bool:
    """Whether every table's rows are still in the file that the snapshot knows.

    The function looks at the catalog of now, the rest of the query at the snapshot's.
    """
    return _number(connection, _REWRITTEN) == 0


def sequences(
    connection: psycopg.Connection[Any], *, on_standby: bool = False, made: Made = "backup"
) -> tuple[Sequence, ...]:
    """Positions are no part of a snapshot; read after it was taken, none is behind its rows.

    A standby has none of unlogged tables.

    Raises:
        OperationError: a sequence was dropped since the snapshot was taken.
    """
    persistence = "p" if on_standby else "pu"
    names = connection.execute(
        """SELECT n.nspname, c.relname
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'S' AND pg_catalog.strpos(%s, c.relpersistence::text) > 0
              AND n.nspname !~ '^pg_'
            ORDER BY 1, 2""",
        (persistence,),
    ).fetchall()
    found: list[Sequence] = []
    for first in range(0, len(names), _SEQUENCES_A_QUERY):
        asked = names[first : first + _SEQUENCES_A_QUERY]
        query = " UNION ALL ".join(
            f"SELECT {number}, last_value, is_called FROM {quoted(schema)}.{quoted(name)}"  # noqa: S608
            for number, (schema, name) in enumerate(asked)
        )
        text = query.encode(connection.info.encoding)
        try:
            positions = {row[0]: row[1:] for row in connection.execute(text)}
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise OperationError(
                f"a sequence went while the {made} ran ({error.diag.message_primary}); no {made} "
                "was made. Start it again when no migration is running"
            ) from None
        for number, (schema, name) in enumerate(asked):
            last_value, is_called = positions[number]
            found.append(Sequence(schema, name, int(last_value), bool(is_called)))
    return tuple(found)


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
