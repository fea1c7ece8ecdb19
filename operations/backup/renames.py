"""What a table's lock does not keep from being renamed, and what a snapshot does not show.

PostgreSQL resolves names, and writes labels of enums, by the catalogs of now: of a schema that took
another's name in the middle of a run, the other's rows would be read, counted and hashed.
"""

from __future__ import annotations

from typing import Any

import psycopg

from operations.errors import OperationError

#: Names by kind and OID.
Names = dict[tuple[str, int], str]

# Of the user's: PostgreSQL's own have lower OIDs (FirstNormalObjectId), except for public. Types of
# tables' rows and arrays are named after others.
_NAMES = """
SELECT 'schema', oid, nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'
UNION ALL
SELECT 'label of an enum', oid, enumlabel FROM pg_catalog.pg_enum
UNION ALL
SELECT 'type', oid, typname FROM pg_catalog.pg_type
 WHERE oid >= 16384 AND typelem = 0 AND typtype <> 'c'
UNION ALL
SELECT 'function', oid, proname FROM pg_catalog.pg_proc WHERE oid >= 16384
"""


def read(connection: psycopg.Connection[Any]) -> Names:
    """As the session's transaction sees them."""
    return {(kind, oid): name for kind, oid, name in connection.execute(_NAMES)}


def refuse(connection: psycopg.Connection[Any], before: Names, run: str, outcome: str) -> None:
    """Of a session that is in no transaction any more, and sees what there is now.

    Args:
        connection: of that session.
        before: what `read` gave in the snapshot.
        run: what was at work, for the message.
        outcome: what became of it, for the message.

    Raises:
        OperationError: something has another name than `before`.
    """
    now = read(connection)
    for (kind, oid), name in before.items():
        other = now.get((kind, oid), name)
        if other != name:
            raise OperationError(
                f"the {kind} {name} was renamed to {other} while the {run} ran, so that what was "
                f"read by its name is not of one moment; {outcome}. Start it again when no "
                "migration is running"
            )
