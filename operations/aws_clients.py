"""How AWS is called so that a fault of a moment ends no operation."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session as BotocoreSession
    from mypy_boto3_s3.client import S3Client

# Standard mode repeats lost connections, timeouts, 5xx and throttling (SlowDown) after a random
# pause that doubles, from 50 ms or, when throttled, from 1 s to 20 s: 10 tries outlast about 15 s
# of errors and a minute of throttling (botocore.retries.standard).
_ATTEMPTS = 10
_CONNECT_TIMEOUT_SECONDS = 5
# A part of 64 MiB at 2 MB/s still gets its answer in time.
_READ_TIMEOUT_SECONDS = 60
# More than the threads of any run, so that none waits for another's connection.
_CONNECTIONS = 64


_SIGNING = ("GenerateMac", "VerifyMac")
_CHANGED = (
    "it was deleted for good, or somebody has named another one: pulumi preview --refresh shows "
    "what was changed, and pulumi up puts it back"
)
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


_KEY = re.compile(r"arn:[^\s:']+:kms:([^\s:']+):[0-9]+:(?:key|alias)/[^\s']*[^\s'.]")


def what_to_do(error: Exception) -> str | None:
    """Where AWS's own word does not say it: credentials that were good when the run began, keys."""
    if _code(error) in _EXPIRED:
        return "get new credentials and start again"
    return key_refusal(error)


def key_refusal(error: Exception) -> str | None:
    """What to do where KMS refuses a key, asked by S3 or for a manifest's signature; else None.

    S3 answers with KMS's own error after `KMS.`, and with AccessDenied where a policy refuses.
    """
    name = _code(error)
    by_s3, denied = name.startswith("KMS."), name == "AccessDenied" and " kms:" in str(error)
    if not by_s3 and not denied and getattr(error, "operation_name", "") not in _SIGNING:
        return None
    found = _KEY.search(str(error))
    key = f"--key-id {found[0]} --region {found[1]}" if found else "--key-id KEY"
    if denied:
        return "let this role use the key: by its own policy, and by the key's"
    return {
        "DisabledException": f"enable it: aws kms enable-key {key}",
        "KMSInvalidStateException": f"keep it while that is possible: aws kms cancel-key-deletion "
        f"{key}, then aws kms enable-key {key}",
        "NotFoundException": _CHANGED,
        "InvalidKeyUsageException": _CHANGED,
    }.get(name.removeprefix("KMS."))


def _code(error: Exception) -> str:
    # None where no answer came (botocore's HTTPClientError).
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def quick_session() -> BotocoreSession:
    """A session (for `boto3.Session`) whose clients are made without a look at what else there is.

    botocore lists the folders of all its 400 services, twice for a client, to see whether it knows
    the one that is asked for. One that it does not know still is an error, of a missing file. And
    it makes ordered dictionaries of all that it reads, four times as slowly as the plain ones that
    have kept their order since Python 3.7: most of the time that a client takes to make.
    """
    import botocore.session
    from botocore.loaders import JSONFileLoader, Loader

    class Plain(JSONFileLoader):
        def load_file(self, file_path: str) -> Any:
            path = next(
                (
                    path
                    for path in (Path(f"{file_path}.json"), Path(f"{file_path}.json.gz"))
                    if path.is_file()
                ),
                None,
            )
            if path is None:
                return None
            body = path.read_bytes()
            return json.loads(gzip.decompress(body) if path.suffix == ".gz" else body)

    class Named(Loader):
        FILE_LOADER_CLASS = Plain

        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
            folders = [path for path in self.search_paths if Path(path).is_dir()]
            # Path.iterdir makes a thousand Paths of their names.
            return [name for path in folders for name in os.listdir(path)]  # noqa: PTH208

    session = botocore.session.get_session()
    session.register_component("data_loader", Named(session.get_config_variable("data_path")))
    return session


def make_quickly() -> None:
    """Have `boto3.client` use a `quick_session`."""
    import boto3

    boto3.setup_default_session(botocore_session=quick_session())


def s3() -> S3Client:
    """A patient client in a session of its own: made in any thread, while others make theirs.

    Without what boto3 adds to it (`upload_file`), which takes as long to import as the rest.
    """
    client: Any = quick_session().create_client("s3", config=patient())
    return client


def patient(
    *,
    attempts: int = _ATTEMPTS,
    connect_timeout_seconds: float = _CONNECT_TIMEOUT_SECONDS,
    read_timeout_seconds: float = _READ_TIMEOUT_SECONDS,
) -> Config:
    """Timeouts and tries for a client that moves data; give it as `config`."""
    from botocore.config import Config

    return Config(
        connect_timeout=connect_timeout_seconds,
        read_timeout=read_timeout_seconds,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Not a third SHA-256 of every part: S3 compares the one that stands in a signed header.
        s3={"payload_signing_enabled": False},
    )
