"""SSE-KMS: which key an S3 request uses, and what S3 answers when KMS does not let it.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (a key only for checksums);
S3 answers with KMS's own error, whose code it puts after `KMS.`, and status 400.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from moto.s3.exceptions import S3ClientError

from localcloud.permissions import accounts, encryption, resources
from localcloud.permissions.encryption import KeyUse

_WRITE = ("kms:GenerateDataKey",)
_READ = ("kms:Decrypt",)
# The parts of an upload are read again when they are put together.
_UPLOAD = _WRITE + _READ
_READS = frozenset({"s3:GetObject", "s3:GetObjectVersion"})

Choice = tuple[str | None, str | None]
"""Algorithm and key: None for S3's own keys, and for the key that AWS manages."""


class KeyRefusedError(S3ClientError):
    """KMS does not use the key for S3."""


def chosen(bucket: Any, algorithm: str | None, key_id: str | None) -> Choice:
    """What a new object is encrypted with: as the request says, or the bucket's default.

    The key is an ARN: an object stays under its key when an alias goes to another one.
    """
    if not algorithm:
        algorithm, key_id = encryption.bucket_default(bucket)
    if not str(algorithm).startswith("aws:kms") or not key_id:
        return algorithm, None
    return algorithm, resources.key_arn(key_id, bucket.account_id, bucket.region_name)


def uses(response: Any, action: str, arn: str) -> list[KeyUse]:
    """The key uses of one of an S3 request's actions on an object."""
    name, _, object_name = arn.removeprefix("arn:aws:s3:::").partition("/")
    bucket = accounts.find_bucket(name)
    if bucket is None:
        return []
    query: Any = response.normalized_request.args
    if action == "s3:PutObject":
        algorithm, key_id = _of_write(response, bucket)
        actions = _UPLOAD if "uploads" in query or "uploadId" in query else _WRITE
    elif action in _READS and _reads_content(response):
        algorithm, key_id = _of_version(bucket, object_name, _version(response))
        actions = _READ
    else:
        return []
    if not str(algorithm).startswith("aws:kms") or not key_id:
        return []
    return encryption.uses(actions, key_id, "s3", bucket.account_id, bucket.region_name)


def require_usable(key_uses: Sequence[KeyUse]) -> None:
    """Raise KeyRefusedError, as S3 does, where the key is missing, disabled or of no use."""
    for use in key_uses:
        refused = _refusal(use)
        if refused is not None:
            code, text = refused
            raise KeyRefusedError(f"KMS.{code}", text)


def _refusal(use: KeyUse) -> tuple[str, str] | None:
    region = use.via_service.split(".")[1]
    if use.key_arn.split(":")[3] != region:
        return "NotFoundException", f"Invalid arn {use.key_arn.split(':')[3]}"
    key = encryption.find(use.key_arn)
    if key is None and ":alias/" in use.key_arn:
        return "NotFoundException", f"Alias {use.key_arn} is not found."
    if key is None:
        return "NotFoundException", f"Key '{use.key_arn}' does not exist"
    return encryption.refusal(key, use.action.removeprefix("kms:"), encryption.ENCRYPTION)


def _of_write(response: Any, bucket: Any) -> Choice:
    upload_id = response.normalized_request.args.get("uploadId")
    upload: Any = bucket.multiparts.get(upload_id) if upload_id else None
    if upload is not None:
        return upload.sse_encryption, upload.kms_key_id
    headers = response.headers
    key_id = headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    return chosen(bucket, headers.get("x-amz-server-side-encryption"), key_id)


def _reads_content(response: Any) -> bool:
    if response.method != "HEAD":
        return True
    return response.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"


def _version(response: Any) -> str | None:
    """The version that is read: of the object itself, or of a copy's source."""
    source = response.headers.get("x-amz-copy-source")
    if source:
        return unquote(source).partition("?versionId=")[2] or None
    return response.normalized_request.args.get("versionId")


def _of_version(bucket: Any, name: str, version: str | None) -> Choice:
    stored: Any = bucket.keys.get(name)
    if version is not None:
        found = [one for one in bucket.keys.getlist(name, []) if one.version_id == version]
        stored = found[0] if found else None
    # A delete marker has no key.
    return getattr(stored, "encryption", None), getattr(stored, "kms_key_id", None)
