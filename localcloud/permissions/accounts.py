"""Other accounts: an access key of twelve digits is the administrator of the account it names.

So a second account needs no preparation: `AWS_ACCESS_KEY_ID=210987654321 aws s3api …`. Every other
key that STS has not given out is the administrator of the local cloud's own account.
"""

import re
from typing import Any

from moto.core.responses import BaseResponse
from moto.s3.models import s3_backends

# `Authorization: AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …`,
# in a presigned URL the parameter X-Amz-Credential with slashes or %2F.
_CREDENTIAL = re.compile(r"Credential=([^/,%&]+)(?:/|%2F)[^/%]*(?:/|%2F)[^/%]*(?:/|%2F)([^/,%&]+)")
_ACCOUNT = re.compile(r"\d{12}")

_moto_current: Any = BaseResponse.get_current_account


def signature(response: Any) -> tuple[str, str] | None:
    """Access key and service of a signed request, None without a signature."""
    signed = response.headers.get("Authorization", "")
    found = _CREDENTIAL.search(signed) or _CREDENTIAL.search(response.uri)
    return (found[1], found[2]) if found else None


def _current(response: Any) -> str:
    key, _ = signature(response) or ("", "")
    return key if _ACCOUNT.fullmatch(key) else _moto_current(response)


def find_bucket(name: str) -> Any | None:
    """The bucket of that name, whichever account it belongs to: buckets share one namespace."""
    _, owner = s3_backends.bucket_accounts.get(name, ("aws", None))
    return s3_backends[owner]["aws"].buckets.get(name) if owner else None


def owner(arn: str) -> str | None:
    """The account that a resource belongs to, None where its ARN names neither one nor a bucket."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return None
    if parts[2] == "s3":
        bucket = find_bucket(parts[5].partition("/")[0])
        return bucket.account_id if bucket else None
    return parts[4] if _ACCOUNT.fullmatch(parts[4]) else None


def install() -> None:
    """Before moto's first use."""
    setattr(BaseResponse, "get_current_account", _current)  # noqa: B010
