"""One backup: everything under one exported snapshot, in parallel, and the manifest last.

Objects without a manifest are no backup: pg_dump, an upload or this process did not reach the end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from operations import aws_clients
from operations.backup import (
    catalog,
    cluster_globals,
    definitions,
    manifest,
    owned_sequences,
    records,
    renames,
    segments,
    session,
    sweeper,
    table_changes,
    time_budget,
)
from operations.backup.children import Children, Login, OutOfMemoryError, WaitedError
from operations.backup.definitions import StoredT
from operations.backup.failures import failed
from operations.backup.large_objects import refuse_unreadable
from operations.backup.manifest import Manifest
from operations.backup.object_series import SeriesWriter
from operations.backup.object_writer import StoredObject, Uploads
from operations.backup.options import BackupTarget, Options
from operations.backup.preparation import Preparation
from operations.backup.row_hashes import ALGORITHM
from operations.backup.row_objects import RowObjects
from operations.backup.rows import DumpedObject, RowDumper
from operations.backup.session import Connect, Snapshot
from operations.backup.shared import Shared
from operations.backup.time_limit import TimeLimit
from operations.database import Endpoint
from operations.errors import OperationError
from operations.structured_log import log_metrics

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient
    from mypy_boto3_s3.client import S3Client

# Uploads wait for S3; more threads than these only hold parts.
_UPLOAD_THREADS = 8


def run(
    backup_class: str,
    endpoint: Endpoint,
    *,
    connect: Connect,
    target: BackupTarget,
    s3: S3Client | Callable[[], S3Client],
    kms: KMSClient | None,
    options: Options,
) -> Manifest:
    """As `operations.backup.run`, which has looked at what is asked for."""
    try:
        # Its time runs from here: connecting may take a minute.
        backup = _Run(backup_class, endpoint, connect, target, s3, kms, options)
        with backup.prepare() as prepared, connect() as connection:
            made = backup.run(connection, prepared)
    except BaseException as error:
        if options.too_large_fails or not isinstance(error, time_budget.TooLargeError):
            failed(endpoint, backup_class, error)
        if isinstance(error, Exception) and (advice := aws_clients.key_refusal(error)):
            text = f"no backup was made: {str(error).rstrip('.')}; {advice}"
            raise OperationError(text) from error
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


@dataclass(frozen=True)
class _Dumped:
    """What is in the bucket, and by which pg_dump."""

    client_version: str
    globals: StoredObject
    schema: StoredObject
    large_objects: tuple[StoredObject, ...]
    rows: tuple[DumpedObject, ...]
    not_validated: tuple[tuple[str, str, str], ...]
    sequences_behind: tuple[tuple[str, str], ...]


@dataclass
class _Run:
    """One run of one backup."""

    backup_class: str
    endpoint: Endpoint
    connect: Connect
    target: BackupTarget
    s3: S3Client | Callable[[], S3Client]
    kms: KMSClient | None
    options: Options
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)
    shared: Shared | None = None

    @contextmanager
    def prepare(self) -> Generator[Preparation]:
        """What needs no database begins beside connecting to it."""
        prepared = Preparation(
            self.s3,
            self.target.bucket,
            self.endpoint.database,
            self.endpoint.host,
            self.options.worker,
        )
        try:
            yield prepared
        finally:
            prepared.close()

    def run(self, connection: psycopg.Connection[Any], prepared: Preparation) -> Manifest:
        """Dump, then write the manifest."""
        identifier = sweeper.identifier(self.started_at, self.endpoint.host)
        parts = ExitStack()
        limit = TimeLimit(self._seconds_left(), lambda: self._stop(connection))
        with limit, parts:
            try:
                snapshot = session.export(connection, limit.check)
                limit.check()
                self.shared = shared = parts.enter_context(
                    self._share(connection, snapshot, identifier)
                )
                # It takes longest to begin, and reads the catalog before it has a word to write.
                schema = shared.pool.submit(self._schema, shared)
                version = shared.pool.submit(definitions.client_version, shared.children)
                # Not before the database's lock is held.
                swept, may_sign = prepared.sweep(), prepared.try_to_sign(self.kms, self.target)
                found = catalog.read(connection, on_standby=snapshot.on_standby)
                names = renames.read(connection)
                if found.large_object_count:
                    refuse_unreadable(connection)
                estimate = self._check_budget(found, prepared.speed(found.size_bytes))
                limit.check()
                swept.result()
                may_sign.result()
                shared.allow(self._uploads(prepared.s3, identifier))
                try:
                    dumped = self._dump(connection, found, shared, schema, version)
                except OutOfMemoryError as error:
                    most = self.options.program_memory_bytes or 0
                    raise time_budget.OverMemoryError(str(error), most, estimate) from None
                except WaitedError as error:
                    # While this session keeps its locks, who waits for them still does.
                    raise error.naming(table_changes.changers(connection)) from None
                session.refuse_hidden_rows(connection)
                # Raises when its session, and with it the tables' locks, did not last to the end.
                connection.execute("COMMIT")
                renames.refuse(connection, names, "backup", "no backup was made")
                made = self._manifest(identifier, found, shared, dumped)
            finally:
                limit.check()
            writer = shared.uploads.open(made.key, time_budget.metadata(made))
            writer.write_whole(manifest.encode(made, self.kms, self.target.mac_key))
            return made

    def _seconds_left(self) -> float | None:
        limit = self.options.time_limit_seconds
        return None if limit is None else max(limit - (time.monotonic() - self.started), 0.0)

    def _check_budget(
        self, found: catalog.Catalog, speed: time_budget.Speed
    ) -> time_budget.Estimate:
        estimate = time_budget.estimate(found.size_bytes, speed)
        limits = [self._seconds_left(), self.options.budget_seconds]
        seconds = min((limit for limit in limits if limit is not None), default=None)
        time_budget.check(estimate, seconds, database=self.endpoint.database)
        return estimate

    def _stop(self, connection: psycopg.Connection[Any]) -> None:
        """End the run from another thread."""
        if self.shared is not None:
            self.shared.stop()
        session.cancel(connection)

    def _share(
        self, connection: psycopg.Connection[Any], snapshot: Snapshot, identifier: str
    ) -> Shared:
        login = Login(self.endpoint, connection.info.user, connection.info.password)
        return Shared(
            snapshot,
            Children(login, self.options.program_memory_bytes),
            manifest.folder(self.backup_class, self.endpoint.database, identifier),
            ThreadPoolExecutor(self.options.workers, thread_name_prefix="dump"),
        )

    def _uploads(self, s3: S3Client, identifier: str) -> Uploads:
        return Uploads(
            s3,
            self.target.bucket,
            self.target.kms_key,
            {"backup-id": identifier, "backup-class": self.backup_class},
            threads=min(max(self.options.workers, 2), _UPLOAD_THREADS),
        )

    def _dump(
        self,
        connection: psycopg.Connection[Any],
        found: catalog.Catalog,
        shared: Shared,
        schema: Future[StoredObject],
        version: Future[str],
    ) -> _Dumped:
        """All objects but the manifest; the first failure ends them all."""
        dumper = RowDumper(
            shared.snapshot,
            shared.children,
            shared.uploads,
            self.options.compression_level,
            self.options.largest_hashed_table_bytes,
        )
        filled = [table for table in found.tables if not table.empty]
        plan = segments.plan(filled, self.options.workers)
        objects = RowObjects(dumper, shared.folder, plan.size_bytes, self.options.progress)
        small = dumper.batches(plan.small, self.options.workers)
        large_objects = (
            shared.pool.submit(self._large_objects, shared) if found.large_object_count else None
        )
        rows = [
            *(shared.pool.submit(objects.whole, one) for one in plan.large),
            *(shared.pool.submit(objects.shared, small) for _ in range(self.options.workers)),
        ]
        stored_globals = self._globals(connection, shared)
        not_validated = cluster_globals.not_validated(connection)
        _, behind = owned_sequences.behind(
            connection, seen_at_once=True, on_standby=shared.snapshot.on_standby
        )
        others = [version, schema, *filter(None, [large_objects])]
        everything: list[Future[Any]] = [*others, *rows]
        done, _ = wait(everything, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return _Dumped(
            version.result(),
            stored_globals,
            schema.result(),
            large_objects.result() if large_objects else (),
            tuple(one for dumped in rows for one in dumped.result()),
            not_validated,
            tuple((one.schema, one.name) for one in behind),
        )

    def _schema(self, shared: Shared) -> StoredObject:
        key = f"{shared.folder}/schema.dump"
        return self._definitions(shared, lambda: shared.uploads.open(key), definitions.SCHEMA)

    def _large_objects(self, shared: Shared) -> tuple[StoredObject, ...]:
        key, most = f"{shared.folder}/large_objects.dump", self.options.largest_object_bytes
        return self._definitions(
            shared, lambda: SeriesWriter(shared.uploads, key, most), definitions.LARGE_OBJECTS
        )

    def _definitions(
        self,
        shared: Shared,
        opened: Callable[[], definitions.Writer[StoredT]],
        words: Sequence[str],
    ) -> StoredT:
        return definitions.dump(
            shared.children,
            opened,
            [*words, f"--snapshot={shared.snapshot.name}"],
            self.options.compression_level,
        )

    def _globals(self, connection: psycopg.Connection[Any], shared: Shared) -> StoredObject:
        on_standby = shared.snapshot.on_standby
        document = {
            "sequences": [
                asdict(one) for one in catalog.sequences(connection, on_standby=on_standby)
            ],
            **cluster_globals.read(connection, self.endpoint.database),
        }
        writer = shared.uploads.open(f"{shared.folder}/globals.json")
        return writer.write_whole(json.dumps(document, indent=1).encode())

    def _manifest(
        self,
        identifier: str,
        found: catalog.Catalog,
        shared: Shared,
        dumped: _Dumped,
    ) -> Manifest:
        days = self.target.retention_days.get(self.backup_class)
        keep_until = None if days is None else self.started_at + timedelta(days=days)
        large_objects = dumped.large_objects
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
            client_version=dumped.client_version,
            hash_algorithm=ALGORITHM,
            schema_key=dumped.schema.key,
            globals_key=dumped.globals.key,
            large_objects_key=large_objects[0].key if large_objects else None,
            large_object_count=found.large_object_count,
            extensions=found.extensions,
            tables=records.tables(found, dumped.rows),
            objects=(
                dumped.schema,
                *large_objects,
                dumped.globals,
                *(one.stored for one in dumped.rows),
            ),
            skipped=tuple((one.name, one.reason) for one in found.skipped),
            source_bytes=found.size_bytes,
            worker=self.options.worker,
            collation=found.collation,
            large_objects_continued=tuple(stored.key for stored in large_objects[1:]),
            not_validated=dumped.not_validated,
            sequences_behind=dumped.sequences_behind,
        )
