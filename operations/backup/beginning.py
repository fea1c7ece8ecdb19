"""How a backup begins: the database is connected to while the rest of the program is imported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from operations.backup.options import CLASSES, MOST_WORKERS, BackupTarget, Options
from operations.errors import OperationError

if TYPE_CHECKING:
    import psycopg
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client

    from operations.backup.manifest import Manifest
    from operations.backup.session import Connect
    from operations.database import Endpoint

_OPTIONS = Options()


def run(
    backup_class: str,
    endpoint: Endpoint,
    *,
    connect: Connect,
    target: BackupTarget,
    s3: S3Client | Callable[[], S3Client],
    kms: KMSClient | None = None,
    options: Options = _OPTIONS,
) -> Manifest:
    """Make one backup. Success and failure are both metrics.

    `connect`, and `s3` where it makes the client, are called in threads.

    Raises:
        TooLargeError: it would not end in its time, or a row does not fit into its memory.
        OperationError: the class is unknown, the name has a slash, another run holds the lock, a
            program failed, KMS refuses a key, or the time limit came. What else psycopg or S3
            raise comes through. Then there is no manifest, no unfinished upload, and what was
            uploaded is marked by retention after two days.
    """
    if backup_class not in CLASSES:
        raise OperationError(f"class is {backup_class!r}; it must be one of {', '.join(CLASSES)}")
    if not 1 <= options.workers <= MOST_WORKERS:
        raise OperationError(f"workers is {options.workers}; it must be from 1 to {MOST_WORKERS}")
    if "/" in endpoint.database:
        raise OperationError(
            f"the database's name is {endpoint.database!r}: a slash divides the keys of backups, "
            "and nobody would find this one; no backup was made. Rename the database"
        )
    connected = _begin(connect)
    try:
        from operations.backup import dump

        return dump.run(
            backup_class,
            endpoint,
            connect=connected.result,
            target=target,
            s3=s3,
            kms=kms,
            options=options,
        )
    finally:
        # Also one that comes when nobody waits for it any more.
        connected.add_done_callback(_close)


def _begin(connect: Connect) -> Future[psycopg.Connection[Any]]:
    connected: Future[psycopg.Connection[Any]] = Future()

    def work() -> None:
        try:
            connected.set_result(connect())
        except BaseException as error:
            connected.set_exception(error)

    # A daemon: who gives up does not wait for the end of a try that may take a minute.
    threading.Thread(target=work, name="connect", daemon=True).start()
    return connected


def _close(connected: Future[psycopg.Connection[Any]]) -> None:
    if connected.exception() is None:
        connected.result().close()
