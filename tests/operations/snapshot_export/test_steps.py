"""A backup that RDS exports in its place: each step, twice, out of order, refused, and its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from operations.backup import exports
from operations.errors import OperationError
from operations.handover import snapshot_export
from operations.handover.snapshot_export import Exporter, ExportFailedError
from tests.operations.snapshot_export.conftest import (
    KEY,
    NOW,
    ROLE,
    Rds,
    events,
    request,
    result,
)
from tests.operations.stored_backups import BUCKET


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
