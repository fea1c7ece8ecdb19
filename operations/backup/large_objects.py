"""Whether a backup may read the large objects: pg_dump fails at the first one that it may not."""

from __future__ import annotations

from typing import Any

import psycopg

from operations.errors import OperationError

# pg_read_all_data is about tables. A large object has an owner and grants of its own, and no
# default privileges before PostgreSQL 18 (its documentation: ALTER DEFAULT PRIVILEGES).
_UNREADABLE = """
SELECT count(*), min(o.oid), min(pg_catalog.pg_get_userbyid(o.lomowner))
  FROM pg_catalog.pg_largeobject_metadata o
 WHERE NOT pg_catalog.pg_has_role(o.lomowner, 'USAGE')
   AND NOT EXISTS (
       SELECT FROM pg_catalog.aclexplode(o.lomacl) a
        WHERE a.privilege_type = 'SELECT'
          AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
"""
# A login role of pgkeep is two users that alternate, and the role that both are members of.
_READER = """
SELECT coalesce(min(g.rolname), current_user)
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
 WHERE m.member = current_user::regrole AND g.rolname !~ '^(pg_|rds)'
"""


def refuse_unreadable(connection: psycopg.Connection[Any]) -> None:
    """Before anything is written.

    Raises:
        OperationError: there are large objects that the session may not read.
    """
    row = connection.execute(_UNREADABLE).fetchone()
    if row is None or not row[0]:
        return
    count, oid, owner = row
    found = connection.execute(_READER).fetchone()
    reader = found[0] if found else connection.info.user
    # Text for people; nothing is executed here.
    grants = (
        f"SELECT format('GRANT SELECT ON LARGE OBJECT %s TO {reader}', oid) "  # noqa: S608
        f"FROM pg_largeobject_metadata WHERE lomowner = '{owner}'::regrole"
    )
    raise OperationError(
        f"{count} large object{'' if count == 1 else 's'} cannot be read by {reader} (such as "
        f"{oid} of {owner}), and without them the backup would not be whole: PostgreSQL grants a "
        f"large object to nobody but its owner. As {owner}, in psql: {grants} \\gexec -- and have "
        "what makes large objects grant the same"
    )
