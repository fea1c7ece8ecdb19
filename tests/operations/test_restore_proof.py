"""What a proof finds after a restore, and what it says that it did not look at."""

from __future__ import annotations

import pytest

from tests.operations import restore_site
from tests.operations.site import Site

pytestmark = pytest.mark.root

client_layer, site = restore_site.client_layer, restore_site.site
plain = restore_site.plain

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
