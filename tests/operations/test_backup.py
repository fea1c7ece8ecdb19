"""A backup of a real PostgreSQL 17 with the client layer's own pg_dump, into moto's S3."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

import workloads
from operations import postgresql_client, postgresql_client_layer
from operations.backup import BackupTarget, dump, run, upload
from operations.errors import OperationError
from operations.functions import backup as backup_function
from operations.migrations import run as migrate
from tests.operations.conftest import Deployment

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-of-a-test"


@pytest.fixture(scope="session")
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer, unpacked as Lambda does."""
    folder = tmp_path_factory.mktemp("opt")
    with zipfile.ZipFile(postgresql_client_layer.build("x86_64")) as layer:
        for entry in layer.infolist():
            path = Path(layer.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder / "pg"


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return client


@pytest.fixture
def target(aws: None) -> BackupTarget:
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    return BackupTarget(BUCKET, key, retention_days={"daily": 35})


@pytest.fixture
def filled(
    deployment: Deployment, client_layer: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """node_pass with three buyers, and the layer's programs."""
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(client_layer))
    deployment.apply()
    migrations = [
        (one, workloads.migration_sql("node_pass", one.name))
        for one in workloads.migrations("node_pass")
    ]
    with deployment.connect("node_pass_migrator") as connection:
        migrate(connection, deployment.contract, migrations)
    with deployment.connect("node_pass_app") as app:
        app.execute(
            "INSERT INTO buyers (license_id, wallet, tier) "
            "SELECT 'N-' || i, '0x' || i, 'gold' FROM generate_series(1, 3) i"
        )
    yield deployment


def backup(deployment: Deployment, target: BackupTarget, s3: Any, kind: str = "daily") -> Any:
    return run(
        kind,
        deployment.server.endpoint,
        connect=lambda: deployment.connect("node_pass_backup"),
        target=target,
        s3=s3,
    )


def objects(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def uploads(s3: Any) -> list[Any]:
    return s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def test_backup_restores_into_an_empty_database_with_the_counts_of_its_manifest(
    filled: Deployment, target: BackupTarget, s3: Any, tmp_path: Path
) -> None:
    made = backup(filled, target, s3)

    assert made.row_counts == {"node_pass.buyers": 3, "node_pass.pgkeep_migrations": 1}
    manifest_key = made.key.replace("database.dump", "manifest.json")
    assert objects(s3) == sorted([made.key, manifest_key])
    head = s3.head_object(Bucket=BUCKET, Key=made.key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", target.kms_key)
    data = s3.get_object(Bucket=BUCKET, Key=made.key)["Body"].read()
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=manifest_key)["Body"].read())
    assert manifest["dump"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["dump"]["size_bytes"] == len(data) == made.size_bytes

    dump_file = tmp_path / "database.dump"
    dump_file.write_bytes(data)
    with filled.server.superuser() as superuser:
        superuser.execute("DROP DATABASE IF EXISTS scratch WITH (FORCE)")
        superuser.execute("CREATE DATABASE scratch TEMPLATE template0")
    server = filled.server
    subprocess.run(
        [*postgresql_client.command("pg_restore"), "--exit-on-error", "--host",
         str(server.socket_folder), "--port", str(server.endpoint.port), "--username", "rdsadmin",
         "--dbname", "scratch", str(dump_file)],
        check=True,
    )  # fmt: skip
    with server.superuser("scratch") as scratch:
        for table, count in manifest["row_counts"].items():
            assert scratch.execute(f"SELECT count(*) FROM {table}".encode()).fetchall() == [
                (count,)
            ]
    with server.superuser() as superuser:
        superuser.execute("DROP DATABASE scratch")


def test_counts_and_dump_see_the_same_moment(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dump._row_counts

    def insert_then_count(connection: Any) -> dict[str, int]:
        with filled.connect("node_pass_app") as app:
            app.execute("INSERT INTO buyers (license_id, wallet, tier) VALUES ('N-9', 'x', 'y')")
        return real(connection)

    monkeypatch.setattr(dump, "_row_counts", insert_then_count)
    assert backup(filled, target, s3).row_counts["node_pass.buyers"] == 3


def test_failing_pg_dump_leaves_nothing(
    filled: Deployment, target: BackupTarget, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with filled.server.superuser("node_pass") as superuser:
        # pg_dump refuses to copy a part of a table, after it has begun to write.
        superuser.execute("CREATE TABLE node_pass.broken (id int)")
        superuser.execute("ALTER TABLE node_pass.broken ENABLE ROW LEVEL SECURITY")
        superuser.execute("ALTER TABLE node_pass.broken FORCE ROW LEVEL SECURITY")
    with pytest.raises(OperationError, match=r"pg_dump ended with 1: .*row-level security"):
        backup(filled, target, s3)
    assert objects(s3) == []
    assert uploads(s3) == []
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["event"] == "backup_failed"
    assert line["BackupSuccess"] == 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "pgkeep"


@pytest.mark.parametrize("method", ["upload_part", "complete_multipart_upload"])
def test_failing_upload_leaves_nothing(
    filled: Deployment, target: BackupTarget, s3: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ConnectionError("S3 went away")

    monkeypatch.setattr(s3, method, fail)
    with pytest.raises(ConnectionError):
        backup(filled, target, s3)
    assert objects(s3) == []
    assert uploads(s3) == []


def test_large_dump_goes_up_in_parts(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 5 * 1024 * 1024)
    with filled.connect("node_pass_migrator") as migrator:
        migrator.execute("CREATE TABLE noise (block bytea)")
        migrator.execute("ALTER TABLE noise ALTER block SET STORAGE EXTERNAL")
    with filled.server.superuser("node_pass") as superuser:
        superuser.execute(
            "INSERT INTO node_pass.noise SELECT string_agg(sha256((i * 40000 + j)::text::bytea), '')"
            " FROM generate_series(1, 12) i, generate_series(1, 32768) j GROUP BY i"
        )
    made = backup(filled, target, s3)
    assert made.size_bytes > 10 * 1024 * 1024
    parts = s3.head_object(Bucket=BUCKET, Key=made.key, PartNumber=1)
    assert parts["PartsCount"] >= 3 or parts["ContentLength"] == 5 * 1024 * 1024


def test_password_is_on_no_command_line_and_in_no_log(
    filled: Deployment,
    target: BackupTarget,
    s3: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words: list[str] = []
    real = subprocess.Popen

    def remember(command: list[str], **options: Any) -> Any:
        words.extend(command)
        return real(command, **options)

    monkeypatch.setattr(dump.subprocess, "Popen", remember)
    backup(filled, target, s3)
    password = filled.secret("node_pass_backup")["password"]
    assert any(word.endswith("pg_dump") for word in words)
    assert password not in " ".join(words)
    assert password not in capsys.readouterr().out


def test_handler_backs_up_by_class(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.set_environment(
        monkeypatch,
        BACKUP_SECRET_ARN="pgkeep/node_pass_backup",
        BACKUP_BUCKET=BUCKET,
        KMS_KEY_ARN=target.kms_key,
        RETENTION_DAYS='{"daily": 35, "weekly": 84}',
    )
    answer = backup_function.handler({"class": "weekly"}, None)
    body = s3.get_object(Bucket=BUCKET, Key=f"weekly/node_pass/{answer['id']}/manifest.json")
    manifest = json.loads(body["Body"].read())
    kept = datetime.fromisoformat(manifest["keep_until"]) - datetime.fromisoformat(
        manifest["started_at"]
    )
    assert kept.days == 84
    assert answer["key"] == f"weekly/node_pass/{answer['id']}/database.dump"
    with pytest.raises(OperationError, match="class is 'hourly'; it must be one of daily"):
        backup_function.handler({"class": "hourly"}, None)
    monkeypatch.setenv("RETENTION_DAYS", "a month")
    with pytest.raises(OperationError, match="RETENTION_DAYS is 'a month'; it must be days by"):
        backup_function.handler({"class": "daily"}, None)
