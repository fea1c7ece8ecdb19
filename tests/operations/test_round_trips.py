"""Random databases come back the same: by proof, and by a second pg_dump of both sides.

Pieces and parts are made tiny, so that cutting, groups and reading in parts happen with few rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import boto3
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from moto.s3 import models as moto_s3
from psycopg import sql

from operations.backup import BackupTarget, batches, object_writer, segments
from operations.backup.manifest import Collation
from operations.errors import OperationError
from operations.restore import database_settings
from tests.operations.postgres_server import MASTER, PostgresServer
from tests.operations.random_databases import RandomTable, tables
from tests.operations.site import PASSWORD, RESTORED, SOURCE, USER, Site, unpack_client_layer

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-of-random-databases"
EXAMPLES = 8


@pytest.fixture(scope="module", autouse=True)
def tiny_pieces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
        patch.setattr(moto_s3, "S3_UPLOAD_PART_MIN_SIZE", 1)
        patch.setattr(object_writer, "_PART_STEPS", ((3, 512), (10_000, 16 * 1024)))
        patch.setattr(segments, "SMALL_TABLE_BYTES", 32 * 1024)
        patch.setattr(batches, "GROUP_BYTES", 24 * 1024)
        patch.setattr(segments, "SMALLEST_SEGMENT_BYTES", 64 * 1024)
        yield


@pytest.fixture
def site(server: PostgresServer, aws: None) -> Site:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    return Site(server, s3, BackupTarget(BUCKET, key, retention_days={}))


def fill(site: Site, made: list[RandomTable]) -> None:
    """An empty source with these tables."""
    with site.server.superuser() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {SOURCE} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {SOURCE} TEMPLATE template0".encode())
    with site.server.superuser(SOURCE) as connection:
        connection.execute("SET log_statement = 'none'")
        for schema in sorted({table.schema for table in made}):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table in made:
            for statement in table.statements():
                connection.execute(statement)  # pyright: ignore


# The first fixture values serve all examples: each fills the database anew.
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(made=tables())
def test_a_random_database_comes_back_the_same(site: Site, made: list[RandomTable]) -> None:
    fill(site, made)
    backup = site.backup(workers=2)
    expected = {}
    with site.server.superuser(SOURCE) as connection:
        for table in backup.tables:
            query = sql.SQL("SELECT count(*) FROM ONLY {}").format(
                sql.Identifier(table.schema, table.name)
            )
            row = connection.execute(query).fetchone()
            expected[table.label] = row[0] if row else -1
    assert backup.row_counts == expected
    site.restore(backup)
    assert [check for check in site.prove(backup).checks if not check.passed] == []
    assert _without_order(site.dump(RESTORED)) == _without_order(site.dump(SOURCE))


def test_tables_are_cut_grouped_and_read_in_parts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One table of each kind; zstd gives its blocks away at 128 KiB."""
    monkeypatch.setattr(segments, "SMALLEST_SEGMENT_BYTES", 1024 * 1024)
    noise = RandomTable("s", "noise", (("c", "text"), ("d", "bytea")), 25_000, 7, "holes", False)
    few = [RandomTable("s", f"few{n}", (), 1, 2, "plain", False) for n in range(5)]
    fill(site, [noise, *few])
    backup = site.backup()
    (cut,) = (table for table in backup.tables if table.name == "noise")
    assert len(cut.segments) > 2
    by_key = {one.key: one for one in backup.objects}
    assert max(len(by_key[one.key].parts) for one in cut.segments) > 2
    assert len({table.segments[0].key for table in backup.tables if table is not cut}) == 2
    site.restore(backup)
    assert site.prove(backup).proven


WORDS = {
    "LATIN1": "caf\u00e9",
    "EUC_JP": "\u8868",
    "WIN1251": "\u042f\u044f\u044c",
}


@pytest.mark.parametrize("encoding", WORDS)
def test_names_and_rows_of_another_encoding(site: Site, encoding: str) -> None:
    """A table cut into pieces and a small one, named by letters that ASCII lacks."""
    word = WORDS[encoding]
    with site.server.superuser() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {SOURCE} WITH (FORCE)".encode())
        connection.execute(
            f"CREATE DATABASE {SOURCE} TEMPLATE template0 ENCODING {encoding} LOCALE 'C'".encode()
        )
    with site.server.superuser(SOURCE) as connection:
        for name, rows in ((word, 5_000), (f"{word}: \\'small\"", 3)):
            table, column = sql.Identifier(name), sql.Identifier(f"{word} \\n")
            connection.execute(sql.SQL("CREATE TABLE {} ({} text)").format(table, column))
            connection.execute(
                sql.SQL("INSERT INTO {} SELECT {} || n FROM generate_series(1, {}) n").format(
                    table, sql.Literal(word), rows
                )
            )
        schema, guest = sql.Identifier(f'{word} "'), sql.Identifier(f'{word} "', word)
        path = sql.SQL("ALTER DATABASE {} SET search_path = {}, public")
        comment = sql.SQL("COMMENT ON DATABASE {} IS {}")
        for statement in (
            # Somebody else's, so that the restore lets its owner in.
            sql.SQL("CREATE SCHEMA {}").format(schema),
            sql.SQL("CREATE TABLE {} ()").format(guest),
            sql.SQL("ALTER TABLE {} OWNER TO {}").format(guest, sql.Identifier(MASTER)),
            path.format(sql.Identifier(SOURCE), schema),
            comment.format(sql.Identifier(SOURCE), sql.Literal(word)),
        ):
            connection.execute(statement)
    backup = site.backup()
    assert sorted(table.rows for table in backup.tables) == [0, 3, 5_000]
    assert max(len(table.segments) for table in backup.tables) > 1
    described = site.restore(backup).described
    assert site.prove(backup).proven
    with site.server.superuser(RESTORED) as connection:
        assert database_settings.apply(connection, described, roles=False) == []
    query = (
        "SELECT current_setting('search_path'), shobj_description(oid, 'pg_database') "
        "FROM pg_database WHERE datname = current_database()"
    )
    with site.connect() as connection:
        found = connection.execute(query).fetchone()
    assert found == (f'"{word} """, public', word)


def test_bytes_without_an_encoding_are_refused(site: Site) -> None:
    with site.server.superuser() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {SOURCE} WITH (FORCE)".encode())
        connection.execute(
            f"CREATE DATABASE {SOURCE} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'".encode()
        )
    with pytest.raises(OperationError, match=r"encoding is SQL_ASCII: .* no backup was made"):
        site.backup()


def test_sorting_comes_back_or_is_refused(site: Site) -> None:
    """A database that sorts otherwise than the server's others."""
    with site.server.superuser() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {SOURCE} WITH (FORCE)".encode())
        connection.execute(
            f"CREATE DATABASE {SOURCE} TEMPLATE template0 LOCALE_PROVIDER icu "
            "ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C'".encode()
        )
    with site.server.superuser(SOURCE) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'x' AS word")
    backup = site.backup()
    site.restore(backup)
    with site.server.superuser() as connection:
        query = (
            "SELECT datlocprovider, datlocale, datcollate, datctype FROM pg_database "
            "WHERE datname = %s"
        )
        restored = connection.execute(query, (RESTORED,)).fetchone()
        assert restored == connection.execute(query, (SOURCE,)).fetchone()
        assert restored == ("i", "de-u-co-phonebk", "C", "C")
    elsewhere = Collation("libc", "de_DE.nowhere", "de_DE.nowhere", None)
    with pytest.raises(OperationError, match=r"restored cannot be made as node_pass was.*nothing"):
        site.restore(dataclasses.replace(backup, collation=elsewhere))


def _without_order(dump: list[str]) -> list[str]:
    """Pieces of a table are loaded side by side, so its rows come in another order."""
    lines: list[str] = []
    rows_: list[str] | None = None
    for line in dump:
        if rows_ is None:
            lines.append(line)
            rows_ = [] if line.startswith("COPY ") and line.endswith("FROM stdin;") else None
        elif line == "\\.":
            lines += [*sorted(rows_), line]
            rows_ = None
        else:
            rows_.append(line)
    return lines
