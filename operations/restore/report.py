"""The document that a restore leaves: what was proven, when, and how long it took."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from operations.backup.manifest import Manifest
from operations.restore.proof import Proof
from operations.restore.restore import Restored

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Where the reports are in the backup bucket; they outlive the backups that they are about.
PREFIX = "reports/restore"


@dataclass(frozen=True)
class Report:
    """`rto_seconds` is what restore and proof took; `rpo_seconds` the age of the data then."""

    backup_id: str
    database: str
    target: str
    started_at: str
    finished_at: str
    proven: bool
    rto_seconds: float
    rpo_seconds: float
    steps: dict[str, float]
    checks: list[dict[str, Any]]
    left_out: list[str]

    @property
    def key(self) -> str:
        """Where the report is kept."""
        stamp = datetime.fromisoformat(self.started_at).strftime("%Y%m%dT%H%M%SZ")
        return f"{PREFIX}/{self.database}/{stamp}-{self.backup_id}.json"


def make(
    backup: Manifest, restored: Restored, proof: Proof, *, target: str, started_at: datetime
) -> Report:
    """Put the measurements of one restore together; `started_at` with its time zone."""
    finished_at = datetime.now(UTC)
    proof_seconds = round(sum(check.seconds for check in proof.checks), 3)
    return Report(
        backup_id=backup.id,
        database=backup.database,
        target=target,
        started_at=started_at.isoformat(),
        finished_at=finished_at.isoformat(),
        proven=proof.proven,
        rto_seconds=round((finished_at - started_at).total_seconds(), 3),
        rpo_seconds=round((started_at - backup.taken_at).total_seconds(), 3),
        steps={**restored.steps, "proof": proof_seconds},
        checks=[{**asdict(check), "passed": check.passed} for check in proof.checks],
        left_out=list(proof.left_out),
    )


def write(report: Report, *, s3: S3Client, bucket: str, kms_key: str | None = None) -> str:
    """Keep the report beside the backups; returns its key. Without `kms_key`: the bucket's own."""
    key = {"SSEKMSKeyId": kms_key, "ServerSideEncryption": "aws:kms"} if kms_key else {}
    options: dict[str, Any] = dict(key)
    s3.put_object(
        Bucket=bucket,
        Key=report.key,
        Body=json.dumps(asdict(report), indent=1).encode(),
        ContentType="application/json",
        ChecksumAlgorithm="SHA256",
        **options,
    )
    return report.key


def proven(s3: S3Client, bucket: str) -> dict[str, datetime]:
    """Backup id -> when a restore last proved it, of all reports in the bucket."""
    found: dict[str, datetime] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{PREFIX}/")
    for page in pages:
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=entry.get("Key", ""))["Body"].read()
            document: dict[str, Any] = json.loads(body)
            if document.get("proven"):
                moment = datetime.fromisoformat(document["finished_at"])
                known = found.get(document["backup_id"])
                found[document["backup_id"]] = max(moment, known) if known else moment
    return found
