"""Requests to a backup worker, as objects beside the backups that are written once.

`handover/<id>/request.json` is what is asked for, `attempt-<n>.json` who works on it, `result.json`
how it ended. `handover/workers/<instance>.json` says that a worker looks for requests a last time.
None of them holds a secret.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PREFIX = "handover/"
_WORKERS = f"{PREFIX}workers/"
#: A worker that died takes its request with it at most once; the next one tries again.
MOST_ATTEMPTS = 2
# Whoever asked for an older one has asked again since.
OPEN_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Request:
    """A backup that somebody asked for, because a function had not the time or the memory for it.

    `sessions` are as many as may share the worker's memory; None: one a processor.
    `snapshot` is the one that RDS exports in place of the backup, empty where a worker makes it.
    """

    id: str
    backup_class: str
    requested_at: str
    estimated_seconds: float
    size_bytes: int
    sessions: int | None = None
    snapshot: str = ""

    @classmethod
    def new(
        cls,
        backup_class: str,
        estimated_seconds: float,
        size_bytes: int,
        *,
        sessions: int | None = None,
    ) -> Request:
        """A request of now."""
        now = datetime.now(UTC)
        identifier = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        seconds = round(estimated_seconds, 1)
        return cls(identifier, backup_class, now.isoformat(), seconds, size_bytes, sessions)


@dataclass(frozen=True)
class Desk:
    """Where requests are put and taken: a prefix of the backup bucket, under its key."""

    s3: S3Client
    bucket: str
    kms_key: str

    def ask(self, request: Request) -> None:
        """Put a request."""
        self.put(f"{PREFIX}{request.id}/request.json", asdict(request))

    def open(self, within: timedelta = OPEN_FOR) -> Iterator[tuple[Request, int]]:
        """Requests of late without a result, the oldest first, and how often each was tried."""
        folders: dict[str, set[str]] = {}
        oldest = datetime.now(UTC) - within
        for key in self._keys(PREFIX):
            folder, _, name = key.removeprefix(PREFIX).partition("/")
            folders.setdefault(folder, set()).add(name)
        for folder, names in sorted(folders.items()):
            if "request.json" not in names or "result.json" in names:
                continue
            try:
                request = self._read(folder)
            except OperationError as error:
                # Of another version of pgkeep: it keeps no worker from those that can be read.
                log("request_unreadable", request=folder, error=str(error))
                continue
            if datetime.fromisoformat(request.requested_at) > oldest:
                yield request, sum(name.startswith("attempt-") for name in names)

    def take(self, request: Request, number: int, worker: dict[str, str]) -> None:
        """Say who works on it; `number` counts from 1."""
        self.put(f"{PREFIX}{request.id}/attempt-{number}.json", worker)

    def end(self, request: Request, result: dict[str, Any]) -> None:
        """Say how it ended: `{"status": "done" or "failed", ...}`."""
        self.put(f"{PREFIX}{request.id}/result.json", result)

    def close(self, worker: str) -> None:
        """Say that `worker` (an instance) looks for requests once more, and then goes."""
        self.put(f"{_WORKERS}{worker}.json", {"closed_at": datetime.now(UTC).isoformat()})

    def is_closing(self, worker: str) -> bool:
        """Whether a request that is put now may be too late for `worker`."""
        return any(True for _ in self._keys(f"{_WORKERS}{worker}.json"))

    def _read(self, identifier: str) -> Request:
        key = f"{PREFIX}{identifier}/request.json"
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        try:
            request = Request(**json.loads(body))
            if datetime.fromisoformat(request.requested_at).tzinfo is None:
                raise ValueError
        except (TypeError, ValueError, RecursionError):
            raise OperationError(
                f"s3://{self.bucket}/{key} is no request of this version; remove it"
            ) from None
        return request

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry.get("Key", "")

    def put(self, key: str, document: dict[str, Any]) -> None:
        """Write a document once; a second time changes nothing."""
        from botocore.exceptions import ClientError

        try:
            self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=json.dumps(document, indent=1).encode(),
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self.kms_key,
                IfNoneMatch="*",
            )
        except ClientError as error:
            # The first try of this request succeeded and its answer was lost.
            if error.response.get("Error", {}).get("Code") != "PreconditionFailed":
                raise
