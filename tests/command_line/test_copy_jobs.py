"""What `pgkeep backup list` reads out of AWS Backup's copy jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pgkeep.backup import copy_jobs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VAULT = "arn:aws:backup:eu-west-1:210987654321:backup-vault:kept"
FAR = "arn:aws:backup:eu-central-1:123456789012:backup-vault:far"
SNAPSHOT = "arn:aws:rds:eu-west-1:{}:snapshot:awsbackup:{}"
HOUR = timedelta(hours=1)


def job(hours_ago: int, state: str = "COMPLETED", vault: str = VAULT, **more: Any) -> Any:
    return {
        "CreationDate": NOW - hours_ago * HOUR,
        "State": state,
        "DestinationBackupVaultArn": vault,
        "SourceRecoveryPointArn": SNAPSHOT.format("123456789012", f"job-{hours_ago}"),
        "DestinationRecoveryPointArn": SNAPSHOT.format("210987654321", f"copyjob-{hours_ago}"),
        "DestinationRecoveryPointLifecycle": {"DeleteAfterDays": 7},
        "BackupSizeInBytes": 5,
        "CreatedBy": {"BackupRuleName": "daily"},
        **more,
    }


class Pages:
    """Two pages of ListCopyJobs."""

    def __init__(self, *pages: list[Any]) -> None:
        self.pages = pages

    def get_paginator(self, name: str) -> Pages:
        assert name == "list_copy_jobs"
        return self

    def paginate(self, **asked: str) -> list[Any]:
        assert asked == {"ByResourceArn": "arn"}
        return [{"CopyJobs": page} for page in self.pages]


def test_jobs_of_all_pages_come_newest_first() -> None:
    found = copy_jobs.of_instance(Pages([job(5), job(1)], [job(3)]), "arn")
    assert [one["CreationDate"] for one in found] == [NOW - n * HOUR for n in (1, 3, 5)]


def test_copies_in_the_account_are_as_old_as_their_source() -> None:
    jobs = [
        job(1, CreatedBy={}, DestinationRecoveryPointLifecycle={}),
        job(2),
        job(3, "FAILED"),
        job(4, vault=FAR),
        job(7 * 24),  # its source was made an hour before: past its retention
        job(7 * 24 - 2),
    ]
    made_at = {one["SourceRecoveryPointArn"]: one["CreationDate"] - HOUR for one in jobs[1:5]}
    manual, daily, lonely = copy_jobs.in_account(jobs, VAULT, made_at, NOW)
    assert (daily.kind, daily.id) == ("aws-backup copy", "awsbackup:copyjob-2")
    assert (daily.backup_class, daily.size_bytes, daily.proven_at) == ("daily", 5, None)
    assert (daily.taken_at, daily.rpo_seconds) == (NOW - 3 * HOUR, 3 * 3600)
    assert daily.note == "in account 210987654321 as its copy job says, kept until 2026-11-29"
    assert (manual.backup_class, manual.taken_at) == ("manual", NOW - HOUR)
    assert manual.note.endswith("says, kept, its source here is gone")
    assert lonely.id == "awsbackup:copyjob-166"


def test_a_vault_whose_newest_copy_failed_is_told_with_the_reason() -> None:
    ended: dict[str, Any] = {"CompletionDate": NOW, "StatusMessage": "Access Denied\n trying"}
    jobs = [
        job(0, "RUNNING"),
        job(1, "FAILED", **ended),
        job(2),
        job(3, vault=FAR),
        job(4, "FAILED", vault=FAR),
    ]
    (failed,) = copy_jobs.failed(jobs)
    assert failed.document() == {
        "vault_arn": VAULT,
        "failed_at": "2026-11-22T12:00:00+00:00",
        "reason": "Access Denied trying",
    }
    (partial,) = copy_jobs.failed([job(1, "PARTIAL")])
    assert (partial.failed_at, partial.reason) == (NOW - HOUR, "AWS gives no reason")
