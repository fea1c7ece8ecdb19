"""Exports of RDS snapshots in the bucket: Parquet, for Athena, and no backup that pgkeep restores.

RDS writes `exports/<class>/<id>/<database>/<schema>.<table>/...`. The record beside it is ours, and
written once RDS has said that the export is complete: without it there is no export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from operations.backup.store import NoBackup
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PREFIX = "exports/"
RECORD = "pgkeep-export.json"
#: RDS gives no limit; what has not ended by then is given up.
LONGEST = timedelta(days=7)
#: Until then a folder without a record may be an export at work.
ABANDONED_AFTER = LONGEST + timedelta(days=1)


@dataclass(frozen=True)
class Record:
    """What is known of an export that is complete; times are ISO 8601."""

    id: str
    backup_class: str
    database: str
    snapshot: str
    snapshot_at: str
    finished_at: str
    keep_until: str | None

    @property
    def key(self) -> str:
        """Where it is written."""
        return f"{folder(self.backup_class, self.id)}/{RECORD}"

    def document(self) -> dict[str, str | None]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Piece:
    """One object of an export."""

    key: str
    size_bytes: int


@dataclass(frozen=True)
class Export:
    """An export that is complete, with all that retention asks of a backup."""

    record: Record
    objects: tuple[Piece, ...]
    """All but the record."""

    @property
    def id(self) -> str:
        """RDS's identifier of the export."""
        return self.record.id

    @property
    def backup_class(self) -> str:
        """Daily, weekly, monthly, pre-migration or manual."""
        return self.record.backup_class

    @property
    def database(self) -> str:
        """The application's database; the export has all databases of the instance."""
        return self.record.database

    @property
    def key(self) -> str:
        """The record's."""
        return self.record.key

    @property
    def keep_until(self) -> str | None:
        """End of its retention; None until a person removes it."""
        return self.record.keep_until

    @property
    def taken_at(self) -> datetime:
        """When the snapshot was taken."""
        return datetime.fromisoformat(self.record.snapshot_at)

    @property
    def size_bytes(self) -> int:
        """Of its objects in the bucket."""
        return sum(one.size_bytes for one in self.objects)


@dataclass(frozen=True)
class FoundExports:
    """What the bucket holds below `exports/`: exports, newest first, and what is none (yet)."""

    exports: tuple[Export, ...] = ()
    others: tuple[NoBackup, ...] = ()


NONE = FoundExports()


def folder(backup_class: str, identifier: str) -> str:
    """Where RDS puts an export: its S3Prefix, and the export's own folder below it."""
    return f"{PREFIX}{backup_class}/{identifier}"


def find(s3: S3Client, bucket: str) -> FoundExports:
    """All exports of the bucket."""
    found: list[Export] = []
    others: list[NoBackup] = []
    for name, pieces, last_modified in _folders(s3, bucket):
        key = f"{name}/{RECORD}"
        reason = "its export has not ended, or failed"
        whole = any(one.key == key for one in pieces)
        if whole:
            try:
                record = _read(s3, bucket, key)
            except OperationError as error:
                reason = str(error)
            else:
                found.append(Export(record, tuple(one for one in pieces if one.key != key)))
                continue
        keys = tuple(sorted(one.key for one in pieces))
        others.append(NoBackup(name, reason, keys, last_modified, whole))
    found.sort(key=lambda one: one.taken_at, reverse=True)
    return FoundExports(tuple(found), tuple(others))


def _read(s3: S3Client, bucket: str, key: str) -> Record:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        record = Record(**json.loads(body))
        for moment in (record.snapshot_at, record.keep_until or record.snapshot_at):
            datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        raise OperationError(f"{key} is no record of an export of this version") from None
    if record.key != key:
        raise OperationError(f"{key} is the record of another export, {record.id}")
    return record


def _folders(s3: S3Client, bucket: str) -> Iterator[tuple[str, list[Piece], datetime]]:
    folders: dict[str, tuple[list[Piece], list[datetime]]] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    for page in pages:
        for entry in page.get("Contents", []):
            key, written = entry.get("Key", ""), entry.get("LastModified")
            parts = key.split("/")
            if len(parts) < 4 or written is None:
                continue
            pieces, times = folders.setdefault("/".join(parts[:3]), ([], []))
            pieces.append(Piece(key, entry.get("Size", 0)))
            times.append(written)
    for name, (pieces, times) in sorted(folders.items()):
        yield name, pieces, max(times)
