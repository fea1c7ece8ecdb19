"""Handler of the function that backs the database up."""

from __future__ import annotations

from typing import Any

import boto3

from operations import environment, secret_store
from operations.backup import BackupTarget, run
from operations.database import Endpoint, credentials


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"class": "daily"}` -> `{"id", "key", "size_bytes", "row_counts"}`."""
    secret = environment.required("BACKUP_SECRET_ARN")
    target = BackupTarget(
        bucket=environment.required("BACKUP_BUCKET"),
        kms_key=environment.required("KMS_KEY_ARN"),
        retention_days=environment.required_int("RETENTION_DAYS"),
    )
    endpoint = Endpoint.from_environment()
    user, password = credentials(secret_store.read(secret_store.connect(), secret), secret)
    backup = run(
        str(event.get("class")),
        endpoint,
        user=user,
        password=password,
        target=target,
        s3=boto3.client("s3"),
    )
    return {
        "id": backup.id,
        "key": backup.key,
        "size_bytes": backup.size_bytes,
        "row_counts": backup.row_counts,
    }
