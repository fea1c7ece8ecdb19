"""What the copy jobs of AWS Backup say: copies in another account, and copies that failed.

A vault of another account shows its recovery points to nobody outside; its policy cannot change
that (AWS Backup developer guide, creating backup copies across accounts). The stack's own account
has the jobs of the last 30 days (AWS Backup API reference, ListCopyJobs).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pgkeep.backup.recovery_points import RecoveryPoint


@dataclass(frozen=True)
class FailedCopy:
    """The newest copy to a vault, where it failed."""

    vault_arn: str
    failed_at: datetime
    reason: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "vault_arn": self.vault_arn,
            "failed_at": self.failed_at.isoformat(),
            "reason": self.reason,
        }


def of_instance(backup: Any, instance_arn: str) -> list[dict[str, Any]]:
    """The copy jobs of an instance that AWS still lists, the newest first."""
    pages = backup.get_paginator("list_copy_jobs").paginate(ByResourceArn=instance_arn)
    found = [job for page in pages for job in page["CopyJobs"]]
    return sorted(found, key=lambda job: job["CreationDate"], reverse=True)


def in_account(
    jobs: list[dict[str, Any]],
    vault_arn: str,
    made_at: Mapping[str, datetime],
    now: datetime,
) -> Iterator[RecoveryPoint]:
    """The copies in a vault of another account that are not past their retention.

    `made_at` is when each recovery point here was made, by its ARN: a copy is as old as its source.
    """
    account = vault_arn.split(":")[4]
    for job in jobs:
        if (job["DestinationBackupVaultArn"], job["State"]) != (vault_arn, "COMPLETED"):
            continue
        source = job["SourceRecoveryPointArn"]
        # Without its source the copy is a little older than its job.
        taken_at = made_at.get(source, job["CreationDate"])
        days = job.get("DestinationRecoveryPointLifecycle", {}).get("DeleteAfterDays")
        delete_at = None if days is None else taken_at + timedelta(days=days)
        if delete_at is not None and delete_at <= now:
            continue
        notes = [
            f"in account {account} as its copy job says",
            f"kept until {delete_at:%Y-%m-%d}" if delete_at else "kept",
            *([] if source in made_at else ["its source here is gone"]),
        ]
        yield RecoveryPoint(
            kind="aws-backup copy",
            id=job["DestinationRecoveryPointArn"].partition(":snapshot:")[2],
            backup_class=job.get("CreatedBy", {}).get("BackupRuleName", "manual"),
            taken_at=taken_at,
            rpo_seconds=(now - taken_at).total_seconds(),
            size_bytes=job.get("BackupSizeInBytes"),
            # Nothing of this account can restore it there.
            proven_at=None,
            note=", ".join(notes),
        )


def failed(jobs: list[dict[str, Any]]) -> Iterator[FailedCopy]:
    """Of each vault the newest job that has ended, where it failed."""
    seen: set[str] = set()
    for job in jobs:
        vault_arn = job["DestinationBackupVaultArn"]
        if job["State"] not in ("COMPLETED", "FAILED", "PARTIAL") or vault_arn in seen:
            continue
        seen.add(vault_arn)
        if job["State"] != "COMPLETED":
            reason = " ".join(str(job.get("StatusMessage", "AWS gives no reason")).split())
            yield FailedCopy(vault_arn, job.get("CompletionDate", job["CreationDate"]), reason)
