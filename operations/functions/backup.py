"""Handler of the function that backs the database up."""

from __future__ import annotations

import json
import os
from typing import Any, Protocol

import boto3

from operations import aws_clients, environment, secret_store
from operations.backup import SCHEDULED_CLASSES, BackupTarget, Options, run
from operations.database import Endpoint, connect_with_secret
from operations.errors import OperationError

# What aborting the uploads and telling why takes at the end of the function's time.
_CLEAN_UP_SECONDS = 20.0


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda kills the function."""
        ...


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """`{"class": "daily"}` -> `{"id", "key", "size_bytes", "row_counts"}`; key: the manifest's."""
    secret = environment.required("BACKUP_SECRET_ARN")
    target = BackupTarget(
        bucket=environment.required("BACKUP_BUCKET"),
        kms_key=environment.required("KMS_KEY_ARN"),
        retention_days=_retention_days(environment.required("RETENTION_DAYS")),
        mac_key=environment.optional("MANIFEST_KEY_ARN"),
    )
    endpoint = Endpoint.from_environment()
    secrets = secret_store.connect()
    backup = run(
        str(event.get("class")),
        endpoint,
        connect=lambda: connect_with_secret(
            endpoint, secrets, secret, application_name="pgkeep backup"
        ),
        target=target,
        s3=boto3.client("s3", config=aws_clients.patient()),
        kms=boto3.client("kms", config=aws_clients.patient()) if target.mac_key else None,
        options=Options(
            # Lambda gives processors by memory.
            worker=f"function, {os.environ.get('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', '?')} MiB",
            time_limit_seconds=max(
                context.get_remaining_time_in_millis() / 1000 - _CLEAN_UP_SECONDS, 1
            ),
        ),
    )
    return {
        "id": backup.id,
        "key": backup.key,
        "size_bytes": backup.size_bytes,
        "row_counts": backup.row_counts,
    }


def _retention_days(text: str) -> dict[str, int]:
    """`{"daily": 30, ...}`, or one number for every scheduled class."""
    try:
        value = json.loads(text)
        if isinstance(value, int):
            return dict.fromkeys(SCHEDULED_CLASSES, value)
        return {str(name): int(days) for name, days in value.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise OperationError(
            f"RETENTION_DAYS is {text!r}; it must be days by class as JSON, such as "
            '{"daily": 30, "weekly": 84}'
        ) from error
