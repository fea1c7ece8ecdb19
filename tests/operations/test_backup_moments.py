"""Changes that come just as a backup begins or works: it waits, ends with a word, or is of one moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from operations.backup import catalog, run, session
from operations.errors import OperationError
from tests.operations import backup_faults
from tests.operations.backup_faults import assert_nothing_remains, assert_whole, wait_for
from tests.operations.faulty_s3 import FaultyS3
from tests.operations.site import SOURCE, Site

pytestmark = pytest.mark.root

cloud = backup_faults.cloud
small_parts = backup_faults.small_parts
site = backup_faults.site


def execute(site: Site, statements: str) -> None:
    with site.server.superuser(SOURCE) as connection:
        connection.execute(statements.encode())


def waiting(site: Site) -> bool:
    """Whether a session waits for a table."""
    with site.server.superuser() as superuser:
        query = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        return superuser.execute(query).fetchone() is not None


def test_a_migration_that_waits_for_the_backup_stops_it_and_nobody_waits_for_ever(
    site: Site, cloud: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup's later sessions wait behind the migration, which waits for the first one."""
    monkeypatch.setattr(session, "LONGEST_WAIT_SECONDS", 1)
    change = "ALTER TABLE noise ADD COLUMN more int; ALTER TABLE noise DROP COLUMN more"
    migration = threading.Thread(target=execute, args=(site, change))

    def migrate() -> None:
        migration.start()
        wait_for(lambda: waiting(site), "the migration waits for the backup")

    # The first piece of the table; other sessions have still to begin with it.
    cloud.when("CreateMultipartUpload", migrate)
    said = (
        r"psql waited too long for a table: .* \(process \d+ of rdsadmin, no program named, waits for "
        r"public\.noise for \d+ s, its statement began \d{4}-.*\); no backup .* lock_timeout"
    )
    with pytest.raises(OperationError, match=said):
        site.backup(time_limit_seconds=60)
    migration.join(30)
    assert not migration.is_alive()
    assert_nothing_remains(site, None)


def test_pg_dump_waits_no_longer_either(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a table without rows of its own: its partitions have them."""
    execute(site, "CREATE TABLE parent (id int) PARTITION BY LIST (id)")
    monkeypatch.setattr(session, "LONGEST_WAIT_SECONDS", 1)
    with site.server.superuser(SOURCE) as migration, migration.transaction():
        migration.execute("LOCK TABLE parent IN ACCESS EXCLUSIVE MODE")
        who = rf"\(process {migration.info.backend_pid} of .* holds public\.parent .*\); no backup"
        with pytest.raises(OperationError, match=f"pg_dump waited too long for a table: .* {who}"):
            site.backup(time_limit_seconds=60)
    assert_nothing_remains(site, None)


def test_a_migration_loses_no_deadlock_to_a_backup(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that held `few` and waited for `noise` would end it, or be ended by it."""
    real, locks = catalog.lock, threading.Event()

    def tell_and_lock(connection: Any, tables: Any) -> None:
        locks.set()
        real(connection, tables)

    monkeypatch.setattr(catalog, "lock", tell_and_lock)
    with ThreadPoolExecutor(1) as pool, site.server.superuser(SOURCE) as migration:
        with migration.transaction():
            migration.execute("SET LOCAL deadlock_timeout = '10ms'")
            migration.execute("LOCK TABLE noise IN ACCESS EXCLUSIVE MODE")
            run = pool.submit(site.backup)
            assert locks.wait(30)
            time.sleep(0.3)
            migration.execute("LOCK TABLE few IN ACCESS EXCLUSIVE MODE")
        run.result(60)
    assert_whole(site)


RENAMES = {
    "schema live was renamed to stage": "ALTER SCHEMA live RENAME TO tmp; "
    "ALTER SCHEMA stage RENAME TO live; ALTER SCHEMA tmp RENAME TO stage",
    "label of an enum open was renamed to done": "ALTER TYPE state RENAME VALUE 'open' TO 'done'",
    "type state was renamed to status": "ALTER TYPE state RENAME TO status",
    "function now_of_ours was renamed to later": "ALTER FUNCTION now_of_ours() RENAME TO later",
}


def test_what_is_renamed_meanwhile_is_in_no_backup(site: Site, cloud: FaultyS3) -> None:
    """A lock of a table keeps neither its schema's name nor an enum's labels: rows of another table
    would be read, counted and hashed as its own, or labels that the definitions do not have.
    """
    execute(
        site,
        "CREATE SCHEMA live; CREATE TABLE live.goods AS SELECT 'of live' AS name; "
        "CREATE SCHEMA stage; CREATE TABLE stage.goods AS SELECT 'of stage' AS name; "
        "CREATE TYPE state AS ENUM ('open'); CREATE TABLE orders AS SELECT 'open'::state AS state; "
        "CREATE FUNCTION now_of_ours() RETURNS timestamptz LANGUAGE sql RETURN now()",
    )
    for said, change in RENAMES.items():
        cloud.when("ListMultipartUploads", lambda change=change: execute(site, change))
        with pytest.raises(OperationError, match=f"the {said} while the backup ran"):
            site.backup()
        assert (site.manifests(), site.uploads()) == ([], [])
    site.backup()
    assert len(site.manifests()) == 1


def test_a_schema_that_goes_before_its_tables_are_locked_costs_a_try(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(site, "CREATE SCHEMA job; CREATE TABLE job.passing ()")
    real = catalog.lock

    def drop_then_lock(connection: Any, tables: Any) -> None:
        execute(site, "DROP SCHEMA IF EXISTS job CASCADE")
        real(connection, tables)

    monkeypatch.setattr(catalog, "lock", drop_then_lock)
    site.backup()
    assert_whole(site)


def test_a_sequence_that_goes_meanwhile_is_named(site: Site, cloud: FaultyS3) -> None:
    execute(site, "CREATE SEQUENCE passing")
    cloud.when("ListMultipartUploads", lambda: execute(site, "DROP SEQUENCE passing"))
    with pytest.raises(OperationError, match=r"a sequence went .*public\.passing.* no backup was"):
        site.backup()
    assert_nothing_remains(site, None)


def test_sequences_of_unlogged_tables_are_left_out_on_a_standby(site: Site) -> None:
    """PostgreSQL refuses to read them there."""
    execute(site, "CREATE UNLOGGED TABLE cache (id int GENERATED ALWAYS AS IDENTITY)")
    execute(site, "CREATE SEQUENCE kept")
    with site.connect(SOURCE) as connection:
        named = [
            [one.name for one in catalog.sequences(connection, on_standby=standby)]
            for standby in (False, True)
        ]
    assert named == [["cache_id_seq", "kept"], ["kept"]]


def test_an_encoding_that_python_does_not_know_is_refused_with_a_word(site: Site) -> None:
    with site.server.superuser() as superuser:
        superuser.execute("DROP DATABASE IF EXISTS chinese")
        superuser.execute(
            "CREATE DATABASE chinese ENCODING 'EUC_TW' TEMPLATE template0 LOCALE_PROVIDER libc "
            "LOCALE 'C'"
        )
    with (
        site.connect("chinese") as connection,
        pytest.raises(OperationError, match="encoding is EUC_TW, which Python cannot read"),
    ):
        session.export(connection)
    with site.server.superuser() as superuser:
        superuser.execute("DROP DATABASE chinese")


def test_without_room_for_locks_it_is_said_what_to_raise(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise psycopg.errors.OutOfMemory("out of shared memory")

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "lock", no_room)
        with pytest.raises(OperationError, match=r"locks of 2 tables .* max_locks_per_transaction"):
            site.backup()
    assert_nothing_remains(site, None)


def test_a_table_that_is_made_and_rewritten_meanwhile_costs_a_try_and_is_not_empty(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try's snapshot has the table as it was before it was rewritten."""
    real, tries = catalog.lock, list[int]()

    def change_then_lock(connection: Any, tables: Any) -> None:
        tries.append(len(tables))
        if len(tries) == 1:
            execute(site, "CREATE TABLE late AS SELECT 1 AS id")
        elif len(tries) == 2:
            execute(site, "ALTER TABLE late ALTER id TYPE bigint")
        real(connection, tables)

    monkeypatch.setattr(catalog, "lock", change_then_lock)
    backup = site.backup()
    assert tries == [2, 1, 3]
    assert backup.row_counts["public.late"] == 1


def test_a_name_that_divides_keys_is_refused(site: Site) -> None:
    """Its backup would be whole, and in no list."""
    with pytest.raises(OperationError, match="name is 'a/b': a slash divides the keys"):
        run(
            "manual",
            site.endpoint("a/b"),
            connect=lambda: site.connect(SOURCE),
            target=site.target,
            s3=site.s3,
        )
    assert site.s3.list_objects_v2(Bucket=site.target.bucket)["KeyCount"] == 0
