"""Databases that are restored, copied and promoted by the provider, with real data behind them."""

import datetime
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from localcloud.databases import shipping
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud
from tests.localcloud.provider_engine import CheckFailed, Engine, Made, provider

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

INSTANCE = "aws:rds/instance:Instance"
SNAPSHOT = "aws:rds/snapshot:Snapshot"
SNAPSHOT_COPY = "aws:rds/snapshotCopy:SnapshotCopy"
REPLICATION = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
OTHER_REGION = "eu-central-1"


@pytest.fixture(scope="module")
def engine(cloud: DatabasesCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


@pytest.fixture(scope="module")
def source(cloud: DatabasesCloud) -> str:
    cloud.create_instance("source")
    cloud.wait("source")
    with cloud.connect("source") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers VALUES (1)")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("source"))
    return "source"


@pytest.fixture(scope="module")
def snapshot(engine: Engine, source: str) -> Made:
    return engine.create(
        SNAPSHOT,
        "before",
        dbInstanceIdentifier=source,
        dbSnapshotIdentifier="before",
        tags={"Name": "before"},
    )


def settings(cloud: DatabasesCloud, identifier: str, **more: Any) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "instanceClass": "db.t4g.small",
        "dbSubnetGroupName": "private",
        "vpcSecurityGroupIds": [cloud.database_group],
        "skipFinalSnapshot": True,
        **more,
    }


def test_a_snapshot_is_made_and_read_back(engine: Engine, snapshot: Made) -> None:
    assert snapshot.id == "before"
    assert snapshot["status"] == "available"
    assert snapshot["dbSnapshotArn"] == "arn:aws:rds:eu-west-1:123456789012:snapshot:before"
    assert not engine.diff(snapshot, **plain(snapshot)).changed
    engine.update(snapshot, **{**plain(snapshot), "sharedAccounts": ["210987654321"]})
    assert snapshot["sharedAccounts"] == ["210987654321"]
    assert engine.diff(snapshot, **{**plain(snapshot), "dbSnapshotIdentifier": "other"}).replaces


def plain(made: Made) -> dict[str, Any]:
    return {name: value for name, value in made.inputs.items() if not name.startswith("__")}


def test_an_instance_of_a_snapshot_gets_all_its_settings(
    cloud: DatabasesCloud, engine: Engine, snapshot: Made
) -> None:
    inputs = settings(
        cloud,
        "restored",
        snapshotIdentifier=snapshot.id,
        # Only a change after the restore can carry these.
        passwordWo="second-Passw0rd",
        passwordWoVersion=1,
        maintenanceWindow="sun:03:00-sun:04:00",
        maxAllocatedStorage=100,
        monitoringInterval=60,
        monitoringRoleArn="arn:aws:iam::123456789012:role/monitoring",
        performanceInsightsEnabled=True,
        backupRetentionPeriod=0,
        applyImmediately=False,
        tags={"Name": "restored"},
    )
    made = engine.create(INSTANCE, "restored", **inputs)
    described = cloud.describe("restored")
    assert described["PreferredMaintenanceWindow"] == "sun:03:00-sun:04:00"
    assert described["MaxAllocatedStorage"] == 100
    assert described["MonitoringInterval"] == 60
    assert described["PerformanceInsightsEnabled"] is True
    assert described["BackupRetentionPeriod"] == 0
    assert described["TagList"] == [{"Key": "Name", "Value": "restored"}]
    with cloud.connect("restored", password="second-Passw0rd") as connection:
        assert connection.execute("SELECT id FROM buyers").fetchall() == [(1,)]
    assert not engine.diff(made, **inputs).changed
    assert engine.diff(made, **{**inputs, "snapshotIdentifier": "other"}).replaces == [
        "snapshotIdentifier"
    ]
    engine.delete(made)


def test_an_instance_at_a_point_in_time(cloud: DatabasesCloud, engine: Engine, source: str) -> None:
    time.sleep(1.1)
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    time.sleep(0.1)
    with cloud.connect(source) as connection:
        connection.execute("INSERT INTO buyers VALUES (2)")
    time.sleep(1.1)
    shipping.ship_now(cloud.node(source))
    inputs = settings(
        cloud,
        "then",
        restoreToPointInTime={
            "sourceDbInstanceIdentifier": source,
            "restoreTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        },
        finalSnapshotIdentifier="then-final",
        skipFinalSnapshot=False,
    )
    made = engine.create(INSTANCE, "then", **inputs)
    with cloud.connect("then") as connection:
        assert connection.execute("SELECT id FROM buyers").fetchall() == [(1,)]
    assert not engine.diff(made, **inputs).changed
    latest = {"sourceDbInstanceIdentifier": source, "useLatestRestorableTime": True}
    assert engine.diff(made, **{**inputs, "restoreToPointInTime": latest}).replaces
    engine.delete(made)
    (final,) = cloud.rds.describe_db_snapshots(DBSnapshotIdentifier="then-final")["DBSnapshots"]
    assert final["Status"] == "available"


def test_a_replica_without_its_source_is_promoted(
    cloud: DatabasesCloud, engine: Engine, source: str
) -> None:
    inputs = settings(cloud, "replica", replicateSourceDb=source)
    del inputs["dbSubnetGroupName"]
    made = engine.create(INSTANCE, "replica", **inputs)
    promoted = {
        **inputs,
        "backupRetentionPeriod": 3,
        "backupWindow": "01:00-01:30",
        "deleteAutomatedBackups": False,
    }
    del promoted["replicateSourceDb"]
    promoted |= {"engine": "postgres", "username": "master", "allocatedStorage": 20,
                 "passwordWo": "third-Passw0rd", "passwordWoVersion": 1}  # fmt: skip
    with pytest.raises(grpc.RpcError, match="cannot follow another source"):
        engine.update(made, **{**inputs, "replicateSourceDb": "other"})
    engine.update(made, **promoted)
    described = cloud.describe("replica")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in described
    assert described["BackupRetentionPeriod"] == 3
    assert described["PreferredBackupWindow"] == "01:00-01:30"
    with cloud.connect("replica", password="third-Passw0rd") as connection:
        connection.execute("INSERT INTO buyers VALUES (3)")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("replica"))
    resource_id = described["DbiResourceId"]
    engine.delete(made)
    retained = cloud.rds.describe_db_instance_automated_backups(DbiResourceId=resource_id)
    assert retained["DBInstanceAutomatedBackups"][0]["Status"] == "retained"


def test_copies_in_another_region(
    cloud: DatabasesCloud, engine: Engine, source: str, snapshot: Made
) -> None:
    copied = engine.create(
        SNAPSHOT_COPY,
        "abroad",
        sourceDbSnapshotIdentifier=snapshot["dbSnapshotArn"],
        targetDbSnapshotIdentifier="abroad",
        region=OTHER_REGION,
    )
    assert copied["sourceRegion"] == "eu-west-1"
    assert copied["dbSnapshotArn"].startswith(f"arn:aws:rds:{OTHER_REGION}:")
    assert not engine.diff(copied, **plain(copied)).changed
    replication = engine.create(
        REPLICATION,
        "abroad",
        sourceDbInstanceArn=cloud.describe(source)["DBInstanceArn"],
        retentionPeriod=14,
        region=OTHER_REGION,
    )
    assert replication.id.startswith(f"arn:aws:rds:{OTHER_REGION}:123456789012:auto-backup:ab-")
    assert not engine.diff(replication, **plain(replication)).changed
    assert cloud.describe(source)["DBInstanceAutomatedBackupsReplications"] == [
        {"DBInstanceAutomatedBackupsArn": replication.id}
    ]
    engine.delete(replication)
    assert engine.read(replication) is None
    assert cloud.describe(source).get("DBInstanceAutomatedBackupsReplications", []) == []
    # One that has ended by itself is deleted without a word to RDS: it would end its successor.
    engine.delete(replication)
    engine.delete(copied)
    assert engine.read(copied) is None


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"snapshotIdentifier": "a", "replicateSourceDb": "b"}, "cannot be given together"),
        ({"restoreToPointInTime": {"useLatestRestorableTime": True}}, "one source is needed"),
        (
            {"restoreToPointInTime": {"sourceDbInstanceIdentifier": "a"}},
            "one of restoreTime and useLatestRestorableTime",
        ),
    ],
)
def test_what_the_provider_refuses(
    cloud: DatabasesCloud, engine: Engine, inputs: dict[str, Any], message: str
) -> None:
    new = {"engine": "postgres", "username": "master", "allocatedStorage": 20,
           "passwordWo": "third-Passw0rd", "passwordWoVersion": 1}  # fmt: skip
    with pytest.raises(CheckFailed, match=message):
        engine.check(INSTANCE, "refused", settings(cloud, "refused", **new, **inputs))
