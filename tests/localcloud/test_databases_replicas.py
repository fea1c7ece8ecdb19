"""Read replicas: streaming, read-only, with their own endpoint, group and parameters."""

import time

import psycopg
import pytest
from botocore.exceptions import ClientError

from localcloud.databases import shipping
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


@pytest.fixture(scope="module")
def replica(cloud: DatabasesCloud) -> str:
    cloud.create_instance("source")
    cloud.wait("source")
    with cloud.connect("source") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers VALUES (1)")
    cloud.create_parameter_group("reading", {"max_standby_streaming_delay": "14000"})
    created = cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="replica",
        SourceDBInstanceIdentifier="source",
        DBInstanceClass="db.t4g.small",
        DBParameterGroupName="reading",
        VpcSecurityGroupIds=[cloud.database_group],
        EnablePerformanceInsights=True,
    )["DBInstance"]
    assert created["DBInstanceStatus"] == "creating"
    assert created["ReadReplicaSourceDBInstanceIdentifier"] == "source"
    cloud.wait("replica")
    return "replica"


def rows(cloud: DatabasesCloud, identifier: str) -> int:
    with cloud.connect(identifier) as connection:
        row = connection.execute("SELECT count(*) FROM buyers").fetchone()
    assert row is not None
    return int(row[0])


def test_it_follows_its_source(cloud: DatabasesCloud, replica: str) -> None:
    assert rows(cloud, replica) == 1
    with cloud.connect("source") as connection:
        connection.execute("INSERT INTO buyers VALUES (2)")
    cloud.eventually(lambda: rows(cloud, replica) == 2)


def test_it_is_read_only(cloud: DatabasesCloud, replica: str) -> None:
    with (
        cloud.connect(replica) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("INSERT INTO buyers VALUES (99)")


def test_it_streams_through_its_own_slot(cloud: DatabasesCloud, replica: str) -> None:
    server = cloud.node("source").server
    assert server.query("SELECT application_name, state FROM pg_stat_replication") == [
        ("replica", "streaming")
    ]
    slots = server.query("SELECT slot_name, slot_type, active FROM pg_replication_slots")
    assert slots == [(cloud.node(replica).slot, "physical", True)]


def test_it_has_an_endpoint_zone_and_parameters_of_its_own(
    cloud: DatabasesCloud, replica: str
) -> None:
    described, source = cloud.describe(replica), cloud.describe("source")
    assert described["Endpoint"]["Address"] != source["Endpoint"]["Address"]
    assert described["AvailabilityZone"] != source["AvailabilityZone"]
    assert described["BackupRetentionPeriod"] == 0
    assert described["PerformanceInsightsEnabled"] is True
    assert described["StatusInfos"] == [
        {"StatusType": "read replication", "Normal": True, "Status": "replicating"}
    ]
    assert source["ReadReplicaDBInstanceIdentifiers"] == ["replica"]
    assert cloud.setting(replica, "max_standby_streaming_delay") == "14s"


def test_it_survives_a_reboot_of_its_source(cloud: DatabasesCloud, replica: str) -> None:
    cloud.rds.reboot_db_instance(DBInstanceIdentifier="source")
    cloud.wait("source")
    with cloud.connect("source") as connection:
        connection.execute("INSERT INTO buyers VALUES (3)")
    cloud.eventually(lambda: rows(cloud, replica) == 3)


def test_a_new_password_of_the_source_reaches_it(cloud: DatabasesCloud, replica: str) -> None:
    with pytest.raises(ClientError, match="source"):
        cloud.rds.modify_db_instance(
            DBInstanceIdentifier=replica, MasterUserPassword="other-Passw0rd"
        )


def test_backups_of_the_source_stay_on(cloud: DatabasesCloud, replica: str) -> None:
    with pytest.raises(ClientError, match="read replicas"):
        cloud.rds.modify_db_instance(DBInstanceIdentifier="source", BackupRetentionPeriod=0)


def test_a_source_without_backups_is_refused(cloud: DatabasesCloud) -> None:
    cloud.create_instance("plain", BackupRetentionPeriod=0)
    cloud.wait("plain")
    with pytest.raises(ClientError, match="Automated backups are not enabled"):
        cloud.rds.create_db_instance_read_replica(
            DBInstanceIdentifier="no", SourceDBInstanceIdentifier="plain"
        )


def test_a_deleted_replica_leaves_no_slot(cloud: DatabasesCloud, replica: str) -> None:
    cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="second", SourceDBInstanceIdentifier="source"
    )
    cloud.wait("second")
    with pytest.raises(ClientError, match="replica instance"):
        cloud.rds.delete_db_instance(
            DBInstanceIdentifier="second", FinalDBSnapshotIdentifier="never"
        )
    cloud.rds.delete_db_instance(DBInstanceIdentifier="second", SkipFinalSnapshot=True)
    cloud.gone("second")
    slots = cloud.node("source").server.query("SELECT slot_name FROM pg_replication_slots")
    assert slots == [(cloud.node(replica).slot,)]
    assert cloud.describe("source")["ReadReplicaDBInstanceIdentifiers"] == ["replica"]


def test_replicas_of_a_deleted_source_are_promoted(cloud: DatabasesCloud, replica: str) -> None:
    cloud.rds.delete_db_instance(DBInstanceIdentifier="source", SkipFinalSnapshot=True)
    cloud.gone("source")
    described = cloud.wait(replica)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in described
    with cloud.connect(replica) as connection:
        connection.execute("INSERT INTO buyers VALUES (4)")


def test_a_replica_of_a_replica(cloud: DatabasesCloud) -> None:
    for identifier, source in (("head", None), ("middle", "head"), ("tail", "middle")):
        if source is None:
            cloud.create_instance(identifier)
        else:
            cloud.rds.create_db_instance_read_replica(
                DBInstanceIdentifier=identifier, SourceDBInstanceIdentifier=source
            )
        cloud.wait(identifier)
        if identifier == "middle":
            with pytest.raises(ClientError, match="Automated backups are not enabled"):
                cloud.rds.create_db_instance_read_replica(
                    DBInstanceIdentifier="tail", SourceDBInstanceIdentifier="middle"
                )
            cloud.rds.modify_db_instance(DBInstanceIdentifier="middle", BackupRetentionPeriod=1)
            cloud.wait("middle")
    with cloud.connect("head") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers VALUES (1)")
    cloud.eventually(lambda: cloud.node("tail").server.query("SELECT pg_is_in_recovery()"))
    cloud.eventually(lambda: _has(cloud, "tail", 1))


def _has(cloud: DatabasesCloud, identifier: str, number: int) -> bool:
    try:
        return rows(cloud, identifier) == number
    except psycopg.errors.UndefinedTable:
        return False


def test_a_promoted_replica_is_restorable_on_its_own(cloud: DatabasesCloud) -> None:
    cloud.rds.promote_read_replica(DBInstanceIdentifier="middle", BackupRetentionPeriod=2)
    described = cloud.wait("middle")
    assert described["BackupRetentionPeriod"] == 2
    assert described["ReadReplicaDBInstanceIdentifiers"] == ["tail"]
    assert cloud.describe("head")["ReadReplicaDBInstanceIdentifiers"] == []
    with cloud.connect("middle") as connection:
        connection.execute("INSERT INTO buyers VALUES (2)")
    # Its own replica follows it onto the new timeline.
    cloud.eventually(lambda: _has(cloud, "tail", 2))
    assert _has(cloud, "head", 1)
    cloud.eventually(lambda: len(cloud.node("middle").archive.backups()) == 2)
    time.sleep(1.1)
    shipping.ship_now(cloud.node("middle"))
    cloud.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="middle",
        TargetDBInstanceIdentifier="restored",
        UseLatestRestorableTime=True,
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[cloud.database_group],
    )
    cloud.wait("restored")
    assert rows(cloud, "restored") == 2
    with pytest.raises(ClientError, match="not a read replica"):
        cloud.rds.promote_read_replica(DBInstanceIdentifier="middle")
