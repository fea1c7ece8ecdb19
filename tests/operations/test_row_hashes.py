"""What the hash of a row tells apart, on a real server, and how long old hashes stay readable."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from operations.backup import catalog, fingerprints, row_hashes
from operations.backup.catalog import Column, Table
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import Manifest
from operations.errors import OperationError
from tests.operations import restore_site
from tests.operations.site import RESTORED, SOURCE, Site

pytestmark = pytest.mark.root

client_layer, site = restore_site.client_layer, restore_site.site
plain = restore_site.plain

VERSION_1 = "sum of hash_record_extended, version 1"

# Values of a type, each of which has to have a hash of its own.
VALUES = {
    "bigint": ["1", "4294967296", "0", "-1", "4294967295", "-4294967296"],
    "integer": ["1", "2", "-1", "0"],
    "smallint": ["1", "256", "-1"],
    "boolean": ["true", "false"],
    "real": ["0", "'NaN'", "'Infinity'", "'-Infinity'", "1e-40"],
    "double precision": ["0", "'NaN'", "'Infinity'", "'-Infinity'", "1e-300"],
    "numeric": ["1", "1.0", "1.00", "'NaN'", "'Infinity'", "'-Infinity'"],
    "text": ["''", "' '", "'a'", "'A'"],
    "varchar(9)": ["''", "' '", "'a'"],
    "char(9)": ["''", "'a'", "' a'"],
    "bytea": ["''", r"'\x00'", r"'\x0000'"],
    "uuid": [f"'{'0' * 32}'", f"'{'0' * 31}1'"],
    "date": ["'2026-11-22'", "'infinity'", "'-infinity'", "'5874897-12-31'", "'4713-01-01 BC'"],
    "time": ["'00:00'", "'24:00'", "'00:00:00.000001'"],
    "timestamp": ["'2026-11-22'", "'infinity'", "'-infinity'", "'2026-11-22 00:00:00.000001'"],
    "timestamptz": ["'2026-10-25 00:30Z'", "'2026-10-25 01:30Z'", "'infinity'", "'-infinity'"],
    "interval": ["'1 day'", "'24 hours'"],
    "int[]": ["'{1}'", "'[0:0]={1}'", "'{NULL}'", "'{}'"],
    "json": ["'1'", "' 1'", "'null'"],
    "jsonb": ["'1'", "'1.0'", "'null'"],
    "xml": ["'<a/>'", "'<a></a>'"],
    "inet": ["'10.0.0.1'", "'10.0.0.1/24'"],
    "amount": ["1", "2"],
    "moment": ["'2026-10-25 00:30Z'", "'2026-10-25 01:30Z'"],
}


@pytest.fixture
def connection(site: Site) -> Iterator[psycopg.Connection[Any]]:
    with site.connect(SOURCE) as opened:
        opened.execute("CREATE DOMAIN amount AS int; CREATE DOMAIN moment AS timestamptz")
        for setting in fingerprints.session_settings("UTF8", opened.info.server_version):
            opened.execute(setting.encode())
        yield opened
        opened.rollback()


def hashed(connection: psycopg.Connection[Any], columns: str, *rows: str) -> int:
    """Of a table with these columns and rows, as the catalog describes it."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL search_path = public")
        connection.execute(f"CREATE TABLE public.hashed ({columns})".encode())
        for row in rows:
            connection.execute(f"INSERT INTO public.hashed VALUES ({row})".encode())
        connection.execute("SET LOCAL search_path = ''")
        (table,) = (
            one for one in catalog.read(connection, on_standby=False).tables if one.name == "hashed"
        )
        found = fingerprints.fingerprint(connection, table)
    assert found.rows == len(rows)
    assert found.hash is not None
    return found.hash


def test_different_values_have_different_hashes(connection: psycopg.Connection[Any]) -> None:
    for kind, some in VALUES.items():
        values = [*some, "NULL"]
        hashes = [hashed(connection, f"a {kind}", value) for value in values]
        assert len(set(hashes)) == len(values), kind
        assert hashed(connection, f"a {kind}", *reversed(values)) == sum(hashes), kind


def test_values_belong_to_their_row_and_their_column(connection: psycopg.Connection[Any]) -> None:
    for kind in ("int", "bigint", "text", "timestamptz", "bytea", "boolean"):
        one, other = VALUES.get(kind, VALUES["integer"])[:2]
        tables = {
            hashed(connection, f"a {kind}, b {kind}", f"{one}, {one}", f"{other}, {other}"),
            hashed(connection, f"a {kind}, b {kind}", f"{one}, {other}", f"{other}, {one}"),
            hashed(connection, f"a {kind}, b {kind}", f"{one}, {other}", f"{one}, {other}"),
            hashed(connection, f"a {kind}, b {kind}", f"{other}, {one}", f"{other}, {one}"),
            hashed(connection, f"a {kind}, b {kind}", f"{one}, NULL", f"NULL, {one}"),
            hashed(connection, f"a {kind}, b {kind}", f"{one}, {one}", "NULL, NULL"),
        }
        assert len(tables) == 6, kind


def test_time_zone_of_the_session_changes_nothing(connection: psycopg.Connection[Any]) -> None:
    moments = ("'2026-10-25 00:30Z'", "'2026-10-25 01:30Z'")
    utc = hashed(connection, "a timestamptz", *moments)
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL TimeZone = 'Europe/Berlin'")
        assert hashed(connection, "a timestamptz", *moments) == utc


def test_a_table_may_have_as_many_columns_as_postgresql_lets_it(
    connection: psycopg.Connection[Any],
) -> None:
    columns = ", ".join(f"c{number} smallint" for number in range(1600))
    first, second = "1, " * 1598, "2, " * 1598
    hashes = [hashed(connection, columns, f"{first} {end}") for end in ("3, 4", "4, 3")]
    hashes += [hashed(connection, columns, f"{second} 3, 4"), hashed(connection, columns, "1")]
    assert len(set(hashes)) == 4


def test_hashes_are_those_that_manifests_have(connection: psycopg.Connection[Any]) -> None:
    """Written out: another text here would make all backups until now look altered."""
    columns = [Column("padded", "bpchar"), Column("id", "int8"), Column("at", "timestamptz")]
    table = Table("pg_temp", "padding", tuple(columns), pages=1, size_bytes=8192)
    connection.execute(
        "CREATE TEMP TABLE padding (padded char(9), id int8, at timestamptz); "
        "INSERT INTO padding VALUES "
        "('plain', 1, now()), ('', 2, NULL), (NULL, 3, 'infinity'), ('a b', 4, '2026-11-22Z'), "
        "('größe', 5, NULL), ('日本', NULL, NULL), (E'tab\t', 7, NULL), (NULL, NULL, NULL)"
    )
    expected = {
        "sum of column hashes, version 2": """
            hashint4extended(0,
                coalesce(hashtextextended(padded::text COLLATE "C", 1), -1)
                # coalesce(hashint4extended(2, id), -2)
                # coalesce(timestamp_hash_extended(at AT TIME ZONE 'UTC', 3), -3))""",
        VERSION_1: """hash_record_extended(ROW(padded::text COLLATE "C", id, at), 0)""",
    }
    for algorithm, of_row in expected.items():
        row = connection.execute(f"SELECT count(*), sum({of_row}) FROM padding".encode()).fetchone()
        assert row is not None
        found = fingerprints.fingerprint(connection, table, algorithm=algorithm)
        assert found == Fingerprint(int(row[0]), int(row[1]))
    assert next(iter(expected)) == row_hashes.ALGORITHM


def _of_version_1(site: Site, backup: Manifest) -> Manifest:
    """The manifest that pgkeep wrote before November 2026."""
    with site.connect(SOURCE) as connection:
        sums = {
            table.label: connection.execute(
                f"SELECT sum(hash_record_extended(ROW({table.columns_sql}), 0)) FROM {table.sql}".encode()
            ).fetchone()
            for table in catalog.read(connection, on_standby=False).tables
        }
    tables = tuple(
        dataclasses.replace(table, hash=int((sums[table.label] or (0,))[0]))
        for table in backup.tables
    )
    return dataclasses.replace(backup, hash_algorithm=VERSION_1, tables=tables)


def test_a_backup_of_an_earlier_version_is_proven_by_its_own_hashes(plain: Site) -> None:
    backup = plain.backup()
    old = _of_version_1(plain, backup)
    assert [table.hash for table in old.tables] != [table.hash for table in backup.tables]
    plain.restore(old)
    assert plain.prove(old).proven
    with plain.connect(RESTORED) as connection:
        connection.execute("UPDATE buyers SET wallet = 'forged' WHERE id = 7")
    findings = [line for check in plain.prove(old).checks for line in check.findings]
    assert findings == ["public.buyers has the same number of rows and other content"]
    unknown = dataclasses.replace(backup, hash_algorithm="of tomorrow")
    with pytest.raises(OperationError, match=r"hashed by 'of tomorrow', .* use the version that"):
        plain.prove(unknown)
