"""What a function and a worker make backups of and with: the same variables, the same code."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

# A function has a whole processor while it begins: what a run needs is imported then.
import operations.backup.dump  # noqa: F401 # pyright: ignore[reportUnusedImport]
from operations import aws_clients, environment, secret_store
from operations.backup import SCHEDULED_CLASSES, BackupTarget, Manifest, Options, run
from operations.database import Endpoint, connect_with_secret
from operations.errors import OperationError
from operations.handover.requests import Desk

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class BackupSite:
    """Database, secret and bucket of a stack."""

    endpoint: Endpoint
    secret: str
    target: BackupTarget
    #: Makes the client, or gives the one that it made.
    s3: Callable[[], S3Client]
    largest_hashed_table_bytes: int | None = None

    @classmethod
    def from_environment(cls) -> BackupSite:
        """From the variables that components/backup_function.py sets.

        Raises:
            OperationError: one is missing or wrong.
        """
        return cls(
            endpoint=Endpoint.from_environment(),
            secret=environment.required("BACKUP_SECRET_ARN"),
            target=BackupTarget(
                bucket=environment.required("BACKUP_BUCKET"),
                kms_key=environment.required("KMS_KEY_ARN"),
                retention_days=_retention_days(environment.required("RETENTION_DAYS")),
                mac_key=environment.optional("MANIFEST_KEY_ARN"),
            ),
            s3=functools.cache(aws_clients.s3),
            largest_hashed_table_bytes=environment.optional_int("LARGEST_HASHED_TABLE_BYTES"),
        )

    @property
    def desk(self) -> Desk:
        """Where requests to a worker are put."""
        return Desk(self.s3(), self.target.bucket, self.target.kms_key)

    def back_up(self, backup_class: str, options: Options) -> Manifest:
        """Make one backup; raises as `operations.backup.run` does."""
        import boto3

        secrets = secret_store.connect()
        signed = self.target.mac_key is not None
        return run(
            backup_class,
            self.endpoint,
            connect=lambda: connect_with_secret(
                self.endpoint, secrets, self.secret, application_name="pgkeep backup"
            ),
            target=self.target,
            s3=self.s3,
            kms=boto3.client("kms", config=aws_clients.patient()) if signed else None,
            options=replace(options, largest_hashed_table_bytes=self.largest_hashed_table_bytes),
        )


def summary(backup: Manifest) -> dict[str, Any]:
    """What a function answers and a worker writes down: `key` is the manifest's."""
    return {
        "id": backup.id,
        "key": backup.key,
        "size_bytes": backup.size_bytes,
        "row_counts": backup.row_counts,
        "duration_seconds": backup.duration_seconds,
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
