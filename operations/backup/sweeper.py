"""Ends what runs that died have left: multipart uploads that nobody will complete."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def abort_uploads(s3: S3Client, bucket: str, database: str, backup_classes: Sequence[str]) -> int:
    """Abort the uploads of earlier runs of this database; returns how many there were.

    The caller holds the lock of the database, so that none of them is still alive. S3's lifecycle
    aborts what no run finds. The whole bucket is listed: it has few uploads that are not complete,
    and a request for each class takes longer than the rest of a small backup's beginning.
    """
    folders = tuple(f"{backup_class}/{database}/" for backup_class in backup_classes)
    aborted = 0
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            key, upload_id = upload.get("Key", ""), upload.get("UploadId", "")
            if not key.startswith(folders):
                continue
            with suppress(s3.exceptions.NoSuchUpload):
                s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
            log("upload_swept", bucket=bucket, key=key)
            aborted += 1
    return aborted
