"""Who owns extensions, over an upgrade: pg_upgrade makes them all the administrator's own.

On RDS whoever may create an extension updates it afterwards; PostgreSQL asks for the owner, and has
no command to change it.
"""

from collections.abc import Mapping

from localcloud.databases.server import Server

# By database: extension and owner.
Owners = Mapping[str, list[tuple[str, str]]]

# An ordinary owner stands in pg_extension and, unlike the administrator, in pg_shdepend.
_GIVE = """
WITH given AS (
    UPDATE pg_extension SET extowner = %(owner)s::regrole
    WHERE extname = %(extension)s AND extowner = 10 RETURNING oid
)
INSERT INTO pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
SELECT d.oid, 'pg_extension'::regclass, given.oid, 0, 'pg_authid'::regclass, %(owner)s::regrole, 'o'
FROM given, pg_database d WHERE d.datname = current_database()
"""


def read(server: Server) -> Owners:
    """The extensions that are not the administrator's own."""
    found: dict[str, list[tuple[str, str]]] = {}
    for (name,) in server.query("SELECT datname::text FROM pg_database WHERE datallowconn"):
        with server.connect(str(name)) as connection:
            rows = connection.execute(
                "SELECT extname::text, extowner::regrole::text FROM pg_extension "
                "WHERE extowner <> 10"
            ).fetchall()
        if rows:
            found[str(name)] = [(str(extension), str(owner)) for extension, owner in rows]
    return found


def give_back(server: Server, owners: Owners) -> None:
    """Make them the owners again."""
    for name, extensions in owners.items():
        with server.connect(name) as connection:
            for extension, owner in extensions:
                connection.execute(_GIVE, {"extension": extension, "owner": owner})
