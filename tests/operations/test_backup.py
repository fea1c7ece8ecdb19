"""A backup of a real PostgreSQL 17 with the client layer's own pg_dump, into moto's S3."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import zstandard

import workloads
from operations.backup import (
    BackupTarget,
    children,
    manifest,
    object_writer,
    run,
    segments,
    session,
    time_budget,
)
from operations.errors import OperationError
from operations.functions import backup as backup_function
from operations.migrations import run as migrate
from tests.operations.conftest import Deployment
from tests.operations.site import unpack_client_layer
from tests.operations.stored_backups import BUCKET

pytestmark = pytest.mark.root


@pytest.fixture(scope="session")
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer, unpacked as Lambda does."""
    return unpack_client_layer(tmp_path_factory.mktemp("opt"))


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


class LambdaContext:
    """A function with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def objects(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def uploads(s3: Any) -> list[Any]:
    return s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def test_backup_is_whole_and_its_manifest_says_what_is_in_it(
    filled: Deployment, target: BackupTarget, s3: Any
) -> None:
    made = backup(filled, target, s3)

    assert made.row_counts == {"node_pass.buyers": 3, "node_pass.pgkeep_migrations": 1}
    folder = f"daily/node_pass/{made.id}"
    assert objects(s3) == [
        f"{folder}/globals.json",
        f"{folder}/manifest.json",
        f"{folder}/rows/000001.zst",
        f"{folder}/schema.dump",
    ]
    body = s3.get_object(Bucket=BUCKET, Key=made.key)["Body"].read()
    assert manifest.decode(body, made.key) == made
    told = s3.head_object(Bucket=BUCKET, Key=made.key)["Metadata"]
    marks = {"backup-id": made.id, "backup-class": "daily"}
    assert told == {**marks, **time_budget.metadata(made)}
    for stored in made.objects:
        head = s3.head_object(Bucket=BUCKET, Key=stored.key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", target.kms_key)
        data = s3.get_object(Bucket=BUCKET, Key=stored.key)["Body"].read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (stored.size_bytes, stored.sha256)


def test_a_large_object_that_the_backup_may_not_read_is_told_with_what_grants_it(
    filled: Deployment, target: BackupTarget, s3: Any
) -> None:
    with filled.connect("node_pass_migrator") as migrator:
        migrator.execute("SELECT lo_from_bytea(0, 'of the owner')")
    said = (
        r"1 large object cannot be read by node_pass_backup \(such as [0-9]+ of node_pass_owner\)"
    )
    with pytest.raises(OperationError, match=said) as refused:
        backup(filled, target, s3)
    assert objects(s3) == []
    # As psql's gexec: the query, then each statement that it gives.
    query = str(refused.value).partition("in psql: ")[2].partition(" \\gexec")[0]
    with filled.connect("node_pass_migrator") as migrator:
        for (statement,) in migrator.execute(query.encode()).fetchall():
            migrator.execute(statement.encode())
    assert backup(filled, target, s3).large_object_count == 1


def test_every_object_is_of_one_moment(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = segments.plan

    def insert_then_plan(tables: Any, workers: int) -> Any:
        with filled.connect("node_pass_app") as app:
            app.execute("INSERT INTO buyers (license_id, wallet, tier) VALUES ('N-9', 'x', 'y')")
        return real(tables, workers)

    monkeypatch.setattr(segments, "plan", insert_then_plan)
    made = backup(filled, target, s3)
    assert made.row_counts["node_pass.buyers"] == 3
    (where,) = next(table for table in made.tables if table.name == "buyers").segments
    data = s3.get_object(Bucket=BUCKET, Key=where.key)["Body"].read()
    frame = data[where.offset_bytes : where.offset_bytes + where.length_bytes]
    assert zstandard.ZstdDecompressor().decompressobj().decompress(frame).count(b"\n") == 3


def test_failing_psql_leaves_no_backup(
    filled: Deployment, target: BackupTarget, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with filled.server.superuser("node_pass") as superuser:
        superuser.execute("CREATE TYPE node_pass.state AS ENUM ('lost')")
        superuser.execute(
            "CREATE TABLE node_pass.broken AS SELECT 'lost'::node_pass.state AS state"
        )
        superuser.execute("DELETE FROM pg_enum WHERE enumtypid = 'node_pass.state'::regtype")
    with pytest.raises(OperationError, match=r"psql ended .*: ERROR: .*invalid internal value"):
        backup(filled, target, s3)
    assert not [key for key in objects(s3) if key.endswith("manifest.json")]
    assert uploads(s3) == []
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["event"] == "backup_failed"
    assert line["BackupSuccess"] == 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "pgkeep"


def test_second_run_at_once_leaves_with_a_word(
    filled: Deployment, target: BackupTarget, s3: Any
) -> None:
    with filled.connect("node_pass_backup") as other:
        session.export(other)
        with pytest.raises(OperationError, match=r"another backup .* is running \(process \d+"):
            backup(filled, target, s3)
    assert objects(s3) == []
    assert backup(filled, target, s3).row_counts


@pytest.mark.parametrize("method", ["upload_part", "complete_multipart_upload"])
def test_failing_upload_leaves_no_backup(
    filled: Deployment, target: BackupTarget, s3: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise ConnectionError("S3 went away")

    monkeypatch.setattr(s3, method, fail)
    with filled.server.superuser("node_pass") as superuser:
        superuser.execute(
            "CREATE TABLE node_pass.noise AS SELECT i, string_agg(md5((i * 100 + j)::text), '') "
            "FROM generate_series(1, 20000) i, generate_series(1, 60) j GROUP BY i"
        )
        superuser.execute("GRANT SELECT ON node_pass.noise TO node_pass_backup")
    with pytest.raises(ConnectionError):
        backup(filled, target, s3)
    assert not [key for key in objects(s3) if key.endswith("manifest.json")]
    assert uploads(s3) == []


def test_large_table_is_cut_and_goes_up_in_parts(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_writer, "_PART_STEPS", ((10_000, 5 * 1024 * 1024),))
    monkeypatch.setattr(segments, "SMALLEST_SEGMENT_BYTES", 20 * 1024 * 1024)
    with filled.connect("node_pass_migrator") as migrator:
        migrator.execute("CREATE TABLE noise (id int, block text)")
    with filled.server.superuser("node_pass") as superuser:
        superuser.execute(
            "INSERT INTO node_pass.noise SELECT i, string_agg(md5((i * 100 + j)::text), '') "
            "FROM generate_series(1, 20000) i, generate_series(1, 60) j GROUP BY i"
        )
    made = backup(filled, target, s3)
    noise = next(table for table in made.tables if table.name == "noise")
    assert noise.rows == 20_000 == sum(one.rows for one in noise.segments)
    assert len(noise.segments) > 1
    by_key = {stored.key: stored for stored in made.objects}
    assert max(len(by_key[one.key].parts) for one in noise.segments) > 1
    with filled.server.superuser("node_pass") as superuser:
        row = superuser.execute(
            "SELECT sum(hashint4extended(0, hashint4extended(id, 1) # hashtextextended(block, 2)))"
            " FROM node_pass.noise"
        ).fetchone()
    assert row is not None
    assert int(row[0]) == noise.hash


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

    monkeypatch.setattr(children.subprocess, "Popen", remember)
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
    answer = backup_function.handler({"class": "weekly"}, LambdaContext())
    body = s3.get_object(Bucket=BUCKET, Key=f"weekly/node_pass/{answer['id']}/manifest.json")
    made = manifest.decode(body["Body"].read(), answer["key"])
    assert made.keep_until is not None
    kept = datetime.fromisoformat(made.keep_until) - datetime.fromisoformat(made.started_at)
    assert kept.days == 84
    assert answer["key"] == made.key
    with pytest.raises(OperationError, match="class is 'hourly'; it must be one of daily"):
        backup_function.handler({"class": "hourly"}, LambdaContext())
    monkeypatch.setenv("RETENTION_DAYS", "a month")
    with pytest.raises(OperationError, match="RETENTION_DAYS is 'a month'; it must be days by"):
        backup_function.handler({"class": "daily"}, LambdaContext())
