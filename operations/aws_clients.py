"""How AWS is called so that a fault of a moment ends no operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.config import Config

# Standard mode repeats lost connections, timeouts, 5xx and throttling (SlowDown) after a random
# pause that doubles, from 50 ms or, when throttled, from 1 s to 20 s: 10 tries outlast about 15 s
# of errors and a minute of throttling (botocore.retries.standard).
_ATTEMPTS = 10
_CONNECT_TIMEOUT_SECONDS = 5
# A part of 64 MiB at 2 MB/s still gets its answer in time.
_READ_TIMEOUT_SECONDS = 60
# More than the threads of any run, so that none waits for another's connection.
_CONNECTIONS = 64


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
