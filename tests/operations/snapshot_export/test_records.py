"""The records of exports in the bucket: listed, kept, marked and abandoned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.backup import expiry, exports
from operations.backup.exports import Record
from operations.backup.store import Store
from operations.functions import backup_retention
from pgkeep.backup import recovery_points
from tests.operations.snapshot_export.conftest import Rds
from tests.operations.stored_backups import BUCKET


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
