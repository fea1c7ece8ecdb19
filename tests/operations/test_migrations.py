"""Migrations on a real PostgreSQL 17, as the migrator that the roles function made."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

import workloads
from operations.errors import OperationError
from operations.functions import migrations as migrations_function
from operations.migrations import Result, run, transaction_control
from tests.operations.conftest import Deployment
from workloads import Migration

pytestmark = pytest.mark.root

# The node-pass guide's seven, as PostgreSQL prints them.
INDEXES = {
    "buyers_pkey": "CREATE UNIQUE INDEX buyers_pkey ON node_pass.buyers USING btree (id)",
    "buyers_license_id_idx": "CREATE UNIQUE INDEX buyers_license_id_idx ON node_pass.buyers USING btree (license_id)",
    "buyers_wallet_idx": "CREATE INDEX buyers_wallet_idx ON node_pass.buyers USING btree (wallet)",
    "buyers_tier_idx": "CREATE INDEX buyers_tier_idx ON node_pass.buyers USING btree (tier)",
    "buyers_status_idx": "CREATE INDEX buyers_status_idx ON node_pass.buyers USING btree (status)",
    "buyers_created_at_idx": "CREATE INDEX buyers_created_at_idx ON node_pass.buyers USING btree (created_at)",
    "buyers_wallet_status_idx": "CREATE INDEX buyers_wallet_status_idx ON node_pass.buyers USING btree (wallet, status)",
}

BUYERS = "0001_buyers.sql"


def file(name: str, text: str) -> tuple[Migration, bytes]:
    data = text.encode()
    return Migration(name=name, sha256=hashlib.sha256(data).hexdigest()), data


def buyers() -> tuple[Migration, bytes]:
    return file(BUYERS, workloads.migration_sql("node_pass", BUYERS).decode())


def migrate(deployment: Deployment, *migrations: tuple[Migration, bytes]) -> Result:
    with deployment.connect("node_pass_migrator") as connection:
        return run(connection, deployment.contract, migrations)


def relations(deployment: Deployment) -> set[str]:
    with deployment.server.superuser("node_pass") as superuser:
        rows = superuser.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'node_pass'::regnamespace "
            "AND relkind = 'r'"
        ).fetchall()
    return {row[0] for row in rows}


def test_buyers_has_exactly_the_seven_indexes_of_the_guide(deployment: Deployment) -> None:
    deployment.apply()
    assert migrate(deployment, buyers()) == Result([BUYERS], [])
    assert migrate(deployment, buyers()) == Result([], [BUYERS])

    with deployment.server.superuser("node_pass") as superuser:
        rows = superuser.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'buyers'"
        ).fetchall()
        owner = superuser.execute(
            "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'buyers'"
        ).fetchall()
    assert dict(rows) == INDEXES
    assert owner == [("node_pass_owner",)]


def test_a_table_has_its_grants_with_the_migration_and_roles_find_nothing_to_do(
    deployment: Deployment,
) -> None:
    deployment.apply()
    migrate(deployment, buyers())

    with deployment.connect("node_pass_app") as app:
        app.execute("INSERT INTO buyers (license_id, wallet, tier) VALUES ('N-1', '0x1', 'gold')")
        assert app.execute("SELECT status, tx_hash FROM buyers").fetchall() == [
            ("pending_wire", None)
        ]
        app.commit()
        for statement in (
            "INSERT INTO buyers (license_id, wallet, tier) VALUES ('N-1', '0x2', 'gold')",
            "UPDATE buyers SET status = 'deleted'",
        ):
            with pytest.raises(psycopg.errors.IntegrityError), app.transaction():
                app.execute(statement.encode())
    assert deployment.apply().changes == []


@pytest.mark.parametrize("role", ["node_pass_app", "node_pass_readonly"])
def test_nobody_reads_the_record_of_migrations(deployment: Deployment, role: str) -> None:
    deployment.apply()
    migrate(deployment, buyers())
    with (
        deployment.connect(role) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM node_pass.pgkeep_migrations")


def test_failing_migration_leaves_nothing_and_those_before_it_stay(deployment: Deployment) -> None:
    deployment.apply()
    broken = file("0002_more.sql", "CREATE TABLE more (id int);\nCREATE TABLE more (id int);")
    with pytest.raises(OperationError, match=r'0002_more\.sql failed .*"more" already exists'):
        migrate(deployment, buyers(), broken)
    assert relations(deployment) == {"buyers", "pgkeep_migrations"}
    fixed = file("0002_more.sql", "CREATE TABLE more (id int);")
    assert migrate(deployment, buyers(), fixed) == Result(["0002_more.sql"], [BUYERS])


def test_syntax_error_names_its_line(deployment: Deployment) -> None:
    deployment.apply()
    with pytest.raises(OperationError, match=r"0001_x\.sql failed at line 3 and left nothing"):
        migrate(deployment, file("0001_x.sql", "CREATE TABLE x ();\n\nCREATE TABEL y ();"))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([file(BUYERS, "SELECT 1")], "0001_buyers.sql was edited after it was applied"),
        ([], "0001_buyers.sql was applied but is not in this deployment"),
        ([file("0000_x.sql", "SELECT 1"), buyers()], "0000_x.sql is older than 0001_buyers.sql"),
        ([buyers(), file("0000_x.sql", "SELECT 1")], "announced out of order"),
        ([(buyers()[0], b"SELECT 1")], "not the announced one"),
    ],
)
def test_history_that_does_not_fit_is_refused(
    deployment: Deployment, second: list[tuple[Migration, bytes]], message: str
) -> None:
    deployment.apply()
    migrate(deployment, buyers())
    with pytest.raises(OperationError, match=message):
        migrate(deployment, *second)
    assert relations(deployment) == {"buyers", "pgkeep_migrations"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CREATE TABLE x ();\nCOMMIT;", "line 2 has COMMIT"),
        ("Begin Transaction ;\nSELECT 1;", "line 1 has BEGIN"),
        ("SELECT 1; COMMIT; SELECT 2", "line 1 has COMMIT"),
        ("CREATE TABLE x ();\n/* and */ start\ntransaction read only", "line 2 has START TRANS"),
        ("SELECT 'a;\n'';';\n\nRollback Work;", "line 4 has ROLLBACK"),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;\nEND;",
            "line 2 has END",
        ),
    ],
)
def test_transaction_control_is_refused_before_anything_runs(
    deployment: Deployment, text: str, found: str
) -> None:
    deployment.apply()
    with pytest.raises(OperationError, match=f"{found}.*; each migration already runs in one"):
        migrate(deployment, file("0001_x.sql", text))
    assert relations(deployment) == set()


def test_hidden_commit_is_noticed(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the transaction itself, should the text ever be misread."""

    def blind(_: bytes) -> None:
        return None

    monkeypatch.setattr(transaction_control, "find", blind)
    deployment.apply()
    with pytest.raises(OperationError, match="ended its own transaction"):
        migrate(deployment, file("0001_x.sql", "SELECT 1; COMMIT; SELECT 2"))


@pytest.mark.parametrize(
    "text",
    [
        # As pg_dump and most people write it.
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$\nBEGIN\n  RETURN 1;\nEND\n$f$;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n"
        "SELECT CASE WHEN true THEN 1 END;\nSELECT 2;\nEND;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN\n  RETURN 1;\nEND;\n';",
        "/* Not so: /* BEGIN; */\nCOMMIT;\n*/ -- ROLLBACK;\nCREATE FUNCTION f() RETURNS text\n"
        "LANGUAGE sql RETURN E'\\'\nCOMMIT;\n';",
        'SAVEPOINT a;\nCREATE TABLE x ("end" int, commit int);\nROLLBACK TO a;\n'
        "ROLLBACK WORK TO SAVEPOINT a;\nCREATE FUNCTION f(begin int DEFAULT 1) RETURNS int\n"
        "LANGUAGE sql RETURN (begin);",
    ],
)
def test_what_only_looks_like_transaction_control_is_applied(
    deployment: Deployment, text: str
) -> None:
    deployment.apply()
    assert migrate(deployment, file("0001_f.sql", text)).applied == ["0001_f.sql"]
    with (
        deployment.connect("node_pass_app") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("SELECT node_pass.f()")


def test_nothing_behind_a_nul_counts_as_applied(deployment: Deployment) -> None:
    deployment.apply()
    with pytest.raises(OperationError, match=r"0001_x\.sql has a NUL byte in line 2, where"):
        migrate(deployment, file("0001_x.sql", "SELECT 1;\n\0CREATE TABLE x ();"))


def test_a_byte_order_mark_is_no_part_of_the_first_statement(deployment: Deployment) -> None:
    deployment.apply()
    migrate(deployment, file("0001_x.sql", "\ufeffCREATE TABLE x ();"))
    assert relations(deployment) == {"x", "pgkeep_migrations"}
    with pytest.raises(OperationError, match="failed at line 2"):
        migrate(
            deployment,
            file("0001_x.sql", "\ufeffCREATE TABLE x ();"),
            file("0002_y.sql", "\ufeff\nCREATE TABEL y ();"),
        )


def test_handler_takes_sql_from_the_archive_and_digests_from_the_event(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.apply()
    deployment.set_environment(monkeypatch, MIGRATOR_SECRET_ARN="pgkeep/node_pass_migrator")
    announced = [one.model_dump() for one in workloads.migrations("node_pass")]
    event = {"workload": "node_pass", "migrations": announced}

    assert migrations_function.handler(event, None) == {"applied": [BUYERS], "already": []}
    assert migrations_function.handler(event, None) == {"applied": [], "already": [BUYERS]}
    with pytest.raises(OperationError, match=r"migration 0009_x\.sql .* is not in this archive"):
        migrations_function.handler(
            {**event, "migrations": [{"name": "0009_x.sql", "sha256": "0" * 64}]}, None
        )
    with pytest.raises(OperationError, match="'nodepass' has no contract"):
        migrations_function.handler({**event, "workload": "nodepass"}, None)
