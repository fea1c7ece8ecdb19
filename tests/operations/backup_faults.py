"""A site whose S3 can fail, small enough to be broken in the middle, and what must hold after."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff
from moto.s3 import models as moto_s3

from operations.backup import (
    BackupTarget,
    marked_output,
    object_writer,
    segments,
)
from operations.backup.store import Store
from operations.backup.verify import verify
from tests.operations.faulty_s3 import BUCKET, REGION, FaultyS3, answer
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, SOURCE, USER, Site, unpack_client_layer

ROWS = 4_000
PART_BYTES = 64 * 1024
WRITES = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject")
INTERNAL_ERROR = answer("500 Internal Server Error", "InternalError")
SLOW_DOWN = answer("503 Slow Down", "SlowDown")
EXPIRED = answer("400 Bad Request", "ExpiredToken")
WRONG_KEY = answer("403 Forbidden", "AccessDenied")


@pytest.fixture(scope="module")
def cloud() -> Iterator[FaultyS3]:
    started = FaultyS3()
    yield started
    started.stop()


@pytest.fixture(scope="module", autouse=True)
def small_parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several objects of several parts out of a small table; and pauses that a test can wait."""
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
        patch.setattr(moto_s3, "S3_UPLOAD_PART_MIN_SIZE", 1024)
        patch.setattr(object_writer, "_PART_STEPS", ((10_000, PART_BYTES),))
        patch.setattr(segments, "SMALL_TABLE_BYTES", 100 * 1024)
        patch.setattr(segments, "SMALLEST_SEGMENT_BYTES", 500 * 1024)
        patch.setattr(marked_output, "_READ_BYTES", 32 * 1024)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        yield


@pytest.fixture
def site(cloud: FaultyS3, server: PostgresServer) -> Site:
    """Random text of about 2 MB, a table of a few rows, and a large object."""
    cloud.reset()
    s3 = cloud.client()
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    with server.superuser(SOURCE) as connection:
        connection.execute("CREATE TABLE few AS SELECT generate_series(1, 3) AS id")
        connection.execute(
            "CREATE TABLE noise AS SELECT i AS id, (SELECT string_agg(md5((i * 100 + j)::text), '')"
            f" FROM generate_series(1, 15) j) AS block FROM generate_series(1, {ROWS}) i"
        )
        connection.execute("SELECT lo_from_bytea(0, 'large object')")
    cloud.heal()
    cloud.seen.clear()
    return Site(server, s3, BackupTarget(BUCKET, key, retention_days={}))


def assert_whole(site: Site, expected: int = 1) -> None:
    """The newest backup is all there, byte for byte."""
    assert len(site.manifests()) == expected
    backup = Store(site.s3, BUCKET).get("latest")
    assert backup.row_counts == {"public.few": 3, "public.noise": ROWS}
    assert verify(backup, s3=site.s3, bucket=BUCKET).findings == ()


def assert_nothing_remains(site: Site, output: str | None, *, swept: int = 0) -> None:
    """No backup, no upload but `swept` ones, a failure that is told, and a next run that is whole."""
    assert site.manifests() == []
    assert len(site.uploads()) >= swept if swept else site.uploads() == []
    if output is not None:
        line = json.loads([one for one in output.splitlines() if '"_aws"' in one][-1])
        assert (line["event"], line["BackupSuccess"]) == ("backup_failed", 0)
        assert line["error"]
        assert PASSWORD not in output
    site.backup()
    assert_whole(site)
    assert site.uploads() == []


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def sessions(site: Site) -> list[Any]:
    with site.server.superuser() as superuser:
        query = f"SELECT pid FROM pg_stat_activity WHERE usename = '{USER}'"
        return superuser.execute(query.encode()).fetchall()
