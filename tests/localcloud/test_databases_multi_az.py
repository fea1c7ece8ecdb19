"""Multi-AZ: every commit is on the standby too, and a failover moves address and zone."""

import os
import signal
import time

import pytest

from localcloud.databases import shipping, standby
from localcloud.databases.housekeeping import Housekeeping
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


@pytest.fixture(scope="module")
def pair(cloud: DatabasesCloud) -> str:
    cloud.create_instance("pair", MultiAZ=True)
    cloud.wait("pair")
    with cloud.connect("pair") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers VALUES (1)")
    cloud.rds.create_db_instance_read_replica(
        DBInstanceIdentifier="reader",
        SourceDBInstanceIdentifier="pair",
        VpcSecurityGroupIds=[cloud.database_group],
    )
    cloud.wait("reader")
    return "pair"


def rows(cloud: DatabasesCloud, identifier: str) -> list[int]:
    with cloud.connect(identifier) as connection:
        found = connection.execute("SELECT id FROM buyers ORDER BY id").fetchall()
    return [int(row[0]) for row in found]


def insert(cloud: DatabasesCloud, number: int) -> None:
    with cloud.connect("pair") as connection:
        connection.execute("INSERT INTO buyers VALUES (%s)", [number])


def streaming(cloud: DatabasesCloud) -> bool:
    found = cloud.node("pair").server.query(
        "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s", standby.NAME
    )
    return found == [("sync",)]


def test_a_commit_waits_for_the_standby_in_the_other_zone(cloud: DatabasesCloud, pair: str) -> None:
    described = cloud.describe(pair)
    assert described["MultiAZ"] is True
    assert {described["AvailabilityZone"], described["SecondaryAvailabilityZone"]} == {
        "eu-west-1a",
        "eu-west-1b",
    }
    cloud.eventually(lambda: streaming(cloud))
    assert cloud.setting(pair, "synchronous_standby_names") == f'"{standby.NAME}"'


def test_a_failover_loses_nothing_and_moves_address_and_zone(
    cloud: DatabasesCloud, pair: str
) -> None:
    cloud.eventually(lambda: cloud.describe(pair).get("LatestRestorableTime"))
    before = cloud.describe(pair)
    address = cloud.address(before["Endpoint"]["Address"])
    insert(cloud, 2)
    cloud.rds.reboot_db_instance(DBInstanceIdentifier=pair, ForceFailover=True)
    assert cloud.describe(pair)["DBInstanceStatus"] == "rebooting"
    after = cloud.wait(pair)
    assert after["Endpoint"] == before["Endpoint"]
    assert cloud.address(after["Endpoint"]["Address"]) != address
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert after["SecondaryAvailabilityZone"] == before["AvailabilityZone"]
    assert rows(cloud, pair) == [1, 2]
    insert(cloud, 3)
    cloud.eventually(lambda: rows(cloud, "reader") == [1, 2, 3])
    cloud.eventually(lambda: streaming(cloud))
    events = cloud.rds.describe_events(
        SourceIdentifier=pair, SourceType="db-instance", EventCategories=["failover"]
    )["Events"]
    assert [event["Message"] for event in events] == [
        "Multi-AZ instance failover started.",
        "Multi-AZ instance failover completed",
    ]


def test_the_archive_goes_on_over_the_failover(cloud: DatabasesCloud, pair: str) -> None:
    insert(cloud, 4)
    time.sleep(1.1)
    shipping.ship_now(cloud.node(pair))
    latest = cloud.describe(pair)["LatestRestorableTime"]
    insert(cloud, 5)
    cloud.rds.reboot_db_instance(DBInstanceIdentifier=pair, ForceFailover=True)
    cloud.wait(pair)
    time.sleep(1.1)
    shipping.ship_now(cloud.node(pair))
    for name, moment, expected in (
        ("then", latest, [1, 2, 3, 4]),
        ("now", cloud.describe(pair)["LatestRestorableTime"], [1, 2, 3, 4, 5]),
    ):
        cloud.rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=pair,
            TargetDBInstanceIdentifier=name,
            RestoreTime=moment,
            DBSubnetGroupName="private",
            VpcSecurityGroupIds=[cloud.database_group],
        )
        cloud.wait(name)
        assert rows(cloud, name) == expected
        cloud.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_standby_that_died_is_started_again(cloud: DatabasesCloud, pair: str) -> None:
    housekeeping = Housekeeping(cloud.plane)
    second = cloud.node(pair).standby
    assert second is not None and second.server.process_id is not None
    os.kill(second.server.process_id, signal.SIGKILL)
    cloud.eventually(lambda: not second.server.running)
    housekeeping.watch(cloud.node(pair))
    cloud.eventually(lambda: streaming(cloud))
    insert(cloud, 6)


def test_it_becomes_single_az_and_multi_az_again(cloud: DatabasesCloud, pair: str) -> None:
    change = {"DBInstanceIdentifier": pair, "ApplyImmediately": True}
    cloud.rds.modify_db_instance(**change, MultiAZ=False)
    assert "SecondaryAvailabilityZone" not in cloud.wait(pair)
    assert cloud.setting(pair, "synchronous_standby_names") == ""
    insert(cloud, 7)
    with refused("InvalidParameterCombination", "no Multi-AZ standby"):
        cloud.rds.reboot_db_instance(DBInstanceIdentifier=pair, ForceFailover=True)
    cloud.rds.modify_db_instance(**change, MultiAZ=True, DBInstanceClass="db.t4g.medium")
    cloud.wait(pair)
    cloud.eventually(lambda: streaming(cloud))
    assert rows(cloud, pair)[-1] == 7


def test_nothing_of_the_pair_stays(cloud: DatabasesCloud, pair: str) -> None:
    for identifier in ("reader", pair):
        cloud.rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
        cloud.gone(identifier)
    left = [path.name for path in cloud.home.databases.iterdir() if not path.name.startswith(".")]
    assert left == []
