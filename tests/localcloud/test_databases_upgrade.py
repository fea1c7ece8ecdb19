"""Major version upgrades, 16 to 17: refused, failed, made; in place with a replica, blue/green."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.databases import shipping
from localcloud.databases.earlier_engine import EARLIER_MAJOR_VERSION
from localcloud.image import postgresql_16
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused
from tests.localcloud.provider_engine import Engine, provider
from tests.localcloud.writer import Writer, rows

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

INSTANCE = "aws:rds/instance:Instance"
AUDITED = {"shared_preload_libraries": "pg_stat_statements,pgaudit", "pgaudit.log": "ddl"}
# What docs/database.md names for blue/green, and what a prepared transaction needs.
PARAMETERS = {**AUDITED, "rds.logical_replication": "1", "max_prepared_transactions": "5"}
UPGRADE = {
    "engineVersion": "17",
    "parameterGroupName": "later",
    "allowMajorVersionUpgrade": True,
    "applyImmediately": True,
}


@pytest.fixture(scope="module")
def engine(cloud: DatabasesCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


def settings(cloud: DatabasesCloud, **more: Any) -> dict[str, Any]:
    return {
        "identifier": "orders",
        "engine": "postgres",
        "engineVersion": "16",
        "parameterGroupName": "earlier",
        "allowMajorVersionUpgrade": False,
        "instanceClass": "db.t4g.small",
        "allocatedStorage": 20,
        "storageType": "gp3",
        "username": "master",
        "passwordWo": databases_cloud.PASSWORD,
        "passwordWoVersion": 1,
        "dbName": "shop",
        "dbSubnetGroupName": "private",
        "vpcSecurityGroupIds": [cloud.database_group],
        "backupRetentionPeriod": 1,
        "enabledCloudwatchLogsExports": ["upgrade"],
        "skipFinalSnapshot": True,
        **more,
    }


@pytest.fixture(scope="module")
def groups(cloud: DatabasesCloud) -> None:
    for name, version in {"earlier": 16, "blue": 16, "later": 17}.items():
        cloud.create_parameter_group(name, PARAMETERS, f"postgres{version}")


@pytest.fixture(scope="module")
def made(cloud: DatabasesCloud, engine: Engine, groups: None) -> Any:
    del groups
    made = engine.create(INSTANCE, "orders", **settings(cloud))
    with cloud.connect("orders") as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers SELECT generate_series(1, 1000)")
    return made


def version(cloud: DatabasesCloud, identifier: str) -> int:
    return int(cloud.setting(identifier, "server_version_num")) // 10000


def events(cloud: DatabasesCloud, identifier: str) -> list[str]:
    found = cloud.rds.describe_events(SourceIdentifier=identifier, SourceType="db-instance")
    return [event["Message"] for event in found["Events"]]


def log(cloud: DatabasesCloud, name: str) -> str:
    found = cloud.rds.download_db_log_file_portion(
        DBInstanceIdentifier="orders", LogFileName=f"upgrade/{name}"
    )
    return str(found["LogFileData"])


def test_16_is_that_version_and_says_what_it_lacks(
    cloud: DatabasesCloud, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert made.outputs["engineVersion"] == "16"
    assert made.outputs["engineVersionActual"] == postgresql_16.VERSION
    assert version(cloud, "orders") == EARLIER_MAJOR_VERSION
    assert cloud.setting("orders", "shared_preload_libraries") == "pg_stat_statements"
    assert cloud.setting("orders", "ssl") == "on"
    with cloud.connect("orders") as connection:
        with pytest.raises(Exception, match='extension "pgaudit" is not available'):
            connection.execute("CREATE EXTENSION pgaudit")
        for extension in ("pgcrypto", "postgres_fdw", "pg_trgm", "uuid-ossp"):
            connection.execute(f'CREATE EXTENSION "{extension}"')
    with caplog.at_level(logging.WARNING):
        cloud.rds.reboot_db_instance(DBInstanceIdentifier="orders")
        cloud.wait("orders")
    (told,) = [r.getMessage() for r in caplog.records if "starts without" in r.getMessage()]
    assert told == (
        f"orders starts without pgaudit: the local cloud's PostgreSQL {postgresql_16.VERSION} does "
        "not have it, RDS has"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"allowMajorVersionUpgrade": False}, "AllowMajorVersionUpgrade flag must be present"),
        ({"parameterGroupName": "earlier"}, "parameter group earlier is custom"),
        ({"parameterGroupName": "default.postgres16"}, "cannot be used for this instance"),
        ({"engineVersion": "15"}, "Cannot find version 15 for postgres; the local cloud has 16."),
    ],
)
def test_what_rds_refuses(
    cloud: DatabasesCloud, engine: Engine, made: Any, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        engine.update(made, **settings(cloud, **{**UPGRADE, **change}))
    assert cloud.wait("orders")["EngineVersion"] == postgresql_16.VERSION


def test_a_failed_precheck_leaves_16_running(
    cloud: DatabasesCloud, engine: Engine, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with cloud.connect("orders") as connection:
        for statement in ("BEGIN", "INSERT INTO buyers VALUES (-1)"):
            connection.execute(statement)
        connection.execute("PREPARE TRANSACTION 'unfinished'")
    process = cloud.node("orders").server.process_id
    with pytest.raises(Exception, match=r"stays at engine version 16\..* says why, mend that"):
        engine.update(made, **settings(cloud, **UPGRADE))
    assert cloud.node("orders").server.process_id == process, "it was not even stopped"
    (told,) = [r.getMessage() for r in caplog.records if "not upgraded" in r.getMessage()]
    assert told.endswith(
        ": Checking for prepared transactions The source cluster contains prepared transactions "
        "Failure, exiting"
    )
    assert "prepared transactions" in log(cloud, "pg_upgrade_precheck.log")
    assert "The DB engine version upgrade failed." in events(cloud, "orders")[-1]
    assert len(rows(cloud, "orders")) == 1000
    assert cloud.describe("orders")["DBParameterGroups"][0]["DBParameterGroupName"] == "earlier"
    with refused("InvalidDBParameterGroupState"):
        cloud.rds.delete_db_parameter_group(DBParameterGroupName="earlier")
    with cloud.connect("orders") as connection:
        connection.execute("ROLLBACK PREPARED 'unfinished'")
    # RDS's own check.
    server = cloud.node("orders").server
    server.query("SELECT pg_create_logical_replication_slot('reader', 'pgoutput')")
    request = {"EngineVersion": "17", "DBParameterGroupName": "later"}
    change = {**request, "AllowMajorVersionUpgrade": True, "ApplyImmediately": True}
    cloud.rds.modify_db_instance(DBInstanceIdentifier="orders", **change)
    cloud.wait("orders")
    assert "logical replication slots (reader)" in log(cloud, "pg_upgrade_precheck.log")
    server.query("SELECT pg_drop_replication_slot('reader')")


def test_the_upgrade_takes_data_and_replica_along(
    cloud: DatabasesCloud, engine: Engine, made: Any
) -> None:
    cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="orders"
    )
    cloud.wait("reader")
    before = cloud.describe("orders")
    engine.update(made, **settings(cloud, **UPGRADE))
    after = cloud.wait("orders")
    kept = ("DbiResourceId", "Endpoint", "InstanceCreateTime", "AvailabilityZone", "KmsKeyId")
    assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}
    assert made.outputs["engineVersion"] == "17"
    assert version(cloud, "orders") == 17
    assert rows(cloud, "orders") == set(range(1, 1001))
    assert cloud.setting("orders", "shared_preload_libraries") == "pg_stat_statements,pgaudit"
    assert after["DBParameterGroups"] == [
        {"DBParameterGroupName": "later", "ParameterApplyStatus": "in-sync"}
    ]
    with cloud.connect("orders") as connection:
        # pg_upgrade to 17 leaves the statistics behind, as docs/database.md says.
        statistics = "SELECT count(*) FROM pg_stats WHERE tablename = 'buyers'"
        assert connection.execute(statistics).fetchone() == (0,)
        connection.execute("ANALYZE; INSERT INTO buyers VALUES (2000)")
        assert connection.execute(statistics).fetchone() == (1,)
        # What rds_superuser has in 17 only.
        connection.execute("CREATE ROLE keeper; GRANT pg_maintain TO keeper")
        connection.execute("CREATE EXTENSION pgaudit")
        connection.execute("ALTER EXTENSION pg_stat_statements UPDATE")
    assert cloud.describe("reader")["DBInstanceStatus"] == "available"
    assert version(cloud, "reader") == 17
    cloud.eventually(lambda: 2000 in rows(cloud, "reader"))
    assert cloud.describe("reader")["DBParameterGroups"] == after["DBParameterGroups"]
    assert "fatal" not in log(cloud, "pg_upgrade_internal.log")
    said = events(cloud, "orders")
    assert [message for message in said if "version upgrade" in message][-4:] == [
        "The pre-check started for the DB engine version upgrade.",
        "The pre-check finished for the DB engine version upgrade.",
        "The engine version upgrade started.",
        "The engine version upgrade finished.",
    ]


def test_afterwards_nothing_is_left_to_do(cloud: DatabasesCloud, engine: Engine, made: Any) -> None:
    assert not engine.diff(made, **settings(cloud, **UPGRADE)).changed
    cloud.rds.delete_db_parameter_group(DBParameterGroupName="earlier")
    # Taking the named change out again changes nothing on RDS.
    engine.update(made, **settings(cloud, **{**UPGRADE, "allowMajorVersionUpgrade": False}))
    assert not engine.diff(
        made, **settings(cloud, **{**UPGRADE, "allowMajorVersionUpgrade": False})
    ).changed
    with refused("InvalidParameterCombination", "Cannot upgrade postgres from 17"):
        cloud.rds.modify_db_instance(DBInstanceIdentifier="orders", EngineVersion="16")


def test_the_way_back_is_the_snapshot_of_before(cloud: DatabasesCloud, made: Any) -> None:
    del made
    found = cloud.rds.describe_db_snapshots(
        DBInstanceIdentifier="orders", SnapshotType="automated"
    )["DBSnapshots"]
    (snapshot,) = [s for s in found if s["DBSnapshotIdentifier"].startswith("rds:preupgrade-")]
    assert snapshot["EngineVersion"] == postgresql_16.VERSION
    cloud.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="back",
        DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"],
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[cloud.database_group],
    )
    assert cloud.wait("back")["EngineVersion"] == postgresql_16.VERSION
    assert version(cloud, "back") == 16
    assert rows(cloud, "back") == set(range(1, 1001))
    # Recovery to a point in time begins anew, with the first backup of 17.
    cloud.eventually(lambda: cloud.describe("orders").get("LatestRestorableTime"), 60)
    shipping.ship_now(cloud.node("orders"))
    cloud.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="orders",
        TargetDBInstanceIdentifier="again",
        UseLatestRestorableTime=True,
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[cloud.database_group],
    )
    assert cloud.wait("again")["EngineVersion"].startswith("17.")
    assert 2000 in rows(cloud, "again")
    for identifier in ("reader", "back", "again"):
        cloud.rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)


@pytest.mark.usefixtures("groups")
def test_blue_green_goes_to_17_under_a_writer(cloud: DatabasesCloud, engine: Engine) -> None:
    blue = {"identifier": "shop", "parameterGroupName": "blue"}
    made = engine.create(INSTANCE, "shop", **settings(cloud, **blue))
    with cloud.connect("shop") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE notes (id serial PRIMARY KEY, text text)")
        connection.execute("CREATE TABLE loose (id int)")
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("INSERT INTO notes (text) VALUES ('one'), ('two')")
    before = cloud.describe("shop")
    green = {**UPGRADE, "identifier": "shop", "blueGreenUpdate": {"enabled": True}}
    with pytest.raises(Exception, match=r"have no primary key \(public.loose\)"):
        engine.update(made, **settings(cloud, **green))
    cloud.gone_like("shop-green")
    with cloud.connect("shop") as connection:
        connection.execute("DROP TABLE loose")
    with Writer(cloud, "shop") as writer:
        cloud.eventually(lambda: len(writer.acknowledged) > 50)
        engine.update(made, **settings(cloud, **green))
        written = len(writer.acknowledged)
        cloud.eventually(lambda: len(writer.acknowledged) > written + 50)
    assert set(writer.acknowledged) <= rows(cloud, "shop")
    assert writer.longest_pause_seconds < 60
    after = cloud.wait("shop")
    assert after["Endpoint"] == before["Endpoint"]
    assert after["DbiResourceId"] == made.outputs["resourceId"] != before["DbiResourceId"]
    assert version(cloud, "shop") == 17
    assert cloud.setting("shop", "default_transaction_read_only") == "off"
    with cloud.connect("shop") as connection:
        connection.execute("ALTER EXTENSION pg_stat_statements UPDATE")
        # The sequence goes on where blue's ended.
        made_note = connection.execute("INSERT INTO notes (text) VALUES ('x') RETURNING id")
        assert made_note.fetchone() == (3,)
        left = connection.execute(
            "SELECT (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_subscription)"
        )
        assert left.fetchone() == (0, 0)
    assert not engine.diff(made, **settings(cloud, **green)).changed
    names = {
        each["DBInstanceIdentifier"] for each in cloud.rds.describe_db_instances()["DBInstances"]
    }
    assert not any(name.startswith("shop-") for name in names)
