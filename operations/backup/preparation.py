"""What S3 and KMS are asked before a backup begins, beside what PostgreSQL is asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from operations.backup import manifest, sweeper, time_budget
from operations.backup.options import CLASSES, BackupTarget

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client


class Preparation:
    """In a thread of its own: S3's client is made, and what died runs have left is swept."""

    def __init__(
        self,
        s3: S3Client | Callable[[], S3Client],
        bucket: str,
        database: str,
        host: str,
        worker: str,
    ) -> None:
        """Begin. What makes the client may take as long as a small backup: it imports botocore."""
        self._bucket, self._database = bucket, database
        self._host, self._worker = host, worker
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self._made: Future[S3Client] = self._thread.submit(lambda: s3() if callable(s3) else s3)

    def sweep(self) -> Future[int]:
        """End what died runs have left; not before the database's lock is held."""
        return self._thread.submit(
            lambda: sweeper.abort_uploads(
                self.s3, self._bucket, self._database, CLASSES, self._host
            )
        )

    def try_to_sign(self, kms: KMSClient | None, target: BackupTarget) -> Future[None]:
        """Ask the key of signatures now: without it all of the run's hours would be lost."""
        return self._thread.submit(lambda: manifest.try_to_sign(kms, target.mac_key))

    @property
    def s3(self) -> S3Client:
        """Raises what making it raised."""
        return self._made.result()

    def speed(self, size_bytes: int) -> time_budget.Speed:
        """Of the newest backups of a database of that size. Raises what S3 raised."""
        if size_bytes < time_budget.TELLING_BYTES:
            # Its backups tell none, and each of them would be a request.
            return time_budget.assumed()
        return time_budget.measured(
            s3=self.s3,
            bucket=self._bucket,
            database=self._database,
            classes=CLASSES,
            worker=self._worker,
        )

    def close(self) -> None:
        """Wait for nothing."""
        self._thread.shutdown(wait=False, cancel_futures=True)
