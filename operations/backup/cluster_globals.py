"""What pg_dump leaves out, or says in SQL only: roles without password hashes, settings."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

# PostgreSQL's and RDS's own roles exist everywhere and cannot be made.
_NOT_OURS = "^(pg_|rds)"

_ROLES = """
SELECT rolname AS name, rolcanlogin AS login, rolinherit AS inherit, rolcreaterole AS create_role,
       rolcreatedb AS create_database, rolreplication AS replication, rolbypassrls AS bypass_rls,
       rolconnlimit AS connection_limit, rolconfig AS settings
  FROM pg_catalog.pg_roles WHERE rolname !~ %s ORDER BY rolname
"""

_MEMBERSHIPS = """
SELECT r.rolname AS role, m.rolname AS member, a.admin_option, a.inherit_option, a.set_option
  FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = a.member
 WHERE m.rolname !~ %s ORDER BY 1, 2
"""

# The locale's column was renamed in PostgreSQL 17.
_DATABASE = """
SELECT pg_catalog.pg_get_userbyid(datdba) AS owner, datacl::text[] AS privileges,
       pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate AS collate,
       datctype AS ctype, datlocprovider AS locale_provider,
       COALESCE(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       (SELECT setconfig FROM pg_catalog.pg_db_role_setting s
         WHERE s.setdatabase = d.oid AND s.setrole = 0) AS settings,
       datconnlimit AS connection_limit,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
  FROM pg_catalog.pg_database d WHERE datname = %s
"""

_ROLE_SETTINGS = """
SELECT r.rolname AS role, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = %s
  JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE r.rolname !~ %s ORDER BY 1
"""

_NOT_VALIDATED = """
SELECT n.nspname, c.relname, k.conname
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT k.convalidated ORDER BY 1, 2, 3
"""


def not_validated(connection: psycopg.Connection[Any]) -> tuple[tuple[str, str, str], ...]:
    """Schema, table and name of each constraint that does not hold for all rows by its word."""
    return tuple(connection.execute(_NOT_VALIDATED).fetchall())


def read(connection: psycopg.Connection[Any], database: str) -> dict[str, Any]:
    """`roles`, `memberships`, `database` and its `role_settings` as plain values."""
    with connection.cursor(row_factory=dict_row) as cursor:
        roles = cursor.execute(_ROLES.encode(), (_NOT_OURS,)).fetchall()
        memberships = cursor.execute(_MEMBERSHIPS.encode(), (_NOT_OURS,)).fetchall()
        description = cursor.execute(_DATABASE.encode(), (database,)).fetchone()
        settings = cursor.execute(_ROLE_SETTINGS.encode(), (database, _NOT_OURS)).fetchall()
    return {
        "roles": roles,
        "memberships": memberships,
        "database": description,
        "role_settings": settings,
    }
