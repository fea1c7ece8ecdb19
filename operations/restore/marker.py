"""Marker rows around a moment: proof that a restore ends exactly there.

They are in the instance's maintenance database, so that the application's database and its dumps
stay as they are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

#: Every RDS instance has it, and the master may write there.
DATABASE = "postgres"
_KEPT = 50

_MAKE = (
    "CREATE SCHEMA IF NOT EXISTS pgkeep",
    """CREATE TABLE IF NOT EXISTS pgkeep.restore_marker (
         id text, side text, written_at timestamptz NOT NULL, PRIMARY KEY (id, side))""",
)


@dataclass(frozen=True)
class Marked:
    """`moment` lies between the two rows of marker `id`; the restore is to end there."""

    id: str
    moment: datetime


def mark(connection: psycopg.Connection[Any]) -> Marked:
    """Write a row, let a whole second pass, write another; takes about three seconds.

    Args:
        connection: of the master, in `DATABASE`; it is set to autocommit.
    """
    connection.autocommit = True
    for statement in _MAKE:
        connection.execute(statement.encode())
    connection.execute(
        "DELETE FROM pgkeep.restore_marker WHERE id IN (SELECT id FROM pgkeep.restore_marker "
        "ORDER BY written_at DESC OFFSET %s)",
        (_KEPT,),
    )
    identifier = f"{_clock(connection):%Y%m%dT%H%M%S.%fZ}"
    _write(connection, identifier, "before")
    # RDS restores to whole seconds. The row is committed before this one begins.
    moment = _clock(connection).replace(microsecond=0) + timedelta(seconds=1)
    while _clock(connection) < moment + timedelta(seconds=1):
        time.sleep(0.1)
    _write(connection, identifier, "after")
    return Marked(identifier, moment)


def findings(connection: psycopg.Connection[Any], marked: Marked) -> list[str]:
    """What is wrong with the instance of `connection`; empty when it ends at the moment."""
    rows = connection.execute(
        "SELECT pg_catalog.to_regclass('pgkeep.restore_marker') IS NOT NULL"
    ).fetchone()
    if rows is None or not rows[0]:
        return ["the table of the markers is missing: the restore ends before it was made"]
    before = connection.execute(
        "SELECT FROM pgkeep.restore_marker WHERE id = %s AND side = 'before'", (marked.id,)
    ).fetchone()
    wrong: list[str] = []
    if before is None:
        wrong.append(f"the row that was committed before {marked.moment.isoformat()} is missing")
    later = connection.execute(
        "SELECT count(*) FROM pgkeep.restore_marker WHERE written_at > %s", (marked.moment,)
    ).fetchone()
    if later and later[0]:
        wrong.append(f"{later[0]} rows written after {marked.moment.isoformat()} are there")
    return wrong


def _write(connection: psycopg.Connection[Any], identifier: str, side: str) -> None:
    connection.execute(
        "INSERT INTO pgkeep.restore_marker VALUES (%s, %s, pg_catalog.clock_timestamp())",
        (identifier, side),
    )


def _clock(connection: psycopg.Connection[Any]) -> datetime:
    row = connection.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
    if row is None:
        raise AssertionError("clock_timestamp() always returns a row")
    return row[0].astimezone(UTC)
