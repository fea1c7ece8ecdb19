"""What a restore test finds: each fault fails it, says so in a metric, and leaves no instance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from operations.backup.store import Store
from operations.errors import OperationError
from operations.restore import report
from operations.restore.restore_test import LAST_TEST_KEY
from tests.operations.restore_test.conftest import (
    ARN,
    BUCKET,
    World,
    begin,
    failed,
    metrics,
)
from workloads import RestoreCheck

pytestmark = pytest.mark.root


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


def test_a_backup_that_is_not_signed_proves_nothing_where_manifests_are(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    monkeypatch.setenv("MANIFEST_KEY_ARN", made["KeyMetadata"]["Arn"])
    world.site = replace(world.site, store=Store.of_function(world.s3, BUCKET))
    begin(world)
    failed(world, capsys, r"has no backup 'latest'.*is none: .*is not signed: whoever may")


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


def test_a_spoiled_document_keeps_no_instance_alive(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(world, "incompatible-restore")
    world.s3.put_object(Bucket=BUCKET, Key=LAST_TEST_KEY, Body=b"{")
    with pytest.raises(OperationError, match="its status is incompatible-restore"):
        world.go_on()
    assert len(world.rds.deletions) == 1
    assert metrics(capsys.readouterr().out)["RestoreTestSuccess"] == 0
    world.rds.instance = None
    with pytest.raises(OperationError, match="nobody knows when a restore was last proven"):
        world.go_on()


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
    with pytest.raises(OperationError, match="its latest restorable time is"):
        world.start(10)
    assert metrics(capsys.readouterr().out)["RestoreTestSuccess"] == 0
    assert world.rds.instance is None


def test_an_instance_of_somebody_else_under_the_name_is_left_alone(world: World) -> None:
    begin(world)
    assert world.rds.instance is not None
    world.rds.instance["TagList"] = []
    with pytest.raises(OperationError, match="was not made by the restore test"):
        world.go_on()
    assert world.rds.deletions == []
