"""Restore to a point in time: marker rows before several targets, each asserted after."""

import datetime
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from localcloud.databases import shipping
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def next_second() -> datetime.datetime:
    """Wait for a whole second with nothing in it, and return it."""
    moment = now().replace(microsecond=0) + datetime.timedelta(seconds=1)
    time.sleep((moment - now()).total_seconds() + 0.05)
    return moment


def markers(cloud: DatabasesCloud, identifier: str, **options: Any) -> list[str]:
    with cloud.connect(identifier, **options) as connection:
        rows = connection.execute("SELECT name FROM markers ORDER BY id").fetchall()
    return [str(row[0]) for row in rows]


def insert(cloud: DatabasesCloud, name: str) -> datetime.datetime:
    """Insert a marker and return a moment that is later than its commit."""
    with cloud.connect("source") as connection:
        connection.execute("INSERT INTO markers (name) VALUES (%s)", [name])
    return next_second()


def ship(cloud: DatabasesCloud, identifier: str = "source") -> datetime.datetime:
    """What housekeeping does every minute, now; returns the latest restorable time."""
    shipping.ship_now(cloud.node(identifier))
    return cloud.describe(identifier)["LatestRestorableTime"]


class Source:
    """The source and a moment after each of its markers."""

    def __init__(self, cloud: DatabasesCloud) -> None:
        cloud.create_parameter_group("slow", {"log_min_duration_statement": "1234"})
        cloud.create_instance(
            "source",
            StorageType="gp3",
            DeletionProtection=True,
            EnableIAMDatabaseAuthentication=True,
            Tags=[{"Key": "Name", "Value": "source"}],
        )
        cloud.wait("source")
        cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("source"))
        with cloud.connect("source") as connection:
            connection.execute(
                "CREATE TABLE markers (id bigint GENERATED ALWAYS AS IDENTITY, name text)"
            )
        self.moments = [insert(cloud, "one")]
        ship(cloud)
        # Two markers in one segment, then one in the next.
        self.moments.append(insert(cloud, "two"))
        self.moments.append(insert(cloud, "three"))
        ship(cloud)
        self.moments.append(insert(cloud, "four"))
        self.latest = ship(cloud)


@pytest.fixture(scope="module")
def source(cloud: DatabasesCloud) -> Source:
    return Source(cloud)


@pytest.fixture
def target(cloud: DatabasesCloud) -> Iterator[str]:
    yield "target"
    cloud.rds.delete_db_instance(DBInstanceIdentifier="target", SkipFinalSnapshot=True)
    cloud.gone("target")


def restore(cloud: DatabasesCloud, target: str, **inputs: Any) -> dict[str, Any]:
    by_name = {"SourceDBInstanceIdentifier": "source"}
    if inputs.keys() & {"SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn"}:
        by_name = {}
    defaults = {
        **by_name,
        "DBSubnetGroupName": "private",
        "VpcSecurityGroupIds": [cloud.database_group],
    }
    return cloud.rds.restore_db_instance_to_point_in_time(
        TargetDBInstanceIdentifier=target, **{**defaults, **inputs}
    )["DBInstance"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, ["one"]),
        (1, ["one", "two"]),
        (2, ["one", "two", "three"]),
        (3, ["one", "two", "three", "four"]),
    ],
)
def test_every_marker_before_the_target_is_there_and_none_after(
    cloud: DatabasesCloud, source: Source, target: str, number: int, expected: list[str]
) -> None:
    created = restore(cloud, target, RestoreTime=source.moments[number])
    assert created["DBInstanceStatus"] == "creating"
    cloud.wait(target)
    assert markers(cloud, target) == expected


def test_the_latest_restorable_time_and_what_the_new_instance_is_like(
    cloud: DatabasesCloud, source: Source, target: str
) -> None:
    insert(cloud, "not yet in the archive")
    restore(
        cloud,
        target,
        UseLatestRestorableTime=True,
        DBParameterGroupName="slow",
        DBInstanceClass="db.t4g.medium",
        Port=5433,
        MultiAZ=True,
    )
    described = cloud.wait(target)
    assert markers(cloud, target) == ["one", "two", "three", "four"]
    original = cloud.describe("source")
    inherited = [
        "AllocatedStorage",
        "BackupRetentionPeriod",
        "DBName",
        "Engine",
        "EngineVersion",
        "LicenseModel",
        "MasterUsername",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "StorageType",
        "Iops",
        "StorageThroughput",
    ]
    for name in inherited:
        assert described[name] == original[name], name
    assert described["DbiResourceId"] != original["DbiResourceId"]
    assert described["DBInstanceClass"] == "db.t4g.medium"
    assert described["Endpoint"]["Port"] == 5433
    assert described["MultiAZ"] is True
    # What RDS gives anew.
    assert described["DeletionProtection"] is False
    assert described["IAMDatabaseAuthenticationEnabled"] is False
    assert described["TagList"] == []
    assert "ReadReplicaSourceDBInstanceIdentifier" not in described
    assert cloud.setting(target, "log_min_duration_statement") == "1234ms"
    assert cloud.setting(target, "hot_standby") == "on"
    assert cloud.setting(target, "recovery_target_time") == ""
    assert not (cloud.node(target).server.folder / "restore").exists()
    # It is not the source's any more, and the source went on.
    with cloud.connect(target) as connection:
        connection.execute("INSERT INTO markers (name) VALUES ('of the target')")
    assert "of the target" not in markers(cloud, "source")
    with cloud.connect("source") as connection:
        row = connection.execute("SELECT pg_postmaster_start_time() < now()").fetchone()
        assert row == (True,)


def test_a_restored_instance_is_restorable_itself(
    cloud: DatabasesCloud, source: Source, target: str
) -> None:
    restore(cloud, target, RestoreTime=source.moments[0])
    cloud.wait(target)
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe(target))
    with cloud.connect(target) as connection:
        connection.execute("INSERT INTO markers (name) VALUES ('second life')")
    moment = next_second()
    ship(cloud, target)
    with cloud.connect(target) as connection:
        timeline = connection.execute("SELECT timeline_id FROM pg_control_checkpoint()").fetchone()
    assert timeline == (2,)
    restore(cloud, "again", SourceDBInstanceIdentifier=target, RestoreTime=moment)
    cloud.wait("again")
    assert markers(cloud, "again") == ["one", "second life"]
    cloud.rds.delete_db_instance(DBInstanceIdentifier="again", SkipFinalSnapshot=True)
    cloud.gone("again")


def test_the_restore_window_is_the_archives(cloud: DatabasesCloud, source: Source) -> None:
    (backup,) = cloud.rds.describe_db_instance_automated_backups(DBInstanceIdentifier="source")[
        "DBInstanceAutomatedBackups"
    ]
    window = backup["RestoreWindow"]
    assert backup["Status"] == "active"
    assert backup["BackupRetentionPeriod"] == 7
    assert window["LatestTime"] == cloud.describe("source")["LatestRestorableTime"]
    assert window["EarliestTime"] <= source.moments[0]
    assert backup["DbiResourceId"] == cloud.describe("source")["DbiResourceId"]
    for moment, side in (
        (window["EarliestTime"] - datetime.timedelta(seconds=1), "earlier than"),
        (window["LatestTime"] + datetime.timedelta(seconds=1), "later than"),
    ):
        with refused("InvalidRestoreFault", side):
            restore(cloud, "refused", RestoreTime=moment)


@pytest.mark.parametrize("end", ["EarliestTime", "LatestTime"])
def test_both_ends_of_the_window_can_be_restored(
    cloud: DatabasesCloud, source: Source, target: str, end: str
) -> None:
    (backup,) = cloud.rds.describe_db_instance_automated_backups(DBInstanceIdentifier="source")[
        "DBInstanceAutomatedBackups"
    ]
    restore(
        cloud,
        target,
        SourceDBInstanceAutomatedBackupsArn=backup["DBInstanceAutomatedBackupsArn"],
        RestoreTime=backup["RestoreWindow"][end],
    )
    cloud.wait(target)
    if end == "EarliestTime":
        with pytest.raises(psycopg.errors.UndefinedTable):
            markers(cloud, target)
    else:
        assert markers(cloud, target)[:4] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"UseLatestRestorableTime": True, "RestoreTime": now()}, "InvalidParameterCombination"),
        (
            {"SourceDBInstanceIdentifier": "absent", "UseLatestRestorableTime": True},
            "DBInstanceNotFound",
        ),
        (
            {"SourceDbiResourceId": "db-ABSENT", "UseLatestRestorableTime": True},
            "DBInstanceAutomatedBackupNotFound",
        ),
        ({"UseLatestRestorableTime": True, "AllocatedStorage": 19}, "InvalidParameterValue"),
        (
            {"UseLatestRestorableTime": True, "DBParameterGroupName": "absent"},
            "DBParameterGroupNotFound",
        ),
        ({"UseLatestRestorableTime": True, "DBName": "other"}, "InvalidParameterCombination"),
        (
            {"UseLatestRestorableTime": True, "TargetDBInstanceIdentifier": "source"},
            "DBInstanceAlreadyExists",
        ),
    ],
)
def test_what_a_restore_refuses(
    cloud: DatabasesCloud, source: Source, inputs: dict[str, Any], code: str
) -> None:
    inputs = dict(inputs)
    target = inputs.pop("TargetDBInstanceIdentifier", "refused")
    with refused(code):
        restore(cloud, target, **inputs)
    names = [i["DBInstanceIdentifier"] for i in cloud.rds.describe_db_instances()["DBInstances"]]
    assert names == ["source"]


def test_without_backups_there_is_nothing_to_restore(cloud: DatabasesCloud) -> None:
    cloud.create_instance("plain", BackupRetentionPeriod=0)
    cloud.wait("plain")
    assert "LatestRestorableTime" not in cloud.describe("plain")
    with refused("PointInTimeRestoreNotEnabled"):
        restore(cloud, "refused", SourceDBInstanceIdentifier="plain", UseLatestRestorableTime=True)
    cloud.rds.delete_db_instance(DBInstanceIdentifier="plain", SkipFinalSnapshot=True)
    cloud.gone("plain")


def test_backups_end_at_once_when_they_are_switched_off(
    cloud: DatabasesCloud, source: Source, target: str
) -> None:
    restore(cloud, target, RestoreTime=source.moments[0])
    cloud.wait(target)
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe(target))
    cloud.rds.modify_db_instance(DBInstanceIdentifier=target, BackupRetentionPeriod=0)
    assert "LatestRestorableTime" not in cloud.wait(target)
    assert not cloud.node(target).archive.backups()
    found = cloud.rds.describe_db_snapshots(DBInstanceIdentifier=target, SnapshotType="automated")
    assert found["DBSnapshots"] == []


def test_a_deleted_instances_backups_are_kept_when_asked_for(
    cloud: DatabasesCloud, source: Source
) -> None:
    restore(cloud, "target", RestoreTime=source.moments[0])
    cloud.wait("target")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("target"))
    with cloud.connect("target") as connection:
        connection.execute("INSERT INTO markers (name) VALUES ('last words')")
    next_second()
    resource_id = cloud.describe("target")["DbiResourceId"]
    cloud.rds.delete_db_instance(
        DBInstanceIdentifier="target", SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    cloud.gone("target")
    (retained,) = cloud.rds.describe_db_instance_automated_backups(DbiResourceId=resource_id)[
        "DBInstanceAutomatedBackups"
    ]
    assert retained["Status"] == "retained"
    assert cloud.rds.describe_db_snapshots(DBInstanceIdentifier="target")["DBSnapshots"]
    restore(cloud, "target", SourceDbiResourceId=resource_id, UseLatestRestorableTime=True)
    cloud.wait("target")
    assert markers(cloud, "target") == ["one", "last words"]
    with refused("InvalidDBInstanceAutomatedBackupState"):
        cloud.rds.delete_db_instance_automated_backup(
            DbiResourceId=cloud.describe("source")["DbiResourceId"]
        )
    cloud.rds.delete_db_instance_automated_backup(DbiResourceId=resource_id)
    with refused("DBInstanceAutomatedBackupNotFound"):
        cloud.rds.describe_db_instance_automated_backups(DbiResourceId=resource_id)
    cloud.rds.delete_db_instance(DBInstanceIdentifier="target", SkipFinalSnapshot=True)
    cloud.gone("target")
    leftovers = list((cloud.home.databases / ".automated").iterdir())
    assert leftovers == []
