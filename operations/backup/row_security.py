"""Whether row-level security hides rows from who reads whole tables.

Superusers and roles with BYPASSRLS pass it by, and owners where it is not forced. The master of RDS
has neither attribute and can give neither (AWS RDS user guide: the rds_superuser role), so that a
backup's role needs a policy that shows it every row; the roles function makes it
(`operations.roles.row_security`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import psycopg

from operations.backup.catalog import Made, quoted
from operations.backup.fingerprints import RowSecurity
from operations.database import BACKUP_POLICY
from operations.errors import OperationError

_SHOWN = 3

# Of a partitioned table each partition is read by itself, with its own policies; the table too,
# where a sequence is compared with its column. PostgreSQL lets a role see a row that one permissive
# policy shows and no restrictive one hides. Only the word `true` shows all, whatever a row holds
# and whoever asks.
_TABLES = """
SELECT n.nspname, c.relname, c.relkind = 'p', coalesce(p.shown, false), coalesce(p.restricted, '{}')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       SELECT bool_or(permissive AND qual = 'true') AS shown,
              array_agg(polname ORDER BY polname)
                FILTER (WHERE NOT permissive AND qual IS DISTINCT FROM 'true') AS restricted
         FROM (SELECT polname::text, polpermissive AS permissive,
                      pg_catalog.pg_get_expr(polqual, polrelid) AS qual
                 FROM pg_catalog.pg_policy
                WHERE polrelid = c.oid AND polcmd IN ('r', '*')
                  AND (0 = ANY (polroles)
                       OR EXISTS (SELECT FROM pg_catalog.unnest(polroles) AS r (oid)
                                   WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')))) AS met
       ) AS p ON true
 WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
   AND pg_catalog.row_security_active(c.oid)
 ORDER BY 1, 2
"""
# Users of pgkeep alternate between NAME_1 and NAME_2, and have what the role NAME has.
_ROLE = """
SELECT coalesce((SELECT rolname FROM pg_catalog.pg_roles
                  WHERE rolname = pg_catalog.regexp_replace(current_user, '_[12]$', '')
                    AND pg_catalog.pg_has_role(oid, 'USAGE')), current_user)
"""


@dataclass(frozen=True)
class Table:
    """A table whose policies decide what the session's user sees."""

    schema: str
    name: str
    partitioned: bool
    #: Whether a policy shows every row, and which restrictive ones may hide some all the same.
    shown: bool
    restricted_by: tuple[str, ...]

    @property
    def label(self) -> str:
        """`schema.table`, as in reports."""
        return f"{self.schema}.{self.name}"

    @property
    def is_hidden(self) -> bool:
        """Whether rows may be hidden from the user."""
        return not self.shown or bool(self.restricted_by)


def tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """Tables whose policies the session's user does not pass by."""
    rows = connection.execute(_TABLES).fetchall()
    return [
        Table(schema, name, partitioned, shown, tuple(restricted_by))
        for schema, name, partitioned, shown, restricted_by in rows
    ]


def setting(met: Collection[Table]) -> RowSecurity:
    """What a session's `row_security` has to be to read these: `off` refuses every policy."""
    return "on" if met else "off"


def refuse(
    connection: psycopg.Connection[Any], met: Collection[Table], made: Made = "backup"
) -> None:
    """Of the tables that are to be read whole; asked while they are locked, policies stay.

    Raises:
        OperationError: there are some whose rows the session would see in part only.
    """
    hidden = [table for table in met if table.is_hidden]
    if not hidden:
        return
    shown = ", ".join(table.label for table in hidden[:_SHOWN])
    shown += ", ..." if len(hidden) > _SHOWN else ""
    raise OperationError(
        f"row-level security hides rows of {len(hidden)} table{'' if len(hidden) == 1 else 's'} "
        f"from {connection.info.user} ({shown}), and without them the {made} would not be whole. "
        f"{_remedy(connection, hidden[0])}; see docs/backups.md, Row-level "
        "security"
    )


def _remedy(connection: psycopg.Connection[Any], table: Table) -> str:
    row = connection.execute(_ROLE).fetchone()
    role = quoted(str(row[0]) if row else connection.info.user)
    name = f"{quoted(table.schema)}.{quoted(table.name)}"
    if not table.shown:
        return (
            "`pgkeep roles apply` lets the backup's role read the tables of the workload's schema; "
            "for another, say as its owner: "
            f"CREATE POLICY {BACKUP_POLICY} ON {name} FOR SELECT TO {role} USING (true)"
        )
    return (
        f"The restrictive policy {table.restricted_by[0]} of {table.label} is for {role} too; say "
        f"as its owner whom it is for: ALTER POLICY {quoted(table.restricted_by[0])} ON {name} TO "
        "ROLE, ..."
    )
