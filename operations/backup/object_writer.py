"""Streams bytes of unknown length to S3: in bounded memory, in parallel parts, and never half.

An object that fits one part is one PutObject; a larger one is a multipart upload that exists only
after `close`. Every part carries its SHA-256, which S3 checks before it stores the part.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MIB = 1024 * 1024
# S3 takes 10,000 parts of an object and at most 5 TiB
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). Parts grow as the object
# does, so that small objects need little memory and large ones few parts: (parts, bytes a part).
_PART_STEPS: Sequence[tuple[int, int]] = (
    (1_000, 6 * MIB),
    (1_000, 16 * MIB),
    (1_000, 32 * MIB),
    (7_000, 64 * MIB),
)
# What S3 says to a second try of a request whose first one succeeded.
_ALREADY_DONE = ("PreconditionFailed", "NoSuchUpload")
_LAST_PARTS_SECONDS = 5
_ABORT_SECONDS = 10
_LOOK_AGAIN_SECONDS = 0.2
_STOPPED = "the run was stopped"
# And the question whether an object is there whose answer was lost.
_CLEANS_UP = (".AbortMultipartUpload", ".ListObjectsV2")
LARGEST_OBJECT_BYTES = sum(parts * size for parts, size in _PART_STEPS)


def part_bytes(number: int) -> int:
    """Size of part `number` (from 1).

    Raises:
        OperationError: the object would need more parts than S3 takes.
    """
    before = 0
    for parts, size in _PART_STEPS:
        before += parts
        if number <= before:
            return size
    raise OperationError(
        f"an object would pass {LARGEST_OBJECT_BYTES} bytes, the most that S3 takes in parts that "
        "fit this process's memory; no backup was made. One piece of one table is too large: see "
        "which extension keeps a table of this size, and use an RDS snapshot export"
    )


@dataclass(frozen=True)
class StoredPart:
    """One part as it was uploaded."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class StoredObject:
    """An object that is whole; the SHA-256 values are hex digits."""

    key: str
    size_bytes: int
    sha256: str
    parts: tuple[StoredPart, ...]


@dataclass
class Uploads:
    """What all writers of one backup share: the bucket, the threads and the memory for parts."""

    s3: S3Client
    bucket: str
    kms_key: str
    metadata: dict[str, str]
    threads: int = 2
    # Parts on their way. With the one that each worker fills and the programs it starts, a backup
    # stays below 256 MiB (tests/operations/test_memory.py).
    memory_bytes: int = 48 * MIB
    _pool: ThreadPoolExecutor = field(init=False)
    _memory: _Memory = field(init=False)
    _stopped: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Start the threads."""
        _give_memory_back()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="upload")
        self._memory = _Memory(self.memory_bytes)
        # Once for a client, which serves further runs while a request of this one may still hang.
        self.s3.meta.events.register("before-send.s3", _before_request, unique_id=__name__)

    def open(self, key: str, metadata: Mapping[str, str] | None = None) -> ObjectWriter:
        """A writer of one new object; `metadata` (ASCII) comes on top of what all of them have."""
        return ObjectWriter(self, key, metadata or {})

    def stop(self) -> None:
        """Send nothing more, not even a second try of what is on its way, but what cleans up."""
        self._stopped = True

    def shutdown(self) -> None:
        """End the threads. After `stop` a request that hangs is left to its own timeout."""
        self._pool.shutdown(wait=not self._stopped, cancel_futures=True)

    def submit(self, size_bytes: int, send: Any, *arguments: Any) -> Future[Any]:
        """Run `send` in a thread, once its bytes fit into the memory."""
        self._memory.take(size_bytes)
        future = self._pool.submit(send, *arguments)
        future.add_done_callback(lambda _: self._memory.give_back(size_bytes))
        return future

    def is_stored(self, key: str, size_bytes: int) -> bool:
        """Whether the object is there, whole.

        Only this run writes under its own random folder, and S3 compares the SHA-256 before it
        stores, so that name and size tell. A listing needs no right to read backups.
        """
        found = self.ask(self.s3.list_objects_v2, Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return [(one.get("Key"), one.get("Size")) for one in found.get("Contents", [])] == [
            (key, size_bytes)
        ]

    def ask(
        self, request: Any, *, seconds_after_stop: float = _LAST_PARTS_SECONDS, **parameters: Any
    ) -> Any:
        """S3's answer; raises what the request raised.

        A request that hangs is left to its own timeout, in a thread that holds nobody up, once the
        run was stopped and S3 had `seconds_after_stop` more.

        Raises:
            OperationError: the run was stopped.
        """
        answer: Future[Any] = Future()
        threading.Thread(
            target=_answer, args=(self, answer, request, parameters), daemon=True
        ).start()
        while not self._stopped and not answer.done():
            wait([answer], timeout=_LOOK_AGAIN_SECONDS)
        wait([answer], timeout=seconds_after_stop)
        if not answer.done():
            raise OperationError(_STOPPED)
        return answer.result()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    @property
    def options(self) -> dict[str, Any]:
        """What every object of the backup is stored with. `IfNoneMatch` on top: never replaced."""
        return {
            "Bucket": self.bucket,
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": self.kms_key,
        }


class ObjectWriter:
    """One object: `write` bytes, then `close` to make it exist, or `abort`."""

    def __init__(self, uploads: Uploads, key: str, metadata: Mapping[str, str]) -> None:
        """Nothing is sent before the first part is full."""
        self._uploads = uploads
        self._key = key
        self._options: dict[str, Any] = {
            **uploads.options,
            "Metadata": {**uploads.metadata, **metadata},
        }
        self._blocks: list[bytes] = []
        self._filled = 0
        self._digest = hashlib.sha256()
        self._upload: dict[str, Any] | None = None
        # In their order: those that S3 has, with their ETag, and those on their way.
        self._stored: list[tuple[StoredPart, str]] = []
        self._sent: deque[tuple[StoredPart, Future[str]]] = deque()
        self.size_bytes = 0

    def write(self, block: bytes) -> None:
        """Take a block; waits while too many parts are on their way.

        Raises whatever the upload of an earlier part raised.
        """
        self._blocks.append(block)
        self._filled += len(block)
        self.size_bytes += len(block)
        if self._filled >= part_bytes(self._next_part):
            self._send()

    def write_whole(self, body: bytes) -> StoredObject:
        """All of the object at once. Raises what S3 raised; then nothing of it exists."""
        try:
            self.write(body)
            return self.close()
        except BaseException:
            self.abort()
            raise

    def finish(self) -> None:
        """No more bytes come: send the last of them, and wait until S3 has all parts.

        The object does not exist before `close`. Raises what S3 raised.
        """
        if self._upload is not None:
            if self._filled:
                self._send()
            self._collect(wait_for_all=True)

    def close(self) -> StoredObject:
        """Make the object exist. Raises what S3 raised; then it does not exist."""
        if self._upload is None:
            return self._put()
        self.finish()
        parts = [
            {"PartNumber": number, "ETag": etag, "ChecksumSHA256": _base64(part)}
            for number, (part, etag) in enumerate(self._stored, start=1)
        ]
        self._create_object(
            self._uploads.s3.complete_multipart_upload,
            **self._upload,
            MultipartUpload={"Parts": parts},
        )
        self._upload = None
        parts = tuple(part for part, _ in self._stored)
        return StoredObject(self._key, self.size_bytes, self._digest.hexdigest(), parts)

    def abort(self) -> None:
        """Leave nothing of an object that is not closed.

        Raises nothing, so that the reason of the failure is what is told. What S3 does not let go
        of now, the next run sweeps, and the bucket's lifecycle after a day.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        upload, self._upload = self._upload, None
        if upload is None:
            return
        sent = [future for _, future in self._sent if not future.cancel()]
        # A part that arrives after the end of its upload would stay.
        wait(sent, timeout=_LAST_PARTS_SECONDS)
        try:
            self._uploads.ask(
                self._uploads.s3.abort_multipart_upload, seconds_after_stop=_ABORT_SECONDS, **upload
            )
        except (BotoCoreError, ClientError, OperationError) as error:
            log("upload_left", key=self._key, error=f"{type(error).__name__}: {error}")

    def _create_object(self, request: Any, **parameters: Any) -> None:
        """The request that makes the object exist.

        An answer may be lost after S3 did what it was asked; the second try is then told that the
        object exists, or that the upload is over.
        """
        from botocore.exceptions import ClientError

        try:
            self._uploads.ask(request, **parameters, IfNoneMatch="*")
        except ClientError as error:
            answer: Any = error.response
            code = answer.get("Error", {}).get("Code")
            again = answer.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
            if code not in _ALREADY_DONE or not again:
                raise
            if not self._uploads.is_stored(self._key, self.size_bytes):
                raise

    def _put(self) -> StoredObject:
        body = b"".join(self._blocks)
        part = StoredPart(len(body), hashlib.sha256(body).hexdigest())
        self._create_object(
            self._uploads.s3.put_object,
            **self._options,
            Key=self._key,
            Body=body,
            ChecksumSHA256=_base64(part),
        )
        return StoredObject(self._key, len(body), part.sha256, (part,))

    @property
    def _next_part(self) -> int:
        return len(self._stored) + len(self._sent) + 1

    def _collect(self, *, wait_for_all: bool) -> None:
        """Keep what S3 answered in place of what waits for it; raises what a part raised."""
        while self._sent and (wait_for_all or self._sent[0][1].done()):
            part, future = self._sent.popleft()
            self._stored.append((part, future.result()))
        for _, future in self._sent:
            if future.done() and future.exception() is not None:
                future.result()

    def _send(self) -> None:
        self._collect(wait_for_all=False)
        if self._upload is None:
            self._upload = self._create()
        body = b"".join(self._blocks)
        self._blocks.clear()
        self._filled = 0
        self._digest.update(body)
        part = StoredPart(len(body), hashlib.sha256(body).hexdigest())
        number = self._next_part
        future = self._uploads.submit(
            len(body), self._upload_part, self._upload, number, body, part
        )
        self._sent.append((part, future))

    def _create(self) -> dict[str, Any]:
        answer = self._uploads.ask(
            self._uploads.s3.create_multipart_upload,
            **self._options,
            Key=self._key,
            ChecksumAlgorithm="SHA256",
        )
        return {
            "Bucket": self._uploads.bucket,
            "Key": self._key,
            "UploadId": answer["UploadId"],
        }

    def _upload_part(
        self, upload: dict[str, Any], number: int, body: bytes, part: StoredPart
    ) -> str:
        # The ETag alone is kept: ten thousand whole answers would be megabytes.
        answer = self._uploads.ask(
            self._uploads.s3.upload_part,
            **upload,
            PartNumber=number,
            Body=body,
            ChecksumSHA256=_base64(part),
        )
        return answer["ETag"]


_of_this_thread = threading.local()


def _before_request(event_name: str, **_: object) -> None:
    # botocore tries ten times; a run that is stopped has no time for it.
    uploads: Uploads | None = getattr(_of_this_thread, "uploads", None)
    if uploads is not None and uploads.is_stopped and not event_name.endswith(_CLEANS_UP):
        raise OperationError(_STOPPED)


def _answer(
    uploads: Uploads, answer: Future[Any], request: Any, parameters: dict[str, Any]
) -> None:
    _of_this_thread.uploads = uploads
    try:
        answer.set_result(request(**parameters))
    except BaseException as error:
        answer.set_exception(error)


def _give_memory_back() -> None:
    """Let glibc return every freed part to the system at once.

    Otherwise it raises its own threshold to the size of a part and keeps what was freed, in an
    arena for each thread. mallopt(3): M_MMAP_THRESHOLD is -3, M_ARENA_MAX -8.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, MIB)
        mallopt(-8, 2)


class _Memory:
    """Bytes that may be on their way at once; a part larger than all of it goes alone."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, size_bytes: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._taken == 0 or self._taken + size_bytes <= self._size
            )
            self._taken += size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._changed:
            self._taken -= size_bytes
            self._changed.notify_all()


def _base64(part: StoredPart) -> str:
    return base64.b64encode(bytes.fromhex(part.sha256)).decode("ascii")
