"""RDS's own roles, and the master user that is no superuser.

Source: AWS, "Understanding the rds_superuser role", and `pg_dumpall --roles-only` of RDS for
PostgreSQL 15, with the predefined roles PostgreSQL 16 and 17 added.

One difference remains: RDS's engine hides the verifiers in pg_authid from everybody, PostgreSQL's
own shows them to members of pg_read_all_data.
"""

from psycopg import Connection, sql

from localcloud.databases.server import REPLICATION_ADMINISTRATOR, Server

_PREDEFINED = (
    "pg_checkpoint",
    "pg_create_subscription",
    "pg_maintain",
    "pg_monitor",
    "pg_read_all_data",
    "pg_signal_backend",
    "pg_use_reserved_connections",
    "pg_write_all_data",
)
# Parameters only a superuser may set, which RDS lets rds_superuser set for roles, databases and
# sessions (`rds.superuser_variables` and what its documentation sets with ALTER ROLE/DATABASE).
_SETTABLE = (
    "auto_explain.log_min_duration",
    "deadlock_timeout",
    "lo_compat_privileges",
    "log_duration",
    "log_error_verbosity",
    "log_lock_waits",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_min_messages",
    "log_statement",
    "log_temp_files",
    "pg_stat_statements.track",
    "pgaudit.log",
    "pgaudit.log_catalog",
    "pgaudit.log_parameter",
    "pgaudit.log_relation",
    "pgaudit.log_statement_once",
    "pgaudit.role",
    "session_replication_role",
    "temp_file_limit",
    "track_functions",
    "track_io_timing",
)
_RDS_ROLES = ("rds_ad", "rds_iam", "rds_password", "rds_replication", "rds_superuser")


def create_roles(server: Server, master_username: str, password: str, database: str | None) -> None:
    """Make RDS's roles, the master user and its first database.

    The password itself never reaches the server: not its log, not pg_stat_activity.
    """
    master = sql.Identifier(master_username)
    with server.connect() as connection:
        for role in _RDS_ROLES:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN REPLICATION NOINHERIT").format(
                sql.Identifier(REPLICATION_ADMINISTRATOR)
            )
        )
        _grant_predefined(connection)
        connection.execute("GRANT rds_password, rds_replication TO rds_superuser WITH ADMIN OPTION")
        for parameter in _SETTABLE:
            connection.execute(
                sql.SQL("GRANT SET ON PARAMETER {} TO rds_superuser").format(
                    sql.SQL(".").join(map(sql.Identifier, parameter.split(".")))
                )
            )
        connection.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} VALID UNTIL 'infinity'"
            ).format(master, sql.Literal(_verifier(connection, master_username, password)))
        )
        connection.execute(sql.SQL("GRANT rds_superuser TO {} WITH ADMIN OPTION").format(master))
        # The master hands rds_iam out without being subject to it.
        connection.execute(
            sql.SQL("GRANT rds_iam TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(master)
        )
        connection.execute("CREATE DATABASE rdsadmin")
        connection.execute("REVOKE ALL ON DATABASE rdsadmin FROM PUBLIC")
        for existing in ("postgres", "template1"):
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(existing), master)
            )
        if database and database not in ("postgres", "template1"):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), master)
            )


def complete_roles(server: Server) -> None:
    """Give rds_superuser what a later major version has and the one before had not."""
    with server.connect() as connection:
        _grant_predefined(connection)


def _grant_predefined(connection: Connection) -> None:
    found = connection.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY 1", [list(_PREDEFINED)]
    ).fetchall()
    roles = sql.SQL(", ").join(sql.Identifier(str(row[0])) for row in found)
    connection.execute(sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(roles))


def set_password(server: Server, username: str, password: str) -> None:
    """Give a role a new password, as a SCRAM verifier computed on this side."""
    with server.connect() as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(username), sql.Literal(_verifier(connection, username, password))
            )
        )


def _verifier(connection: Connection, username: str, password: str) -> str:
    return connection.pgconn.encrypt_password(
        password.encode(), username.encode(), b"scram-sha-256"
    ).decode()
