"""Streams bytes of unknown length to S3, in bounded memory, and never half."""

from __future__ import annotations

import base64
import hashlib
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: S3 takes 10,000 parts of an object
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html): 167 GB with this size, more
#: than Lambda's 15 minutes let through.
PART_BYTES = 16 * 1024 * 1024
LARGEST_PART_NUMBER = 10_000
_READ_BYTES = 1024 * 1024


class MultipartUpload:
    """An object that exists only after `complete`; leaving the block otherwise aborts it.

    Every part carries its SHA-256, which S3 checks; `sha256` is that of the whole.
    """

    def __init__(
        self, client: S3Client, *, bucket: str, key: str, kms_key: str, metadata: dict[str, str]
    ) -> None:
        self._client = client
        self._target: Any = {"Bucket": bucket, "Key": key}
        self._parts: list[Any] = []
        self._digest = hashlib.sha256()
        self.size_bytes = 0
        self._completed = False
        self._upload: Any = {
            **self._target,
            "UploadId": client.create_multipart_upload(
                **self._target,
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=kms_key,
                ChecksumAlgorithm="SHA256",
                ContentType="application/octet-stream",
                Metadata=metadata,
            )["UploadId"],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._completed:
            self._client.abort_multipart_upload(**self._upload)

    def write_all(self, source: IO[bytes]) -> None:
        """Upload everything that `source` yields until its end."""
        part = bytearray()
        while block := source.read(_READ_BYTES):
            part += block
            if len(part) >= PART_BYTES:
                self._send(bytes(part))
                part.clear()
        if part or not self._parts:
            self._send(bytes(part))

    def complete(self) -> str:
        """Make the object exist; returns its SHA-256 as hex digits."""
        self._client.complete_multipart_upload(
            **self._upload, MultipartUpload={"Parts": self._parts}
        )
        self._completed = True
        return self._digest.hexdigest()

    def _send(self, part: bytes) -> None:
        number = len(self._parts) + 1
        if number > LARGEST_PART_NUMBER:
            raise OperationError(
                f"the dump is larger than {LARGEST_PART_NUMBER * PART_BYTES} bytes, which S3 takes "
                "in parts of this size; use an RDS snapshot export for a database of this size"
            )
        checksum = base64.b64encode(hashlib.sha256(part).digest()).decode("ascii")
        answer = self._client.upload_part(
            **self._upload,
            PartNumber=number,
            Body=part,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
        )
        self._parts.append(
            {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        )
        self._digest.update(part)
        self.size_bytes += len(part)
