"""Finds backups in the bucket: only a whole manifest makes one; the rest is reported apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

from operations import aws_clients, environment
from operations.backup import manifest
from operations.backup.manifest import Manifest, NotSignedError, NotVerifiedError
from operations.backup.options import CLASSES
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client

LATEST = "latest"
# That of a hundred thousand tables has 32 MB; what is larger is none, and would take all memory.
_LARGEST_MANIFEST_BYTES = 256 * 1024 * 1024
_NOT_SIGNED = (
    "whoever may write to the bucket could have made it. If it is yours, from before manifests "
    "were signed or of another stack: --signed-by KEY verifies it where the key that signed it, or "
    "a replica of that key, is still there; else restore it by its id with --unsigned"
)


# After what to do with the key.
_GONE = ". Where the key is gone for good: restore it by its id with --unsigned"


class LockedError(OperationError):
    """A manifest that KMS does not let be read."""


@dataclass(frozen=True)
class Entry:
    """An object as the bucket's listing shows it."""

    size_bytes: int
    written: datetime


@dataclass(frozen=True)
class NoBackup:
    """A folder that looks like a backup and is none.

    `unsigned` is what it would be, where all that is missing is a signature of the stack's key;
    `unverified`, where KMS does not let that key be used. `locked`: KMS keeps it from being read or
    verified, so that it may well be one.
    """

    folder: str
    reason: str
    keys: tuple[str, ...]
    last_modified: datetime
    has_manifest: bool
    unsigned: Manifest | None = None
    unverified: Manifest | None = None
    locked: bool = False

    @property
    def id(self) -> str:
        """The run's."""
        return self.folder.rpartition("/")[2]


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

    def find(self, database: str | None = None, *, brief: bool = False) -> Found:
        """All backups, of one database or of all.

        `brief` manifests have no tables and parts, so that a hundred of them need no memory to
        speak of: each has 20 MB for ten thousand tables.

        Raises:
            OperationError: there are manifests, and KMS lets none of them be read or verified.
        """
        found = self._find(database, brief=brief)
        locked = [one for one in found.others if one.locked]
        if locked and not found.backups:
            last = max(locked, key=lambda one: one.id)
            raise OperationError(
                f"no backup in bucket {self.bucket} can be read, such as {last.folder}: "
                f"{last.reason}"
            )
        return found

    def _find(self, database: str | None, *, brief: bool = False) -> Found:
        backups: list[Manifest] = []
        others: list[NoBackup] = []
        for folder, keys in self._folders(database):
            found = self._judge(folder, keys)
            if brief:
                found = _brief(found)
            if isinstance(found, NoBackup):
                others.append(found)
            else:
                backups.append(found)
        backups.sort(key=lambda one: one.taken_at, reverse=True)
        return Found(tuple(backups), tuple(others))

    def newest(self, database: str) -> Manifest | None:
        """The newest backup of a database; reads no older manifests than it must.

        Raises:
            OperationError: KMS lets no manifest be read or verified.
        """
        locked: NoBackup | None = None
        # A folder is named after the time of its backup.
        folders = sorted(self._folders(database), key=lambda one: one[0].rsplit("/", 1)[-1])
        for folder, keys in reversed(folders):
            found = self._judge(folder, keys)
            if not isinstance(found, NoBackup):
                return found
            locked = locked or (found if found.locked else None)
        if locked is not None:
            raise OperationError(f"no backup can be read: {locked.folder}: {locked.reason}")
        return None

    def _judge(self, folder: str, keys: Mapping[str, Entry]) -> Manifest | NoBackup:
        """The folder's backup, or why it is none."""
        key = f"{folder}/{manifest.NAME}"
        reason, locked = "it has no manifest: the run did not reach its end", False
        unsigned: Manifest | None = None
        unverified: Manifest | None = None
        if key in keys:
            try:
                if keys[key].size_bytes > _LARGEST_MANIFEST_BYTES:
                    raise OperationError(
                        f"{key} is no manifest: it has {keys[key].size_bytes} bytes, more than "
                        f"{_LARGEST_MANIFEST_BYTES}; find out who wrote it"
                    )
                backup = self.read(key)
                reason = _incomplete(backup, folder, keys)
                if not reason:
                    return backup
            except NotSignedError as error:
                unsigned = Store(self.s3, self.bucket).read(key)
                reason = _incomplete(unsigned, folder, keys)
                if reason:
                    unsigned = None
                else:
                    reason = f"{error}: {_NOT_SIGNED}"
            except NotVerifiedError as error:
                unverified = Store(self.s3, self.bucket).read(key)
                reason = _incomplete(unverified, folder, keys)
                if reason:
                    unverified = None
                else:
                    reason, locked = f"its signature cannot be verified: {error}{_GONE}", True
            except LockedError as error:
                reason, locked = str(error), True
            except OperationError as error:
                reason = str(error)
        written = max(one.written for one in keys.values())
        return NoBackup(
            folder, reason, tuple(sorted(keys)), written, key in keys, unsigned, unverified, locked
        )

    def read(self, key: str) -> Manifest:
        """One manifest.

        Raises:
            NotSignedError: it is whole, and the stack's key has not signed it.
            NotVerifiedError: it is whole, and KMS does not let the stack's key be used.
            LockedError: KMS does not let it be read.
            OperationError: it is not whole, altered, or forged.
        """
        from botocore.exceptions import ClientError

        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            advice = aws_clients.key_refusal(error)
            if advice is None:
                raise
            text = f"its manifest cannot be read: {str(error).rstrip('.')}; {advice}"
            raise LockedError(text) from None
        return manifest.decode(body, key, self.kms, self.mac_key)

    def get(
        self, identifier: str, database: str | None = None, *, unsigned: bool = False
    ) -> Manifest:
        """The backup of that id, or the newest for `latest`.

        `unsigned` takes one that is whole and lacks a signature of the stack's key, or whose
        signature KMS does not let verify, by its id only: the newest may be anybody's.

        Raises:
            OperationError: there is none; the message says which there are.
        """
        found = self._find(database) if identifier != LATEST else self.find(database)
        if identifier == LATEST and found.backups:
            _refuse_locked_newer(found)
            return found.backups[0]
        for backup in found.backups:
            if backup.id == identifier:
                return backup
        for other in found.others:
            if other.folder.endswith(f"/{identifier}"):
                taken = other.unsigned or other.unverified
                if unsigned and taken is not None:
                    return taken
                what = "cannot be used" if other.locked else "is no backup"
                raise OperationError(f"{identifier} {what}: {other.reason}")
        if "-export-" in identifier:
            raise OperationError(
                f"{identifier} is no backup: RDS exported a snapshot as Parquet, which has rows "
                "and no definitions, and pgkeep cannot restore it. What can be restored is the "
                "snapshot: --from snapshot:ID --to instance:NAME (`pgkeep backup list` has both)"
            )
        newest = ", ".join(one.id for one in found.backups[:3]) or "none at all"
        if not found.backups and found.others:
            last = max(found.others, key=lambda other: other.last_modified)
            newest += f" ({last.folder} is none: {last.reason})"
        raise OperationError(
            f"bucket {self.bucket} has no backup {identifier!r}; the newest are: {newest}"
        )

    def _folders(self, database: str | None) -> Iterator[tuple[str, dict[str, Entry]]]:
        """Folders of backups with what is in them, by key."""
        for backup_class in CLASSES:
            prefix = f"{backup_class}/{database}/" if database else f"{backup_class}/"
            keys: dict[str, dict[str, Entry]] = {}
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    key, written = entry.get("Key", ""), entry.get("LastModified")
                    parts = key.split("/")
                    if len(parts) > 3 and written is not None:
                        listed = Entry(entry.get("Size", 0), written)
                        keys.setdefault("/".join(parts[:3]), {})[key] = listed
            yield from sorted(keys.items())


def _refuse_locked_newer(found: Found) -> None:
    """An older one in its place would lose rows without a word."""
    newest = found.backups[0]
    # By the second in which they began: what follows in an id is random.
    newer = [one for one in found.others if one.locked and _began(one.id) >= _began(newest.id)]
    if newer:
        last = max(newer, key=lambda one: one.id)
        raise OperationError(
            f"the newest backup is {last.id}, and {last.reason}. The newest that can be read is "
            f"{newest.id}: name it to have it all the same"
        )


def _began(identifier: str) -> str:
    return identifier.partition("-")[0]


def _brief(found: Manifest | NoBackup) -> Manifest | NoBackup:
    if not isinstance(found, NoBackup):
        return _without_tables(found)
    unsigned, unverified = found.unsigned, found.unverified
    return replace(
        found,
        unsigned=_without_tables(unsigned) if unsigned else None,
        unverified=_without_tables(unverified) if unverified else None,
    )


def _without_tables(backup: Manifest) -> Manifest:
    objects = tuple(replace(stored, sha256="", parts=()) for stored in backup.objects)
    return replace(backup, tables=(), objects=objects)


def _incomplete(backup: Manifest, folder: str, keys: Mapping[str, Entry]) -> str:
    """Why the folder is not what its manifest says; empty when it is."""
    if backup.key != f"{folder}/{manifest.NAME}":
        return f"its manifest belongs to {backup.key}"
    for stored in backup.objects:
        # What is said of this backup, such as that it may go, must not reach another one's objects.
        if not stored.key.startswith(f"{folder}/"):
            return f"its manifest names {stored.key} of another folder"
        if stored.key not in keys:
            return f"{stored.key} is gone from the bucket"
        size_bytes = keys[stored.key].size_bytes
        if size_bytes != stored.size_bytes:
            return (
                f"{stored.key} has {size_bytes} bytes, its manifest says {stored.size_bytes}: it "
                "was replaced; look for an older version of the object"
            )
    return ""
