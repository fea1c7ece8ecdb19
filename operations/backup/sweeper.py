"""Ends what runs that died have left: multipart uploads that nobody will complete."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


_MARK_DIGITS = 4


def identifier(started_at: datetime, host: str) -> str:
    """A new run's id: when it began (UTC), a mark of its server, and a random part."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{_mark(host)}{secrets.token_hex(4)}"


def abort_uploads(
    s3: S3Client, bucket: str, database: str, backup_classes: Sequence[str], host: str
) -> int:
    """Abort the uploads of earlier runs of this database on this host; returns how many there were.

    The caller holds the lock of the database there, so that none of them is still alive. A replica
    has locks of its own: a run that reads it may be at work, and its uploads stay. S3's lifecycle
    aborts what no run finds. The whole bucket is listed: it has few uploads that are not complete,
    and a request for each class takes longer than the rest of a small backup's beginning.
    """
    folders = tuple(f"{backup_class}/{database}/" for backup_class in backup_classes)
    aborted = 0
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            key, upload_id = upload.get("Key", ""), upload.get("UploadId", "")
            if not key.startswith(folders) or not _is_of(host, key.split("/")[2]):
                continue
            with suppress(s3.exceptions.NoSuchUpload):
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
            log("upload_swept", bucket=bucket, key=key)
            aborted += 1
    return aborted


def _is_of(host: str, run: str) -> bool:
    return run.partition("-")[2].startswith(_mark(host))


def _mark(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()[:_MARK_DIGITS]
