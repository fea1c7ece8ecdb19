"""A policy by which backup roles read every row of the workload's tables with row-level security.

On RDS nobody can give a role BYPASSRLS (AWS RDS user guide: the rds_superuser role), and a backup
that sees a part of the rows is none.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from operations.database import BACKUP_POLICY
from operations.errors import OperationError
from operations.roles.ledger import Ledger, names
from workloads.contract import RoleSet

_TABLES = """
SELECT c.relname, p.oid IS NOT NULL,
       coalesce(p.polpermissive AND p.polcmd = 'r'
                AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
                AND (SELECT array_agg(r.rolname::text ORDER BY r.rolname) FROM pg_catalog.pg_roles r
                      WHERE r.oid = ANY (p.polroles)) = %s, false)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid AND p.polname = %s
 WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND c.relrowsecurity
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
                    WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid
                      AND x.deptype = 'e')
 ORDER BY 1
"""


def reconcile(ledger: Ledger, roles: RoleSet) -> None:
    """Make the policy where it is not as it should be; run as the owner.

    Raises:
        OperationError: a table is in use for longer than `lock_timeout`.
    """
    readers = sorted(role.name for role in roles.roles if role.kind == "backup")
    if not readers:
        return
    for name, is_there, is_right in ledger.rows(_TABLES, readers, BACKUP_POLICY, roles.schema_name):
        if is_right:
            continue
        table = f"{roles.schema_name}.{name}"
        on = sql.SQL("{} ON {}").format(
            sql.Identifier(BACKUP_POLICY), sql.Identifier(roles.schema_name, name)
        )
        statement = sql.SQL("CREATE POLICY {} FOR SELECT TO {} USING (true)").format(
            on, names(readers)
        )
        if is_there:
            statement = sql.SQL("DROP POLICY {}; {}").format(on, statement)
        try:
            ledger.change(
                f"let {', '.join(readers)} read every row of {table} (policy {BACKUP_POLICY})",
                statement,
            )
        except psycopg.errors.LockNotAvailable:
            raise OperationError(
                f"the policy {BACKUP_POLICY} of {table} cannot be made: the table is in use by a "
                "long query, a migration or a backup; nothing was changed. Run again after its end"
            ) from None
