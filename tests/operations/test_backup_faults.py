"""Whatever breaks while a backup runs: nothing that looks like one remains, and the next is whole.

A fault of a moment ends no backup; one that stays ends it with a word and a metric. The bucket is
looked at after each.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ExponentialBackoff
from moto.s3 import models as moto_s3

from operations.backup import (
    BackupTarget,
    catalog,
    children,
    marked_output,
    object_writer,
    rows,
    segments,
    time_budget,
)
from operations.backup.marked_output import MarkedOutput
from operations.backup.store import Store
from operations.backup.verify import verify
from operations.errors import OperationError
from tests.operations.faulty_s3 import BUCKET, REGION, FaultyS3, answer, hang, lose_answer, reset
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, SOURCE, USER, Site, unpack_client_layer

pytestmark = pytest.mark.root

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
    _wait_for(lambda: _sessions(site) == [], "the worker's sessions go on")
    # The request that was on its way may still arrive.
    _wait_for(cloud.idle, "requests go on")
    assert site.manifests() == []
    site.backup()
    assert_whole(site)
    assert site.uploads() == []


def test_the_time_limit_comes_while_s3_hangs(
    site: Site, cloud: FaultyS3, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.always_fail(("UploadPart",), hang(1.9))
    started = time.monotonic()
    with pytest.raises(OperationError, match="stopped after 3 s, the limit of this run"):
        site.backup(time_limit_seconds=3)
    # What is left of the function's time is 20 s.
    assert time.monotonic() - started < 15
    cloud.heal()
    assert_nothing_remains(site, capsys.readouterr().out)


def test_the_time_limit_comes_while_a_migration_holds_a_table(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with site.server.superuser(SOURCE) as migration, migration.transaction():
        migration.execute("LOCK TABLE noise IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(OperationError, match="stopped after 2 s, the limit of this run"):
            site.backup(time_limit_seconds=2)
        assert time.monotonic() - started < 10
    assert_nothing_remains(site, capsys.readouterr().out)


def test_a_run_that_would_not_end_in_time_writes_nothing(
    site: Site,
    cloud: FaultyS3,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(time_budget, "ASSUMED_BYTES_A_SECOND", 10_000)
        with pytest.raises(OperationError, match=r"would take about \d+ s .* --here --workers"):
            site.backup(time_limit_seconds=60)
        assert not {*WRITES} & {*cloud.seen}
        output = capsys.readouterr().out
        site.backup()
    assert_whole(site)
    assert '"event": "backup_failed"' in output


def test_a_migration_that_does_not_end_is_named(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "LOCK_WAIT_SECONDS", 1)
    with site.server.superuser(SOURCE) as migration, migration.transaction():
        migration.execute("ALTER TABLE noise ADD COLUMN more int")
        with pytest.raises(OperationError, match="being changed since more than 1 s"):
            site.backup()
        migration.execute("ALTER TABLE noise DROP COLUMN more")
    assert_nothing_remains(site, capsys.readouterr().out)


@pytest.mark.parametrize(
    "change", ["ALTER TABLE noise ALTER id TYPE bigint", "DROP TABLE noise", "TRUNCATE noise"]
)
def test_no_table_changes_under_a_backup(site: Site, cloud: FaultyS3, change: str) -> None:
    waited: list[bool] = []

    def change_it() -> None:
        with site.server.superuser(SOURCE) as migration:
            migration.execute("SET lock_timeout = '200ms'")
            try:
                migration.execute(change.encode())
                waited.append(False)
            except psycopg.errors.LockNotAvailable:
                waited.append(True)

    # The first request after the snapshot was taken.
    cloud.when("ListMultipartUploads", change_it)
    site.backup()
    assert waited == [True]
    assert_whole(site)


def test_a_table_that_is_rewritten_as_the_backup_begins_is_not_empty_in_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of a rewritten table are invisible to a snapshot that is older than the rewrite."""
    real = catalog.lock

    def rewrite_then_lock(connection: Any, tables: Any) -> None:
        with site.server.superuser(SOURCE) as migration:
            migration.execute("ALTER TABLE noise ALTER id TYPE bigint")
        real(connection, tables)

    monkeypatch.setattr(catalog, "lock", rewrite_then_lock)
    site.backup()
    assert_whole(site)


def test_tables_that_come_and_go_are_locked_in_another_try(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = catalog.lock
    tries: list[int] = []

    def make_then_lock(connection: Any, tables: Any) -> None:
        tries.append(len(tables))
        if len(tries) < 4:
            with site.server.superuser(SOURCE) as migration:
                drop = f"DROP TABLE IF EXISTS passing{len(tries) - 1}"
                migration.execute(drop.encode())
                if len(tries) < 3:
                    migration.execute(f"CREATE TABLE passing{len(tries)} ()".encode())
        real(connection, tables)

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "lock", make_then_lock)
        site.backup()
    assert tries == [2, 3, 3, 2]
    assert_whole(site)


CUTS = {
    "main": "query LIKE '%pg_database%' AND application_name = 'pgkeep'",
    "all": "true",
}


@pytest.mark.parametrize("which", list(CUTS))
def test_a_cut_connection_leaves_no_backup(
    site: Site, cloud: FaultyS3, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    cut: list[Any] = []
    cloud.when("UploadPart", lambda: cut.extend(_terminate(site, CUTS[which])), number=2)
    with pytest.raises((OperationError, psycopg.Error)):
        site.backup()
    assert cut
    cloud.heal()
    assert_nothing_remains(site, capsys.readouterr().out)


def test_a_cut_copy_leaves_no_backup(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[Any] = []

    class Cutting(MarkedOutput):
        def line(self) -> bytes:
            line = super().line()
            # Nobody reads, so that the rows of the large table wait in their COPY.
            cut.extend(_terminate(site, "query LIKE 'COPY%' AND wait_event = 'ClientWrite'"))
            return line

    monkeypatch.setattr(rows, "MarkedOutput", Cutting)
    monkeypatch.setattr(segments, "SMALLEST_SEGMENT_BYTES", 1024**3)
    with site.server.superuser(SOURCE) as superuser:
        superuser.execute("CREATE TABLE long (word text STORAGE EXTERNAL)")
        superuser.execute(
            "INSERT INTO long SELECT repeat(n::text, 9000) FROM generate_series(1000, 2500) n"
        )
    try:
        with pytest.raises(OperationError, match=r"psql ended with 2: .*; no backup was made"):
            site.backup()
    finally:
        with site.server.superuser(SOURCE) as superuser:
            superuser.execute("DROP TABLE long")
        monkeypatch.undo()
    assert cut
    assert_nothing_remains(site, capsys.readouterr().out)


def _terminate(site: Site, condition: str) -> list[Any]:
    """End the backup's sessions that fit, once there are some."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE usename = '{USER}' AND ({condition})"
    ).encode()
    ended: list[Any] = []
    with site.server.superuser() as superuser:
        for _ in range(100):
            ended = superuser.execute(query).fetchall()
            if ended:
                break
            time.sleep(0.05)
    return ended


def test_a_server_that_crashes_leaves_no_backup(
    site: Site, cloud: FaultyS3, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed backend makes the server end all sessions and recover, as a failover does."""

    def crash() -> None:
        with contextlib.suppress(psycopg.Error), site.server.superuser() as superuser:
            superuser.execute(
                "DO $$ BEGIN EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', "
                "'kill -9 ' || pg_backend_pid()); END $$"
            )

    cloud.when("UploadPart", crash, number=2)
    with pytest.raises((OperationError, psycopg.Error)):
        site.backup()
    cloud.heal()
    _wait_for(lambda: _answers(site), "the server does not come back")
    assert_nothing_remains(site, capsys.readouterr().out)


def test_limits_of_the_role_and_a_full_disk_end_no_backup(site: Site) -> None:
    """A backup writes nothing on the server, temporary files included, and sets its own limits."""
    with site.server.superuser(SOURCE) as superuser:
        for setting in (
            "temp_file_limit = 0",
            "statement_timeout = '50ms'",
            "transaction_timeout = '100ms'",
            "idle_in_transaction_session_timeout = '50ms'",
        ):
            superuser.execute(f"ALTER ROLE {USER} SET {setting}".encode())
    site.backup()
    assert_whole(site)


def test_two_runs_at_once_make_one_backup(site: Site, cloud: FaultyS3) -> None:
    refused: list[str] = []

    def second() -> None:
        try:
            site.backup()
        except OperationError as error:
            refused.append(str(error))

    cloud.when("UploadPart", second)
    site.backup()
    assert len(refused) == 1
    assert "another backup of this database is running" in refused[0]
    assert_whole(site)


def _sessions(site: Site) -> list[Any]:
    with site.server.superuser() as superuser:
        query = f"SELECT pid FROM pg_stat_activity WHERE usename = '{USER}'"
        return superuser.execute(query.encode()).fetchall()


def _answers(site: Site) -> bool:
    try:
        site.server.superuser().close()
    except psycopg.Error:
        return False
    return True


def _wait_for(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
