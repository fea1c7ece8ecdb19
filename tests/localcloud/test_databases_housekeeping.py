"""What RDS does by itself: log exports, metrics, backups in their window, pending changes."""

import datetime
import os
import signal

import boto3
import pytest

from localcloud.databases.housekeeping import Housekeeping, prune
from localcloud.databases.parameters import catalogue
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


@pytest.fixture(scope="module")
def kept(cloud: DatabasesCloud) -> str:
    cloud.create_parameter_group(
        "kept",
        {"shared_preload_libraries": "pg_stat_statements,pgaudit,auto_explain,pg_prewarm"},
    )
    cloud.create_instance(
        "kept",
        DBParameterGroupName="kept",
        EnableCloudwatchLogsExports=["postgresql"],
        PreferredBackupWindow="03:00-03:30",
        PreferredMaintenanceWindow="sun:04:00-sun:04:30",
        BackupRetentionPeriod=2,
    )
    cloud.wait("kept")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("kept"))
    return "kept"


@pytest.fixture
def housekeeping(cloud: DatabasesCloud, kept: str) -> Housekeeping:
    return Housekeeping(cloud.plane)


def test_logs_are_exported(cloud: DatabasesCloud, kept: str) -> None:
    """By the cloud's own housekeeping; a second one beside it would send each entry again."""
    logs = boto3.client("logs", **cloud.arguments)
    group = "/aws/rds/instance/kept/postgresql"
    with cloud.connect(kept) as connection:
        connection.execute("DO $$ BEGIN RAISE WARNING E'first line\\nsecond line'; END $$")

    def exported() -> list[str]:
        # The group comes with the first entries.
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        events = logs.filter_log_events(logGroupName=group, filterPattern="first")["events"]
        return [event["message"] for event in events]

    (message,) = cloud.eventually(exported)
    assert "master@shop" in message
    assert "second line" in message


def test_metrics_are_measured(cloud: DatabasesCloud, kept: str, housekeeping: Housekeeping) -> None:
    cloudwatch = boto3.client("cloudwatch", **cloud.arguments)
    with cloud.connect(kept) as connection:
        housekeeping.measure(cloud.node(kept))
        connection.execute("SELECT count(*) FROM generate_series(1, 2000000)")
        housekeeping.measure(cloud.node(kept))
    now = datetime.datetime.now(datetime.UTC)

    def highest(metric: str) -> float:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName=metric,
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": kept}],
            StartTime=now - datetime.timedelta(minutes=5),
            EndTime=now + datetime.timedelta(minutes=5),
            Period=600,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max(point["Maximum"] for point in points)

    assert highest("DatabaseConnections") == 1
    assert highest("CPUUtilization") > 0
    assert 19 * 1024**3 < highest("FreeStorageSpace") < 20 * 1024**3
    assert 1 * 1024**3 < highest("FreeableMemory") < 2 * 1024**3
    assert highest("TransactionLogsDiskUsage") >= 16 * 1024**2


def test_pending_changes_are_made_in_the_maintenance_window(
    cloud: DatabasesCloud, kept: str, housekeeping: Housekeeping
) -> None:
    cloud.rds.modify_db_instance(DBInstanceIdentifier=kept, DBInstanceClass="db.t4g.medium")
    cloud.wait(kept)
    saturday = datetime.datetime(2026, 11, 21, 4, 10, tzinfo=datetime.UTC)
    housekeeping.maintain(cloud.node(kept), saturday)
    assert cloud.wait(kept)["DBInstanceClass"] == "db.t4g.small"
    housekeeping.maintain(cloud.node(kept), saturday + datetime.timedelta(days=1))
    described = cloud.wait(kept)
    assert described["DBInstanceClass"] == "db.t4g.medium"
    assert described["PendingModifiedValues"] == {}
    assert cloud.setting(kept, "max_connections") == "450"


def test_what_no_restorable_time_needs_is_removed(cloud: DatabasesCloud, kept: str) -> None:
    node = cloud.node(kept)
    folder = node.server.folder
    now = datetime.datetime.now(datetime.UTC)
    for days in (5, 3):
        moment = now - datetime.timedelta(days=days)
        (folder / "base_backups" / moment.strftime("%Y%m%dT%H%M%SZ")).mkdir()
        segment = node.server.wal_archive / f"00000001000000000000000{days}"
        segment.write_bytes(b"")
        os.utime(segment, times=(moment.timestamp() + 60,) * 2)
    prune(node, now)
    names = sorted(path.name for path in (folder / "base_backups").iterdir())
    # The one of three days ago is the start for the two days one may go back to.
    assert len(names) == 2
    assert names[0] == (now - datetime.timedelta(days=3)).strftime("%Y%m%dT%H%M%SZ")
    archived = {path.name for path in node.server.wal_archive.iterdir()}
    assert "000000010000000000000005" not in archived
    assert "000000010000000000000003" in archived


def test_a_replica_keeps_backups_of_its_own(cloud: DatabasesCloud, kept: str) -> None:
    cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="kept-replica", SourceDBInstanceIdentifier=kept
    )
    cloud.wait("kept-replica")
    cloud.rds.modify_db_instance(
        DBInstanceIdentifier="kept-replica", BackupRetentionPeriod=7, ApplyImmediately=True
    )
    cloud.wait("kept-replica")
    described = cloud.eventually(
        lambda: (d := cloud.describe("kept-replica")).get("LatestRestorableTime") and d
    )
    assert described["BackupRetentionPeriod"] == 7


def test_the_catalogue_is_the_engines(cloud: DatabasesCloud, kept: str) -> None:
    rows = cloud.node(kept).server.query(
        "SELECT lower(name), context = 'postmaster' FROM pg_settings "
        "WHERE name NOT LIKE 'plpgsql.%%'"
    )
    shipped = {name: p.static for name, p in catalogue("postgres17").items() if not p.managed}
    assert shipped == dict(rows)


def test_a_server_that_died_is_started_again(
    cloud: DatabasesCloud, kept: str, housekeeping: Housekeeping
) -> None:
    with cloud.connect(kept) as connection:
        connection.execute("CREATE TABLE lasting AS SELECT 1 AS id")
    process_id = cloud.node(kept).server.process_id
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    cloud.eventually(lambda: not cloud.node(kept).server.running)
    cloud.eventually(
        lambda: housekeeping.watch(cloud.node(kept)) or cloud.node(kept).server.running
    )
    cloud.wait(kept)
    with cloud.connect(kept) as connection:
        assert connection.execute("SELECT id FROM lasting").fetchall() == [(1,)]
