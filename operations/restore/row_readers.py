"""Reading every row of tables with row-level security, to prove them or to copy them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg

from operations.backup.session import Connect
from operations.restore import databases

# The owner passes by what is not forced; else who may read all by a policy, as backups do.
_READERS = """
SELECT r.rolname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_roles r
    ON CASE WHEN NOT c.relforcerowsecurity THEN r.oid = c.relowner
            ELSE EXISTS (SELECT FROM pg_catalog.pg_policy p
                          WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*')
                            AND r.oid = ANY (p.polroles)
                            AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true') END
 WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
   AND pg_catalog.row_security_active(c.oid)
   AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION')
 GROUP BY r.rolname ORDER BY 1
"""


@contextmanager
def assumed(connection: psycopg.Connection[Any], connect: Connect) -> Generator[None]:
    """Lets the user of both sessions read all rows of a database, for as long as the block runs.

    Where that needs roles which the user may not assume, tables stay hidden, and a proof says so.

    Args:
        connection: in autocommit, on the same server.
        connect: makes a session in the database.
    """
    with connect() as inside:
        readers = [str(name) for (name,) in inside.execute(_READERS.encode()).fetchall()]
    with databases.owners_assumed(connection, readers):
        yield
