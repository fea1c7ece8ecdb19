"""One backup: everything under one exported snapshot, in parallel, and the manifest last.

Objects without a manifest are no backup: pg_dump, an upload or this process did not reach the end.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from operations.backup import (
    catalog,
    cluster_globals,
    definitions,
    manifest,
    records,
    segments,
    session,
    sweeper,
    time_budget,
)
from operations.backup.children import Children, Login
from operations.backup.fingerprints import ALGORITHM
from operations.backup.manifest import Manifest
from operations.backup.object_writer import StoredObject, Uploads
from operations.backup.rows import DumpedPiece, RowDumper
from operations.backup.session import Connect, Snapshot
from operations.backup.time_limit import TimeLimit
from operations.database import Endpoint
from operations.errors import OperationError
from operations.structured_log import log_metrics

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client

SCHEDULED_CLASSES = ("daily", "weekly", "monthly")
#: Pre-migration backups stay until a person removes them (guide spike-land).
CLASSES = (*SCHEDULED_CLASSES, "pre-migration", "manual")
# More sessions than this pass 256 MiB, and no machine that this runs on has as many processors.
MOST_WORKERS = 16
# Uploads wait for S3; more threads than these only hold parts.
_UPLOAD_THREADS = 8


@dataclass(frozen=True)
class BackupTarget:
    """Where backups go, and for how many days by class; without an entry, until removed.

    The days are recorded in the manifest; the bucket's lifecycle enforces them. `mac_key` is a KMS
    HMAC key that signs manifests.
    """

    bucket: str
    kms_key: str
    retention_days: Mapping[str, int]
    mac_key: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a backup is, in bytes of the tables on the server's disk."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Options:
    """How a backup works. `time_limit_seconds` is how long it may take from now.

    `budget_seconds` is less, for who wants a long one made elsewhere; it stops no run. Without
    `over_budget_fails` a run that was not begun for its estimate is no failure yet: its caller
    hands it over, or says so by `failed`.
    """

    workers: int = 2
    # Level 1 of zstd is faster than gzip and smaller; the processor is the bottleneck, not S3.
    compression_level: int = 1
    largest_hashed_table_bytes: int | None = None
    time_limit_seconds: float | None = None
    budget_seconds: float | None = None
    over_budget_fails: bool = True
    progress: Callable[[Progress], None] | None = None
    #: What kind of machine this is: only backups of the same kind tell how fast it is.
    worker: str = "host"


def run(
    backup_class: str,
    endpoint: Endpoint,
    *,
    connect: Connect,
    target: BackupTarget,
    s3: S3Client,
    kms: KMSClient | None = None,
    options: Options = Options(),
) -> Manifest:
    """Make one backup. Success and failure are both metrics.

    Raises:
        OperationError: the class is unknown, another run holds the lock, a program failed, or the
            time limit came. What psycopg or S3 raise comes through. Then there is no manifest,
            no unfinished upload, and what was uploaded is marked by retention after two days.
    """
    if backup_class not in CLASSES:
        raise OperationError(f"class is {backup_class!r}; it must be one of {', '.join(CLASSES)}")
    if not 1 <= options.workers <= MOST_WORKERS:
        raise OperationError(f"workers is {options.workers}; it must be from 1 to {MOST_WORKERS}")
    try:
        # Its time runs from here: connecting may take a minute.
        backup = _Run(backup_class, endpoint, connect, target, s3, kms, options)
        with connect() as connection:
            made = backup.run(connection)
    except BaseException as error:
        if options.over_budget_fails or not isinstance(error, time_budget.OverBudgetError):
            failed(endpoint, backup_class, error)
        raise
    log_metrics(
        "backup",
        dimensions={"Database": endpoint.database, "Class": backup_class},
        metrics={
            "BackupSuccess": (1, "Count"),
            "BackupSizeBytes": (made.size_bytes, "Bytes"),
            "BackupDurationSeconds": (made.duration_seconds, "Seconds"),
        },
        id=made.id,
        key=made.key,
    )
    return made


def failed(endpoint: Endpoint, backup_class: str, error: BaseException) -> None:
    """Publish that there is no backup, and why."""
    log_metrics(
        "backup_failed",
        dimensions={"Database": endpoint.database, "Class": backup_class},
        metrics={"BackupSuccess": (0, "Count")},
        error=f"{type(error).__name__}: {error}",
    )


@dataclass(frozen=True)
class _Shared:
    """What all parts of one run use."""

    snapshot: Snapshot
    children: Children
    uploads: Uploads
    folder: str

    def stop(self) -> None:
        """End everything that is still at work."""
        self.uploads.stop()
        self.children.stop()

    def close(self) -> None:
        """Leave nothing behind."""
        self.children.stop()
        self.uploads.shutdown()


@dataclass
class _Run:
    """One run of one backup."""

    backup_class: str
    endpoint: Endpoint
    connect: Connect
    target: BackupTarget
    s3: S3Client
    kms: KMSClient | None
    options: Options
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    done_bytes: int = 0
    shared: _Shared | None = None

    def run(self, connection: psycopg.Connection[Any]) -> Manifest:
        """Dump, then write the manifest."""
        identifier = f"{self.started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        parts = ExitStack()
        limit = TimeLimit(self._seconds_left(), lambda: self._stop(connection))
        with limit, parts:
            try:
                snapshot = session.export(connection)
                limit.check()
                sweeper.abort_uploads(self.s3, self.target.bucket, self.endpoint.database, CLASSES)
                found = catalog.read(connection, on_standby=snapshot.on_standby)
                self._check_budget(found)
                shared = self._share(connection, snapshot, identifier)
                self.shared = shared
                parts.callback(shared.close)
                limit.check()
                pieces, others = self._dump(found, shared)
                others["globals"] = self._globals(connection, shared)
                made = self._manifest(identifier, found, shared, pieces, others)
            finally:
                limit.check()
            writer = shared.uploads.open(made.key)
            writer.write(manifest.encode(made, self.kms, self.target.mac_key))
            writer.close()
            return made

    def _seconds_left(self) -> float | None:
        limit = self.options.time_limit_seconds
        return None if limit is None else max(limit - (time.monotonic() - self.started), 0.0)

    def _check_budget(self, found: catalog.Catalog) -> None:
        estimate = time_budget.estimate(
            found.size_bytes,
            s3=self.s3,
            bucket=self.target.bucket,
            database=self.endpoint.database,
            classes=CLASSES,
            worker=self.options.worker,
        )
        limits = [self._seconds_left(), self.options.budget_seconds]
        seconds = min((limit for limit in limits if limit is not None), default=None)
        time_budget.check(estimate, seconds, database=self.endpoint.database)

    def _stop(self, connection: psycopg.Connection[Any]) -> None:
        """End the run from another thread."""
        if self.shared is not None:
            self.shared.stop()
        session.cancel(connection)

    def _share(
        self, connection: psycopg.Connection[Any], snapshot: Snapshot, identifier: str
    ) -> _Shared:
        login = Login(self.endpoint, connection.info.user, connection.info.password)
        return _Shared(
            snapshot,
            Children(login),
            Uploads(
                self.s3,
                self.target.bucket,
                self.target.kms_key,
                {"backup-id": identifier, "backup-class": self.backup_class},
                threads=min(max(self.options.workers, 2), _UPLOAD_THREADS),
            ),
            manifest.folder(self.backup_class, self.endpoint.database, identifier),
        )

    def _dump(
        self, found: catalog.Catalog, shared: _Shared
    ) -> tuple[list[DumpedPiece], dict[str, StoredObject]]:
        """All objects but the globals and the manifest; the first failure ends them all."""
        dumper = RowDumper(
            shared.snapshot,
            shared.children,
            shared.uploads,
            self.options.compression_level,
            self.options.largest_hashed_table_bytes,
        )
        pieces = segments.plan(found.tables, self.options.workers)
        total = sum(piece.size_bytes for piece in pieces)
        others: dict[str, Sequence[str]] = {"schema": definitions.SCHEMA}
        if found.large_object_count:
            others["large_objects"] = definitions.LARGE_OBJECTS
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="dump") as pool:
            try:
                dumps = {
                    name: pool.submit(self._definitions, shared, name, words)
                    for name, words in others.items()
                }
                rows = [
                    pool.submit(
                        self._piece, dumper, piece, f"{shared.folder}/rows/{number:06}.zst", total
                    )
                    for number, piece in enumerate(pieces, start=1)
                ]
                everything: list[Future[Any]] = [*dumps.values(), *rows]
                done, _ = wait(everything, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                shared.stop()
                raise
        return [one.result() for one in rows], {name: one.result() for name, one in dumps.items()}

    def _definitions(self, shared: _Shared, name: str, words: Sequence[str]) -> StoredObject:
        return definitions.dump(
            shared.children,
            shared.uploads.open(f"{shared.folder}/{name}.dump"),
            [*words, f"--snapshot={shared.snapshot.name}"],
            self.options.compression_level,
        )

    def _piece(
        self, dumper: RowDumper, piece: segments.Piece, key: str, total_bytes: int
    ) -> DumpedPiece:
        dumped = dumper.dump(piece, key)
        self.done_bytes += piece.size_bytes
        if self.options.progress is not None:
            self.options.progress(Progress(self.done_bytes, total_bytes))
        return dumped

    def _globals(self, connection: psycopg.Connection[Any], shared: _Shared) -> StoredObject:
        document = {
            "sequences": [asdict(one) for one in catalog.sequences(connection)],
            **cluster_globals.read(connection, self.endpoint.database),
        }
        writer = shared.uploads.open(f"{shared.folder}/globals.json")
        writer.write(json.dumps(document, indent=1).encode())
        return writer.close()

    def _manifest(
        self,
        identifier: str,
        found: catalog.Catalog,
        shared: _Shared,
        pieces: list[DumpedPiece],
        others: Mapping[str, StoredObject],
    ) -> Manifest:
        days = self.target.retention_days.get(self.backup_class)
        keep_until = None if days is None else self.started_at + timedelta(days=days)
        large_objects = others.get("large_objects")
        return Manifest(
            id=identifier,
            backup_class=self.backup_class,
            database=self.endpoint.database,
            started_at=self.started_at.isoformat(),
            finished_at=datetime.now(UTC).isoformat(),
            duration_seconds=round(time.monotonic() - self.started, 3),
            keep_until=keep_until.isoformat() if keep_until else None,
            snapshot_at=shared.snapshot.taken_at.astimezone(UTC).isoformat(),
            snapshot_lsn=shared.snapshot.lsn,
            server_version=shared.snapshot.server_version,
            encoding=shared.snapshot.encoding,
            client_version=definitions.client_version(shared.children),
            hash_algorithm=ALGORITHM,
            schema_key=others["schema"].key,
            globals_key=others["globals"].key,
            large_objects_key=large_objects.key if large_objects else None,
            large_object_count=found.large_object_count,
            extensions=found.extensions,
            tables=records.tables(found, pieces),
            objects=(*others.values(), *(piece.stored for piece in pieces)),
            skipped=tuple((one.name, one.reason) for one in found.skipped),
            source_bytes=found.size_bytes,
            worker=self.options.worker,
            collation=found.collation,
        )
