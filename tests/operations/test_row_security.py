"""Tables with row-level security: backed up whole, restored and proven by RDS's kind of master."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import psycopg
import pytest

from operations.backup import BackupTarget, Manifest, run, segments
from operations.backup.children import Login
from operations.database import Endpoint
from operations.errors import OperationError
from operations.migrations import run as migrate
from operations.restore import (
    Options,
    Restored,
    Selection,
    databases,
    restore,
    role_grants,
    row_readers,
    table_copy,
)
from operations.restore.proof import Proof, prove, prove_without_manifest
from operations.restore.table_copy import Side
from pgkeep.restore_target import server_roles
from tests.operations.conftest import Deployment
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD
from tests.operations.site import RESTORED, unpack_client_layer
from tests.operations.stored_backups import BUCKET
from workloads.contract import Migration

pytestmark = pytest.mark.root

# Tenants see their own rows. What a restore meets with forced security: a foreign key that it
# validates, a sequence that it compares, a materialized view that it fills.
TENANTS = b"""
CREATE TABLE tenants (id int PRIMARY KEY, name text);
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    tenant int NOT NULL REFERENCES tenants, text text) ;
CREATE TABLE events (id serial, tenant int REFERENCES tenants) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (1000);
INSERT INTO tenants SELECT i, 'n' || i FROM generate_series(1, 5) i;
INSERT INTO notes (tenant, text) SELECT i % 5 + 1, 'secret ' || i FROM generate_series(1, 50) i;
INSERT INTO events (tenant) SELECT i % 5 + 1 FROM generate_series(1, 20) i;
CREATE MATERIALIZED VIEW busy AS SELECT tenant, count(*) AS events FROM events GROUP BY 1;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (id = current_setting('app.tenant', true)::int);
CREATE POLICY own ON notes USING (tenant = current_setting('app.tenant', true)::int);
CREATE POLICY own ON events USING (tenant = current_setting('app.tenant', true)::int);
CREATE POLICY strict ON notes AS RESTRICTIVE TO node_pass_app USING (text <> 'secret 7');
CREATE MATERIALIZED VIEW of_nobody AS SELECT count(*) FROM notes;
COMMENT ON POLICY own ON notes IS 'of the tenant that asks';
"""


@dataclasses.dataclass
class World:
    """A workload with tenants, its bucket, and the master's ways."""

    deployment: Deployment
    target: BackupTarget
    s3: Any

    def endpoint(self, database: str) -> Endpoint:
        return dataclasses.replace(self.deployment.server.endpoint, database=database)

    def master(self, database: str = RESTORED) -> psycopg.Connection[Any]:
        return self.endpoint(database).connect(MASTER, MASTER_PASSWORD)

    def backup(self) -> Manifest:
        return run(
            "manual",
            self.deployment.server.endpoint,
            connect=lambda: self.deployment.connect("node_pass_backup"),
            target=self.target,
            s3=self.s3,
        )

    def restore(self, backup: Manifest, *, no_owner: bool = False) -> tuple[Restored, Proof]:
        """As `pgkeep restore --to restored` does."""
        with self.master("postgres") as connection:
            connection.autocommit = True
            databases.drop(connection, RESTORED)
            databases.create(connection, RESTORED, backup)
            with databases.owners_assumed(connection, server_roles(connection)):
                restored = restore(
                    backup,
                    s3=self.s3,
                    bucket=BUCKET,
                    login=Login(self.endpoint(RESTORED), MASTER, MASTER_PASSWORD),
                    connect=self.master,
                    options=Options(no_owner=no_owner),
                )
            with row_readers.assumed(connection, self.master):
                return restored, prove(backup, connect=self.master)

    def as_owner(self, statement: str) -> None:
        with self.deployment.connect("node_pass_migrator") as migrator:
            migrator.execute(statement.encode())

    def as_superuser(self, statement: str) -> None:
        with self.deployment.server.superuser("node_pass") as superuser:
            superuser.execute(statement.encode())


@pytest.fixture
def world(
    deployment: Deployment,
    s3: Any,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    layer = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(layer))
    deployment.apply()
    with deployment.connect("node_pass_migrator") as connection:
        migrate(connection, deployment.contract, [migration("0001_tenants.sql", TENANTS)])
    key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    yield World(deployment, BackupTarget(BUCKET, key, retention_days={}), s3)
    with deployment.server.superuser() as superuser:
        databases.drop(superuser, RESTORED)


def migration(name: str, text: bytes) -> tuple[Migration, bytes]:
    return Migration(name=name, sha256=hashlib.sha256(text).hexdigest()), text


def findings(proof: Proof) -> list[str]:
    return [line for check in proof.checks for line in check.findings]


def test_a_migration_lets_backups_and_nobody_else_read_every_row(world: World) -> None:
    assert world.deployment.apply().changes == []
    world.as_owner("GRANT SELECT ON notes TO node_pass_app")
    counts = {}
    for role in ("node_pass_app", "node_pass_backup"):
        with world.deployment.connect(role) as connection:
            connection.execute("SET app.tenant = 3")
            counts[role] = connection.execute("SELECT count(*) FROM notes").fetchall()
    assert counts == {"node_pass_app": [(9,)], "node_pass_backup": [(50,)]}


def test_the_policy_is_made_and_kept_as_it_should_be(world: World) -> None:
    world.as_owner("DROP POLICY pgkeep_backup ON tenants")
    world.as_owner("ALTER POLICY pgkeep_backup ON notes USING (id > 7)")
    world.as_owner("ALTER POLICY pgkeep_backup ON events TO node_pass_backup, node_pass_app")
    changes = [
        f"let node_pass_backup read every row of node_pass.{table} (policy pgkeep_backup)"
        for table in ("events", "notes", "tenants")
    ]
    assert world.deployment.apply().changes == changes
    assert world.deployment.apply().changes == []
    assert world.backup().row_counts["node_pass.notes"] == 50


def test_a_table_in_use_is_told_and_nothing_changed(world: World) -> None:
    world.as_owner("DROP POLICY pgkeep_backup ON tenants")
    world.as_superuser(f"ALTER ROLE {MASTER} SET lock_timeout = '200ms'")
    try:
        with world.deployment.connect("node_pass_backup") as reader:
            reader.execute("SELECT count(*) FROM tenants")
            with pytest.raises(
                OperationError, match=r"node_pass\.tenants cannot be made: the table"
            ):
                world.deployment.apply()
    finally:
        world.as_superuser(f"ALTER ROLE {MASTER} RESET lock_timeout")


def test_every_row_comes_back_and_is_proven_with_its_policies(world: World) -> None:
    backup = world.backup()
    assert backup.row_counts == {
        "node_pass.events_1": 20,
        "node_pass.notes": 50,
        "node_pass.pgkeep_migrations": 1,
        "node_pass.tenants": 5,
    }
    restored, proof = world.restore(backup)
    assert (findings(proof), restored.left_out) == ([], [])
    role_grants.prove(proof, world.deployment.manifest, connect=world.master)
    assert findings(proof) == []
    policies = """SELECT polrelid::regclass::text, polname::text, pg_get_expr(polqual, polrelid),
                         polroles::regrole[]::text, obj_description(oid, 'pg_policy')
                    FROM pg_policy ORDER BY 1, 2"""
    secured = "SELECT relname::text, relforcerowsecurity FROM pg_class WHERE relrowsecurity"
    with world.master() as there, world.master("node_pass") as here:
        filled = [f"SELECT * FROM node_pass.{view} ORDER BY 1" for view in ("busy", "of_nobody")]
        for query in (policies, secured, *filled):
            before = sorted(here.execute(query.encode()).fetchall())
            assert sorted(there.execute(query.encode()).fetchall()) == before
            assert before
    # What the proof saw, it saw for as long as it ran.
    with world.master() as connection:
        seen = connection.execute("SELECT count(*) FROM node_pass.notes").fetchall()
    assert seen == [(0,)]


def test_a_missing_row_that_policies_hide_from_most_is_found(world: World) -> None:
    backup = world.backup()
    world.restore(backup)
    with world.deployment.server.superuser(RESTORED) as superuser:
        superuser.execute("DELETE FROM node_pass.notes WHERE id = 31")
    with world.master("postgres") as connection:
        connection.autocommit = True
        with row_readers.assumed(connection, world.master):
            proof = prove(backup, connect=world.master)
    assert findings(proof) == ["node_pass.notes has 49 rows, the backup has 50"]


def test_without_the_roles_that_see_all_nothing_is_called_proven(world: World) -> None:
    backup = world.backup()
    world.restore(backup)
    said = [
        f"node_pass.{table}: row-level security hides rows from {MASTER}"
        for table in ("events", "notes", "tenants")
    ]
    with world.master("postgres") as connection:
        connection.autocommit = True
        with databases.owners_assumed(connection, ["node_pass_app"]):
            assert findings(prove(backup, connect=world.master))[:3] == said
            proof, _ = prove_without_manifest("a moment", connect=world.master)
            assert findings(proof)[:3] == said


def test_a_moment_is_read_whole_by_the_master(world: World) -> None:
    def source() -> psycopg.Connection[Any]:
        return world.master("node_pass")

    with world.master("postgres") as connection:
        connection.autocommit = True
        with row_readers.assumed(connection, source):
            proof, counts = prove_without_manifest("a moment", connect=source)
            assert (findings(proof), counts["node_pass.notes"]) == ([], 50)
            databases.create(connection, RESTORED, world.backup())
            side = Side(Login(world.endpoint("node_pass"), MASTER, MASTER_PASSWORD), source)
            there = Side(Login(world.endpoint(RESTORED), MASTER, MASTER_PASSWORD), world.master)
            options = Options(selection=Selection(tables=("notes",)))
            with (
                databases.owners_assumed(connection, ["node_pass_owner"]),
                table_copy.prepared("a moment", side, options) as copy,
            ):
                described = copy.described()
                copied = copy.run(there)
            with row_readers.assumed(connection, world.master):
                proof = prove(described, connect=world.master, tables=copied.tables)
    assert (findings(proof), copied.tables[0].rows) == ([], 50)


def test_a_copy_that_would_lack_rows_says_so_of_a_copy(world: World) -> None:
    def source() -> psycopg.Connection[Any]:
        return world.master("node_pass")

    side = Side(Login(world.endpoint("node_pass"), MASTER, MASTER_PASSWORD), source)
    options = Options(selection=Selection(tables=("notes",)))
    said = "hides rows of 3 tables .*, and without them the copy would not be whole"
    with (
        pytest.raises(OperationError, match=said) as refused,
        table_copy.prepared("a moment", side, options),
    ):
        raise AssertionError("it is not begun")
    assert "backup would" not in str(refused.value)


def test_who_joins_a_role_in_the_middle_copies_nothing_that_counts(world: World) -> None:
    """A restrictive policy of the role would hide rows from now on."""

    def source() -> psycopg.Connection[Any]:
        return world.master("node_pass")

    side = Side(Login(world.endpoint("node_pass"), MASTER, MASTER_PASSWORD), source)
    there = Side(Login(world.endpoint(RESTORED), MASTER, MASTER_PASSWORD), world.master)
    with world.master("postgres") as connection:
        connection.autocommit = True
        databases.create(connection, RESTORED, world.backup())
        with (
            row_readers.assumed(connection, source),
            table_copy.prepared("a moment", side, Options()) as copy,
            databases.owners_assumed(connection, server_roles(connection)),
            pytest.raises(OperationError, match=r"restrictive policy strict of node_pass\.notes"),
        ):
            copy.run(there)


@pytest.mark.parametrize(
    ("changed", "said", "repaired"),
    [
        pytest.param(
            "DROP POLICY pgkeep_backup ON node_pass.notes",
            'CREATE POLICY pgkeep_backup ON "node_pass"."notes" FOR SELECT TO "node_pass_backup" '
            "USING (true)",
            None,
            id="no policy",
        ),
        pytest.param(
            "CREATE POLICY of_all ON node_pass.notes AS RESTRICTIVE USING (tenant < 5)",
            'ALTER POLICY "of_all" ON "node_pass"."notes" TO',
            'ALTER POLICY "of_all" ON "node_pass"."notes" TO node_pass_app',
            id="restricted",
        ),
        pytest.param(
            "ALTER POLICY pgkeep_backup ON node_pass.notes USING (tenant > 0 OR tenant <= 0)",
            'CREATE POLICY pgkeep_backup ON "node_pass"."notes"',
            "ALTER POLICY pgkeep_backup ON node_pass.notes USING (true)",
            id="not surely all",
        ),
        pytest.param(
            "DROP POLICY pgkeep_backup ON node_pass.events",
            'CREATE POLICY pgkeep_backup ON "node_pass"."events" FOR SELECT TO "node_pass_backup" '
            "USING (true)",
            None,
            id="a partitioned table",
        ),
    ],
)
def test_what_may_hide_rows_is_refused_with_what_helps(
    world: World, changed: str, said: str, repaired: str | None
) -> None:
    world.as_superuser(changed)
    with pytest.raises(OperationError, match="hides rows of 1 table from node_pass_backup_1") as no:
        world.backup()
    assert said in str(no.value)
    assert "Contents" not in world.s3.list_objects_v2(Bucket=BUCKET)
    world.as_owner(repaired or said)
    assert world.backup().row_counts["node_pass.notes"] == 50


def test_who_leaves_the_role_in_the_middle_gets_no_backup(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks keep policies as they are; not who is in which role."""
    real = segments.plan

    def leave_then_plan(tables: Any, workers: int) -> Any:
        world.as_superuser("GRANT pg_read_all_data TO node_pass_backup_1")
        world.as_superuser("GRANT CONNECT ON DATABASE node_pass TO node_pass_backup_1")
        world.as_superuser(f"REVOKE node_pass_backup FROM node_pass_backup_1 GRANTED BY {MASTER}")
        return real(tables, workers)

    monkeypatch.setattr(segments, "plan", leave_then_plan)
    with pytest.raises(OperationError, match="row-level security hides rows of 3 tables"):
        world.backup()
    keys = [one["Key"] for one in world.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    assert not [key for key in keys if key.endswith("manifest.json")]


def test_policies_for_roles_that_are_not_there_are_told(world: World) -> None:
    world.as_superuser("CREATE ROLE stranger_guest")
    world.as_owner("CREATE POLICY guest ON notes FOR SELECT TO stranger_guest USING (true)")
    world.as_owner("COMMENT ON POLICY guest ON notes IS 'of another server'")
    backup = world.backup()
    world.as_owner("DROP POLICY guest ON notes")
    world.as_superuser("DROP ROLE stranger_guest")
    with pytest.raises(OperationError, match="roles of the backup are missing"):
        world.restore(backup)
    restored, proof = world.restore(backup, no_owner=True)
    assert restored.left_out == [
        "2 policies and comments for roles that are not on this server: tables with row-level "
        "security show them nothing"
    ]
    assert findings(proof) == []
