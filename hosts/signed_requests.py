"""Requests to AWS with the host's own role, by Python's standard library alone.

A host that ends itself must not need a package for it, and one that installs its program has none
yet. Signature Version 4:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hosts import metadata

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Credentials:
    """A session of the instance's role."""

    key_id: str
    secret: str
    token: str


def own_credentials() -> Credentials:
    """From the instance metadata service."""
    folder = "meta-data/iam/security-credentials"
    found = json.loads(metadata.get(f"{folder}/{metadata.get(f'{folder}/')}"))
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


def signed_headers(
    credentials: Credentials,
    now: datetime,
    *,
    service: str,
    region: str,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
) -> dict[str, str]:
    """The headers of the request, `Authorization` among them; `url` has no query."""
    parts = urllib.parse.urlsplit(url)
    stamp, digest = f"{now:%Y%m%dT%H%M%SZ}", hashlib.sha256(body).hexdigest()
    sent = {
        **{name.lower(): value for name, value in headers.items()},
        "host": parts.netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.token,
    }
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
    canonical = f"{method}\n{parts.path or '/'}\n\n{lines}\n{names}\n{digest}"
    scope = f"{now:%Y%m%d}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return sent


def send(
    service: str,
    region: str,
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Send one request and return the open answer.

    Raises `OSError` (`URLError`, `HTTPError`) with what AWS said.
    """
    signed = signed_headers(
        own_credentials(),
        datetime.now(UTC),
        service=service,
        region=region,
        method=method,
        url=url,
        body=body,
        headers=headers or {},
    )
    request = urllib.request.Request(  # noqa: S310
        url, data=body if method != "GET" else None, method=method, headers=signed
    )
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        said = error.read(500).decode(errors="replace")
        raise OSError(f"{service} answered {error.code}: {' '.join(said.split())}") from None
