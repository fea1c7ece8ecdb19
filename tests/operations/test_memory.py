"""A backup stays below 256 MiB with the most workers that there may be, whatever the size."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.backup_site import resident_mib
from operations.backup import MOST_WORKERS
from tests.operations.faulty_s3 import BUCKET, REGION, FaultyS3
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, SOURCE, USER, unpack_client_layer

pytestmark = pytest.mark.root

LIMIT_MIB = 256
# Compresses by half at most: every worker fills parts of 6 MiB and has some on their way.
ROWS = 110_000

WORKER = """
import json, sys
from pathlib import Path
import boto3
from botocore.config import Config
from operations import aws_clients
from operations.backup import BackupTarget, Options, run, segments
from operations.database import Endpoint
given = json.loads(sys.argv[1])
segments.SMALLEST_SEGMENT_BYTES = 8 * 1024 * 1024
segments.SEGMENTS_PER_WORKER = 1
endpoint = Endpoint(given["host"], given["port"], given["database"], Path(given["ca_bundle"]))
config = aws_clients.patient().merge(Config(request_checksum_calculation="when_required"))
s3 = boto3.client("s3", endpoint_url=given["url"], region_name="eu-west-1",
                  aws_access_key_id="test", aws_secret_access_key="test", config=config)
made = run("manual", endpoint, connect=lambda: endpoint.connect(given["user"], given["password"]),
           target=BackupTarget(given["bucket"], given["kms_key"], {}), s3=s3,
           options=Options(workers=given["workers"]))
print(json.dumps({"bytes": made.size_bytes, "objects": len(made.objects)}))
"""


@pytest.fixture
def cloud() -> Iterator[FaultyS3]:
    started = FaultyS3()
    started.reset()
    yield started
    started.reset()
    started.stop()


def test_the_most_workers_stay_below_the_limit(
    cloud: FaultyS3,
    server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
    cloud.client().create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    with server.superuser(SOURCE) as connection:
        connection.execute(
            "CREATE TABLE noise AS SELECT i AS id, (SELECT string_agg(md5((i * 100 + j)::text), '')"
            f" FROM generate_series(1, 40) j) AS block FROM generate_series(1, {ROWS}) i"
        )
    endpoint = server.endpoint
    given = {
        "host": endpoint.host, "port": endpoint.port, "database": SOURCE,
        "ca_bundle": str(endpoint.ca_bundle), "url": cloud.url, "user": USER,
        "password": PASSWORD, "bucket": BUCKET, "workers": MOST_WORKERS,
        "kms_key": cloud.client("kms").create_key()["KeyMetadata"]["Arn"],
    }  # fmt: skip
    peak = 0.0
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, json.dumps(given)], stdout=subprocess.PIPE, text=True
    ) as worker:
        while worker.poll() is None:
            peak = max(peak, resident_mib(worker.pid))
            time.sleep(0.02)
        assert worker.stdout is not None
        result = json.loads(worker.stdout.read().splitlines()[-1])
    assert worker.returncode == 0
    assert result["bytes"] > 60_000_000
    assert result["objects"] > MOST_WORKERS
    assert 40 < peak < LIMIT_MIB
