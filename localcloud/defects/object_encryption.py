"""S3: what an object is encrypted with is settled when it, or its upload, is begun.

moto gives an object of S3's own keys (AES256) the bucket's KMS key as well, keeps an alias in the
place of its key, and takes the bucket's default of the moment at which an upload is completed.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html (request headers) and
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html (encryption of the copy).
"""

from typing import Any

from localcloud.permissions import object_keys

_originals: dict[str, Any] = {}


def _put_object(backend: Any, bucket_name: str, *arguments: Any, **named: Any) -> Any:
    bucket = backend.get_bucket(bucket_name)
    algorithm, key_id = object_keys.chosen(
        bucket, named.pop("encryption", None), named.pop("kms_key_id", None)
    )
    key = _originals["put_object"](
        backend, bucket_name, *arguments, encryption=algorithm, kms_key_id=key_id, **named
    )
    key.kms_key_id = key_id
    return key


def _create_multipart_upload(backend: Any, bucket_name: str, *arguments: Any) -> Any:
    *others, algorithm, key_id = arguments
    encryption = object_keys.chosen(backend.get_bucket(bucket_name), algorithm, key_id)
    return _originals["create_multipart_upload"](backend, bucket_name, *others, *encryption)


def _copy_object(backend: Any, source: Any, bucket_name: str, *arguments: Any, **named: Any) -> Any:
    algorithm, key_id = object_keys.chosen(
        backend.get_bucket(bucket_name),
        named.pop("encryption", None),
        named.pop("kms_key_id", None),
    )
    return _originals["copy_object"](
        backend,
        source,
        bucket_name,
        *arguments,
        encryption=algorithm,
        kms_key_id=key_id,
        **named,
    )


def install() -> None:
    """Mend moto's S3; before what else changes `put_object`."""
    if _originals:
        return
    from moto.s3.models import S3Backend

    for name, mended in (
        ("put_object", _put_object),
        ("create_multipart_upload", _create_multipart_upload),
        ("copy_object", _copy_object),
    ):
        _originals[name] = getattr(S3Backend, name)
        setattr(S3Backend, name, mended)
