"""Where backups of a test come from and go to: a database, a bucket, and the target of restores."""

from __future__ import annotations

import dataclasses
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import psycopg

from operations import postgresql_client, postgresql_client_layer
from operations.backup import BackupTarget, Manifest, run
from operations.backup import Options as BackupOptions
from operations.backup.children import Login
from operations.backup.store import Store
from operations.database import Endpoint
from operations.restore import Options, Restored, databases, restore
from operations.restore.proof import Proof, prove
from tests.operations.postgres_server import PostgresServer

USER, PASSWORD = "stranger_admin", "password-of-a-test"
SOURCE, RESTORED = "node_pass", "restored"


def unpack_client_layer(folder: Path) -> Path:
    """The layer's programs as Lambda unpacks them."""
    with zipfile.ZipFile(postgresql_client_layer.build("x86_64")) as layer:
        for entry in layer.infolist():
            path = Path(layer.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder / "pg"


@dataclasses.dataclass
class Site:
    """A source database, an empty target and a bucket."""

    server: PostgresServer
    s3: Any
    target: BackupTarget

    def endpoint(self, database: str) -> Endpoint:
        return dataclasses.replace(self.server.endpoint, database=database)

    def connect(self, database: str = RESTORED) -> psycopg.Connection[Any]:
        return self.endpoint(database).connect(USER, PASSWORD)

    def backup(self, kind: str = "manual", **options: Any) -> Manifest:
        return run(
            kind,
            self.endpoint(SOURCE),
            connect=lambda: self.connect(SOURCE),
            target=self.target,
            s3=self.s3,
            options=BackupOptions(**options),
        )

    def restore(self, backup: Manifest, **options: Any) -> Restored:
        with self.server.superuser() as connection:
            databases.drop(connection, RESTORED)
            databases.create(connection, RESTORED, backup)
        return restore(
            backup,
            s3=self.s3,
            bucket=self.target.bucket,
            login=Login(self.endpoint(RESTORED), USER, PASSWORD),
            connect=self.connect,
            options=Options(**options),
        )

    def prove(self, backup: Manifest, **options: Any) -> Proof:
        return prove(backup, connect=self.connect, **options)

    def dump(self, database: str) -> list[str]:
        """pg_dump's own text, without the token that differs from run to run."""
        words = [*postgresql_client.command("pg_dump"), "--host", str(self.server.socket_folder)]
        words += ["--port", str(self.server.endpoint.port), "--username", "rdsadmin", database]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unre"))]

    def manifests(self) -> list[str]:
        """Ids of what the bucket holds as backups."""
        return [one.id for one in Store(self.s3, self.target.bucket).find().backups]

    def uploads(self) -> list[str]:
        """Keys of uploads that nobody has ended."""
        found = self.s3.list_multipart_uploads(Bucket=self.target.bucket).get("Uploads", [])
        return [one["Key"] for one in found]
