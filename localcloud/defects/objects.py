"""S3: lifecycle rules keep every field, and an object's retention can be read."""

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

_moto_set: Any = FakeBucket.set_lifecycle
_moto_get: Any = S3Response._key_response_get  # pyright: ignore[reportPrivateUsage]


class NoRetentionError(S3ClientError):
    """The object has no retention."""

    def __init__(self) -> None:
        super().__init__(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
        )


def _set_lifecycle(bucket: Any, rules: list[dict[str, Any]]) -> None:
    _moto_set(bucket, rules)
    for rule, given in zip(bucket.rules, rules, strict=True):
        expiration: dict[str, Any] = given.get("NoncurrentVersionExpiration") or {}
        rule.newer_noncurrent_versions = expiration.get("NewerNoncurrentVersions")
        size_filter: dict[str, Any] = given.get("Filter") or {}
        rule.sizes = _sizes(size_filter)
        rule.and_sizes = _sizes(size_filter.get("And") or {})


def _sizes(given: dict[str, Any]) -> dict[str, int]:
    names = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
    return {name: int(given[name]) for name in names if given.get(name) is not None}


def _get_lifecycle(response: Any) -> Any:
    """GetBucketLifecycleConfiguration with what moto has dropped."""
    moto_serialized = response.serialized
    rules = response.backend.get_bucket_lifecycle(response.bucket_name) or []

    def serialized(result: ActionResult) -> Any:
        answered: Any = result.result
        if isinstance(answered, dict) and "Rules" in answered:
            for entry, rule in zip(answered["Rules"], rules, strict=True):
                _complete(entry, rule)
        return moto_serialized(result)

    # For this one response object only.
    response.serialized = serialized
    return _moto_lifecycle(response)


def _complete(entry: dict[str, Any], rule: Any) -> None:
    if getattr(rule, "newer_noncurrent_versions", None):
        expiration = entry.setdefault("NoncurrentVersionExpiration", {})
        expiration["NewerNoncurrentVersions"] = rule.newer_noncurrent_versions
    if getattr(rule, "sizes", None):
        entry.setdefault("Filter", {}).update(rule.sizes)
    if getattr(rule, "and_sizes", None):
        entry["Filter"].setdefault("And", {}).update(rule.and_sizes)


_moto_lifecycle: Any = S3Response.get_bucket_lifecycle


def _key_response_get(response: Any, query: dict[str, Any], key_name: str) -> Any:
    if "retention" not in query:
        return _moto_get(response, query, key_name)
    response._authenticate_and_authorize_s3_action(
        bucket_name=response.bucket_name, key_name=key_name
    )
    key, _ = response._get_key()
    if not key.lock_mode:
        raise NoRetentionError
    response.data["Action"] = "GetObjectRetention"
    retention = {"Mode": key.lock_mode, "RetainUntilDate": key.lock_until}
    return response.serialized(ActionResult({"Retention": retention}))


def install() -> None:
    """Mend S3; before moto's first use."""
    setattr(FakeBucket, "set_lifecycle", _set_lifecycle)  # noqa: B010
    setattr(S3Response, "get_bucket_lifecycle", _get_lifecycle)  # noqa: B010
    setattr(S3Response, "_key_response_get", _key_response_get)  # noqa: B010
