"""Whether row-level security hides rows from a backup, which PostgreSQL says at the first COPY."""

from __future__ import annotations

from typing import Any

import psycopg

from operations.errors import OperationError

_SHOWN = 3
# Of a partitioned table each partition is read by itself, with its own policies.
# Superusers and roles with BYPASSRLS see all rows, and owners where it is not forced. The master of
# RDS has neither attribute, and can give neither. AWS RDS user guide: the rds_superuser role.
_HIDDEN = """
SELECT n.nspname || '.' || c.relname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relrowsecurity AND c.relkind = 'r' AND pg_catalog.row_security_active(c.oid)
 ORDER BY 1
"""


def refuse(connection: psycopg.Connection[Any]) -> None:
    """Before anything is written.

    Raises:
        OperationError: there are tables whose rows the session would see in part only.
    """
    tables = [str(name) for (name,) in connection.execute(_HIDDEN).fetchall()]
    if not tables:
        return
    shown = ", ".join(tables[:_SHOWN]) + (", ..." if len(tables) > _SHOWN else "")
    raise OperationError(
        f"row-level security hides rows of {len(tables)} table{'' if len(tables) == 1 else 's'} "
        f"from {connection.info.user} ({shown}), and without them the backup would not be whole. "
        "Only superusers, roles with BYPASSRLS and (unless it is forced) owners see them, and RDS "
        "gives the first two to nobody. Their rows come back by point-in-time recovery and "
        "snapshots (`pgkeep backup list`); see docs/backups.md, Limits"
    )
