"""CreateDBInstance to a query: a real PostgreSQL behind the RDS API, in a real network."""

import time

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import PASSWORD, DatabasesCloud

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


@pytest.fixture(scope="module")
def primary(cloud: DatabasesCloud) -> str:
    cloud.create_parameter_group(
        "audited",
        {
            "shared_preload_libraries": "pg_stat_statements,pgaudit",
            "pgaudit.log": "ddl,role",
            "log_statement": "all",
            "rds.accepted_password_auth_method": "scram",
        },
    )
    started = time.monotonic()
    created = cloud.create_instance("primary", DBParameterGroupName="audited")
    assert time.monotonic() - started < 0.5, "CreateDBInstance answers at once"
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    cloud.wait("primary")
    return "primary"


def test_tls_is_verified_in_full_and_plain_is_refused(cloud: DatabasesCloud, primary: str) -> None:
    with cloud.connect(primary) as connection:
        row = connection.execute(
            "SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
    assert row is not None
    assert row[0] == "TLSv1.3"
    with (
        pytest.raises(psycopg.OperationalError, match="no encryption"),
        cloud.connect(primary, sslmode="disable"),
    ):
        pass
    with (
        pytest.raises(psycopg.OperationalError, match="does not match host name"),
        cloud.connect(primary, host="other.example"),
    ):
        pass


def test_a_wrong_password_is_refused(cloud: DatabasesCloud, primary: str) -> None:
    with (
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
        cloud.connect(primary, password="wrong-Passw0rd"),
    ):
        pass


def test_nobody_reaches_the_administrator(cloud: DatabasesCloud, primary: str) -> None:
    for user, database in (("rdsadmin", "postgres"), ("master", "rdsadmin")):
        with (
            pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"),
            cloud.connect(primary, user=user, dbname=database),
        ):
            pass


def test_the_security_group_is_enforced(cloud: DatabasesCloud, primary: str) -> None:
    outsiders = cloud.ec2.create_security_group(
        GroupName="outsiders", Description="none", VpcId=cloud.vpc_id
    )["GroupId"]
    cloud.fabric.set_security_groups(cloud.client, [outsiders])
    try:
        with (
            pytest.raises(psycopg.OperationalError, match="timeout"),
            cloud.connect(primary, connect_timeout=2),
        ):
            pass
    finally:
        cloud.fabric.set_security_groups(cloud.client, [cloud.client_group])


def test_the_master_is_an_administrator_but_no_superuser(
    cloud: DatabasesCloud, primary: str
) -> None:
    with cloud.connect(primary) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True, True, False, False)
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'"
        assert connection.execute(owner).fetchone() == ("master",)
        for statement in (
            "CREATE ROLE reader LOGIN PASSWORD 'reader-Passw0rd'",
            "GRANT pg_monitor TO reader",
            "GRANT pg_read_all_data TO reader",
            "GRANT rds_superuser TO reader",
            "REVOKE rds_superuser FROM reader",
            "CREATE DATABASE other",
            "CHECKPOINT",
            "ALTER DATABASE other SET pgaudit.log = 'ddl'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'",
            "SELECT count(*) FROM pg_stat_activity",
        ):
            connection.execute(statement)
        for statement in (
            "ALTER ROLE master SUPERUSER",
            "CREATE ROLE evil SUPERUSER",
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "SELECT pg_read_file('/etc/passwd')",
            "ALTER SYSTEM SET log_statement = 'none'",
        ):
            with pytest.raises(psycopg.errors.Error):
                connection.execute(statement)
    with cloud.connect(primary, user="reader", password="reader-Passw0rd", dbname="other"):
        pass


def test_supported_extensions_and_no_others(cloud: DatabasesCloud, primary: str) -> None:
    with cloud.connect(primary) as connection:
        connection.execute("CREATE TABLE item (id int PRIMARY KEY)")
        for extension in ("pg_stat_statements", "pgaudit", "amcheck", "pgcrypto", "postgres_fdw"):
            connection.execute(f"CREATE EXTENSION {extension}")
        connection.execute("SELECT bt_index_check('item_pkey', true)")
        connection.execute("SELECT pg_stat_statements_reset()")
        connection.execute("SELECT * FROM pg_stat_statements")
        with pytest.raises(psycopg.errors.Error, match="not available"):
            connection.execute("CREATE EXTENSION file_fdw")


def test_an_application_role_does_not_get_administrators_functions(
    cloud: DatabasesCloud, primary: str
) -> None:
    with cloud.connect(primary) as connection:
        connection.execute("CREATE ROLE application LOGIN PASSWORD 'app-Passw0rd'")
    with cloud.connect(primary, user="application", password="app-Passw0rd") as connection:
        for statement in ("SELECT pg_stat_statements_reset()", "CREATE EXTENSION hstore"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_members_of_rds_iam_have_no_password_login(cloud: DatabasesCloud, primary: str) -> None:
    with cloud.connect(primary) as connection:
        connection.execute("CREATE ROLE token_user LOGIN PASSWORD 'token-Passw0rd'")
        connection.execute("GRANT rds_iam TO token_user")
    with (
        pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"),
        cloud.connect(primary, user="token_user", password="token-Passw0rd"),
    ):
        pass


def test_the_settings_follow_from_the_instance_class(cloud: DatabasesCloud, primary: str) -> None:
    expected = {
        "max_connections": "225",  # 2 GiB / 9531392
        "fsync": "on",
        "full_page_writes": "on",
        "shared_buffers": "16384",  # 512 MiB by RDS's formula, capped to 128 MiB locally
        "archive_timeout": "300",
        "archive_mode": "on",
        "password_encryption": "scram-sha-256",
        "idle_in_transaction_session_timeout": "86400000",
        "shared_preload_libraries": "pg_stat_statements,pgaudit",
        "data_checksums": "on",
        "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    }
    with cloud.connect(primary) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(expected)]
        ).fetchall()
    assert dict(rows) == expected


def test_wal_is_archived_and_the_restorable_time_follows(
    cloud: DatabasesCloud, primary: str
) -> None:
    folder = cloud.home.databases / primary
    cloud.eventually(lambda: any((folder / "base_backups").glob("*/backup_manifest")))
    before = cloud.eventually(lambda: cloud.describe(primary).get("LatestRestorableTime"))
    with cloud.connect(primary) as connection:
        connection.execute("CREATE TABLE note (text text)")
        row = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
    node = cloud.node(primary)
    node.server.query("SELECT pg_switch_wal()")
    assert row is not None
    segment = folder / "wal_archive" / str(row[0])
    cloud.eventually(segment.exists)
    assert segment.stat().st_size == 16 * 1024 * 1024
    cloud.eventually(lambda: cloud.describe(primary)["LatestRestorableTime"] >= before)
    automated = cloud.rds.describe_db_snapshots(
        DBInstanceIdentifier=primary, SnapshotType="automated"
    )["DBSnapshots"]
    assert [snapshot["Status"] for snapshot in automated] == ["available"]


def test_log_files_are_listed_and_read(cloud: DatabasesCloud, primary: str) -> None:
    with cloud.connect(primary) as connection, pytest.raises(psycopg.errors.Error):
        connection.execute("SELECT no_such_column")

    def logged() -> bool:
        files = cloud.rds.describe_db_log_files(
            DBInstanceIdentifier=primary, FilenameContains="postgresql.log"
        )["DescribeDBLogFiles"]
        names = [file["LogFileName"] for file in files]
        return any(
            "no_such_column"
            in cloud.rds.download_db_log_file_portion(
                DBInstanceIdentifier=primary, LogFileName=name, Marker="0"
            )["LogFileData"]
            for name in names
        )

    cloud.eventually(logged)
    with pytest.raises(ClientError, match="not found"):
        cloud.rds.download_db_log_file_portion(
            DBInstanceIdentifier=primary, LogFileName="../config/server.key"
        )


def test_passwords_reach_no_log_and_no_process_list(cloud: DatabasesCloud, primary: str) -> None:
    second = "second-Passw0rd"
    cloud.rds.modify_db_instance(
        DBInstanceIdentifier=primary, MasterUserPassword=second, ApplyImmediately=True
    )
    assert cloud.describe(primary)["DBInstanceStatus"] in (
        "resetting-master-credentials",
        "available",
    )
    cloud.wait(primary)
    with cloud.connect(primary, password=second):
        pass
    with (
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
        cloud.connect(primary, password=PASSWORD),
    ):
        pass
    # The next tests use the first password.
    cloud.rds.modify_db_instance(DBInstanceIdentifier=primary, MasterUserPassword=PASSWORD)
    cloud.wait(primary)
    folder = cloud.home.databases / primary
    for path in [*folder.rglob("*.log*"), *(folder / "config").iterdir()]:
        text = path.read_bytes() if path.is_file() else b""
        for secret in (PASSWORD, second, "SCRAM-SHA-256$"):
            assert secret.encode() not in text, path
