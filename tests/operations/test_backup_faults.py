"""Whatever breaks while a backup runs: nothing that looks like one remains, and the next is whole.

A fault of a moment ends no backup; one that stays ends it with a word and a metric. The bucket is
looked at after each.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.backup import (
    children,
    sweeper,
)
from operations.errors import OperationError
from tests.operations import backup_faults
from tests.operations.backup_faults import (
    EXPIRED,
    INTERNAL_ERROR,
    PART_BYTES,
    SLOW_DOWN,
    WRITES,
    WRONG_KEY,
    assert_nothing_remains,
    assert_whole,
    sessions,
    wait_for,
)
from tests.operations.faulty_s3 import BUCKET, FaultyS3, answer, hang, lose_answer, reset
from tests.operations.site import PASSWORD, SOURCE, USER, Site

pytestmark = pytest.mark.root

cloud = backup_faults.cloud
small_parts = backup_faults.small_parts
site = backup_faults.site


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(INTERNAL_ERROR, id="500"),
        pytest.param(SLOW_DOWN, id="throttled"),
        pytest.param(reset, id="reset"),
        pytest.param(lose_answer, id="answer-lost"),
        pytest.param(hang(3), id="timeout"),
        pytest.param(hang(0.5), id="slow"),
    ],
)
def test_a_fault_of_a_moment_ends_no_backup(site: Site, cloud: FaultyS3, fault: Any) -> None:
    cloud.fail((*WRITES, "ListMultipartUploads"), fault, fault)
    site.backup()
    assert cloud.seen.count("UploadPart") > 10
    assert_whole(site)
    # A lost answer to CreateMultipartUpload leaves an upload that nobody knows; the next run does.
    site.backup()
    assert site.uploads() == []


def test_a_conflict_that_is_none_of_ours_is_no_success(site: Site, cloud: FaultyS3) -> None:
    cloud.fail(("PutObject",), answer("412 Precondition Failed", "PreconditionFailed"))
    with pytest.raises(ClientError, match="PreconditionFailed"):
        site.backup()
    assert site.manifests() == []


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    ("fault", "word"),
    [
        pytest.param(INTERNAL_ERROR, "InternalError", id="500"),
        pytest.param(SLOW_DOWN, "SlowDown", id="throttled"),
        pytest.param(EXPIRED, "ExpiredToken", id="expired-credentials"),
        pytest.param(WRONG_KEY, "AccessDenied", id="wrong-key"),
    ],
)
def test_a_fault_that_stays_leaves_no_backup(
    site: Site,
    cloud: FaultyS3,
    capsys: pytest.CaptureFixture[str],
    operation: str,
    fault: Any,
    word: str,
) -> None:
    cloud.always_fail((operation,), fault)
    with pytest.raises(ClientError, match=word):
        site.backup()
    cloud.heal()
    assert_nothing_remains(site, capsys.readouterr().out)


def test_what_cannot_even_be_cleaned_up_is_swept_by_the_next_run(
    site: Site, cloud: FaultyS3, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.always_fail(("UploadPart", "AbortMultipartUpload"), EXPIRED)
    with pytest.raises(ClientError, match="UploadPart"):
        site.backup()
    cloud.heal()
    output = capsys.readouterr().out
    assert '"upload_left"' in output
    assert_nothing_remains(site, output, swept=1)
    assert '"upload_swept"' in capsys.readouterr().out


def test_a_run_that_reads_a_replica_keeps_its_uploads(site: Site) -> None:
    """It holds no lock that the primary knows of."""
    folder = f"manual/{SOURCE}/{sweeper.identifier(datetime.now(UTC), 'replica.example.com')}"
    alive = f"{folder}/rows/000001.zst"
    of_the_same = f"manual/{SOURCE}/{sweeper.identifier(datetime.now(UTC), 'localhost')}/dead.zst"
    for key in (alive, of_the_same):
        site.s3.create_multipart_upload(Bucket=site.target.bucket, Key=key)
    made = site.backup()
    assert site.uploads() == [alive]
    assert made.id[17:21] == of_the_same.split("/")[2][17:21]


def test_a_restore_outlives_a_moment_and_stops_with_the_word_at_what_stays(
    site: Site, cloud: FaultyS3
) -> None:
    """The bucket is the same after each; nothing is proven that was not read."""
    backup = site.backup()
    for fault in (INTERNAL_ERROR, SLOW_DOWN, reset, hang(3)):
        cloud.fail(("GetObject",), fault, fault)
    site.restore(backup)
    assert site.prove(backup).proven
    for fault, word, advice in (
        (WRONG_KEY, "AccessDenied", "check the permissions"),
        (EXPIRED, "ExpiredToken", "get new credentials"),
    ):
        cloud.always_fail(("GetObject",), fault)
        with pytest.raises(OperationError, match=rf"cannot be read: .*{word}.*; {advice}"):
            site.restore(backup)
        cloud.heal()
        assert not site.prove(backup).proven
        assert_whole(site)
        assert site.uploads() == []


@pytest.mark.parametrize("program", ["pg_dump", "psql"])
@pytest.mark.parametrize("moment", ["at-once", "in-the-middle"])
def test_a_killed_program_leaves_no_backup(
    site: Site,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    moment: str,
) -> None:
    real = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        process = real(command, **options)
        if any(word.endswith(f"/{program}") for word in command) and "--version" not in command:
            if moment == "in-the-middle":
                # psql waits for its pipe to be read; pg_dump needs longer to log in and look around.
                time.sleep(0.02 if program == "pg_dump" else 0.1)
            process.kill()
        return process

    with monkeypatch.context() as patch:
        patch.setattr(children.subprocess, "Popen", start)
        if moment == "in-the-middle":
            # Less than the rows of a piece, so that none has ended before it is killed.
            patch.setattr(children, "_PIPE_BYTES", 4096)
        with pytest.raises(OperationError, match=rf"{program} was killed by signal 9: .*no backup"):
            site.backup()
    assert_nothing_remains(site, capsys.readouterr().out)


WORKER = """
import json, sys
from pathlib import Path
import boto3
from operations import aws_clients
from operations.backup import BackupTarget, object_writer, run, segments
from operations.database import Endpoint
from botocore.config import Config
given = json.loads(sys.argv[1])
object_writer._PART_STEPS = ((10_000, given["part_bytes"]),)
segments.SMALL_TABLE_BYTES, segments.SMALLEST_SEGMENT_BYTES = 100 * 1024, 500 * 1024
endpoint = Endpoint(given["host"], given["port"], given["database"], Path(given["ca_bundle"]))
config = aws_clients.patient().merge(Config(request_checksum_calculation="when_required"))
s3 = boto3.client("s3", endpoint_url=given["url"], region_name="eu-west-1",
                  aws_access_key_id="test", aws_secret_access_key="test", config=config)
run("manual", endpoint, connect=lambda: endpoint.connect(given["user"], given["password"]),
    target=BackupTarget(given["bucket"], given["kms_key"], {}), s3=s3)
"""


def start_worker(site: Site, cloud: FaultyS3) -> subprocess.Popen[str]:
    endpoint = site.endpoint(SOURCE)
    given = {
        "host": endpoint.host, "port": endpoint.port, "database": endpoint.database,
        "ca_bundle": str(endpoint.ca_bundle), "url": cloud.url, "user": USER,
        "password": PASSWORD, "bucket": BUCKET, "kms_key": site.target.kms_key,
        "part_bytes": PART_BYTES,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, json.dumps(given)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("ListMultipartUploads", 1),
        ("CreateMultipartUpload", 2),
        ("UploadPart", 1),
        ("UploadPart", 8),
        ("CompleteMultipartUpload", 1),
        ("CompleteMultipartUpload", 3),
    ],
)
def test_a_killed_worker_leaves_no_backup(
    site: Site, cloud: FaultyS3, operation: str, number: int
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        go_on.wait(20)

    cloud.when(operation, hold, number=number)
    worker = start_worker(site, cloud)
    try:
        assert reached.wait(30), "the worker never came so far"
        worker.kill()
        worker.wait()
    finally:
        go_on.set()
        worker.kill()
        worker.wait()
    assert worker.returncode == -signal.SIGKILL
    wait_for(lambda: sessions(site) == [], "the worker's sessions go on")
    # The request that was on its way may still arrive.
    wait_for(cloud.idle, "requests go on")
    assert site.manifests() == []
    site.backup()
    assert_whole(site)
    assert site.uploads() == []
