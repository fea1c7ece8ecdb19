"""The document that a restore leaves: what was proven, when, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from operations.backup.manifest import Manifest
from operations.restore import html_page, page
from operations.restore import objectives as asked
from operations.restore.objectives import Objectives
from operations.restore.proof import Proof
from operations.restore.restore import Restored
from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Where the reports are in the backup bucket; they outlive the backups that they are about.
PREFIX = "reports/restore"
#: `backup_id` of restores to a moment.
POINT_IN_TIME = "point-in-time"

Kind = Literal["dump", "point-in-time", "snapshot"]


@dataclass(frozen=True)
class Report:
    """`rto_seconds` is what restore and proof took; `rpo_seconds` what going this way would lose.

    `restored_to` is the moment that the data shows. `row_counts` is there where there was no
    manifest to compare with. `objectives` compares with what the workload asks.
    """

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
    kind: Kind = "dump"
    restored_to: str = ""
    size_bytes: int | None = None
    row_counts: dict[str, int] = field(default_factory=dict[str, int])
    objectives: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def key(self) -> str:
        """Where the report is kept."""
        stamp = datetime.fromisoformat(self.started_at).strftime("%Y%m%dT%H%M%SZ")
        # Names of automated snapshots have a colon.
        return f"{PREFIX}/{self.database}/{stamp}-{self.backup_id.replace(':', '-')}.json"

    @property
    def page_keys(self) -> tuple[str, str]:
        """Where the page for people is: as Markdown, and as HTML."""
        name = self.key.removesuffix(".json")
        return f"{name}.md", f"{name}.html"


def make(
    backup: Manifest,
    restored: Restored,
    proof: Proof,
    *,
    target: str,
    started_at: datetime,
    objectives: Objectives = asked.NONE,
) -> Report:
    """Put the measurements of one restore together; `started_at` with its time zone."""
    finished_at = datetime.now(UTC)
    rto_seconds = round((finished_at - started_at).total_seconds(), 3)
    rpo_seconds = round((started_at - backup.taken_at).total_seconds(), 3)
    return Report(
        backup_id=backup.id,
        database=backup.database,
        target=target,
        started_at=started_at.isoformat(),
        finished_at=finished_at.isoformat(),
        proven=proof.proven,
        rto_seconds=rto_seconds,
        rpo_seconds=rpo_seconds,
        steps={**restored.steps, "proof": _proof_seconds(proof)},
        checks=_checks(proof),
        left_out=list(proof.left_out),
        restored_to=backup.taken_at.isoformat(),
        size_bytes=backup.size_bytes,
        objectives=objectives.compare(rto_seconds, rpo_seconds),
    )


def of_instance(
    kind: Kind,
    proof: Proof,
    *,
    database: str,
    target: str,
    started_at: datetime,
    restored_to: datetime,
    rpo_seconds: float,
    steps: Mapping[str, float],
    row_counts: Mapping[str, int],
    objectives: Objectives = asked.NONE,
) -> Report:
    """The same of a whole instance out of a snapshot or a moment.

    `rpo_seconds` is how far behind the newest restorable moment was when the restore began.
    """
    finished_at = datetime.now(UTC)
    done = {**steps, "proof": _proof_seconds(proof)}
    rto_seconds = round(sum(done.values()), 3)
    return Report(
        backup_id=proof.backup_id,
        database=database,
        target=target,
        started_at=started_at.isoformat(),
        finished_at=finished_at.isoformat(),
        proven=proof.proven,
        rto_seconds=rto_seconds,
        rpo_seconds=round(rpo_seconds, 3),
        steps=done,
        checks=_checks(proof),
        left_out=list(proof.left_out),
        kind=kind,
        restored_to=restored_to.isoformat(),
        row_counts=dict(row_counts),
        objectives=objectives.compare(rto_seconds, round(rpo_seconds, 3)),
    )


def _proof_seconds(proof: Proof) -> float:
    return round(sum(check.seconds for check in proof.checks), 3)


def _checks(proof: Proof) -> list[dict[str, Any]]:
    return [{**asdict(check), "passed": check.passed} for check in proof.checks]


def write(report: Report, *, s3: S3Client, bucket: str, kms_key: str | None = None) -> str:
    """Keep the report beside the backups, as JSON and as pages; returns the key of the JSON.

    Without `kms_key` the bucket's own key encrypts it.
    """
    document = asdict(report)
    markdown_key, html_key = report.page_keys
    content = {
        report.key: (json.dumps(document, indent=1), "application/json"),
        markdown_key: (page.markdown(document), "text/markdown; charset=utf-8"),
        html_key: (html_page.html(document), "text/html; charset=utf-8"),
    }
    encryption: dict[str, Any] = (
        {"SSEKMSKeyId": kms_key, "ServerSideEncryption": "aws:kms"} if kms_key else {}
    )
    for key, (text, content_type) in content.items():
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=text.encode(),
            ContentType=content_type,
            ChecksumAlgorithm="SHA256",
            **encryption,
        )
    return report.key


def stored(s3: S3Client, bucket: str, database: str | None = None) -> list[dict[str, Any]]:
    """All reports in the bucket, of one database or of all, the oldest first."""
    prefix = f"{PREFIX}/{database}/" if database else f"{PREFIX}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [
        entry.get("Key", "")
        for page_ in pages
        for entry in page_.get("Contents", [])
        if entry.get("Key", "").endswith(".json")
    ]
    documents = [_read(s3, bucket, key) for key in keys]
    found = [document for document in documents if document is not None]
    return sorted(found, key=lambda document: str(document["started_at"]))


def _read(s3: S3Client, bucket: str, key: str) -> dict[str, Any] | None:
    """A report, or None when it is damaged: that must hide no other, and no backup."""
    try:
        document: Any = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        times = [datetime.fromisoformat(document[name]) for name in ("started_at", "finished_at")]
        whole = isinstance(document["backup_id"], str) and all(time.tzinfo for time in times)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole, document = False, None
    if whole:
        return document
    log("report_damaged", bucket=bucket, key=key)
    return None


def proven(s3: S3Client, bucket: str) -> dict[str, datetime]:
    """Backup id -> when a restore last proved it, of all reports in the bucket."""
    found: dict[str, datetime] = {}
    for document in stored(s3, bucket):
        if document.get("proven"):
            moment = datetime.fromisoformat(document["finished_at"])
            known = found.get(document["backup_id"])
            found[document["backup_id"]] = max(moment, known) if known else moment
    return found
