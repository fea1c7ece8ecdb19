"""Logical replication from one server to a later version's, for blue/green major upgrades.

The way of PostgreSQL's pg_createsubscriber: slots are made on the source, the copy replays the WAL
up to where the last of them begins, is upgraded, and then takes changes from there on.
"""

import time
from collections.abc import Mapping
from typing import Final

from psycopg import errors, sql

from localcloud.databases.server import ADMINISTRATOR, PRIMARY, Server
from localcloud.errors import LocalCloudError

# Publication and subscription; with the database's number the slot.
_NAME: Final = "rds_blue_green"
_POLL_SECONDS = 0.05
_SLOT_TIMEOUT_SECONDS = 30.0
_TABLES_WITHOUT_KEY = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident IN ('d', 'n')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)
    ORDER BY 1
"""


class ReplicationError(LocalCloudError):
    """The source cannot be replicated logically."""


def databases(server: Server) -> dict[str, int]:
    """Name and number of each database that clients may have written to."""
    found = server.query(
        "SELECT datname::text, oid::int8 FROM pg_database WHERE datallowconn "
        "AND datname NOT IN ('template1', 'rdsadmin') ORDER BY oid"
    )
    return {str(name): int(str(number)) for name, number in found}


def check(source: Server) -> None:
    """Raises ReplicationError: AWS, limitations of blue/green deployments, logical replication."""
    if source.query("SHOW wal_level") != [("logical",)]:
        raise ReplicationError(
            "a major version needs logical replication: set rds.logical_replication to 1 in the "
            "source's parameter group and reboot it"
        )
    for name in databases(source):
        with source.connect(name) as connection:
            found = connection.execute(_TABLES_WITHOUT_KEY).fetchall()
        if found:
            tables = ", ".join(str(row[0]) for row in found[:5])
            raise ReplicationError(
                f"tables of database {name} have no primary key ({tables}), so that logical "
                "replication cannot change their rows; give each one"
            )


def publish(source: Server) -> tuple[dict[str, str], str]:
    """Publish all tables and keep their changes: each database's slot, and where to begin."""
    slots: dict[str, str] = {}
    begins = "0/0"
    for name, number in databases(source).items():
        slots[name] = f"{_NAME}_{number}"
        with source.connect(name) as connection:
            connection.execute(f"CREATE PUBLICATION {_NAME} FOR ALL TABLES")
            found = connection.execute(
                "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')",
                [slots[name]],
            ).fetchone()
            begins = str(found[0]) if found is not None else begins
    # A recovery ends at the first record behind its target: an idle source has to write one.
    source.query("SELECT pg_log_standby_snapshot()")
    return slots, begins


def subscribe(target: Server, source: Server, slots: Mapping[str, str], begins: str) -> None:
    """Take the source's changes from `begins` on; the target sees the source's socket."""
    for name, slot in slots.items():
        connection_string = " ".join(
            f"{key}='{_escaped(value)}'"
            for key, value in {
                "host": str(PRIMARY),
                "port": str(source.port),
                "user": ADMINISTRATOR,
                "dbname": name,
            }.items()
        )
        with target.connect(name) as connection:
            connection.execute(f"DROP PUBLICATION {_NAME}")  # It came with the copy.
            connection.execute(
                sql.SQL(
                    f"CREATE SUBSCRIPTION {_NAME} CONNECTION {{}} PUBLICATION {_NAME} WITH "
                    "(create_slot = false, copy_data = false, enabled = false, slot_name = {})"
                ).format(sql.Literal(connection_string), sql.Literal(slot))
            )
            connection.execute(
                "SELECT pg_replication_origin_advance('pg_' || s.oid, %s::pg_lsn) "
                "FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid "
                "WHERE d.datname = current_database()",
                [begins],
            )
            connection.execute(f"ALTER SUBSCRIPTION {_NAME} ENABLE")


def written(source: Server) -> str:
    """How far the source has written."""
    return str(source.query("SELECT pg_current_wal_lsn()::text")[0][0])


def missing_bytes(source: Server, position: str) -> int:
    """How much of what the source had written at `position` some slot's reader has not."""
    found = source.query(
        "SELECT greatest(max(pg_wal_lsn_diff(%s::pg_lsn, confirmed_flush_lsn)), 0)::int8 "
        "FROM pg_replication_slots WHERE slot_type = 'logical' AND starts_with(slot_name, %s)",
        position,
        _NAME,
    )
    return int(str(found[0][0]))


def take_sequences_over(source: Server, target: Server, slots: Mapping[str, str]) -> None:
    """Set the target's sequences to the source's: logical replication does not carry them."""
    for name in slots:
        with source.connect(name) as connection:
            found = connection.execute(
                "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences "
                "WHERE last_value IS NOT NULL"
            ).fetchall()
        with target.connect(name) as connection:
            for sequence, value in found:
                connection.execute("SELECT setval(%s::regclass, %s)", [sequence, value])


def unsubscribe(target: Server, slots: Mapping[str, str]) -> None:
    """End the target's side."""
    for name in slots:
        with target.connect(name) as connection:
            connection.execute(f"ALTER SUBSCRIPTION {_NAME} DISABLE")
            connection.execute(f"ALTER SUBSCRIPTION {_NAME} SET (slot_name = NONE)")
            connection.execute(f"DROP SUBSCRIPTION {_NAME}")


def unpublish(source: Server) -> None:
    """End the source's side, also of a deployment that did not get far."""
    for name in databases(source):
        with source.connect(name) as connection:
            connection.execute(f"DROP PUBLICATION IF EXISTS {_NAME}")
    deadline = time.monotonic() + _SLOT_TIMEOUT_SECONDS
    while True:
        try:
            source.query(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                "WHERE slot_type = 'logical' AND starts_with(slot_name, %s)",
                _NAME,
            )
            source.query(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                "WHERE slot_type = 'logical' AND starts_with(slot_name, %s)",
                _NAME,
            )
        except errors.ObjectInUse:
            # Its reader is still leaving.
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
