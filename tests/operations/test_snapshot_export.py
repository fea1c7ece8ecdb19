"""A backup that RDS exports in its place: each step, twice, out of order, refused, and its end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations.backup import BackupTarget, Options, expiry, exports
from operations.backup.exports import Record
from operations.backup.store import Store
from operations.backup.time_budget import Estimate, OverBudgetError, OverMemoryError
from operations.database import Endpoint
from operations.errors import OperationError
from operations.functions import backup as function
from operations.functions import backup_retention
from operations.handover import snapshot_export
from operations.handover.backup_site import BackupSite
from operations.handover.requests import Request
from operations.handover.snapshot_export import Exporter, ExportFailedError
from pgkeep import restore_command
from pgkeep.backup import recovery_points, run_command
from pgkeep.failures import CommandError

BUCKET = "pgkeep-exported"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0"
ROLE = "arn:aws:iam::123456789012:role/pgkeep-prod-export"
OVER = OverBudgetError(Estimate(2_000, 40 * 1024**3, 25 * 1024**2, "assumption"), 880)
NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = {"daily": 30, "weekly": 84, "monthly": 365, "manual": 90}


class Rds:
    """RDS as far as it is used: what is asked of it, and what the test makes of that."""

    def __init__(self) -> None:
        self.exceptions = boto3.client("rds").exceptions
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, list[str]] = {}

    def snapshot(self, name: str, status: str = "available", **more: Any) -> dict[str, Any]:
        self.snapshots[name] = {
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": f"arn:aws:rds:eu-west-1:123456789012:snapshot:{name}",
            "Status": status,
            "SnapshotCreateTime": NOW,
            **more,
        }
        return self.snapshots[name]

    def _refuse(self, action: str) -> None:
        codes = self.refusals.get(action, [])
        if codes:
            raise ClientError({"Error": {"Code": codes.pop(0), "Message": "said RDS"}}, action)

    def get_paginator(self, name: str) -> Any:
        rds = self

        class Pages:
            def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
                rds._refuse(name)
                if name == "describe_export_tasks":
                    assert asked == {"Filters": [{"Name": "s3-bucket", "Values": [BUCKET]}]}
                    yield {"ExportTasks": list(rds.tasks.values())}
                    return
                assert asked == {"DBInstanceIdentifier": "orders", "SnapshotType": "automated"}
                named = [one for key, one in rds.snapshots.items() if key.startswith("rds:")]
                yield {"DBSnapshots": named[:1]}
                yield {"DBSnapshots": named[1:]}

        return Pages()

    def describe_db_snapshots(self, DBSnapshotIdentifier: str) -> dict[str, Any]:
        if DBSnapshotIdentifier not in self.snapshots:
            raise self.exceptions.DBSnapshotNotFoundFault({"Error": {}}, "DescribeDBSnapshots")
        return {"DBSnapshots": [self.snapshots[DBSnapshotIdentifier]]}

    def describe_export_tasks(self, ExportTaskIdentifier: str) -> dict[str, Any]:
        if ExportTaskIdentifier not in self.tasks:
            raise self.exceptions.ExportTaskNotFoundFault({"Error": {}}, "DescribeExportTasks")
        return {"ExportTasks": [self.tasks[ExportTaskIdentifier]]}

    def create_db_snapshot(self, **asked: Any) -> None:
        self.asked.append(("snapshot", asked))
        self._refuse("create_db_snapshot")
        self.snapshot(asked["DBSnapshotIdentifier"], "creating", PercentProgress=0)

    def start_export_task(self, **asked: Any) -> None:
        self.asked.append(("export", asked))
        self._refuse("start_export_task")
        self.tasks[asked["ExportTaskIdentifier"]] = {
            "ExportTaskIdentifier": asked["ExportTaskIdentifier"],
            "S3Prefix": asked["S3Prefix"],
            "Status": "STARTING",
            "PercentProgress": 0,
            "SnapshotTime": NOW - timedelta(hours=3),
        }

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return client


class Site(BackupSite):
    """A site whose backups are always over the budget."""

    def back_up(self, backup_class: str, options: Options) -> Any:
        raise OVER


@pytest.fixture
def site(s3: Any, tmp_path: Path) -> Site:
    endpoint = Endpoint("db", 5432, "node_pass", tmp_path / "ca.pem")
    return Site(endpoint, "secret", BackupTarget(BUCKET, KEY, DAYS), s3)


@pytest.fixture
def rds(aws: None) -> Rds:
    return Rds()


@pytest.fixture
def exporter(rds: Rds, site: Site) -> Exporter:
    return Exporter(rds, site, "orders", "pgkeep-prod-export", ROLE, timedelta(hours=24))


def request(backup_class: str = "daily") -> Request:
    return Request.new(backup_class, 2_000, 5)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def result(s3: Any, one: Request) -> dict[str, Any]:
    body = s3.get_object(Bucket=BUCKET, Key=f"handover/{one.id}/result.json")["Body"]
    return json.loads(body.read())


def test_a_scheduled_backup_exports_the_newest_automated_snapshot(
    exporter: Exporter, rds: Rds
) -> None:
    rds.snapshot("rds:orders-1", SnapshotCreateTime=NOW - timedelta(hours=23))
    newest = rds.snapshot("rds:orders-2", SnapshotCreateTime=NOW - timedelta(hours=1))
    rds.snapshot("rds:orders-3", "creating", SnapshotCreateTime=NOW)
    one = request()
    given = exporter.hand_over(one)
    name = f"pgkeep-prod-export-{one.id.lower()}"
    assert (given.to, given.request, given.export) == ("snapshot_export", one.id, name)
    assert (given.snapshot, given.state) == ("rds:orders-2", "starting")
    assert given.location == f"s3://{BUCKET}/exports/daily/{name}/"
    assert rds.asked == [
        (
            "export",
            {
                "ExportTaskIdentifier": name,
                "SourceArn": newest["DBSnapshotArn"],
                "S3BucketName": BUCKET,
                "S3Prefix": "exports/daily",
                "IamRoleArn": ROLE,
                "KmsKeyId": KEY,
            },
        )
    ]


@pytest.mark.parametrize(
    ("backup_class", "hours"), [("daily", 25), ("manual", 1), ("pre-migration", 1)]
)
def test_otherwise_a_snapshot_is_taken(
    exporter: Exporter, rds: Rds, backup_class: str, hours: int
) -> None:
    rds.snapshot("rds:orders-1", SnapshotCreateTime=NOW - timedelta(hours=hours))
    given = exporter.hand_over(request(backup_class))
    assert given.snapshot == given.export
    assert given.state == "snapshot creating"
    assert rds.asked == [
        ("snapshot", {"DBInstanceIdentifier": "orders", "DBSnapshotIdentifier": given.export})
    ]


def test_who_may_not_list_automated_snapshots_takes_one(exporter: Exporter, rds: Rds) -> None:
    rds.refusals["describe_db_snapshots"] = ["AccessDenied"]
    assert exporter.hand_over(request()).state == "snapshot creating"


def test_each_look_takes_the_next_step_and_no_step_twice(
    exporter: Exporter, rds: Rds, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    one = request("manual")
    name = exporter.hand_over(one).export
    assert exporter.advance() == [{"export": name, "state": "snapshot creating, 0 %"}]
    rds.snapshots[name]["Status"] = "available"
    assert exporter.advance() == [{"export": name, "state": "starting"}]
    rds.tasks[name] |= {"Status": "IN_PROGRESS", "PercentProgress": 42}
    assert exporter.advance() == [{"export": name, "state": "in_progress, 42 %"}]
    # Nothing is an export before RDS has said so.
    s3.put_object(Bucket=BUCKET, Key=f"exports/manual/{name}/node_pass/a/1/part", Body=b"12345")
    assert exports.find(s3, BUCKET).exports == ()
    ended = datetime.fromisoformat(one.requested_at) + timedelta(hours=1)
    rds.tasks[name] |= {"Status": "COMPLETE", "TaskEndTime": ended}
    capsys.readouterr()
    assert exporter.advance() == [{"export": name, "state": "complete"}]
    assert exporter.advance() == []
    assert rds.names() == ["snapshot", "export"]
    (said,) = events(capsys)
    assert (said["event"], said["BackupExportSuccess"]) == ("backup_export", 1)
    assert said["BackupExportDurationSeconds"] == pytest.approx(3_600, abs=30)
    (found,) = exports.find(s3, BUCKET).exports
    assert (found.id, found.backup_class, found.size_bytes) == (name, "manual", 5)
    assert found.taken_at == NOW - timedelta(hours=3)
    assert found.keep_until is not None
    kept = datetime.fromisoformat(found.keep_until) - datetime.fromisoformat(one.requested_at)
    assert kept == timedelta(days=90)
    assert result(s3, one)["status"] == "done"


def test_a_function_that_ends_in_the_middle_loses_nothing(
    exporter: Exporter, rds: Rds, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before RDS was asked, and after it was asked but before it answered."""
    with monkeypatch.context() as patch:
        patch.setattr(rds, "create_db_snapshot", lambda **_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            exporter.hand_over(request("manual"))
    ((state,),) = [[one["state"]] for one in exporter.advance()]
    assert state == "snapshot creating"
    ((name, snapshot),) = rds.snapshots.items()
    snapshot["Status"] = "available"
    # RDS has started it, and its answer was lost.
    rds.refusals["start_export_task"] = ["ExportTaskAlreadyExists"]
    assert exporter.advance() == [{"export": name, "state": "starting"}]
    assert rds.names() == ["snapshot", "export"]
    assert "result.json" not in str(s3.list_objects_v2(Bucket=BUCKET))


def test_a_second_one_of_a_class_at_once_leaves_with_a_word(exporter: Exporter, rds: Rds) -> None:
    first = exporter.hand_over(request())
    with pytest.raises(OperationError) as found:
        exporter.hand_over(request())
    assert f"export {first.export} of a daily backup is at work since" in str(found.value)
    assert "nothing was started. See pgkeep backup list" in str(found.value)
    assert rds.names() == ["snapshot"]


def test_one_of_another_class_waits_and_its_snapshot_does_not(exporter: Exporter, rds: Rds) -> None:
    """On a Sunday the daily and the weekly backup begin half an hour apart."""
    rds.snapshot("rds:orders-1")
    first = exporter.hand_over(request())
    weekly = exporter.hand_over(request("weekly"))
    assert (weekly.queued_behind, weekly.snapshot) == (first.export, "rds:orders-1")
    assert weekly.state == f"queued behind {first.export}"
    before = [exporter.hand_over(request("pre-migration")) for _ in range(2)]
    assert [one.state for one in before] == ["snapshot creating"] * 2
    assert rds.names() == ["export", "snapshot", "snapshot"]
    assert [one["state"] for one in exporter.advance()] == [
        "starting, 0 %", f"queued behind {first.export}", *["snapshot creating, 0 %"] * 2,
    ]  # fmt: skip
    rds.tasks[first.export] |= {"Status": "COMPLETE"}
    assert [one["state"] for one in exporter.advance()] == [
        "complete", "starting", *["snapshot creating, 0 %"] * 2,
    ]  # fmt: skip
    assert rds.names() == ["export", "snapshot", "snapshot", "export"]


@pytest.mark.parametrize(
    "code", ["ExportTaskLimitReachedFault", "Throttling", "InvalidExportSourceState"]
)
def test_what_rds_cannot_do_now_it_is_asked_again(exporter: Exporter, rds: Rds, code: str) -> None:
    """RDS exports five snapshots of an account at once."""
    rds.snapshot("rds:orders-1")
    rds.refusals["start_export_task"] = [code, code]
    given = exporter.hand_over(request())
    assert given.state == f"waiting to be exported: {code}: said RDS"
    assert exporter.advance()[0]["state"] == given.state
    assert exporter.advance()[0]["state"] == "starting"


def test_a_snapshot_waits_for_an_instance_that_is_busy(exporter: Exporter, rds: Rds) -> None:
    rds.refusals["create_db_snapshot"] = ["InvalidDBInstanceState"]
    given = exporter.hand_over(request())
    assert given.state == "waiting for a snapshot: InvalidDBInstanceState: said RDS"
    assert exporter.advance()[0]["state"] == "snapshot creating"


def test_a_role_that_rds_refuses_is_a_failure_at_once(
    exporter: Exporter, rds: Rds, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rds.snapshot("rds:orders-1")
    rds.refusals["start_export_task"] = ["IamRoleMissingPermissions"]
    one = request()
    with pytest.raises(ExportFailedError, match="RDS refuses it: IamRoleMissingPermissions: said"):
        exporter.hand_over(one)
    assert result(s3, one)["status"] == "failed"
    assert [one.get("BackupExportSuccess") for one in events(capsys)] == [0]
    assert exporter.advance() == []


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"Status": "FAILED", "FailureCause": "no key"}, "of snapshot rds:orders-1 failed: no key"),
        ({"Status": "CANCELED"}, "of snapshot rds:orders-1 canceled: RDS gives no cause"),
    ],
)
def test_an_export_that_fails_is_a_failed_backup(
    exporter: Exporter,
    rds: Rds,
    s3: Any,
    capsys: pytest.CaptureFixture[str],
    task: dict[str, Any],
    why: str,
) -> None:
    rds.snapshot("rds:orders-1")
    one = request()
    name = exporter.hand_over(one).export
    rds.tasks[name] |= task
    capsys.readouterr()
    assert exporter.advance() == [{"export": name, "state": "failed"}]
    assert exporter.advance() == []
    said = events(capsys)
    assert [one["event"] for one in said] == ["backup_export", "backup_failed"]
    assert (said[0]["BackupExportSuccess"], said[1]["BackupSuccess"]) == (0, 0)
    assert why in said[1]["error"]
    assert why in result(s3, one)["error"]
    assert exports.find(s3, BUCKET).exports == ()


def test_one_that_never_ends_is_given_up(
    exporter: Exporter, rds: Rds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rds.snapshot("rds:orders-1")
    name = exporter.hand_over(request()).export

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=7, minutes=1)

    monkeypatch.setattr(snapshot_export, "datetime", Later)
    assert exporter.advance() == [{"export": name, "state": "failed"}]


@pytest.mark.parametrize("gone", [True, False])
def test_a_snapshot_that_is_lost_is_a_failure(exporter: Exporter, rds: Rds, gone: bool) -> None:
    rds.snapshot("rds:orders-1")
    rds.refusals["start_export_task"] = ["Throttling"]
    name = exporter.hand_over(request()).export
    if gone:
        del rds.snapshots["rds:orders-1"]
    else:
        rds.snapshots["rds:orders-1"]["Status"] = "failed"
    assert exporter.advance() == [{"export": name, "state": "failed"}]


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def in_function(site: Site, rds: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function.BackupSite, "from_environment", lambda: site)
    monkeypatch.delenv("WORKER_GROUP", raising=False)
    real = boto3.client
    monkeypatch.setattr(boto3, "client", lambda name, **kw: rds if name == "rds" else real(name))
    for name, value in {
        "EXPORT_ROLE_ARN": ROLE,
        "EXPORT_NAME": "pgkeep-prod-export",
        "DB_INSTANCE_IDENTIFIER": "orders",
        "OLDEST_SNAPSHOT_HOURS": "24",
    }.items():
        monkeypatch.setenv(name, value)


def test_the_function_says_which_way_it_took(
    in_function: None, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = function.handler({"class": "manual"}, Context())
    assert answer["reason"] == OVER.reason
    assert (answer["handed_over"]["to"], answer["handed_over"]["state"]) == (
        "snapshot_export", "snapshot creating",
    )  # fmt: skip
    (said,) = [one for one in events(capsys) if one["event"] == "backup_handed_over"]
    assert (said["BackupHandedOver"], said["export"]) == (1, answer["handed_over"]["export"])
    looked = function.handler({"action": "exports"}, Context())
    assert looked["exports"][0]["state"] == "snapshot creating, 0 %"


def test_what_rds_refuses_is_a_failed_backup(
    in_function: None, rds: Rds, capsys: pytest.CaptureFixture[str]
) -> None:
    rds.refusals["create_db_snapshot"] = ["SnapshotQuotaExceeded"]
    with pytest.raises(ExportFailedError, match="SnapshotQuotaExceeded"):
        function.handler({"class": "manual"}, Context())
    failures = [one for one in events(capsys) if one["event"] == "backup_failed"]
    assert [one["BackupSuccess"] for one in failures] == [0]


def test_without_a_role_it_refuses_as_ever(
    in_function: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXPORT_ROLE_ARN")
    with pytest.raises(OverBudgetError, match="pgkeep backup run --here"):
        function.handler({"class": "daily"}, Context())
    assert function.handler({"action": "exports"}, Context()) == {"exports": []}


def test_a_row_too_wide_is_no_export(
    in_function: None, site: Site, rds: Rds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More memory mends it, and an export would hide that."""

    def too_wide(*_: Any) -> Any:
        raise OverMemoryError("a row is too wide", 896 * 1024**2, OVER.estimate)

    monkeypatch.setattr(Site, "back_up", too_wide)
    with pytest.raises(OverMemoryError, match="Give it more memory"):
        function.handler({"class": "daily"}, Context())
    assert rds.asked == []
    assert list(site.desk.open()) == []


def put(s3: Any, days_ago: float, *, kept_days: int | None = 3, whole: bool = True) -> Record:
    taken = datetime.now(UTC) - timedelta(days=days_ago)
    until = None if kept_days is None else (taken + timedelta(days=kept_days)).isoformat()
    record = Record(
        f"x-export-{days_ago}", "daily", "node_pass", "rds:x", taken.isoformat(),
        taken.isoformat(), until,
    )  # fmt: skip
    folder = exports.folder("daily", record.id)
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/node_pass/a.b/1/part-00000.gz.parquet", Body=b"1")
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/export_info_{record.id}.json", Body=b"{}")
    if whole:
        s3.put_object(Bucket=BUCKET, Key=record.key, Body=json.dumps(record.document()).encode())
    return record


def tags(s3: Any) -> dict[str, set[str]]:
    """Folder -> values of the marks on its objects, `""` without one."""
    found: dict[str, set[str]] = {}
    for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        marks = s3.get_object_tagging(Bucket=BUCKET, Key=entry["Key"])["TagSet"]
        values = {one["Value"] for one in marks} or {""}
        found.setdefault(entry["Key"].split("/")[2], set()).update(values)
    return found


def test_retention_marks_what_is_past_it_and_never_the_last_one(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, old = put(s3, 10), put(s3, 11)
    pending = put(s3, 0, whole=False)
    monkeypatch.setenv("BACKUP_BUCKET", BUCKET)
    monkeypatch.setenv("DB_NAME", "node_pass")
    monkeypatch.setenv("EXPORTS", "exports/")
    answer = backup_retention.handler({"action": "mark"}, None)
    assert answer["marked"] == [old.id]
    assert answer["kept"] == [newest.id]
    assert answer["not_backups"] == [f"exports/daily/{pending.id}"]
    assert tags(s3) == {newest.id: {""}, old.id: {"true"}, pending.id: {""}}
    assert backup_retention.handler({"action": "mark"}, None)["marked"] == []


def test_an_export_that_never_ended_is_abandoned_after_eight_days(s3: Any) -> None:
    pending = put(s3, 0, whole=False)

    def abandoned(days: float) -> list[str]:
        found = Store(s3, BUCKET).find()
        later = datetime.now(UTC) + timedelta(days=days)
        decided = expiry.decide(found, (), later, exports.find(s3, BUCKET))
        return [one.folder for one in decided.abandoned]

    assert abandoned(7.9) == []
    assert abandoned(8.1) == [f"exports/daily/{pending.id}"]


@pytest.mark.parametrize("body", [b"{}", b"no json", b'["a"]'])
def test_a_record_that_is_altered_makes_no_export_and_is_never_marked(s3: Any, body: bytes) -> None:
    record = put(s3, 10)
    s3.put_object(Bucket=BUCKET, Key=record.key, Body=body)
    found = exports.find(s3, BUCKET)
    assert found.exports == ()
    assert "is no record of an export of this version" in found.others[0].reason
    later = datetime.now(UTC) + timedelta(days=100)
    assert expiry.decide(Store(s3, BUCKET).find(), (), later, found).abandoned == ()


def test_a_record_in_another_export_s_folder_makes_none(s3: Any) -> None:
    one, other = put(s3, 1), put(s3, 2, whole=False)
    key = f"{exports.folder('daily', other.id)}/{exports.RECORD}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(one.document()).encode())
    found = exports.find(s3, BUCKET)
    assert [export.id for export in found.exports] == [one.id]
    assert "is the record of another export" in found.others[0].reason


def test_they_are_listed_as_what_they_are(s3: Any, rds: Rds) -> None:
    record = put(s3, 2, kept_days=None)
    now = datetime.now(UTC)
    (point,) = recovery_points.exports(exports.find(s3, BUCKET), now)
    document = point.document()
    assert (document["kind"], document["id"], document["class"]) == ("export", record.id, "daily")
    assert document["rpo_seconds"] == pytest.approx(2 * 86_400, abs=10)
    assert (document["size_bytes"], document["proven"]) == (3, False)
    assert document["note"] == (
        "Parquet for Athena; pgkeep and pg_restore cannot restore it; of snapshot rds:x, kept"
    )
    running, broken, lost = put(s3, 0.1, whole=False), "x-broken", put(s3, 0.2, whole=False)
    rds.tasks = {
        record.id: {"ExportTaskIdentifier": record.id, "Status": "COMPLETE"},
        running.id: {
            "ExportTaskIdentifier": running.id, "S3Prefix": "exports/daily",
            "Status": "IN_PROGRESS", "PercentProgress": 7,
        },
        broken: {
            "ExportTaskIdentifier": broken, "S3Prefix": "exports/weekly", "Status": "FAILED",
            "FailureCause": "the key is disabled",
        },
        "x-done": {
            "ExportTaskIdentifier": "x-done", "S3Prefix": "exports/daily", "Status": "COMPLETE",
        },
    }  # fmt: skip
    found = recovery_points.unfinished_exports(exports.find(s3, BUCKET), rds, BUCKET)
    assert {one.folder: one.reason for one in found} == {
        f"exports/daily/{running.id}": "its export is in progress, 7 %",
        "exports/weekly/x-broken": "its export failed: the key is disabled",
        "exports/daily/x-done":
            "RDS has exported it; the function backup notes that within ten minutes",
        f"exports/daily/{lost.id}": "its export has not ended, or failed",
    }  # fmt: skip


class Stack:
    """A deployed stack whose function has handed over to RDS."""

    name, database, outputs = "prod", "node_pass", {"backup_function": "backup"}

    def client(self, service: str, config: Any = None) -> Any:
        assert service == "lambda"
        return self

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert (FunctionName, json.loads(Payload)["time_limit_seconds"]) == ("backup", 0)
        answer = {"handed_over": GIVEN, "reason": "it would take about 2000 s"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


GIVEN = {
    "to": "snapshot_export", "request": "r", "export": "pgkeep-prod-export-r",
    "snapshot": "rds:orders-1", "state": "starting", "location": "s3://b/exports/manual/x/",
    "queued_behind": None,
}  # fmt: skip


def test_the_command_does_not_wait_and_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_command.DeployedStack, "find", lambda *_: Stack())
    run_command.run(
        "prod", "manual", here=False, through=None, workers=2, time_limit_seconds=0, as_json=False
    )
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "RDS exports a snapshot instead, no backup was made: it would take about 2000 s Export "
        "pgkeep-prod-export-r of snapshot rds:orders-1: starting. Parquet, which Athena reads and "
        "pgkeep does not restore, goes to s3://b/exports/manual/x/ See how it ends: pgkeep backup "
        "list --stack prod"
    )


def test_no_restore_goes_over_a_database_that_has_only_an_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"handed_over": GIVEN, "reason": "it would take about 2000 s"}
    monkeypatch.setattr(run_command, "in_function", lambda *_: answer)
    stack: Any = Stack()
    asked: Any = SimpleNamespace(without_backup=False)
    nothing: Any = None
    with pytest.raises(CommandError) as found:
        restore_command.over_present(asked, stack, nothing, nothing)
    assert str(found.value) == (
        "there is no backup before the restore, and node_pass is unchanged: RDS exports a snapshot "
        "instead (pgkeep-prod-export-r), because it would take about 2000 s. Set "
        "backups.worker.enabled, restore --to another database, or give --without-backup: node_pass "
        "is put aside as it is, and not lost."
    )
