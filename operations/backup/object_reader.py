"""Reads a backup's objects part by part; no byte is given on before its SHA-256 was checked."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations import aws_clients
from operations.backup.manifest import Manifest, RowsInObject
from operations.backup.object_writer import StoredObject, StoredPart
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# Faults in the middle of a body; botocore itself repeats only requests that got no answer.
_TRIES = 5
_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class ObjectReader:
    """Reads from the bucket that a backup is in."""

    s3: S3Client
    bucket: str
    # The part that each thread read last: small tables share one.
    _last: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    def read(self, stored: StoredObject) -> Iterator[bytes]:
        """All parts in order; the next one is fetched while the caller works on this one.

        Raises:
            OperationError: the object is gone, shorter, or not what the manifest says.
        """
        yield from self._parts(stored, 0, len(stored.parts))

    def read_frame(self, backup: Manifest, rows: RowsInObject) -> Iterator[bytes]:
        """The bytes of one table's rows; whole parts are fetched, because hashes are of parts."""
        stored = next(one for one in backup.objects if one.key == rows.key)
        end = rows.offset_bytes + rows.length_bytes
        position = 0
        wanted: list[tuple[int, int]] = []
        for number, part in enumerate(stored.parts):
            if position < end and position + part.size_bytes > rows.offset_bytes:
                wanted.append((number, position))
            position += part.size_bytes
        if not wanted:
            return
        if len(wanted) == 1:
            number, start = wanted[0]
            body = self._shared_part(stored, number, start)
            yield body[rows.offset_bytes - start : end - start]
            return
        first, last = wanted[0][0], wanted[-1][0] + 1
        for (_, start), body in zip(wanted, self._parts(stored, first, last), strict=True):
            yield body[max(rows.offset_bytes - start, 0) : end - start]

    def _parts(self, stored: StoredObject, first: int, last: int) -> Iterator[bytes]:
        offsets = [0]
        for part in stored.parts:
            offsets.append(offsets[-1] + part.size_bytes)
        if offsets[-1] != stored.size_bytes:
            raise OperationError(
                f"{stored.key} has {stored.size_bytes} bytes by its manifest, and parts of "
                f"{offsets[-1]}: what is not in them cannot be checked. Use another backup"
            )
        with ThreadPoolExecutor(1, thread_name_prefix="fetch") as ahead:
            coming: Future[bytes] | None = None
            for number in range(first, last):
                now = coming or ahead.submit(self._part, stored, number, offsets[number])
                following = number + 1
                body = now.result()
                coming = (
                    ahead.submit(self._part, stored, following, offsets[following])
                    if following < last
                    else None
                )
                yield body

    def _shared_part(self, stored: StoredObject, number: int, offset: int) -> bytes:
        name = (stored.key, number)
        known: tuple[tuple[str, int], bytes] | None = getattr(self._last, "part", None)
        if known is None or known[0] != name:
            # Not two at once: the old one goes first.
            self._last.part = known = None
            known = (name, self._part(stored, number, offset))
            self._last.part = known
        return known[1]

    def _part(self, stored: StoredObject, number: int, offset: int) -> bytes:
        part = stored.parts[number]
        body = self._fetch(stored, part, offset)
        found = hashlib.sha256(body).hexdigest()
        if len(body) != part.size_bytes or found != part.sha256:
            raise OperationError(
                f"{stored.key} is damaged in part {number + 1}: {len(body)} bytes with SHA-256 "
                f"{found}, the manifest says {part.size_bytes} with {part.sha256}; nothing of this "
                "part was used. Use another backup, and look for an older version of the object"
            )
        return body

    def _fetch(self, stored: StoredObject, part: StoredPart, offset: int) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        if part.size_bytes == 0:
            return b""
        span = f"bytes={offset}-{offset + part.size_bytes - 1}"
        pause_seconds = _FIRST_PAUSE_SECONDS
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self.s3.get_object(Bucket=self.bucket, Key=stored.key, Range=span)
                return answer["Body"].read()
            except ClientError as error:
                raise _unreadable(stored.key, error) from error
            except (BotoCoreError, HTTPError, ConnectionError) as error:
                if attempt == _TRIES:
                    raise OperationError(
                        f"{stored.key} could not be read in {_TRIES} tries: {error}; check the way "
                        "to S3 and start again"
                    ) from error
            time.sleep(pause_seconds)
            pause_seconds *= 2
        raise AssertionError("the last try returns or raises")


def _unreadable(key: str, error: Any) -> OperationError:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("NoSuchKey", "404"):
        return OperationError(f"{key} is gone from the bucket; use another backup")
    if code in ("InvalidRange", "416"):
        return OperationError(f"{key} is shorter than the manifest says; use another backup")
    advice = aws_clients.what_to_do(error) or "check the permissions of this role"
    return OperationError(f"{key} cannot be read: {str(error).rstrip('.')}; {advice}")
