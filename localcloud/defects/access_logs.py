"""S3 access logs: whether S3 may deliver them is what the target bucket's whole policy says.

moto looks for one fixed form of statement and stumbles over any other principal.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
"""

from typing import Any

from moto.s3.exceptions import CrossLocationLoggingProhibited, InvalidTargetBucketForLogging
from moto.s3.models import FakeBucket

from localcloud.permissions.policies import Decision, Principal, Request, evaluate

_SERVICE = "logging.s3.amazonaws.com"


def _set_logging(bucket: Any, configuration: dict[str, Any] | None, backend: Any) -> None:
    if not configuration:
        bucket.logging = {}
        return
    target: Any = backend.buckets.get(configuration["TargetBucket"])
    if target is None:
        raise InvalidTargetBucketForLogging("The target bucket for logging does not exist.")
    if target.region_name != bucket.region_name:
        raise CrossLocationLoggingProhibited
    prefix = configuration.get("TargetPrefix") or ""
    if not _may_deliver(bucket, target, f"{prefix}2026-01-01-00-00-00-0123456789ABCDEF"):
        raise InvalidTargetBucketForLogging(
            f"The policy of {target.name} does not let {_SERVICE} put objects under {prefix!r}."
        )
    bucket.logging = configuration


def _may_deliver(bucket: Any, target: Any, key: str) -> bool:
    context = {
        "aws:sourcearn": bucket.arn,
        "aws:sourceaccount": bucket.account_id,
        "aws:securetransport": "true",
        "s3:tlsversion": "1.3",
    }
    principal = Principal(bucket.account_id, service=_SERVICE)
    request = Request("s3:PutObject", f"{target.arn}/{key}", principal, context)
    documents = [target.policy.decode()] if target.policy else []
    return evaluate(documents, request) is Decision.ALLOW


def install() -> None:
    """Mend moto's check; before its first use."""
    setattr(FakeBucket, "set_logging", _set_logging)  # noqa: B010
