"""Tables copied from a database that runs, such as a restored instance, into another one."""

from __future__ import annotations

from typing import Any

import pytest

from operations.backup import Manifest
from operations.backup.children import Login
from operations.errors import OperationError
from operations.restore import Options, Restored, Selection, databases, table_copy
from operations.restore.proof import prove
from operations.restore.table_copy import Side
from tests.operations import restore_site
from tests.operations.restore_site import NO_FOREIGN_KEYS
from tests.operations.site import PASSWORD, RESTORED, SOURCE, USER, Site

pytestmark = pytest.mark.root

client_layer, site = restore_site.client_layer, restore_site.site
nasty, plain = restore_site.nasty, restore_site.plain


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
