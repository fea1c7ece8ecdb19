"""What the list says of an instance: its restore window as it is, and its snapshots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError

from pgkeep.backup import list_command, recovery_points
from pgkeep.deployed import DeployedStack
from pgkeep.failures import ExitCode

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
# An instance of today, whose backups are kept for 14 days.
WINDOW = {"EarliestTime": NOW - timedelta(hours=3), "LatestTime": NOW - timedelta(minutes=4)}


class Rds:
    """As boto3's client, for what is asked."""

    def __init__(self, backups: list[dict[str, Any]]) -> None:
        self.answers = {
            "describe_db_instance_automated_backups": {"DBInstanceAutomatedBackups": backups},
            "describe_db_snapshots": {"DBSnapshots": []},
        }

    def get_paginator(self, operation: str) -> Rds:
        self.asked = operation
        return self

    def paginate(self, DBInstanceIdentifier: str) -> list[dict[str, Any]]:
        assert DBInstanceIdentifier == "pgkeep-prod"
        return [self.answers[self.asked]]

    def describe_db_instance_automated_backups(self, **_: str) -> dict[str, Any]:
        return self.answers["describe_db_instance_automated_backups"]


def backup(**more: Any) -> dict[str, Any]:
    return {"Status": "active", "BackupRetentionPeriod": 14, "RestoreWindow": WINDOW, **more}


def test_the_window_is_what_can_be_restored_and_not_what_is_kept_one_day() -> None:
    (point,) = recovery_points.of_instance(Rds([backup()]), "pgkeep-prod", {}, NOW)
    document = point.document()
    assert (document["kind"], document["id"]) == ("point-in-time", "pgkeep-prod")
    assert document["since"] == "2026-11-22T11:00:00+00:00"
    assert document["taken_at"] == "2026-11-22T13:56:00+00:00"
    assert document["rpo_seconds"] == 240
    assert document["note"] == "any moment since 2026-11-22 11:00:00 UTC"


def test_before_its_first_whole_backup_an_instance_has_no_window() -> None:
    for backups in ([], [backup(RestoreWindow={})], [backup(Status="creating")]):
        assert list(recovery_points.of_instance(Rds(backups), "pgkeep-prod", {}, NOW)) == []
        there = recovery_points.of_replication(Rds(backups[:1]), "arn", "eu-north-1", {}, NOW)
        assert len(list(there)) == sum("LatestTime" in one["RestoreWindow"] for one in backups)


class NoBucket:
    """As boto3's client of S3 when the bucket is gone."""

    def __getattr__(self, operation: str) -> Any:
        raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "gone"}}, "ListObjectsV2")


def test_a_bucket_that_is_gone_hides_no_other_way_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rds: Any = Rds([backup()])
    clients: dict[str, Any] = {"rds": rds, "s3": NoBucket()}
    outputs = {"database_identifier": "pgkeep-prod", "region": "eu-west-1"}
    stack = DeployedStack("prod", {**outputs, "backup_bucket": "backups"})

    def found(*_: str) -> DeployedStack:
        return stack

    def client(_: object, service: str, **__: object) -> Any:
        return clients[service]

    def no_replications(*_: object) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(DeployedStack, "find", found)
    monkeypatch.setattr(DeployedStack, "client", client)
    monkeypatch.setattr(recovery_points, "replications", no_replications)
    with pytest.raises(typer.Exit) as ended:
        list_command.run("prod", as_json=True)
    assert ended.value.exit_code == ExitCode.REFUSED
    document = json.loads(capsys.readouterr().out)
    assert [point["kind"] for point in document["recovery_points"]] == ["point-in-time"]
    assert document["unlisted"] == [
        "backups: An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: gone"
    ]
