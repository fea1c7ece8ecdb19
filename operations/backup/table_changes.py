"""Whose change of a table's definition keeps a run from it: what is said when the run gives up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

_SHOWN = 3

# Only this mode keeps readers away. Whoever may not see other sessions' state (pg_monitor) sees
# their process, user and program all the same, and how long a waiting one has waited; releases
# before 14 have no `waitstart`.
_CHANGERS = """
SELECT l.pid, coalesce(a.usename, '?'),
       coalesce(nullif(a.application_name, ''), 'no program named'),
       pg_catalog.format('%s.%s', n.nspname, c.relname), l.granted, a.state,
       a.query_start::timestamptz(0)::text,
       round(extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(
           (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz, a.xact_start)))::bigint
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p')
   AND l.database = (SELECT oid FROM pg_catalog.pg_database
                      WHERE datname = pg_catalog.current_database())
   AND n.nspname !~ '^pg_' AND l.pid <> pg_catalog.pg_backend_pid()
 ORDER BY l.granted DESC, 8 DESC NULLS LAST, l.pid, 4
"""


def changers(connection: psycopg.Connection[Any]) -> list[str]:
    """A line for each session that changes a table or waits to; none where it cannot be asked."""
    try:
        rows = connection.execute(_CHANGERS.encode()).fetchall()
    except psycopg.Error:
        # The run ends for another reason, which is what is told.
        return []
    told = list(map(_told, rows[:_SHOWN]))
    return [*told, f"{len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else told


def named(found: list[str]) -> str:
    """For the end of a sentence; empty where there are none any more."""
    return f" ({'; '.join(found)})" if found else ""


def _told(row: Sequence[Any]) -> str:
    pid, user, program, table, granted, state, query_start, seconds = row
    does = "holds" if granted else "waits for"
    long = "" if seconds is None else f" for {seconds} s"
    doing = f", {state}" if granted and state and state != "active" else ""
    began = f", its statement began {query_start}" if query_start else ""
    return f"process {pid} of {user}, {program}, {does} {table}{long}{doing}{began}"
