"""What must hold before anything is restored into a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from operations.database import Endpoint
from operations.errors import OperationError


class UnfitTargetError(OperationError):
    """A target that nothing may be restored into; nothing was written."""


def refuse_unless_empty(connection: psycopg.Connection[Any], endpoint: Endpoint) -> None:
    """A restore never mixes with what is there.

    Raises:
        UnfitTargetError: the database has tables, views or sequences of a user.
    """
    found = connection.execute(
        """SELECT n.nspname || '.' || c.relname
             FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
              AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.objid = c.oid AND d.deptype = 'e')
            ORDER BY 1 LIMIT 4"""
    ).fetchall()
    if found:
        names = ", ".join(name for (name,) in found[:3]) + (", ..." if len(found) > 3 else "")
        raise UnfitTargetError(
            f"database {endpoint.database} is not empty ({names}); a restore never "
            "mixes with what is there. Restore into a new database"
        )


def refuse_missing_roles(
    connection: psycopg.Connection[Any], endpoint: Endpoint, description: Mapping[str, Any]
) -> None:
    """`description` is that of `operations.backup.cluster_globals`.

    Raises:
        UnfitTargetError: roles that own things, or have rights, are not on the server.
    """
    there = {name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    missing = [role["name"] for role in description["roles"] if role["name"] not in there]
    if missing:
        raise UnfitTargetError(
            f"roles of the backup are missing on {endpoint.host}: "
            f"{', '.join(missing)}; `pgkeep roles apply` makes them, or "
            "restore with --no-owner and apply it afterwards"
        )
