"""Restores of real backups on a real PostgreSQL 17: a round trip, damage, and what proof finds."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import zstandard

from operations.backup import BackupTarget, Manifest, owned_sequences, run
from operations.backup.children import Login
from operations.backup.store import Store
from operations.backup.verify import verify
from operations.errors import OperationError
from operations.restore import (
    Options,
    Restored,
    Selection,
    database_settings,
    databases,
    restore,
    rows,
    table_copy,
)
from operations.restore.proof import prove
from operations.restore.table_copy import Side
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD, PostgresServer
from tests.operations.site import PASSWORD, RESTORED, SOURCE, USER, Site, unpack_client_layer

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-of-a-restore-test"
NASTY = Path(__file__).parent / "databases" / "nasty.sql"


@pytest.fixture(scope="session", autouse=True)
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The layer's programs, unpacked as Lambda does."""
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
        yield


@pytest.fixture
def site(server: PostgresServer, aws: None) -> Iterator[Site]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    yield Site(server, s3, BackupTarget(BUCKET, key, retention_days={}))
    with server.superuser() as connection:
        databases.drop(connection, RESTORED)


@pytest.fixture
def nasty(site: Site) -> Site:
    """The source holds the nasty database."""
    with site.server.superuser(SOURCE) as connection:
        connection.execute(NASTY.read_bytes())
    return site


@pytest.fixture
def plain(site: Site) -> Site:
    """Two tables that belong together."""
    with site.server.superuser(SOURCE) as connection:
        connection.execute(
            b"CREATE TABLE buyers (id serial PRIMARY KEY, wallet text NOT NULL);"
            b"CREATE TABLE orders (id int PRIMARY KEY, buyer int NOT NULL REFERENCES buyers);"
            b"INSERT INTO buyers (wallet) SELECT md5(i::text) FROM generate_series(1, 2000) i;"
            b"INSERT INTO orders SELECT i, i FROM generate_series(1, 2000) i"
        )
    return site


STATISTICS = """
SELECT s.schemaname, s.tablename, s.attname, s.inherited
  FROM pg_stats s WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def test_a_nasty_database_comes_back_the_same(nasty: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = nasty.backup()
    assert [name for name, _ in backup.skipped] == ["plain.far"]
    assert backup.client_version.replace(".", "").isdigit()
    # Its tables are small, and are loaded as large ones are.
    monkeypatch.setattr(rows, "LARGE_BYTES", 1)
    restored = nasty.restore(backup)
    with nasty.connect() as connection:
        connection.autocommit = True
        unfrozen = connection.execute(
            """SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relpages > 0
                AND relnamespace = 'plain'::regnamespace AND relallvisible < relpages"""
        ).fetchall()
        assert unfrozen == []
        statistics = set(connection.execute(STATISTICS.encode()).fetchall())
        connection.execute("ANALYZE")
        assert statistics == set(connection.execute(STATISTICS.encode()).fetchall())
        assert {inherited for *_, inherited in statistics} == {True, False}
    told: dict[str, list[float]] = {}
    proof = nasty.prove(
        backup, progress=lambda step, share: told.setdefault(step, []).append(share)
    )
    assert [check for check in proof.checks if not check.passed] == []
    assert proof.left_out == []
    assert list(told)[0 :: len(told) - 1] == ["rows", "indexes"]
    for step in ("rows", "indexes"):
        assert told[step] == sorted(told[step])
        assert (told[step][0], told[step][-1]) == (0.0, 1.0)
    assert {check.name for check in proof.checks} >= {"rows", "indexes checked with amcheck"}
    assert restored.steps.keys() >= {"definitions", "rows", "large objects", "sequences"}
    assert nasty.dump(RESTORED) == nasty.dump(SOURCE)


HIDDEN_ORDER = """
CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
CREATE TABLE felt (m mood, id int) PARTITION BY HASH (m);
SELECT format('CREATE TABLE felt_%s PARTITION OF felt FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i)
  FROM generate_series(0, 7) i;
INSERT INTO felt SELECT m, i FROM unnest(enum_range(NULL::mood)) m, generate_series(1, 20) i;
CREATE MATERIALIZED VIEW z_first AS SELECT count(*) FROM felt;
CREATE FUNCTION reads() RETURNS bigint LANGUAGE plpgsql
  AS 'BEGIN RETURN (SELECT count FROM public.z_first); END';
CREATE MATERIALIZED VIEW a_second AS SELECT reads();
CREATE MATERIALIZED VIEW never AS SELECT 1 WITH NO DATA;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent);
CREATE TABLE heir () INHERITS (child);
CREATE TABLE older (id int);
INSERT INTO older VALUES (-5);
ALTER TABLE older ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
ALTER TABLE older ADD CONSTRAINT known FOREIGN KEY (id) REFERENCES parent NOT VALID;
INSERT INTO heir VALUES (7);
CREATE TABLE imported (id serial PRIMARY KEY,
                       falling int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) UNIQUE);
INSERT INTO imported VALUES (100, -50);
ALTER DATABASE node_pass SET search_path = plain, "Odd ""name"", é", '$user';
ALTER DATABASE node_pass SET work_mem = '7MB';
ALTER DATABASE node_pass SET "app.tenant" = 'it''s, "quoted"';
ALTER DATABASE node_pass CONNECTION LIMIT 77;
COMMENT ON DATABASE node_pass IS 'it''s the database';
ALTER ROLE stranger_admin IN DATABASE node_pass SET search_path = ''
"""
BEFORE = ", which was so when it was backed up"
NO_FOREIGN_KEYS = "foreign keys (1): they are not here, and neither are the rows of the tables that were not chosen"
BESIDE_ITS_CONTENT = """
SELECT datconnlimit, shobj_description(d.oid, 'pg_database'),
       (SELECT array_agg((setrole::regrole::text, setconfig) ORDER BY setrole)::text
          FROM pg_db_role_setting WHERE setdatabase = d.oid)
  FROM pg_database d WHERE datname = %s
"""


def test_what_pg_dump_cannot_know_of_comes_back_too(site: Site) -> None:
    """Partitions by an enum's hash, a view that a function reads, a key that heirs do not have."""
    with site.server.superuser(SOURCE) as connection:
        connection.autocommit = True
        for statement in HIDDEN_ORDER.split(";\n"):
            made = connection.execute(statement.encode())
            for (more,) in made.fetchall() if statement.startswith("SELECT") else ():
                connection.execute(more.encode())
    backup = site.backup()
    # One session, so that a_second comes first.
    restored = site.restore(backup, workers=1)
    proof = site.prove(backup)
    assert [check for check in proof.checks if not check.passed] == []
    assert sorted(proof.left_out) == [
        "public.imported_falling_seq stands at -1, public.imported.falling is at -50" + BEFORE,
        "public.imported_id_seq stands at 1, public.imported.id is at 100" + BEFORE,
        "public.older: 1 rows point to nothing (known)" + BEFORE,
        "public.older: constraint known is not validated" + BEFORE,
        "public.older: constraint positive is not validated" + BEFORE,
    ]
    # Where the backup does not say so, as those of older versions, it stays a finding.
    assert not site.prove(dataclasses.replace(backup, not_validated=())).proven
    assert not site.prove(dataclasses.replace(backup, sequences_behind=())).proven
    with site.server.superuser() as connection:
        connection.autocommit = True
        described = restored.described
        with site.server.superuser(RESTORED) as inside:
            assert database_settings.apply(inside, described, roles=True) == []
        beside = connection.execute(BESIDE_ITS_CONTENT, (RESTORED,)).fetchone()
        assert beside == connection.execute(BESIDE_ITS_CONTENT, (SOURCE,)).fetchone()
        assert beside is not None
        assert (beside[0], "work_mem=7MB" in beside[2]) == (77, True)
        described["database"]["settings"] = ["no_such=1", "work_mem=8MB"]
        with site.server.superuser(RESTORED) as inside:
            (refused,) = database_settings.apply(inside, described, roles=False)
        assert refused.startswith("setting no_such=1 of the database, which the server refuses")
        connection.execute(f"ALTER DATABASE {RESTORED} RESET ALL".encode())
        connection.execute(f"ALTER ROLE {USER} IN DATABASE {RESTORED} RESET ALL".encode())
    with site.connect() as connection:
        assert connection.execute(
            "SELECT reads, ispopulated FROM a_second, pg_matviews WHERE matviewname = 'never'"
        ).fetchone() == (160, False)
        connection.execute("UPDATE felt SET id = 0 WHERE m = 'c' AND id = 3")
        connection.commit()
        (check,) = [one for one in site.prove(backup).checks if not one.passed]
        assert check.findings == (
            "public.felt has the same number of rows in its partitions and other content",
        )
        connection.execute("DELETE FROM felt WHERE m = 'c' AND id = 0")
        # An orphan whose parent seems to be there, in a table that inherits from it.
        connection.execute("CREATE TABLE pretender () INHERITS (parent)")
        connection.execute("INSERT INTO pretender VALUES (8)")
        connection.execute("SET session_replication_role = replica")
        connection.execute("INSERT INTO child VALUES (8)")
        connection.commit()
    wrong = [line for one in site.prove(backup).checks for line in one.findings]
    assert "public.felt has 159 rows in its partitions, the backup has 160" in wrong
    assert "public.child: 1 rows point to nothing (child_id_fkey)" in wrong


def test_a_backup_reads_no_whole_table_to_know_where_a_sequence_stands(site: Site) -> None:
    with site.server.superuser(SOURCE) as connection:
        connection.execute("CREATE TABLE t (id serial, part serial, other serial)")
        connection.execute("INSERT INTO t VALUES (5, 6, 0)")
        connection.execute("CREATE INDEX ON t (part) WHERE part > 0")
        connection.execute("CREATE INDEX ON t (other)")
        examined, behind = owned_sequences.behind(connection)
        assert (examined, [one.name for one in behind]) == (3, ["t_id_seq", "t_part_seq"])
        assert owned_sequences.behind(connection, seen_at_once=True) == (1, [])
        connection.execute("UPDATE t SET other = 2")
        _, (found,) = owned_sequences.behind(connection, seen_at_once=True)
        assert found.finding == "public.t_other_seq stands at 1, public.t.other is at 2"
        connection.execute("CREATE UNLOGGED TABLE u (id serial PRIMARY KEY)")
        assert owned_sequences.behind(connection)[0] == 4
        assert owned_sequences.behind(connection, on_standby=True)[0] == 3


def test_owners_get_what_is_theirs_in_schemas_of_others(site: Site) -> None:
    """The master of RDS is no superuser: it gives nothing to who may not create in the schema."""
    master = site.server.endpoint.connect(MASTER, MASTER_PASSWORD)
    with master, site.server.superuser(SOURCE) as connection:
        master.autocommit = True
        master.execute('CREATE ROLE "the guest"')
        connection.execute(f"CREATE SCHEMA shared AUTHORIZATION {MASTER}".encode())
        connection.execute("CREATE TABLE shared.theirs (id int)")
        connection.execute('ALTER TABLE shared.theirs OWNER TO "the guest"')
        connection.execute("CREATE TABLE public.also (id int)")
        connection.execute('ALTER TABLE public.also OWNER TO "the guest"')
        connection.commit()
        backup = site.backup()
        databases.create(master, RESTORED, backup)
        endpoint = site.endpoint(RESTORED)
        with databases.owners_assumed(master, ["the guest"]):
            restore(
                backup,
                s3=site.s3,
                bucket=BUCKET,
                login=Login(endpoint, MASTER, MASTER_PASSWORD),
                connect=lambda: endpoint.connect(MASTER, MASTER_PASSWORD),
                options=Options(),
            )
    with site.connect() as connection:
        assert connection.execute(
            """SELECT relname, relowner::regrole::text,
                      has_schema_privilege(relowner, relnamespace, 'CREATE')
                 FROM pg_class WHERE relname IN ('theirs', 'also') ORDER BY 1"""
        ).fetchall() == [("also", '"the guest"', False), ("theirs", '"the guest"', False)]


def test_a_backup_under_writes_shows_one_moment(plain: Site) -> None:
    """Every writer adds a buyer with an order, or moves both: any mixture breaks the sums."""
    stop = threading.Event()
    with plain.server.superuser(SOURCE) as connection:
        connection.execute("SELECT setval('buyers_id_seq', 1000000)")

    def write() -> None:
        with plain.connect(SOURCE) as connection:
            connection.autocommit = True
            number = 10_000
            while not stop.is_set():
                number += 1
                with connection.transaction():
                    connection.execute("INSERT INTO buyers VALUES (%s, 'w')", (number,))
                    connection.execute("INSERT INTO orders VALUES (%s, %s)", (number, number))
                    connection.execute("DELETE FROM orders WHERE id = %s", (number - 9_999,))
                    connection.execute("DELETE FROM buyers WHERE id = %s", (number - 9_999,))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup = plain.backup(workers=4)
    finally:
        stop.set()
        writer.join()
    counts = backup.row_counts
    assert counts["public.buyers"] == counts["public.orders"]
    plain.restore(backup)
    assert plain.prove(backup).proven


def test_rows_that_shrink_to_nothing_come_out_in_pieces_that_fit() -> None:
    """64 KiB of zstd may be gigabytes of text: memory must not depend on what is in the rows."""
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(compressor.compress(bytes(1024 * 1024)) for _ in range(256))
    packed += compressor.flush()
    assert len(packed) < 64 * 1024
    halves = [packed[:1000], b"", packed[1000:]]
    sizes = [len(text) for text in rows.unpacked(halves)]
    assert (sum(sizes), max(sizes)) == (256 * 1024 * 1024, 256 * 1024)


def test_a_table_above_the_limit_is_counted_and_the_proof_says_that_it_is_not_hashed(
    plain: Site,
) -> None:
    backup = plain.backup(largest_hashed_table_bytes=100 * 1024)
    hashed = {table.label: table.hash is not None for table in backup.tables}
    assert hashed == {"public.buyers": False, "public.orders": True}
    assert backup.row_counts == {"public.buyers": 2000, "public.orders": 2000}
    plain.restore(backup)
    proof = plain.prove(backup)
    assert proof.proven
    assert proof.left_out == [
        "content of 1 tables, which the backup counted and did not hash: public.buyers"
    ]
    with plain.connect() as connection:
        connection.execute("UPDATE buyers SET wallet = 'forged' WHERE id = 7")
        connection.execute("DELETE FROM orders WHERE id = 8")
    findings = [line for check in plain.prove(backup).checks for line in check.findings]
    assert findings == ["public.orders has 1999 rows, the backup has 2000"]


def test_selected_tables_come_back_alone(plain: Site) -> None:
    backup = plain.backup()
    restored = plain.restore(backup, selection=Selection(tables=("buyers",)))
    with plain.connect() as connection:
        (buyers,) = connection.execute("SELECT count(*) FROM buyers").fetchone() or ()
        (orders,) = connection.execute("SELECT count(*) FROM orders").fetchone() or ()
    assert (buyers, orders) == (2000, 0)
    assert restored.left_out == [NO_FOREIGN_KEYS]
    assert plain.prove(backup, tables=restored.tables).proven
    with pytest.raises(OperationError, match=r"no table called 'byers': public.buyers, public.ord"):
        plain.restore(backup, selection=Selection(tables=("byers",)))


def test_a_restore_never_mixes_with_what_is_there(plain: Site) -> None:
    backup = plain.backup()
    with pytest.raises(OperationError, match=r"not empty \(public.buyers, public.buyers_id_seq"):
        restore(
            backup,
            s3=plain.s3,
            bucket=BUCKET,
            login=Login(plain.endpoint(SOURCE), USER, PASSWORD),
            connect=lambda: plain.connect(SOURCE),
            options=Options(),
        )


SPOILED = {
    "UPDATE buyers SET wallet = 'forged' WHERE id = 7": ("rows", "the same number of rows and"),
    "DELETE FROM orders WHERE id = 7": ("rows", "has 1999 rows, the backup has 2000"),
    "DROP TABLE orders": ("rows", "public.orders is missing"),
    "ALTER TABLE buyers DROP COLUMN wallet": ("rows", "lacks the columns wallet"),
    "CREATE TABLE planted (a int)": ("tables", "public.planted was not in the backup"),
    "SELECT setval('buyers_id_seq', 5)": ("sequences ahead of their columns", "stands at 5"),
    "ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) NOT VALID": (
        "constraints validated",
        "constraint c is not validated",
    ),
    "SET session_replication_role = replica; UPDATE orders SET buyer = 0 WHERE id = 7": (
        "no orphaned rows",
        "1 rows point to nothing",
    ),
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'buyers_pkey'::regclass": (
        "indexes valid",
        "index public.buyers_pkey is not valid",
    ),
}


def test_proof_finds_each_way_in_which_a_database_can_differ(plain: Site) -> None:
    backup = plain.backup()
    for statement, (name, finding) in SPOILED.items():
        plain.restore(backup)
        with plain.connect() as connection:
            connection.execute(statement.encode())
        proof = plain.prove(backup)
        assert not proof.proven, statement
        failed = {
            check.name: " ".join(check.findings) for check in proof.checks if not check.passed
        }
        assert finding in failed[name], (statement, failed)


def _object(site: Site, backup: Manifest) -> str:
    """Key of the object with the most rows."""
    table = max(backup.tables, key=lambda one: one.rows)
    return table.segments[0].key


def _put(site: Site, key: str, body: bytes) -> None:
    site.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def _body(site: Site, key: str) -> bytes:
    return site.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "replaced", "gone"])
def test_a_damaged_object_is_found_and_never_used(plain: Site, damage: str) -> None:
    backup = plain.backup()
    key = _object(plain, backup)
    body = _body(plain, key)
    if damage == "flipped":
        _put(plain, key, body[:100] + bytes([body[100] ^ 1]) + body[101:])
    elif damage == "truncated":
        _put(plain, key, body[:-1])
    elif damage == "replaced":
        _put(plain, key, body[::-1])
    else:
        plain.s3.delete_object(Bucket=BUCKET, Key=key)
    result = verify(backup, s3=plain.s3, bucket=BUCKET)
    assert not result.whole
    assert key in result.findings[0]
    with pytest.raises(OperationError, match=r"damaged|shorter|gone"):
        plain.restore(backup)
    with plain.connect() as connection:
        for table in ("buyers", "orders"):
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert row == (0,)


def test_without_a_whole_manifest_there_is_no_backup(plain: Site) -> None:
    store = Store(plain.s3, BUCKET)
    backup = plain.backup()
    assert store.find().backups == (backup,)
    assert store.get("latest", SOURCE) == backup == store.get(backup.id)
    body = _body(plain, backup.key)
    for spoiled, reason in (
        (body[: len(body) // 2], "no manifest of a whole backup"),
        (body.replace(b'"rows":2000', b'"rows":1999'), "was altered after it was written"),
        (body.replace(b'"format": 2', b'"format": 9'), "has format 9, this version reads 2"),
        (b"[]", "no manifest of a whole backup"),
        (b"", "no manifest of a whole backup"),
    ):
        _put(plain, backup.key, spoiled)
        found = store.find()
        assert found.backups == ()
        assert reason in found.others[0].reason
        with pytest.raises(OperationError, match=f"{backup.id} is no backup"):
            store.get(backup.id)
    plain.s3.delete_object(Bucket=BUCKET, Key=backup.key)
    with pytest.raises(OperationError, match=f"{backup.id} is no backup: it has no manifest"):
        store.get(backup.id)
    _put(plain, backup.key, body)
    plain.s3.delete_object(Bucket=BUCKET, Key=backup.schema_key)
    assert "schema.dump is gone" in store.find().others[0].reason
    with pytest.raises(OperationError, match="has no backup 'x'; the newest are: none at all"):
        store.get("x")
    with pytest.raises(
        OperationError, match=r"as Parquet, .* cannot restore it. .* the snapshot: "
    ):
        store.get("pgkeep-prod-export-20261122t131210z-9a82673b")


def test_signed_manifests_are_told_from_forged_ones(plain: Site) -> None:
    kms = boto3.client("kms")
    keys = [
        kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]["Arn"]
        for _ in range(2)
    ]
    signed = dataclasses.replace(plain.target, mac_key=keys[0])
    backup = run(
        "manual",
        plain.endpoint(SOURCE),
        connect=lambda: plain.connect(SOURCE),
        target=signed,
        s3=plain.s3,
        kms=kms,
    )
    assert Store(plain.s3, BUCKET, kms, keys[0]).find().backups == (backup,)
    (other,) = Store(plain.s3, BUCKET, kms, keys[1]).find().others
    assert f"is signed by {keys[0]} and not by {keys[1]}" in other.reason
    unsigned = plain.backup()
    (other,) = Store(plain.s3, BUCKET, kms, keys[0]).find().others
    assert (unsigned.id in other.folder, "is not signed" in other.reason) == (True, True)
    assert Store(plain.s3, BUCKET, kms, keys[0]).get(unsigned.id, unsigned=True) == unsigned
    assert plain.restore(unsigned).backup_id == unsigned.id


def side(site: Site, database: str) -> Side:
    return Side(
        Login(site.endpoint(database), USER, PASSWORD),
        lambda: site.connect(database),
    )


def copied(site: Site, selection: Selection, *, fresh: bool = True) -> tuple[Manifest, Restored]:
    options = Options(selection=selection)
    with table_copy.prepared("point-in-time", side(site, SOURCE), options) as copy:
        described = copy.described()
        if fresh:
            with site.server.superuser() as connection:
                databases.drop(connection, RESTORED)
                databases.create(connection, RESTORED, described)
        return described, copy.run(side(site, RESTORED))


def test_every_table_of_a_nasty_database_is_copied_row_by_row(nasty: Site) -> None:
    described, restored = copied(nasty, Selection())
    backup = nasty.backup()
    assert {table.label: (table.rows, table.hash) for table in restored.tables} == {
        table.label: (table.rows, table.hash) for table in backup.tables
    }
    assert prove(described, connect=nasty.connect, tables=restored.tables).proven
    assert restored.steps.keys() == {
        "definitions",
        "rows",
        "indexes and constraints",
        "sequences and statistics",
    }


def test_what_is_renamed_in_the_midst_of_a_copy_ends_it(
    plain: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows would be those of another schema's table, or labels those that no definition has."""
    real = table_copy._copy
    changes = ["ALTER TYPE state RENAME VALUE 'open' TO 'done'"]

    def rename_and_copy(*arguments: Any) -> Any:
        while changes:
            with plain.server.superuser(SOURCE) as connection:
                connection.execute(changes.pop().encode())
        return real(*arguments)

    with plain.server.superuser(SOURCE) as connection:
        connection.execute("CREATE TYPE state AS ENUM ('open')")
    monkeypatch.setattr(table_copy, "_copy", rename_and_copy)
    with pytest.raises(
        OperationError, match=r"open was renamed to done while the copy ran, .*count"
    ):
        copied(plain, Selection(tables=("buyers",)))
    copied(plain, Selection(tables=("buyers",)))


def test_chosen_tables_come_alone_and_a_difference_is_found(plain: Site) -> None:
    with plain.server.superuser(SOURCE) as connection:
        connection.execute("ALTER TABLE buyers ADD CONSTRAINT old CHECK (id > 0) NOT VALID")
    described, restored = copied(plain, Selection(tables=("buyers",)))
    assert [(table.label, table.rows) for table in restored.tables] == [("public.buyers", 2000)]
    with plain.connect() as connection:
        row = connection.execute(
            """SELECT (SELECT count(*) FROM buyers), (SELECT count(*) FROM orders),
                      (SELECT count(*) FROM pg_constraint WHERE contype = 'f'),
                      nextval('buyers_id_seq')"""
        ).fetchone()
    assert row == (2000, 0, 0, 2001)
    assert restored.left_out == [NO_FOREIGN_KEYS]
    assert prove(described, connect=plain.connect, tables=restored.tables).proven
    with plain.connect() as connection:
        connection.execute("UPDATE buyers SET wallet = 'forged' WHERE id = 7")
    proof = prove(described, connect=plain.connect, tables=restored.tables)
    assert [line for check in proof.checks for line in check.findings] == [
        "public.buyers has the same number of rows and other content"
    ]


def test_what_does_not_fit_is_refused_before_anything_is_written(plain: Site) -> None:
    copied(plain, Selection(tables=("buyers",)))
    with pytest.raises(OperationError, match=r"restored is not empty \(public.buyers"):
        copied(plain, Selection(tables=("orders",)), fresh=False)
    with plain.connect() as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    refusal = (
        r"the database of point-in-time has no table called 'byers': public.buyers, public.ord"
    )
    with pytest.raises(OperationError, match=refusal):
        copied(plain, Selection(tables=("byers",)))
