"""Blue/green deployments: what green takes over, and that no acknowledged row is lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.databases import blue_green
from localcloud.databases.node import Node
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused
from tests.localcloud.provider_engine import Engine, provider
from tests.localcloud.writer import Writer, rows

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

INSTANCE = "aws:rds/instance:Instance"


@pytest.fixture(scope="module")
def engine(cloud: DatabasesCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


# What the instance has after the first test but one.
PRESENT = {
    "parameterGroupName": "green",
    "instanceClass": "db.t4g.medium",
    "deletionProtection": False,
}


def settings(cloud: DatabasesCloud, **more: Any) -> dict[str, Any]:
    return {
        "identifier": "orders",
        "engine": "postgres",
        "engineVersion": "17",
        "instanceClass": "db.t4g.small",
        "allocatedStorage": 20,
        "storageType": "gp3",
        "username": "master",
        "passwordWo": databases_cloud.PASSWORD,
        "passwordWoVersion": 1,
        "dbName": "shop",
        "dbSubnetGroupName": "private",
        "vpcSecurityGroupIds": [cloud.database_group],
        "backupRetentionPeriod": 7,
        "availabilityZone": "eu-west-1a",
        "deletionProtection": True,
        "skipFinalSnapshot": True,
        "blueGreenUpdate": {"enabled": True},
        "tags": {"Name": "orders"},
        **more,
    }


@pytest.fixture(scope="module")
def made(cloud: DatabasesCloud, engine: Engine) -> Any:
    cloud.create_parameter_group("blue", {"work_mem": "8192"})
    cloud.create_parameter_group("green", {"work_mem": "16384", "max_connections": "400"})
    made = engine.create(INSTANCE, "orders", **settings(cloud, parameterGroupName="blue"))
    with cloud.connect("orders") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
    return made


def test_a_writer_loses_no_acknowledged_row(
    cloud: DatabasesCloud, engine: Engine, made: Any
) -> None:
    before = cloud.describe("orders")
    address = cloud.address(before["Endpoint"]["Address"])
    with Writer(cloud, "orders") as writer:
        cloud.eventually(lambda: len(writer.acknowledged) > 50)
        changes = {"parameterGroupName": "green", "instanceClass": "db.t4g.medium"}
        engine.update(made, **settings(cloud, **changes))
        written = len(writer.acknowledged)
        cloud.eventually(lambda: len(writer.acknowledged) > written + 50)
    assert writer.broken, "the switchover cuts clients off"
    assert set(writer.acknowledged) <= rows(cloud, "orders")
    assert writer.longest_pause_seconds < 60
    after = cloud.wait("orders")
    assert after["Endpoint"] == before["Endpoint"]
    assert cloud.address(after["Endpoint"]["Address"]) != address
    assert after["DbiResourceId"] == made["resourceId"] != before["DbiResourceId"]
    assert after["DBInstanceClass"] == "db.t4g.medium"
    assert after["DBParameterGroups"] == [
        {"DBParameterGroupName": "green", "ParameterApplyStatus": "in-sync"}
    ]
    kept = ("AvailabilityZone", "BackupRetentionPeriod", "DeletionProtection", "TagList")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert "ReadReplicaSourceDBInstanceIdentifier" not in after
    # Static and dynamic parameters are in effect at once: green began with them.
    assert cloud.setting("orders", "work_mem") == "16MB"
    assert cloud.setting("orders", "max_connections") == "400"


def test_blue_is_gone_and_nothing_remains(cloud: DatabasesCloud, engine: Engine, made: Any) -> None:
    names = {found["DBInstanceIdentifier"] for found in all_instances(cloud)}
    assert names == {"orders"}
    assert cloud.rds.describe_blue_green_deployments()["BlueGreenDeployments"] == []
    slots = cloud.node("orders").server.query("SELECT slot_name FROM pg_replication_slots")
    assert slots == []
    changes = {"parameterGroupName": "green", "instanceClass": "db.t4g.medium"}
    assert not engine.diff(made, **settings(cloud, **changes)).changed
    assert engine.read(made) is not None


def test_point_in_time_recovery_begins_anew(cloud: DatabasesCloud, made: Any) -> None:
    del made
    window = cloud.eventually(lambda: cloud.describe("orders").get("LatestRestorableTime"), 60)
    assert window
    found = cloud.rds.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")
    assert [one["DbiResourceId"] for one in found["DBInstanceAutomatedBackups"]] == [
        cloud.describe("orders")["DbiResourceId"]
    ]


def test_protection_and_passwords_need_no_copy(
    cloud: DatabasesCloud, engine: Engine, made: Any
) -> None:
    before = cloud.describe("orders")["DbiResourceId"]
    changes = {"parameterGroupName": "green", "instanceClass": "db.t4g.medium"}
    engine.update(made, **settings(cloud, **changes, deletionProtection=False))
    assert cloud.describe("orders")["DbiResourceId"] == before
    assert cloud.describe("orders")["DeletionProtection"] is False


def test_a_failed_switchover_leaves_blue_in_production(
    cloud: DatabasesCloud, engine: Engine, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(blue: Node, green: Node) -> bool:
        return blue is green

    monkeypatch.setattr(blue_green, "_has_everything", lacking)
    before = cloud.describe("orders")["DbiResourceId"]
    with pytest.raises(Exception, match="green did not receive all of blue's last commits"):
        engine.update(made, **settings(cloud, **PRESENT, backupWindow="02:00-02:30"))
    cloud.eventually(lambda: len(all_instances(cloud)) == 1, 60)
    assert cloud.wait("orders")["DbiResourceId"] == before
    with cloud.connect("orders") as connection:
        connection.execute("INSERT INTO buyers VALUES (-1)")


def test_a_green_that_cannot_start_goes_and_blue_stays(
    cloud: DatabasesCloud, engine: Engine, made: Any
) -> None:
    before = cloud.describe("orders")["DbiResourceId"]
    # The smaller class has fewer max_connections than blue runs with: a standby refuses that.
    smaller = settings(cloud, deletionProtection=False, parameterGroupName="blue")
    with pytest.raises(Exception, match="is incompatible-parameters"):
        engine.update(made, **smaller)
    cloud.eventually(lambda: len(all_instances(cloud)) == 1, 60)
    assert cloud.wait("orders")["DbiResourceId"] == before


def test_what_rds_refuses(cloud: DatabasesCloud, made: Any) -> None:
    del made
    arn = cloud.describe("orders")["DBInstanceArn"]
    create = cloud.rds.create_blue_green_deployment
    with refused("InvalidParameterCombination", "Cannot find version 18"):
        create(BlueGreenDeploymentName="orders", Source=arn, TargetEngineVersion="18")
    with refused("BlueGreenDeploymentNotFoundFault"):
        cloud.rds.switchover_blue_green_deployment(BlueGreenDeploymentIdentifier="bgd-unknown")
    cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="orders"
    )
    cloud.wait("reader")
    with refused("InvalidParameterCombination", "single instances only"):
        create(BlueGreenDeploymentName="orders", Source=arn)


def all_instances(cloud: DatabasesCloud) -> list[dict[str, Any]]:
    return cloud.rds.describe_db_instances()["DBInstances"]
