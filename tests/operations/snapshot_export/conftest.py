"""RDS as far as exports of snapshots use it, and a site whose backups are always over the budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations.backup import BackupTarget, Options
from operations.backup.time_budget import Estimate, OverBudgetError
from operations.database import Endpoint
from operations.handover.backup_site import BackupSite
from operations.handover.requests import Request
from operations.handover.snapshot_export import Exporter
from tests.operations.stored_backups import BUCKET

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


class Site(BackupSite):
    """A site whose backups are always over the budget."""

    def back_up(self, backup_class: str, options: Options) -> Any:
        raise OVER


@pytest.fixture
def site(s3: Any, tmp_path: Path) -> Site:
    endpoint = Endpoint("db", 5432, "node_pass", tmp_path / "ca.pem")
    return Site(endpoint, "secret", BackupTarget(BUCKET, KEY, DAYS), lambda: s3)


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
