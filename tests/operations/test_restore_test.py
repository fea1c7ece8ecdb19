"""The restore test's state machine on a real PostgreSQL 17, with RDS as a double that keeps state.

The double "restores" by pointing at the same server and taking away what came after the moment,
which is what a restore does; tests/e2e/test_restores.py has a real one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError

from operations import postgresql_client_layer
from operations.backup import BackupTarget, run
from operations.backup.store import Store
from operations.errors import OperationError
from operations.functions import restore_test as function
from operations.restore import marker, report, restore_test
from operations.restore.objectives import Objectives
from operations.restore.restore_test import LAST_TEST_KEY, Site
from tests.operations.postgres_server import PostgresServer
from workloads import RestoreCheck

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-of-a-scheduled-test"
USER, PASSWORD = "stranger_tester", "password-of-a-test"
SCRATCH = "pgkeep-test-restore-test"
ARN = f"arn:aws:rds:eu-west-1:123456789012:db:{SCRATCH}"


@pytest.fixture(scope="session", autouse=True)
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("opt")
    with zipfile.ZipFile(postgresql_client_layer.build("x86_64")) as layer:
        for entry in layer.infolist():
            path = Path(layer.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder / "pg"))
        yield


@dataclass
class Rds:
    """What the function uses of RDS."""

    server: PostgresServer
    status: str = "creating"
    restored: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] | None = None
    deletions: list[dict[str, Any]] = field(default_factory=list)
    refuses_deletion: bool = False
    #: How the restore is off: seconds too late (rows after the moment stay).
    inexact: bool = False

    def describe_db_instances(self, DBInstanceIdentifier: str) -> dict[str, Any]:
        if DBInstanceIdentifier == SCRATCH:
            if self.instance is None:
                raise _error("DBInstanceNotFound")
            return {"DBInstances": [{**self.instance, "DBInstanceStatus": self.status}]}
        now = datetime.now(UTC)
        source = {
            "DBInstanceIdentifier": DBInstanceIdentifier,
            "DBInstanceStatus": "available",
            "DBInstanceClass": "db.t4g.medium",
            "DBSubnetGroup": {"DBSubnetGroupName": "pgkeep-test-database"},
            "DBParameterGroups": [{"DBParameterGroupName": "pgkeep-test-postgres17"}],
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-database"}],
            "LatestRestorableTime": now + timedelta(seconds=1),
            "InstanceCreateTime": now - timedelta(days=10),
            "IAMDatabaseAuthenticationEnabled": False,
            "CACertificateIdentifier": "rds-ca-rsa2048-g1",
            "TagList": [
                {"Key": "Name", "Value": "pgkeep-test"},
                {"Key": "pgkeep:owner", "Value": "platform"},
                {"Key": "aws:cloudformation:stack-name", "Value": "kept out"},
            ],
        }
        return {"DBInstances": [source]}

    def restore_db_instance_to_point_in_time(self, **inputs: Any) -> None:
        self.restored = inputs
        endpoint = self.server.endpoint
        self.instance = {
            "DBInstanceIdentifier": SCRATCH,
            "DBInstanceArn": ARN,
            "Endpoint": {"Address": endpoint.host, "Port": endpoint.port},
            "TagList": list(inputs["Tags"]),
        }
        if not self.inexact:
            with self.server.superuser() as connection:
                connection.execute(
                    "DELETE FROM pgkeep.restore_marker WHERE written_at > %s",
                    (inputs["RestoreTime"],),
                )

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        assert ResourceName == ARN
        assert self.instance is not None
        names = {tag["Key"] for tag in Tags}
        kept = [tag for tag in self.instance["TagList"] if tag["Key"] not in names]
        self.instance["TagList"] = [*kept, *Tags]

    def delete_db_instance(self, **inputs: Any) -> None:
        if self.refuses_deletion:
            raise _error("InvalidDBInstanceState")
        self.deletions.append(inputs)
        self.status = "deleting"

    def tag(self, name: str) -> str | None:
        assert self.instance is not None
        return {tag["Key"]: tag["Value"] for tag in self.instance["TagList"]}.get(name)


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "operation")


@dataclass
class World:
    """Production, its bucket with one backup, and the function's view of it."""

    server: PostgresServer
    rds: Rds
    s3: Any
    site: Site
    backup_id: str
    #: Seconds that a run has left, each time that it asks; the last one stays.
    remaining: list[float] = field(default_factory=lambda: [880.0])

    def start(self) -> dict[str, Any]:
        return restore_test.start(self.site, self._left)

    def go_on(self) -> dict[str, Any]:
        return restore_test.go_on(self.site, self._left)

    def _left(self) -> float:
        return self.remaining.pop(0) if len(self.remaining) > 1 else self.remaining[0]

    def reports(self) -> list[dict[str, Any]]:
        return report.stored(self.s3, BUCKET)


@pytest.fixture
def world(server: PostgresServer, aws: None) -> Iterator[World]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute("DROP SCHEMA IF EXISTS pgkeep CASCADE")
    with server.superuser("node_pass") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers SELECT generate_series(1, 500)")
    made = run(
        "daily",
        server.endpoint,
        connect=lambda: server.endpoint.connect(USER, PASSWORD),
        target=BackupTarget(BUCKET, key, retention_days={"daily": 7}),
        s3=s3,
    )
    rds = Rds(server)
    site = Site(
        rds=rds,
        store=Store(s3, BUCKET),
        production=server.endpoint,
        source="pgkeep-test",
        scratch=SCRATCH,
        security_group_id="sg-scratch",
        kms_key=key,
        open=lambda endpoint, name: endpoint.connect(USER, PASSWORD, application_name=name),
        credentials=lambda: (USER, PASSWORD),
        objectives=Objectives(900, 600),
    )
    yield World(server, rds, s3, site, made.id)
    with server.superuser() as connection:
        connection.execute("DROP DATABASE IF EXISTS node_pass_restore_test WITH (FORCE)")


def metrics(output: str) -> dict[str, Any]:
    """The last value of every metric in the log."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        document = json.loads(line)
        for entry in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in entry["Metrics"]:
                found[metric["Name"]] = document[metric["Name"]]
    return found


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


def failed(world: World, capsys: pytest.CaptureFixture[str], match: str) -> None:
    """The next step fails like this, says so in a metric, and cleans up."""
    capsys.readouterr()
    with pytest.raises(OperationError, match=match):
        world.go_on()
    assert metrics(capsys.readouterr().out)["RestoreTestSuccess"] == 0
    assert len(world.rds.deletions) == 1
    assert "Contents" not in world.s3.list_objects_v2(Bucket=BUCKET, Prefix=LAST_TEST_KEY)


def begin(world: World, status: str = "available") -> None:
    world.start()
    world.rds.status = status


def test_a_restore_that_ends_late_is_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.rds.inexact = True
    begin(world)
    failed(world, capsys, r"1 rows written after .* are there")
    assert [made["proven"] for made in world.reports()] == [False]


def test_a_restore_that_ends_early_is_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(world)
    with world.server.superuser() as connection:
        connection.execute("DELETE FROM pgkeep.restore_marker")
    failed(world, capsys, r"committed before .* is missing")


def test_an_instance_that_lost_its_rows_is_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(world)
    with world.server.superuser("node_pass") as connection:
        connection.execute("DELETE FROM buyers WHERE id > 100")
    failed(world, capsys, r"100 rows, backup .* has 500: less than half")


def test_a_wrong_answer_to_the_workloads_own_question_is_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    check = RestoreCheck(name="every buyer paid", query="SELECT 1 FROM buyers WHERE id = 7")
    world.site = replace(world.site, checks=(check,), schema="public")
    begin(world)
    failed(world, capsys, "every buyer paid: 1 rows, none expected")
    (made,) = world.reports()
    assert made["checks"][-2]["name"] == "workload: every buyer paid"


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
    restore_test.start(world.site, lambda: 880.0, "monthly")
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


def test_a_backup_that_is_not_signed_proves_nothing_where_manifests_are(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    monkeypatch.setenv("MANIFEST_KEY_ARN", made["KeyMetadata"]["Arn"])
    world.site = replace(world.site, store=Store.of_function(world.s3, BUCKET))
    begin(world)
    failed(world, capsys, r"has no backup 'latest'.*is none: .*is not signed; do not use this back")


def test_a_damaged_dump_is_found(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    begin(world)
    backup = world.site.store.get("latest")
    rows = next(table for table in backup.tables if table.rows).segments[0]
    body = bytearray(world.s3.get_object(Bucket=BUCKET, Key=rows.key)["Body"].read())
    body[rows.offset_bytes + 20] ^= 1
    world.s3.put_object(Bucket=BUCKET, Key=rows.key, Body=bytes(body))
    failed(world, capsys, "manifest")
    assert [made["kind"] for made in world.reports()] == ["point-in-time"]


@pytest.mark.parametrize(
    ("status", "match"),
    [
        ("incompatible-restore", "its status is incompatible-restore"),
        ("storage-full", "its status is storage-full"),
    ],
)
def test_an_instance_that_rds_cannot_make_is_deleted(
    world: World, capsys: pytest.CaptureFixture[str], status: str, match: str
) -> None:
    begin(world, status)
    failed(world, capsys, match)


def test_an_instance_that_never_comes_is_deleted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(world, "creating")
    old = datetime.now(UTC) - timedelta(hours=7)
    world.rds.add_tags_to_resource(ARN, [{"Key": "pgkeep:started-at", "Value": old.isoformat()}])
    failed(world, capsys, "older than 6 hours")


def test_a_run_that_was_killed_is_noticed_by_the_next(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(world)
    with monkeypatch.context() as patch:

        def kill(*_: object, **__: object) -> None:
            raise SystemExit

        patch.setattr("operations.restore.restore_test_proofs.dump", kill)
        with pytest.raises(SystemExit):
            world.go_on()
    assert world.rds.deletions == []
    assert world.go_on() == {"status": "another run is at it"}
    attempt = datetime.now(UTC) - timedelta(seconds=901)
    world.rds.add_tags_to_resource(ARN, [{"Key": "pgkeep:attempt", "Value": attempt.isoformat()}])
    failed(world, capsys, "ended without a word")


def test_a_dump_too_large_for_what_is_left_waits_for_the_next_run(world: World) -> None:
    begin(world)
    world.remaining = [700, 60]
    half = world.go_on()
    assert half["status"] == "half"
    assert half["next"] == world.backup_id
    world.remaining = [880]
    assert world.go_on()["status"] == "proven"
    assert [made["kind"] for made in world.reports()] == ["point-in-time", "dump"]


def test_a_dump_too_large_for_the_function_is_refused_before_it_is_tried(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(world)
    backup = world.site.store.get("latest")
    slow = replace(
        _dump_report(backup.id), size_bytes=backup.size_bytes, rto_seconds=800.0, proven=True
    )
    report.write(slow, s3=world.s3, bucket=BUCKET)
    failed(world, capsys, r"takes about 1040 s, and the function has 860 s; it was not tried")


def _dump_report(identifier: str) -> report.Report:
    now = datetime.now(UTC).isoformat()
    return report.Report(identifier, "node_pass", "x", now, now, True, 1.0, 1.0, {}, [], [])


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


def test_an_instance_that_cannot_be_deleted_yet_is_deleted_later(world: World) -> None:
    begin(world)
    world.rds.refuses_deletion = True
    assert world.go_on()["status"] == "proven"
    assert world.rds.tag("pgkeep:ended") == "proven"
    world.rds.refuses_deletion = False
    assert world.go_on() == {"status": "deleting"}
    assert len(world.rds.deletions) == 1


def test_an_instance_of_somebody_else_under_the_name_is_left_alone(world: World) -> None:
    begin(world)
    assert world.rds.instance is not None
    world.rds.instance["TagList"] = []
    with pytest.raises(OperationError, match="was not made by the restore test"):
        world.go_on()
    assert world.rds.deletions == []


def test_an_archive_that_stands_still_is_a_failure(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    describe = world.rds.describe_db_instances
    stale = datetime.now(UTC) - timedelta(hours=1)

    def behind(DBInstanceIdentifier: str) -> dict[str, Any]:
        answer = describe(DBInstanceIdentifier)
        answer["DBInstances"][0]["LatestRestorableTime"] = stale
        return answer

    monkeypatch.setattr(world.rds, "describe_db_instances", behind)
    world.remaining = [10]
    with pytest.raises(OperationError, match="its latest restorable time is"):
        world.start()
    assert metrics(capsys.readouterr().out)["RestoreTestSuccess"] == 0
    assert world.rds.instance is None


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
