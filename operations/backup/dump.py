"""One backup: a consistent dump, streamed to S3, and a manifest that makes it exist.

The manifest is written last. An object without one beside it is no backup: pg_dump, the upload or
this process did not reach the end.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from operations.backup.upload import MultipartUpload
from operations.database import Endpoint
from operations.errors import OperationError
from operations.postgresql_client import command
from operations.structured_log import log_metrics

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Connects as the backup role; pg_dump then logs in with the same user and password.
Connect = Callable[[], "psycopg.Connection[Any]"]

SCHEDULED_CLASSES = ("daily", "weekly", "monthly")
CLASSES = (*SCHEDULED_CLASSES, "pre_migration")

MANIFEST_FORMAT = 1
# Level 1 of zstd is faster than gzip and smaller; Lambda's processor is the bottleneck, not S3.
COMPRESSION = "zstd:1"
_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True)
class BackupTarget:
    """Where backups go, and for how many days by class; without an entry, for ever.

    The days are recorded in the manifest; the bucket's lifecycle enforces them.
    """

    bucket: str
    kms_key: str
    retention_days: Mapping[str, int]


@dataclass(frozen=True)
class Backup:
    """A finished backup: `key` is the dump's, `row_counts` is by `schema.table`."""

    id: str
    key: str
    size_bytes: int
    row_counts: dict[str, int]


def run(
    backup_class: str,
    endpoint: Endpoint,
    *,
    connect: Connect,
    target: BackupTarget,
    s3: S3Client,
) -> Backup:
    """Make one backup. Success and failure are both metrics.

    Raises `OperationError` when pg_dump fails, and what psycopg or S3 raise; then there is no
    manifest, and no dump object either unless the manifest's own upload failed.
    """
    if backup_class not in CLASSES:
        raise OperationError(f"class is {backup_class!r}; it must be one of {', '.join(CLASSES)}")
    started = time.monotonic()
    dimensions = {"Database": endpoint.database, "Class": backup_class}
    try:
        backup = _run(backup_class, endpoint, connect=connect, target=target, s3=s3)
    except BaseException as error:
        log_metrics(
            "backup_failed",
            dimensions=dimensions,
            metrics={"BackupSuccess": (0, "Count")},
            error=f"{type(error).__name__}: {error}",
        )
        raise
    log_metrics(
        "backup",
        dimensions=dimensions,
        metrics={
            "BackupSuccess": (1, "Count"),
            "BackupSizeBytes": (backup.size_bytes, "Bytes"),
            "BackupDurationSeconds": (round(time.monotonic() - started, 3), "Seconds"),
        },
        id=backup.id,
        key=backup.key,
    )
    return backup


def _run(
    backup_class: str,
    endpoint: Endpoint,
    *,
    connect: Connect,
    target: BackupTarget,
    s3: S3Client,
) -> Backup:
    started_at = datetime.now(UTC)
    identifier = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    folder = f"{backup_class}/{endpoint.database}/{identifier}"
    key = f"{folder}/database.dump"
    with connect() as connection:
        snapshot = _export_snapshot(connection)
        metadata = {"backup-id": identifier, "backup-class": backup_class}
        with MultipartUpload(
            s3, bucket=target.bucket, key=key, kms_key=target.kms_key, metadata=metadata
        ) as upload:
            with _pg_dump(endpoint, connection.info, snapshot) as output:
                upload.write_all(output)
            row_counts = _row_counts(connection)
            server_version = connection.info.server_version
            sha256 = upload.complete()
    manifest = {
        "format": MANIFEST_FORMAT,
        "id": identifier,
        "class": backup_class,
        "database": endpoint.database,
        "started_at": started_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "keep_until": _keep_until(backup_class, started_at, target),
        "server_version": server_version,
        "dump": {
            "key": key,
            "format": "pg_dump custom",
            "compression": COMPRESSION,
            "size_bytes": upload.size_bytes,
            "sha256": sha256,
        },
        "row_counts": row_counts,
    }
    s3.put_object(
        Bucket=target.bucket,
        Key=f"{folder}/manifest.json",
        Body=json.dumps(manifest, indent=2).encode(),
        ContentType="application/json",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=target.kms_key,
        ChecksumAlgorithm="SHA256",
    )
    return Backup(identifier, key, upload.size_bytes, row_counts)


def _keep_until(backup_class: str, started_at: datetime, target: BackupTarget) -> str | None:
    days = target.retention_days.get(backup_class)
    return None if days is None else (started_at + timedelta(days=days)).isoformat()


def _export_snapshot(connection: psycopg.Connection[Any]) -> str:
    """A snapshot that pg_dump and the row counts share, held while this transaction is open."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    # The dump decides how long this takes, not the timeouts that are meant for applications.
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    if row is None:
        raise AssertionError("pg_export_snapshot() always returns a row")
    return str(row[0])


def _row_counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    tables = connection.execute(
        """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND c.relpersistence <> 't'
              AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
              AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = c.oid AND x.deptype = 'e')
            ORDER BY 1, 2"""
    ).fetchall()
    counts: dict[str, int] = {}
    for schema, table in tables:
        query = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table))
        row = connection.execute(query).fetchone()
        counts[f"{schema}.{table}"] = int(row[0]) if row else 0
    return counts


@contextmanager
def _pg_dump(
    endpoint: Endpoint, login: psycopg.ConnectionInfo, snapshot: str
) -> Generator[IO[bytes]]:
    """pg_dump's output; leaving the block raises `OperationError` unless pg_dump ended well.

    The password is in the child's environment only, where just this user may read it.
    """
    words = [
        *command("pg_dump"),
        "--format=custom",
        f"--compress={COMPRESSION}",
        f"--snapshot={snapshot}",
        "--no-password",
    ]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PGHOST": endpoint.host,
        "PGPORT": str(endpoint.port),
        "PGDATABASE": endpoint.database,
        "PGUSER": login.user,
        "PGPASSWORD": login.password,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(endpoint.ca_bundle),
        "PGAPPNAME": "pgkeep backup",
        "PGCONNECT_TIMEOUT": "10",
    }
    # stderr goes to a file: a full pipe that nobody reads would stop pg_dump.
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        if process.stdout is None:
            raise AssertionError("stdout is a pipe")
        try:
            yield process.stdout
            process.stdout.close()
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status != 0:
            errors.seek(0)
            lines = errors.read(_ERROR_BYTES).decode(errors="replace").strip().splitlines()
            # Details and hints follow the line that says what went wrong.
            reason = next((line for line in lines if "error:" in line), "no message")
            raise OperationError(f"pg_dump ended with {status}: {reason}; no backup was made")
