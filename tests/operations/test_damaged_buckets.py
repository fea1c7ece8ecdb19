"""What a bucket may hold that is damaged or foreign: it is told, and neither hides nor ends a backup."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import boto3
import pytest

from operations.backup import Manifest, expiry, manifest, store
from operations.backup.manifest import RowsInObject, TableRecord
from operations.backup.object_writer import Uploads, part_bytes
from operations.backup.store import Store
from operations.backup.verify import verify
from operations.restore import report
from tests.operations.stored_backups import BUCKET, NOW, made, put
from tests.operations.test_retention import break_off, keys, prove, run, tags


def write(s3: Any, backup: Manifest, body: bytes) -> None:
    put(s3, backup, whole=False)
    s3.put_object(Bucket=BUCKET, Key=backup.key, Body=body)


def test_an_object_of_another_size_makes_a_backup_none_and_the_one_before_stays(s3: Any) -> None:
    old, new = made(10), made(1)
    put(s3, old)
    put(s3, new)
    s3.put_object(Bucket=BUCKET, Key=new.objects[1].key, Body=b"another")
    found = Store(s3, BUCKET).find()
    assert [one.id for one in found.backups] == [old.id]
    assert found.others[0].reason.startswith(
        f"{new.objects[1].key} has 7 bytes, its manifest says 1: it was replaced"
    )
    assert run(s3).marked == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 200_000, "is no manifest of a whole backup"),
        (manifest.encode(dataclasses.replace(made(1), snapshot_at="now")), "wrong at snapshot_at"),
        (
            manifest.encode(dataclasses.replace(made(1), keep_until="2026-01-01T00:00:00")),
            "wrong at keep_until",
        ),
        (manifest.encode(made(1)) + b" " * 300_000, "more than 300000"),
    ],
)
def test_a_manifest_that_nobody_can_read_hides_no_other(
    s3: Any, body: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LARGEST_MANIFEST_BYTES", 300_000)
    whole = made(2)
    put(s3, whole)
    write(s3, made(1), body)
    found = Store(s3, BUCKET).find(brief=True)
    assert [one.id for one in found.backups] == [whole.id]
    assert said in found.others[0].reason
    assert run(s3).marked == ()


def test_a_damaged_report_is_told_and_hides_no_proof(
    s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    proven = made(3)
    prove(s3, proven)
    for number, body in enumerate((b'{"proven": tr', b"[]", b'{"proven": true}', b"[" * 200_000)):
        s3.put_object(Bucket=BUCKET, Key=f"{report.PREFIX}/node_pass/{number}.json", Body=body)
    assert report.proven(s3, BUCKET) == {proven.id: NOW}
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["event"], one["key"][-6:]) for one in told] == [
        ("report_damaged", f"{number}.json") for number in range(4)
    ]


def test_of_a_marking_that_broke_off_nothing_stays_on_what_was_proven_since(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it would go, and it is the last proven one."""
    old = made(10)
    put(s3, old)
    put(s3, made(1))
    break_off(s3, monkeypatch)
    assert "true" in tags(s3).values()
    prove(s3, old)
    # The manifest is unmarked before the object that tells: broken off again, it goes on again.
    break_off(s3, monkeypatch)
    assert run(s3).unmarked == (old.id,)
    assert tags(s3) == dict.fromkeys(keys(old), "false")
    assert run(s3).unmarked == ()


def test_a_list_of_backups_holds_no_tables_and_proves_nothing_by_itself(s3: Any) -> None:
    backup = made(1)
    rows = RowsInObject(backup.objects[1].key, 0, 1, "all", 1)
    table = TableRecord("public", "few", ("id",), 1, 1, (rows,))
    backup = dataclasses.replace(backup, tables=(table,))
    put(s3, backup)
    there = Store(s3, BUCKET)
    (brief,) = there.find(brief=True).backups
    assert there.find().backups == (backup,)
    assert (brief.tables, brief.size_bytes, brief.key) == ((), backup.size_bytes, backup.key)
    assert keys(brief) == keys(backup)
    (finding, *_) = verify(brief, s3=s3, bucket=BUCKET).findings
    assert "has 1 bytes by its manifest, and parts of 0" in finding
    decided = expiry.decide(there.find(brief=True), (), NOW).decisions
    assert [one.keep for one in decided] == [True]


def test_a_manifest_of_several_parts_leaves_no_upload_when_it_cannot_be_completed(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of tens of thousands of tables is longer than a part."""
    kms: Any = boto3.client("kms")
    uploads = Uploads(s3, BUCKET, kms.create_key()["KeyMetadata"]["Arn"], {})

    def refuse(**_: Any) -> Any:
        raise ConnectionError("S3 went away")

    monkeypatch.setattr(s3, "complete_multipart_upload", refuse)
    with pytest.raises(ConnectionError):
        uploads.open("daily/node_pass/x/manifest.json").write_whole(b"1" * part_bytes(1))
    uploads.shutdown()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
