"""Finds backups in the bucket: only a whole manifest makes one; the rest is reported apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

from operations import aws_clients, environment
from operations.backup import manifest
from operations.backup.manifest import Manifest
from operations.backup.options import CLASSES
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client

LATEST = "latest"


@dataclass(frozen=True)
class NoBackup:
    """A folder that looks like a backup and is none."""

    folder: str
    reason: str
    keys: tuple[str, ...]
    last_modified: datetime
    has_manifest: bool


@dataclass(frozen=True)
class Found:
    """What the bucket holds: backups, newest first, and what is none."""

    backups: tuple[Manifest, ...]
    others: tuple[NoBackup, ...]


@dataclass(frozen=True)
class Store:
    """The bucket; `mac_key` verifies the manifests' signatures where they are signed."""

    s3: S3Client
    bucket: str
    kms: KMSClient | None = None
    mac_key: str | None = None

    @classmethod
    def of_function(cls, s3: S3Client, bucket: str) -> Store:
        """As the function's environment says: MANIFEST_KEY_ARN names the key of signatures."""
        mac_key = environment.optional("MANIFEST_KEY_ARN")
        if mac_key is None:
            return cls(s3, bucket)
        return cls(s3, bucket, boto3.client("kms", config=aws_clients.patient()), mac_key)

    def find(self, database: str | None = None) -> Found:
        """All backups, of one database or of all."""
        backups: list[Manifest] = []
        others: list[NoBackup] = []
        for folder, keys in self._folders(database):
            found = self._judge(folder, keys)
            if isinstance(found, NoBackup):
                others.append(found)
            else:
                backups.append(found)
        backups.sort(key=lambda one: one.taken_at, reverse=True)
        return Found(tuple(backups), tuple(others))

    def newest(self, database: str) -> Manifest | None:
        """The newest backup of a database; reads no older manifests than it must."""
        # A folder is named after the time of its backup.
        folders = sorted(self._folders(database), key=lambda one: one[0].rsplit("/", 1)[-1])
        for folder, keys in reversed(folders):
            found = self._judge(folder, keys)
            if not isinstance(found, NoBackup):
                return found
        return None

    def _judge(self, folder: str, keys: Mapping[str, datetime]) -> Manifest | NoBackup:
        """The folder's backup, or why it is none."""
        key = f"{folder}/{manifest.NAME}"
        reason = "it has no manifest: the run did not reach its end"
        if key in keys:
            try:
                backup = self.read(key)
            except OperationError as error:
                reason = str(error)
            else:
                missing = [one.key for one in backup.objects if one.key not in keys]
                if not missing:
                    return backup
                reason = f"{missing[0]} is gone from the bucket"
        return NoBackup(folder, reason, tuple(sorted(keys)), max(keys.values()), key in keys)

    def read(self, key: str) -> Manifest:
        """One manifest.

        Raises:
            OperationError: it is not whole, or altered.
        """
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return manifest.decode(body, key, self.kms, self.mac_key)

    def get(self, identifier: str, database: str | None = None) -> Manifest:
        """The backup of that id, or the newest for `latest`.

        Raises:
            OperationError: there is none; the message says which there are.
        """
        found = self.find(database)
        if identifier == LATEST and found.backups:
            return found.backups[0]
        for backup in found.backups:
            if backup.id == identifier:
                return backup
        for other in found.others:
            if other.folder.endswith(f"/{identifier}"):
                raise OperationError(f"{identifier} is no backup: {other.reason}")
        newest = ", ".join(one.id for one in found.backups[:3]) or "none at all"
        if not found.backups and found.others:
            last = max(found.others, key=lambda other: other.last_modified)
            newest += f" ({last.folder} is none: {last.reason})"
        raise OperationError(
            f"bucket {self.bucket} has no backup {identifier!r}; the newest are: {newest}"
        )

    def _folders(self, database: str | None) -> Iterator[tuple[str, dict[str, datetime]]]:
        """Folders of backups with the keys in them, and when each was written."""
        for backup_class in CLASSES:
            prefix = f"{backup_class}/{database}/" if database else f"{backup_class}/"
            keys: dict[str, dict[str, datetime]] = {}
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    key, written = entry.get("Key", ""), entry.get("LastModified")
                    parts = key.split("/")
                    if len(parts) > 3 and written is not None:
                        keys.setdefault("/".join(parts[:3]), {})[key] = written
            yield from sorted(keys.items())
