"""What RDS does to export a snapshot: it opens a copy of it, and writes every table as Parquet.

    <S3Prefix>/<export>/<database>/<schema>.<table>/<batch>/part-00000-<uuid>.gz.parquet
    <S3Prefix>/<export>/export_info_<export>.json
    <S3Prefix>/<export>/export_tables_info_<export>_from_1_to_<n>.json

Objects are written with a session of the task's role: what it, the bucket or the key refuses ends
the export. Source: AWS RDS user guide, "File naming conventions for exports to Amazon S3" and
"Data conversion when exporting to an Amazon S3 bucket".
"""

import contextlib
import json
import logging
import shutil
import threading
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from psycopg import sql

from localcloud.databases import instance_classes, parquet
from localcloud.databases.configuration import Configuration, Recovery
from localcloud.databases.creation import Origin
from localcloud.databases.engine import Engine
from localcloud.databases.export_task import LocalExportTask
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.parquet import Column
from localcloud.databases.plane import Plane
from localcloud.databases.server import Server
from localcloud.databases.snapshots import LocalDBSnapshot
from localcloud.permissions import credentials

_LOG = logging.getLogger(__name__)
_GIB = 1024**3
_PORT = 5432
# The system's own, which RDS does not export.
_DATABASES = (
    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
    "AND datname <> 'rdsadmin' ORDER BY datname"
)
# Tables, each with its partitions' leaves; unlogged and temporary ones are left out.
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname
"""
_LEAVES = """
SELECT n.nspname, c.relname FROM pg_partition_tree(%s::oid::regclass) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.relkind = 'r' AND c.relpersistence = 'p' ORDER BY 1, 2
"""
_COLUMNS = """
SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_IN_NO_COLUMN = frozenset(",;{}()\n\t= ")
_UNDERSCORES = str.maketrans(dict.fromkeys('\\`" ', "_"))


class CancelledError(Exception):
    """CancelExportTask was called."""


@dataclass(frozen=True)
class Table:
    """A table of one database."""

    database: str
    schema: str
    name: str
    batches: tuple[tuple[str, str], ...]
    """Schema and name of the table, or of its partitions."""
    columns: tuple[Column, ...]

    @property
    def unsupported(self) -> bool:
        """Whether RDS leaves it out for its name or a column's."""
        names = (column.name for column in self.columns)
        return "/" in self.name or any(_IN_NO_COLUMN & set(name) for name in names)

    @property
    def folder(self) -> str:
        """Below the export's own folder."""
        return f"{self.database}/{self.schema}.{self.name}".translate(_UNDERSCORES)


@dataclass
class _Export:
    """One export at work."""

    plane: Plane
    task: LocalExportTask
    snapshot: LocalDBSnapshot
    folder: Path
    size_bytes: int = 0
    tables: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """To its end, whichever it is."""
        try:
            with self._server() as server:
                self._check()
                self.task.begin()
                self._write(server)
        except CancelledError:
            self.task.end("CANCELED")
        except Exception as error:
            _LOG.exception("export %s", self.task.export_task_identifier)
            self.task.end("FAILED", str(error).splitlines()[0])
        else:
            self.task.end("COMPLETE")

    @contextlib.contextmanager
    def _server(self) -> Generator[Server]:
        """The snapshot's data in a server of its own that nobody else reaches."""
        server = Server(self._engine(), self.folder.name, self.folder, _PORT)
        self.plane.helpers[server.identifier] = server
        try:
            server.prepare()
            server.take_over(self.snapshot.folder)
            for name, content in self._configuration(server).files().items():
                server.write(name, content)
            certificate, key = self.plane.cloud.rds_authority.issue("export", ["export"])
            server.write("server.crt", certificate)
            server.write("server.key", key, secret=True)
            server.start()
            yield server
        finally:
            self.plane.helpers.pop(server.identifier, None)
            server.remove()

    def _engine(self) -> Engine:
        """The one that made the data: a snapshot may be of before an upgrade."""
        major = Origin(snapshot=self.snapshot.folder).major_version()
        fitting = [one for one in self.plane.versions if one.partition(".")[0] == major]
        return self.plane.engine_of(fitting[-1])

    def _configuration(self, server: Server) -> Configuration:
        instance, engine = cast(LocalDBInstance, self.snapshot.database), server.engine
        return Configuration(
            identifier=server.identifier,
            major=engine.major,
            lacking_libraries=self.plane.engine.preload_libraries - engine.preload_libraries,
            instance_class=instance_classes.by_name(str(instance.db_instance_class)),
            storage_gibibytes=instance.allocated_storage,
            port=_PORT,
            address="",
            master_username=str(instance.master_username),
            parameters={},
            archiving=False,
            recovery=Recovery(),
        )

    def _check(self) -> None:
        if self.task.cancelled.is_set():
            raise CancelledError

    def _write(self, server: Server) -> None:
        s3 = self._client()
        tables = list(_tables(server))
        for number, table in enumerate(tables, start=1):
            self._check()
            self._table(server, s3, table)
            self.task.percent_progress = 100 * number // (len(tables) + 1)
        self.task.total_extracted_data_in_gb = self.size_bytes // _GIB
        skipped = [one["target"] for one in self.tables if one["status"] == "SKIPPED"]
        if skipped:
            self.task.warning_message = f"Skipped tables: {', '.join(skipped)}"
        self._describe(s3)

    def _client(self) -> Any:
        """S3 as the role that the task was given."""
        import boto3

        cloud = self.plane.cloud
        session = credentials.assume(
            cloud.account_id,
            self.snapshot.region,
            str(self.task.iam_role_arn),
            "rds-export",
        )
        return boto3.client(
            "s3",
            endpoint_url=cloud.home.endpoint_url,
            region_name=self.snapshot.region,
            aws_access_key_id=session.access_key_id,
            aws_secret_access_key=session.secret_access_key,
            aws_session_token=session.session_token,
        )

    @property
    def _prefix(self) -> str:
        prefix = (self.task.s3_prefix or "").strip("/")
        name = str(self.task.export_task_identifier)
        return f"{prefix}/{name}" if prefix else name

    def _put(self, s3: Any, key: str, body: Any) -> None:
        s3.put_object(
            Bucket=self.task.s3_bucket,
            Key=f"{self._prefix}/{key}",
            Body=body,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.task.kms_key_id,
        )

    def _table(self, server: Server, s3: Any, table: Table) -> None:
        status, size = ("SKIPPED", 0) if table.unsupported else ("COMPLETE", 0)
        batches = () if table.unsupported else table.batches
        for number, batch in enumerate(batches, start=1):
            with server.connect(table.database) as connection:
                name = sql.Identifier(*batch)
                path = parquet.write(connection, name, table.columns, server.folder)
            if path is None:
                continue
            with path.open("rb") as file:
                self._put(
                    s3,
                    f"{table.folder}/{number}/part-00000-{uuid.uuid4()}-c000.gz.parquet",
                    file,
                )
            size += path.stat().st_size
            path.unlink()
        self.size_bytes += size
        self.tables.append(
            {
                "target": f"{table.database}.{table.schema}.{table.name}",
                "status": status,
                "sizeGB": size / _GIB,
                "schemaMetadata": {
                    "originalTypeMappings": [
                        {"columnName": one.name, "originalType": one.type, "expectedExportedType":
                         one.exported_type}
                        for one in table.columns
                    ]
                },
            }
        )  # fmt: skip

    def _describe(self, s3: Any) -> None:
        task, count = self.task, len(self.tables)
        name = task.export_task_identifier
        info = {
            "exportTaskIdentifier": name,
            "sourceArn": task.source_arn,
            "exportOnly": [],
            "snapshotTime": task.snapshot_time.isoformat(),
            "taskStartTime": task.task_start_time.isoformat() if task.task_start_time else None,
            "s3Bucket": task.s3_bucket,
            "s3Prefix": task.s3_prefix,
            "exportedFilesPath": self._prefix,
            "iamRoleArn": task.iam_role_arn,
            "kmsKeyId": task.kms_key_id,
            "status": "COMPLETE",
            "percentProgress": 100,
            "totalExportedDataInGB": self.size_bytes / _GIB,
        }
        self._put(
            s3,
            f"export_tables_info_{name}_from_1_to_{count}.json",
            json.dumps({"perTableStatus": self.tables}, indent=1).encode(),
        )
        self._put(s3, f"export_info_{name}.json", json.dumps(info, indent=1).encode())


def export(plane: Plane, task: LocalExportTask, snapshot: LocalDBSnapshot) -> None:
    """Export a snapshot in the background; the task tells how far it is."""
    folder = plane.cloud.home.databases / f".export-{uuid.uuid4().hex[:8]}"
    shutil.rmtree(folder, ignore_errors=True)
    work = _Export(plane, task, snapshot, folder)
    threading.Thread(target=work.run, name="snapshot-export", daemon=True).start()


def _tables(server: Server) -> Generator[Table]:
    for (database,) in server.query(_DATABASES):
        with server.connect(str(database)) as connection:
            for oid, schema, name, kind in connection.execute(_TABLES).fetchall():
                batches = [(schema, name)]
                if kind == "p":
                    batches = connection.execute(_LEAVES, [oid]).fetchall()
                columns = tuple(
                    Column(str(column), str(type_))
                    for column, type_ in connection.execute(_COLUMNS, [oid]).fetchall()
                )
                yield Table(str(database), str(schema), str(name), tuple(batches), columns)
