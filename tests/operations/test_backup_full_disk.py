"""A server whose disk is really full: to the last byte, and from the middle of a backup on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from localcloud.image import base_image
from operations.backup import BackupTarget
from operations.backup.store import Store
from operations.backup.verify import verify
from tests.operations import postgres_server
from tests.operations.conftest import REGION
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, SOURCE, USER, Site, unpack_client_layer

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-of-a-full-disk"
DISK_MIB = 160
ROWS = 2_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = postgres_server.start(
        base_image(print), tmp_path_factory.mktemp("small"), disk_mib=DISK_MIB
    )
    yield server
    server.stop()


@pytest.fixture
def site(
    small: PostgresServer, aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(unpack_client_layer(tmp_path)))
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    small.reset()
    with small.superuser() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {USER}".encode())
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    with small.superuser(SOURCE) as connection:
        connection.execute(
            f"CREATE TABLE rows AS SELECT i AS id, repeat(md5(i::text), 50) AS text "
            f"FROM generate_series(1, {ROWS}) i".encode()
        )
    yield Site(small, s3, BackupTarget(BUCKET, key, retention_days={}))
    on_server(small, "rm -f /data/filler")


def on_server(server: PostgresServer, command: str) -> None:
    with server.superuser() as connection:
        connection.execute(f"COPY (SELECT 1) TO PROGRAM '{command}'".encode())


def fill(server: PostgresServer) -> None:
    """Nothing is left, and PostgreSQL finds that out too; what it frees itself is filled again."""
    with server.superuser() as connection:
        for _ in range(20):
            on_server(server, "cat /dev/zero >> /data/filler 2>/dev/null; true")
            try:
                connection.execute("CREATE TABLE more AS SELECT repeat('x', 10000000)")
            except psycopg.errors.DiskFull:
                return
            connection.execute("DROP TABLE more")
    raise AssertionError("the disk does not fill up")


def free(server: PostgresServer) -> None:
    on_server(server, "rm -f /data/filler")


def assert_whole(site: Site) -> None:
    backup = Store(site.s3, BUCKET).get("latest")
    assert backup.row_counts == {"public.rows": ROWS}
    assert verify(backup, s3=site.s3, bucket=BUCKET).findings == ()


def test_without_a_byte_for_its_snapshot_it_fails_with_the_server_s_word(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exported snapshot is a small file on the server, the only one that a backup makes."""
    fill(site.server)
    capsys.readouterr()
    with pytest.raises(psycopg.errors.DiskFull, match="No space left on device"):
        site.backup()
    said = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert (said[-1]["event"], said[-1]["BackupSuccess"]) == ("backup_failed", 0)
    assert "No space left on device" in said[-1]["error"]
    assert site.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []) == []
    assert site.uploads() == []
    free(site.server)
    site.backup()
    assert_whole(site)


def test_a_disk_that_fills_up_meanwhile_ends_no_backup(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the snapshot on nothing is written there."""
    puts: list[Any] = []

    def full_first(**_: Any) -> None:
        if not puts:
            fill(site.server)
        puts.append(1)

    site.s3.meta.events.register("before-send.s3.PutObject", full_first)
    try:
        site.backup()
    finally:
        site.s3.meta.events.unregister("before-send.s3.PutObject", full_first)
    assert puts
    assert_whole(site)
