"""Reads a backup back and compares every byte with the manifest's hashes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.backup.manifest import Manifest
from operations.backup.object_reader import ObjectReader
from operations.backup.object_writer import StoredObject
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class Verified:
    """What was read; `findings` is empty when every object is what the manifest says."""

    backup_id: str
    objects: int
    size_bytes: int
    findings: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether the backup can be restored as far as its bytes tell."""
        return not self.findings


def verify(
    backup: Manifest,
    *,
    s3: S3Client,
    bucket: str,
    workers: int = 4,
    progress: Callable[[int], None] | None = None,
) -> Verified:
    """Read all objects of `backup`; a damaged one is a finding, and the others are still read.

    This shows that the bytes are those that were written. That they make a database again only a
    restore shows.
    """
    reader = ObjectReader(s3, bucket)

    def read(stored: StoredObject) -> str | None:
        try:
            for block in reader.read(stored):
                if progress is not None:
                    progress(len(block))
        except OperationError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        findings = tuple(line for line in pool.map(read, backup.objects) if line is not None)
    return Verified(backup.id, len(backup.objects), backup.size_bytes, findings)
