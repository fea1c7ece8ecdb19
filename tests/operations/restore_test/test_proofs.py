"""What a restore test proves, and how its runs share the work."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from operations.backup import BackupTarget, run
from operations.errors import OperationError
from operations.functions import restore_test as function
from operations.restore import marker, report, restore_test
from operations.restore.restore_test import LAST_TEST_KEY
from tests.operations.restore_test.conftest import (
    ARN,
    BUCKET,
    PASSWORD,
    SCRATCH,
    USER,
    World,
    begin,
    metrics,
)

pytestmark = pytest.mark.root


def test_a_whole_test_proves_both_ways_back_and_leaves_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.go_on() == {"status": "nothing to do"}
    assert metrics(capsys.readouterr().out) == {"RestoreTestAgeDays": pytest.approx(10, abs=0.01)}

    started = world.start()
    assert started["status"] == "started"
    inputs = dict(world.rds.restored)
    tags = {tag["Key"]: tag["Value"] for tag in inputs.pop("Tags")}
    moment = inputs.pop("RestoreTime")
    assert inputs == {
        "SourceDBInstanceIdentifier": "pgkeep-test",
        "TargetDBInstanceIdentifier": SCRATCH,
        "DBInstanceClass": "db.t4g.medium",
        "DBSubnetGroupName": "pgkeep-test-database",
        "DBParameterGroupName": "pgkeep-test-postgres17",
        "VpcSecurityGroupIds": ["sg-scratch"],
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "DeletionProtection": False,
        "AutoMinorVersionUpgrade": False,
        "CopyTagsToSnapshot": True,
        "EnableIAMDatabaseAuthentication": False,
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    }
    assert started["restored_to"] == moment.isoformat() == tags["pgkeep:restored-to"]
    assert moment.microsecond == 0
    assert tags["Name"] == SCRATCH
    assert tags["pgkeep:scratch"] == "restore-test"
    assert tags["pgkeep:owner"] == "platform"
    assert "aws:cloudformation:stack-name" not in tags

    assert world.start() == {"status": "under way", "instance": SCRATCH}
    world.remaining = [50]
    assert world.go_on() == {"status": "waiting", "instance_status": "creating"}
    world.remaining = [880]
    world.rds.status = "backing-up"
    capsys.readouterr()
    done = world.go_on()
    assert done["status"] == "proven"
    assert done["backup"] == world.backup_id
    assert world.rds.deletions == [
        {
            "DBInstanceIdentifier": SCRATCH,
            "SkipFinalSnapshot": True,
            "DeleteAutomatedBackups": True,
        }
    ]
    point, dump = world.reports()
    assert (point["kind"], point["proven"], point["row_counts"]) == (
        "point-in-time",
        True,
        {"public.buyers": 500},
    )
    assert {check["name"] for check in point["checks"]} >= {
        "ends at the marker",
        "every row can be read",
        "constraints validated",
        "no orphaned rows",
        "sequences ahead of their columns",
        "indexes checked with amcheck",
        "rows as many as in the newest backup",
    }
    assert point["objectives"]["rto"]["met"]
    assert (dump["kind"], dump["backup_id"], dump["proven"]) == ("dump", world.backup_id, True)
    keys = {entry["Key"] for entry in world.s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert {key.replace(".json", ".md") for key in done["reports"]} <= keys
    last = json.loads(world.s3.get_object(Bucket=BUCKET, Key=LAST_TEST_KEY)["Body"].read())
    assert last["reports"] == done["reports"]
    said = metrics(capsys.readouterr().out)
    assert said["RestoreTestSuccess"] == 1
    assert said["RestoreTestAgeDays"] == pytest.approx(0, abs=0.01)
    assert said["RestoreTestRtoSeconds"] > 0
    with world.server.superuser() as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database")]
    assert "node_pass_restore_test" not in names
    assert report.proven(world.s3, BUCKET).keys() == {world.backup_id, "point-in-time"}
    assert world.go_on() == {"status": "deleting"}


def test_a_monthly_test_proves_the_newest_monthly_backup(world: World) -> None:
    made = [
        run(
            backup_class,
            world.server.endpoint,
            connect=lambda: world.server.endpoint.connect(USER, PASSWORD),
            target=BackupTarget(BUCKET, world.site.kms_key, retention_days={}),
            s3=world.s3,
        )
        for backup_class in ("monthly", "weekly")
    ]
    restore_test.start(world.site, lambda: 50.0, "monthly")
    tags = {tag["Key"]: tag["Value"] for tag in world.rds.restored["Tags"]}
    assert tags["pgkeep:scope"] == "monthly"
    world.rds.status = "available"
    assert world.go_on()["backup"] == made[0].id
    last = json.loads(world.s3.get_object(Bucket=BUCKET, Key=LAST_TEST_KEY)["Body"].read())
    assert last["scope"] == "monthly"
    world.rds.instance = None
    begin(world)
    assert world.go_on()["backup"] == world.backup_id
    with pytest.raises(
        OperationError, match="scope is 'yearly'; it must be one of weekly, monthly"
    ):
        restore_test.start(world.site, lambda: 880.0, "yearly")


def test_a_dump_too_large_for_what_is_left_waits_for_the_next_run(world: World) -> None:
    begin(world)
    world.remaining = [700, 60]
    half = world.go_on()
    assert half["status"] == "half"
    assert half["next"] == world.backup_id
    world.remaining = [880]
    assert world.go_on()["status"] == "proven"
    assert [made["kind"] for made in world.reports()] == ["point-in-time", "dump"]


def test_a_run_waits_for_the_instance_and_leaves_the_proofs_to_one_with_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(world, "creating")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            world.rds.status = "available"

    with monkeypatch.context() as patch:
        patch.setattr("operations.restore.restore_test.time.sleep", sleep)
        world.remaining = [800, 500, 400]
        assert world.go_on() == {"status": "ready"}
    assert waited == [5.0, 5.0]
    ready = datetime.fromisoformat(str(world.rds.tag("pgkeep:ready-at")))
    world.remaining = [880]
    assert world.go_on()["status"] == "proven"
    point, _ = world.reports()
    began = datetime.fromisoformat(point["started_at"])
    assert point["steps"]["instance restored"] == round((ready - began).total_seconds(), 3)


def test_the_run_that_asked_for_the_instance_notes_when_it_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        # The marker waits for a full second before it.
        waited.append(seconds)
        if waited[-2:] == [5.0, 5.0]:
            world.rds.status = "available"

    monkeypatch.setattr("operations.restore.restore_test.time.sleep", sleep)
    assert restore_test.start(world.site, lambda: 800.0)["status"] == "started"
    assert waited[-2:] == [5.0, 5.0]
    ready = world.rds.tag("pgkeep:ready-at")
    assert ready is not None
    # The schedule goes on much later: no part of the time that a restore takes.
    began = datetime.now(UTC) - timedelta(seconds=500)
    moved = (datetime.fromisoformat(ready) - timedelta(seconds=480)).isoformat()
    tags = {"pgkeep:started-at": began.isoformat(), "pgkeep:ready-at": moved}
    world.rds.add_tags_to_resource(ARN, [{"Key": k, "Value": v} for k, v in tags.items()])
    assert world.go_on()["status"] == "proven"
    assert world.rds.tag("pgkeep:ready-at") == moved
    point, _ = world.reports()
    assert point["steps"]["instance restored"] < 25
    assert point["rto_seconds"] < 60


def test_an_instance_that_cannot_be_made_is_left_to_the_next_run(world: World) -> None:
    world.rds.status = "incompatible-restore"
    assert restore_test.start(world.site, lambda: 800.0)["status"] == "started"
    assert world.rds.tag("pgkeep:ready-at") is None
    with pytest.raises(OperationError, match="its status is incompatible-restore"):
        world.go_on()
    assert len(world.rds.deletions) == 1


def test_an_instance_that_cannot_be_deleted_yet_is_deleted_later(world: World) -> None:
    begin(world)
    world.rds.refuses_deletion = True
    assert world.go_on()["status"] == "proven"
    assert world.rds.tag("pgkeep:ended") == "proven"
    world.rds.refuses_deletion = False
    assert world.go_on() == {"status": "deleting"}
    assert len(world.rds.deletions) == 1


def test_markers_of_several_moments_each_end_where_they_should(world: World) -> None:
    with world.server.superuser() as connection:
        marked = [marker.mark(connection) for _ in range(3)]
        for one in reversed(marked):
            with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
                connection.execute(
                    "DELETE FROM pgkeep.restore_marker WHERE written_at > %s", (one.moment,)
                )
                assert marker.findings(connection, one) == []
                for later in marked[marked.index(one) + 1 :]:
                    assert marker.findings(connection, later)
                connection.execute("DO $$ BEGIN RAISE 'back'; END $$")
            assert marker.findings(connection, one)


def test_a_wrong_action_is_one_line() -> None:
    with pytest.raises(OperationError, match="action is 'go'; it must be one of start, continue"):
        function.handler({"action": "go"}, None)  # type: ignore[arg-type]
