"""What the function backup and `pgkeep backup run` say of a backup that RDS exports."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations.backup.time_budget import OverBudgetError, OverMemoryError
from operations.functions import backup as function
from operations.handover.snapshot_export import ExportFailedError
from pgkeep import restore_command
from pgkeep.backup import run_command
from pgkeep.failures import CommandError
from tests.operations.snapshot_export.conftest import (
    OVER,
    ROLE,
    Rds,
    Site,
    events,
)


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


def test_a_function_that_is_at_work_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Any = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}

    def busy(*_: Any, **__: Any) -> Any:
        raise ClientError(answer, "Invoke")

    monkeypatch.setattr(Stack, "invoke", busy)
    stack: Any = Stack()
    with pytest.raises(CommandError, match=r"at work on another one .* Wait for its end") as told:
        run_command.in_function(stack, "manual")
    assert told.value.code == 1
    answer["Error"]["Code"] = "ResourceNotFoundException"
    with pytest.raises(ClientError):
        run_command.in_function(stack, "manual")


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
