"""Databases of many small tables: counted and hashed together, without a request for their speed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from operations.backup import (
    BackupTarget,
    Options,
    batches,
    catalog,
    dump,
    fingerprints,
    manifest,
    rows,
    run,
)
from operations.backup.batches import Batch, Batches
from operations.backup.catalog import Table
from operations.backup.children import Children
from operations.backup.fingerprints import Fingerprint, fingerprint
from operations.backup.manifest import RowsInObject, TableRecord
from operations.backup.object_writer import StoredObject, StoredPart
from operations.backup.segments import Segment
from operations.database import Endpoint
from operations.errors import OperationError
from tests.operations import stored_backups, test_backup
from tests.operations.conftest import Deployment

pytestmark = pytest.mark.root

client_layer = test_backup.client_layer
filled = test_backup.filled
target = test_backup.target

# Nothing in some of them, and what could end a statement or a value too early.
_TABLES = """
CREATE TABLE without_columns ();
INSERT INTO without_columns DEFAULT VALUES;
CREATE TABLE empty (id int, word text);
CREATE TABLE emptied AS SELECT 1 AS id;
DELETE FROM emptied;
CREATE TABLE nulls AS SELECT NULL::int AS id, NULL::text AS word FROM generate_series(1, 3);
CREATE TABLE "odd ""name; :x \\" AS SELECT E'\\x0b\\t\\n:1:2 ' AS "a ':b", 1.5::float8 AS f;
CREATE TABLE larger AS SELECT i AS id, repeat(md5(i::text), 20) AS word
  FROM generate_series(1, 400) i;
"""
_NUMBERED = "CREATE TABLE numbered_{0} AS SELECT i AS id FROM generate_series(1, {0}) i"


def _small(count: int, size_bytes: int = 8192) -> list[Segment]:
    tables = [Table("s", f"t{n}", (), pages=1, size_bytes=size_bytes) for n in range(count)]
    return [Segment(table, size_bytes=size_bytes) for table in tables]


def _cut(small: list[Segment], sessions: int) -> list[Batch]:
    return list(batches.cut(small, sessions, together=True))


def test_batches_hold_every_table_once_and_become_small_towards_the_end() -> None:
    small = _small(2_000)
    found = _cut(small, 2)
    assert [one for batch in found for one in batch.segments] == small
    sizes = [len(batch.segments) for batch in found]
    assert sizes[0] == 50
    assert max(sizes[-4:]) == 10
    assert sorted(sizes, reverse=True) == sizes
    assert [len(batch.segments) for batch in _cut(_small(5), 2)] == [5]
    assert _cut([], 2) == []
    # Nobody waits for the last session to copy many larger ones.
    assert {len(batch.segments) for batch in _cut(_small(40, 1024**2), 2)} == {4}
    assert {len(batch.segments) for batch in _cut(_small(4, 16 * 1024**2), 2)} == {1}


def test_sessions_take_batches_as_they_are_through_with_them() -> None:
    small = _small(2_000)
    shared = Batches(_cut(small, 2))
    first, second = shared.an_object(), shared.an_object()
    assert first is not None
    assert second is not None
    # One of them is slow.
    slow = [next(second)]
    quick = list(first)
    slow += second
    assert len(slow) == 1
    taken = [id(one) for batch in (*quick, *slow) for one in batch.segments]
    assert sorted(taken) == sorted(map(id, small))
    assert shared.an_object() is None


def test_an_object_ends_at_its_size_and_the_next_one_goes_on() -> None:
    found = _cut(_small(2_100), 1)
    shared = Batches(found)
    tables: list[int] = []
    while (taken := shared.an_object()) is not None:
        tables.append(sum(len(batch.segments) for batch in taken))
    assert tables == [2_000, 100]
    shared = Batches(_cut(_small(100, 1024**2), 1))
    sizes: list[int] = []
    while (taken := shared.an_object()) is not None:
        sizes.append(sum(batch.size_bytes for batch in taken) // 1024**2)
    assert sizes == [32, 32, 32, 4]


def test_no_session_is_begun_for_little_while_another_is_at_work() -> None:
    shared = Batches(_cut(_small(150), 2))
    alone = shared.an_object()
    assert alone is not None
    assert shared.an_object() is None
    assert sum(len(batch.segments) for batch in alone) == 150
    # What no object at work has room for is not left behind.
    shared = Batches(_cut(_small(2_010), 2))
    full = shared.an_object()
    assert full is not None
    in_full = sum(len(batch.segments) for batch in full)
    assert 1_950 <= in_full <= 2_000
    rest = shared.an_object()
    assert rest is not None
    assert in_full + sum(len(batch.segments) for batch in rest) == 2_010


def test_what_was_counted_together_comes_back_in_its_place() -> None:
    nothing = Fingerprint(0, 0)
    found = fingerprints.read_together("2:3:-7 0:1:18446744073709551616", 4)
    assert found == [Fingerprint(1, 2**64), nothing, Fingerprint(3, -7), nothing]
    assert fingerprints.read_together("", 2) == [nothing, nothing]


def test_small_tables_are_counted_and_hashed_together_as_alone(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_TABLES_A_MESSAGE", 2)
    monkeypatch.setattr(batches, "_TABLES_A_BATCH", 4)
    monkeypatch.setattr(rows, "_TABLES_A_TRANSACTION", 8)
    with filled.connect("node_pass_migrator") as migrator:
        migrator.execute(_TABLES.encode())
        for number in range(1, 20):
            migrator.execute(_NUMBERED.format(number).encode())
    asked: list[str] = []

    def see(model: Any, **_: Any) -> None:
        asked.append(model.name)

    s3.meta.events.register("before-call.s3", see)
    before = len(filled.server.log)
    made = run(
        "daily",
        filled.server.endpoint,
        connect=lambda: filled.connect("node_pass_backup"),
        target=target,
        # As the function has it made: beside the first queries.
        s3=lambda: s3,
    )
    log = filled.server.log[before:]
    # Backups of such a size tell no speed.
    assert set(asked) == {"ListMultipartUploads", "PutObject"}
    assert log.count("AS summed") >= 5
    assert log.count("COMMIT;") >= 2
    recorded = {table.name: Fingerprint(table.rows, table.hash) for table in made.tables}
    with filled.connect("node_pass_backup") as connection:
        for table in catalog.read(connection, on_standby=False).tables:
            assert recorded[table.name] == fingerprint(connection, table), table.name
    assert recorded["empty"] == recorded["emptied"] == Fingerprint(0, 0)
    # What has no page needs neither; what has some may hold rows.
    asked_for = re.findall(r'(?:COPY|hash FROM ONLY) "node_pass"."(empty|emptied)"', log)
    assert sorted(set(asked_for)) == ["emptied"]
    assert recorded["without_columns"] == Fingerprint(1, None)
    assert [recorded[f"numbered_{number}"].rows for number in (1, 19)] == [1, 19]
    assert recorded["nulls"].rows == 3
    limited = run(
        "daily",
        filled.server.endpoint,
        connect=lambda: filled.connect("node_pass_backup"),
        target=target,
        s3=s3,
        options=Options(largest_hashed_table_bytes=8192),
    )
    hashed = {table.name: table.hash is not None for table in limited.tables}
    assert (hashed["numbered_1"], hashed["larger"], hashed["nulls"]) == (True, False, True)


def test_a_client_that_cannot_be_made_leaves_no_backup(
    filled: Deployment, target: BackupTarget, s3: Any
) -> None:
    def refuse() -> Any:
        raise OperationError("no credentials")

    with pytest.raises(OperationError, match="no credentials"):
        run(
            "daily",
            filled.server.endpoint,
            connect=lambda: filled.connect("node_pass_backup"),
            target=target,
            s3=refuse,
        )
    assert test_backup.objects(s3) == []
    # Nothing of it is at work, so that the next one begins at once.
    assert test_backup.backup(filled, target, s3).row_counts


def test_the_client_is_made_while_the_database_is_connected_to(
    filled: Deployment, target: BackupTarget, s3: Any
) -> None:
    begun = threading.Event()

    def make() -> Any:
        begun.set()
        return s3

    def connect() -> Any:
        assert begun.wait(30)
        return filled.connect("node_pass_backup")

    made = run("daily", filled.server.endpoint, connect=connect, target=target, s3=make)
    assert made.row_counts


def test_the_database_is_connected_to_while_the_program_is_imported() -> None:
    """In a process of its own, in which nothing of a run is imported yet."""
    program = """
import sys
import threading
from pathlib import Path
from operations.backup import BackupTarget, Options, run
from operations.database import Endpoint
late = ("operations.backup.dump", "zstandard")
assert not [name for name in late if name in sys.modules]
def connect():
    print(threading.current_thread().name, flush=True)
    raise SystemExit("no connection")
run("daily", Endpoint("h", 1, "d", Path("c")), connect=connect, target=BackupTarget("b", "k", {}),
    s3=lambda: None)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[0] == "connect"
    assert '"backup_failed"' in done.stdout
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "no connection")


def test_a_connection_that_nobody_takes_is_closed(
    target: BackupTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()

    class Connection:
        def close(self) -> None:
            closed.set()

    def leave(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dump, "run", leave)
    endpoint = Endpoint("localhost", 5432, "node_pass", Path("ca.pem"))
    connect: Any = Connection
    with pytest.raises(KeyboardInterrupt):
        run("daily", endpoint, connect=connect, target=target, s3=None)  # pyright: ignore
    assert closed.wait(30)


def test_pg_dump_reads_the_catalog_uncompiled(
    filled: Deployment, target: BackupTarget, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, str] = {}
    run = Children._run

    def see(children: Children, program: str, words: Sequence[str], *more: Any) -> Any:
        if "--version" not in words:
            show = ["--command=SHOW jit", "--tuples-only"]
            with run(children, "psql", show, *more) as shown:
                assert shown.stdout is not None
                started[program] = shown.stdout.read().decode().strip()
        return run(children, program, words, *more)

    monkeypatch.setattr(Children, "_run", see)
    assert test_backup.backup(filled, target, s3).row_counts
    assert started == {"pg_dump": "off", "psql": "on"}


def test_a_manifest_is_one_text_for_its_hash_and_its_lines() -> None:
    rows = RowsInObject("k", 0, 9, "all", 1)
    table = TableRecord("s", 'ä"\n', ("id",), 1, 2**64, (rows,))
    others = (
        TableRecord("é\\", "cut", ("a", 'b"'), 2, -1, (rows, replace(rows, pages="0-7", key="ñ"))),
        TableRecord("s", "not hashed", (), 0, None, ()),
    )
    stored = StoredObject("k", 9, "00", (StoredPart(9, "00"),))
    made = replace(
        stored_backups.made(1),
        tables=(table, table, *others),
        objects=(stored,),
        extensions=(("a", "1"),),
    )
    body = manifest.encode(made)
    assert manifest.decode(body, "here") == made
    assert body.count(b'\n  {"columns":["id"],') == 2
    for one in (table, *others):
        # As JSON writes it: keys in their order, and no letters that are not ASCII.
        text = json.dumps(asdict(one), sort_keys=True, separators=(",", ":"))
        assert f"\n  {text}".encode("ascii") in body
    assert b'"extensions": [\n  ["a","1"]\n ]' in body
    assert b'"skipped": []' in body
