"""Time limits, migrations, cut connections and a crash under a backup: as `test_backup_faults`."""

import contextlib
import threading
import time
from typing import Any

import psycopg
import pytest

from operations.backup import (
    catalog,
    rows,
    segments,
    time_budget,
)
from operations.backup.marked_output import MarkedOutput
from operations.errors import OperationError
from tests.operations import backup_faults
from tests.operations.backup_faults import (
    WRITES,
    assert_nothing_remains,
    assert_whole,
    wait_for,
)
from tests.operations.faulty_s3 import FaultyS3, hang
from tests.operations.site import SOURCE, USER, Site

pytestmark = pytest.mark.root

cloud = backup_faults.cloud
small_parts = backup_faults.small_parts
site = backup_faults.site


def test_the_time_limit_comes_while_s3_is_slow(
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


@pytest.mark.parametrize(
    "operations",
    [
        ("CreateMultipartUpload",),
        ("UploadPart", "AbortMultipartUpload"),
        ("CompleteMultipartUpload", "AbortMultipartUpload"),
        ("PutObject",),
    ],
)
def test_the_time_limit_comes_while_s3_gives_no_answer(
    site: Site, cloud: FaultyS3, capsys: pytest.CaptureFixture[str], operations: tuple[str, ...]
) -> None:
    answers = threading.Event()

    def silence(environ: dict[str, Any], start: Any, passed: Any) -> Any:
        answers.wait(60)
        return passed(environ, start)

    cloud.always_fail(operations, silence)
    started = time.monotonic()
    try:
        with pytest.raises(OperationError, match="stopped after 3 s, the limit of this run"):
            site.backup(time_limit_seconds=3)
        assert time.monotonic() - started < 3 + 20
    finally:
        cloud.heal()
        answers.set()
    assert '"BackupSuccess": 0' in capsys.readouterr().out
    # What was on its way arrives now.
    wait_for(cloud.idle, "requests go on")
    assert site.manifests() == []
    site.backup()
    assert_whole(site)
    assert site.uploads() == []


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
        who = f"process {migration.info.backend_pid} of rdsadmin, no program named, holds"
        word = rf"being changed since more than 1 s.*\({who} public.noise for \d+ s, idle in tran"
        with pytest.raises(OperationError, match=word):
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
    assert tries == [2, 1, 3, 2]
    assert_whole(site)


CUTS = {
    "main": "state = 'idle in transaction' AND application_name = 'pgkeep'",
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
            cut.extend(_terminate(site, "query LIKE '%COPY %' AND wait_event = 'ClientWrite'"))
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
    wait_for(lambda: _answers(site), "the server does not come back")
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


def _answers(site: Site) -> bool:
    try:
        site.server.superuser().close()
    except psycopg.Error:
        return False
    return True
