"""The planner's statistics of a restored database: what ANALYZE without a table gives, in parallel.

Without them the first queries are planned blindly, until autovacuum comes round; and of partitioned
tables as a whole it never does.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from operations.backup.fingerprints import session_settings
from operations.backup.session import Connect

# Tables of a few pages share a statement: each would be a round trip.
_SMALL_PAGES = 128
_TABLES_A_STATEMENT = 50
# More locks in one transaction may not fit into the server's lock table.
_MOST_LOCKED = 500
_ONLY_FROM = 180_000


@dataclass(frozen=True)
class _Relation:
    """One that ANALYZE works on; `root` is the partitioned table it is a partition of, or 0."""

    oid: int
    name: sql.Identifier
    kind: str
    pages: int
    root: int


@dataclass(frozen=True)
class _Tree:
    """A partitioned table with those below it, and the partitions that hold the rows."""

    partitioned: tuple[_Relation, ...]
    leaves: tuple[_Relation, ...]


# What ANALYZE without a table takes (get_all_vacuum_rels), and foreign tables for their root.
_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpages,
       CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid ELSE 0 END
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'p', 'f') AND c.relpersistence <> 't'
 ORDER BY c.relpages DESC, c.oid
"""


def analyze(connect: Connect, workers: int) -> None:
    """Analyze every table, materialized view and partitioned table, catalogs included.

    Tables go side by side, and each partition once: a partitioned table, which ANALYZE would read
    with all of its partitions again, comes after them and alone. One with a foreign partition has
    no statistics as a whole, because another server would be asked for them.

    Args:
        connect: makes a session of a user who may analyze; what it may not is passed over.
        workers: sessions side by side.

    Raises:
        psycopg.Error: a table could not be analyzed.
    """
    with ExitStack() as sessions:
        first = _session(sessions, connect)
        relations = [
            _Relation(oid, sql.Identifier(schema, name), kind, pages, root)
            for oid, schema, name, kind, pages, root in first.execute(_RELATIONS)
        ]
        groups = _groups([one for one in relations if one.kind in ("r", "m")])
        trees = _trees(relations)
        count = max(min(workers, max(len(groups), len(trees))), 1)
        # One for each thread: whoever begins takes one and gives it back.
        free = [first, *(_session(sessions, connect) for _ in range(1, count))]

        def run(group: Sequence[_Relation]) -> None:
            with _taken(free) as connection:
                connection.execute(_named("ANALYZE {}", group))

        def run_whole(tree: _Tree) -> None:
            with _taken(free) as connection:
                _analyze_whole(connection, connect, tree)

        with ThreadPoolExecutor(count, thread_name_prefix="analyze") as pool:
            list(pool.map(run, groups))
            list(pool.map(run_whole, trees))


@contextmanager
def _taken(free: list[psycopg.Connection[Any]]) -> Generator[psycopg.Connection[Any]]:
    connection = free.pop()
    try:
        yield connection
    finally:
        free.append(connection)


def _groups(tables: Sequence[_Relation]) -> list[list[_Relation]]:
    large = [[one] for one in tables if one.pages > _SMALL_PAGES]
    small = [one for one in tables if one.pages <= _SMALL_PAGES]
    return large + [
        small[first : first + _TABLES_A_STATEMENT]
        for first in range(0, len(small), _TABLES_A_STATEMENT)
    ]


def _trees(relations: Sequence[_Relation]) -> list[_Tree]:
    parts: dict[int, list[_Relation]] = {}
    for one in relations:
        if one.kind == "p" or one.root:
            parts.setdefault(one.root or one.oid, []).append(one)
    return [
        _Tree(
            tuple(one for one in members if one.kind == "p"),
            tuple(one for one in members if one.kind == "r"),
        )
        for members in parts.values()
        if all(one.kind != "f" for one in members)
    ]


def _analyze_whole(connection: psycopg.Connection[Any], connect: Connect, tree: _Tree) -> None:
    """The partitioned tables of a tree, without the partitions that hold rows."""
    tops = [one for one in tree.partitioned if not one.root]
    if connection.info.server_version >= _ONLY_FROM:
        connection.execute(_named("ANALYZE {}", tree.partitioned, before="ONLY "))
    elif not tree.leaves or len(tree.leaves) > _MOST_LOCKED:
        connection.execute(_named("ANALYZE {}", tops))
    else:
        # ANALYZE (SKIP_LOCKED) passes over partitions that others have locked, and still takes its
        # sample of them (PostgreSQL's manual, ANALYZE).
        with ExitStack() as sessions:
            holder = _session(sessions, connect)
            with holder.transaction():
                mode = "LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE"
                holder.execute(_named(mode, tree.leaves, before="ONLY "))
                connection.execute(_named("ANALYZE (SKIP_LOCKED) {}", tops))


def _named(
    words: LiteralString, relations: Sequence[_Relation], before: LiteralString = ""
) -> sql.Composed:
    names = sql.SQL(", ").join(sql.SQL(before) + one.name for one in relations)
    return sql.SQL(words).format(names)


def _session(sessions: ExitStack, connect: Connect) -> psycopg.Connection[Any]:
    connection = sessions.enter_context(connect())
    connection.autocommit = True
    for setting in session_settings("UTF8", connection.info.server_version):
        connection.execute(setting.encode())
    return connection
