"""S3 Object Lock: every new version gets the default retention, and none is shortened.

moto leaves multipart uploads without the default retention, forgets the lock that they were begun
with, takes no default retention for a bucket that has objects, shortens a retention for anybody
and suspends the versioning of a locked bucket.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

import datetime
from typing import Any

from moto.s3.exceptions import AccessDeniedByLock, InvalidBucketState
from moto.s3.models import FakeMultipart, S3Backend

from localcloud.permissions import buckets

_moto_put: Any = S3Backend.put_object
_moto_begin: Any = S3Backend.create_multipart_upload
_moto_retain: Any = S3Backend.put_object_retention
_moto_versioning: Any = S3Backend.put_bucket_versioning

_UPLOADS: dict[str, tuple[str | None, str | None, str | None]] = {}


def _put_object(backend: Any, *arguments: Any, **named: Any) -> Any:
    upload = named.get("multipart")
    if isinstance(upload, FakeMultipart) and upload.id in _UPLOADS:
        asked = _UPLOADS.pop(upload.id)
        names = ("lock_mode", "lock_until", "lock_legal_status")
        named.update({name: value for name, value in zip(names, asked, strict=True) if value})
    key = _moto_put(backend, *arguments, **named)
    bucket = backend.get_bucket(key.bucket_name)
    if not key.lock_mode and bucket.has_default_lock:
        key.lock_mode, key.lock_until = bucket.default_lock_mode, bucket.default_retention()
    return key


def _begin_upload(backend: Any, *arguments: Any, **named: Any) -> Any:
    upload = _moto_begin(backend, *arguments, **named)
    header = buckets.current_header
    asked = (
        header("x-amz-object-lock-mode"),
        header("x-amz-object-lock-retain-until-date"),
        header("x-amz-object-lock-legal-hold"),
    )
    if any(asked):
        _UPLOADS[upload.id] = asked
    return upload


def _put_lock_configuration(
    backend: Any, bucket_name: str, lock_enabled: bool, *retention: Any, **named: Any
) -> None:
    """Also for a bucket that has objects: what is there keeps the lock it has."""
    mode, days, years = retention or (named.get(name) for name in ("mode", "days", "years"))
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState(
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        )
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    # (moto adds the days and years up.)
    bucket.default_lock_mode = mode
    bucket.default_lock_days, bucket.default_lock_years = days or 0, years or 0


def _put_retention(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None, retention: Any
) -> None:
    key = backend.get_object(bucket_name, key_name, version_id=version_id)
    bypass = buckets.current_header("x-amz-bypass-governance-retention") == "true"
    if key is not None and key.lock_mode and key.is_locked(bypass):
        shorter = _moment(retention[1]) < _moment(key.lock_until)
        weaker = key.lock_mode == "COMPLIANCE" and retention[0] != "COMPLIANCE"
        if shorter or weaker:
            raise AccessDeniedByLock
    _moto_retain(backend, bucket_name, key_name, version_id, retention)


def _moment(text: str | None) -> datetime.datetime:
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _put_versioning(backend: Any, bucket_name: str, status: str) -> None:
    if status != "Enabled" and backend.get_bucket(bucket_name).object_lock_enabled:
        raise InvalidBucketState(
            "An Object Lock configuration is present on this bucket, so the versioning state "
            "cannot be changed."
        )
    _moto_versioning(backend, bucket_name, status)


def install() -> None:
    """Mend S3's locks; before moto's first use."""
    for name, function in (
        ("put_object", _put_object),
        ("create_multipart_upload", _begin_upload),
        ("put_object_lock_configuration", _put_lock_configuration),
        ("put_object_retention", _put_retention),
        ("put_bucket_versioning", _put_versioning),
    ):
        setattr(S3Backend, name, function)
