"""Roles on a real PostgreSQL 17 whose master is no superuser, as on RDS.

Not covered here: RDS's own rds_superuser grants, which the local cloud's end-to-end test uses.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from operations import scram, secret_store
from operations.database import Endpoint
from operations.errors import OperationError
from operations.functions import roles as roles_function
from tests.operations.conftest import Deployment
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD
from workloads import RoleManifest

pytestmark = pytest.mark.root

BUYERS = "CREATE TABLE node_pass.buyers (id bigint GENERATED ALWAYS AS IDENTITY, wallet text)"


def create_buyers(deployment: Deployment) -> None:
    """As the migrator does: its users act as the owner."""
    with deployment.connect("node_pass_migrator") as migrator:
        migrator.execute(BUYERS)


def edited(manifest: RoleManifest, role: str, **changes: Any) -> RoleManifest:
    document = manifest.model_dump(by_alias=True)
    for one in document["roles"]:
        if one["name"] == role:
            one.update(changes)
    return RoleManifest.model_validate(document)


def refused(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except InsufficientPrivilege:
        return True
    return False


def test_first_run_makes_what_the_manifest_says_and_second_run_changes_nothing(
    deployment: Deployment,
) -> None:
    first = deployment.apply()
    assert first.status == "changed"
    assert "create role node_pass_app_1" in first.changes
    assert first.missing == ["table node_pass.buyers"]
    versions = [deployment.versions(role.name) for role in deployment.contract.login_roles]
    versions.append(deployment.versions("pooler-users"))

    second = deployment.apply()

    assert second.changes == []
    assert second.status == "unchanged"
    again = [deployment.versions(role.name) for role in deployment.contract.login_roles]
    assert [*again, deployment.versions("pooler-users")] == versions


def test_application_reads_adds_and_changes_but_never_deletes(deployment: Deployment) -> None:
    deployment.apply()
    create_buyers(deployment)
    changes = deployment.apply().changes
    assert changes == [
        "grant INSERT, SELECT, UPDATE on table node_pass.buyers to node_pass_app",
    ]

    with deployment.connect("node_pass_app") as app:
        app.execute("INSERT INTO buyers (wallet) VALUES ('0x1')")
        app.execute("UPDATE buyers SET wallet = '0x2'")
        assert app.execute("SELECT wallet FROM buyers").fetchall() == [("0x2",)]
        app.commit()
        for statement in (
            "DELETE FROM buyers",
            "TRUNCATE buyers",
            "DROP TABLE buyers",
            "ALTER TABLE buyers ADD COLUMN x int",
            "CREATE TABLE node_pass.x ()",
            "CREATE TABLE public.x ()",
            "CREATE TEMPORARY TABLE x ()",
            "SET ROLE node_pass_owner",
            "SET ROLE node_pass_app",
        ):
            assert refused(app, statement), statement
        assert app.execute("SHOW statement_timeout").fetchall() == [("30s",)]


def test_readonly_and_backup_read_and_do_nothing_else(deployment: Deployment) -> None:
    deployment.apply()
    create_buyers(deployment)

    for role in ("node_pass_readonly", "node_pass_backup"):
        with deployment.connect(role) as connection:
            assert connection.execute("SELECT * FROM node_pass.buyers").fetchall() == []
            connection.commit()
            assert refused(connection, "INSERT INTO node_pass.buyers (wallet) VALUES ('x')")
            assert refused(connection, "CREATE TABLE node_pass.x ()")


def test_login_is_refused_to_groups_and_to_the_idle_user(deployment: Deployment) -> None:
    deployment.apply()
    password = deployment.secret("node_pass_app")["password"]
    for user in ("node_pass_app", "node_pass_owner", "node_pass_app_2"):
        with pytest.raises(psycopg.OperationalError):
            deployment.server.endpoint.connect(user, password)


def test_workload_roles_reach_no_other_database(deployment: Deployment) -> None:
    deployment.apply()
    secret = deployment.secret("node_pass_app")
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            deployment.server.endpoint.connect(
                secret["username"], secret["password"], database=database
            )


def test_no_password_reaches_the_server_log_and_verifiers_match(deployment: Deployment) -> None:
    deployment.apply()
    users = deployment.secret("pooler-users")["users"]
    assert sorted(users) == ["node_pass_app_1", "node_pass_health_1", "node_pass_readonly_1"]
    with deployment.server.superuser() as superuser:
        held = dict(
            superuser.execute(
                "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ '^node_pass.*_1$'"
            ).fetchall()
        )
    for role in deployment.contract.login_roles:
        secret = deployment.secret(role.name)
        assert secret["password"] not in deployment.server.log
        assert held[secret["username"]] == scram.verifier(secret["username"], secret["password"])
        assert users.get(secret["username"], held[secret["username"]]) == held[secret["username"]]
        assert secret["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    "drift",
    [
        "GRANT DELETE ON node_pass.buyers TO node_pass_app",
        "GRANT SELECT ON node_pass.buyers TO node_pass_app WITH GRANT OPTION",
        "GRANT ALL ON node_pass.buyers TO PUBLIC",
        "GRANT UPDATE (wallet) ON node_pass.buyers TO node_pass_readonly",
        "CREATE ROLE stranger; GRANT SELECT ON node_pass.buyers TO stranger",
        "CREATE ROLE stranger; GRANT USAGE ON SCHEMA node_pass TO stranger",
        "CREATE FUNCTION node_pass.f() RETURNS int LANGUAGE sql RETURN 1; "
        "ALTER FUNCTION node_pass.f() OWNER TO node_pass_owner; "
        "GRANT EXECUTE ON FUNCTION node_pass.f() TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner IN SCHEMA node_pass "
        "GRANT DELETE ON TABLES TO node_pass_app",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT TEMPORARY ON DATABASE node_pass TO PUBLIC",
        "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
        "GRANT CREATE ON DATABASE node_pass TO node_pass_app",
        "GRANT node_pass_owner TO node_pass_app_1 GRANTED BY pgkeep_master",
        "GRANT pg_read_all_data TO node_pass_app GRANTED BY rds_superuser",
        "ALTER ROLE node_pass_app_1 CREATEDB",
        "ALTER ROLE node_pass_app_1 CONNECTION LIMIT -1",
        "ALTER ROLE node_pass_app_1 SET statement_timeout = 0",
        "ALTER ROLE node_pass_app_1 SET row_security = off",
        "ALTER ROLE node_pass_app_1 IN DATABASE node_pass SET search_path = public",
        "ALTER ROLE node_pass_app_1 PASSWORD 'set by hand'",
        "ALTER ROLE node_pass_app_1 NOLOGIN",
        "ALTER ROLE node_pass_app_1 VALID UNTIL 'yesterday'",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner GRANT DELETE ON TABLES TO node_pass_app",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner IN SCHEMA node_pass "
        "GRANT EXECUTE ON FUNCTIONS TO node_pass_app",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner IN SCHEMA public "
        "GRANT ALL ON SEQUENCES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner GRANT CREATE ON SCHEMAS TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE node_pass_owner GRANT USAGE ON TYPES TO node_pass_app",
        "ALTER SCHEMA node_pass OWNER TO pgkeep_master",
    ],
)
def test_what_was_changed_by_hand_is_undone(deployment: Deployment, drift: str) -> None:
    deployment.apply()
    create_buyers(deployment)
    deployment.apply()
    before = deployment.secret("node_pass_app")
    with deployment.server.superuser("node_pass") as superuser:
        for statement in drift.split(";"):
            superuser.execute(statement.encode())

    assert deployment.apply().status == "changed"

    assert deployment.apply().changes == []
    assert deployment.secret("node_pass_app") == before
    with deployment.connect("node_pass_app") as app:
        assert refused(app, "DELETE FROM buyers")
        assert app.execute("SELECT count(*) FROM buyers").fetchall() == [(0,)]


def test_a_future_table_is_not_given_away_by_a_default_for_every_schema(
    deployment: Deployment,
) -> None:
    deployment.apply()
    with deployment.connect("node_pass_migrator") as migrator:
        migrator.execute("ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO node_pass_app")
    assert deployment.apply().changes == ["revoke DELETE on future tables from node_pass_app"]
    create_buyers(deployment)
    with deployment.connect("node_pass_app") as app:
        assert refused(app, "DELETE FROM node_pass.buyers")


@pytest.mark.parametrize("stage", ["AWSCURRENT", "AWSPENDING"])
@pytest.mark.parametrize(
    ("forged", "message"),
    [
        ({"username": "node_pass_migrator_1"}, "names node_pass_migrator_1, who is neither"),
        ({"username": MASTER}, f"names {MASTER}, who is neither node_pass_readonly_1 nor"),
        ({"password": ""}, "has a password that is empty"),
        ({"password": "pässword"}, "other than printable ASCII"),
    ],
)
def test_a_forged_secret_changes_nobodys_password(
    deployment: Deployment, stage: Any, forged: dict[str, str], message: str
) -> None:
    deployment.apply()
    migrator, poolers = deployment.secret("node_pass_migrator"), deployment.secret("pooler-users")
    document = {**deployment.secret("node_pass_readonly"), "password": "x" * 43, **forged}
    secret_store.write(deployment.secrets, "pgkeep/node_pass_readonly", document, stage)

    with pytest.raises(OperationError, match=message) as refusal:
        deployment.apply()

    assert "x" * 43 not in str(refusal.value)
    assert "pässword" not in str(refusal.value)
    deployment.server.endpoint.connect(migrator["username"], migrator["password"]).close()
    assert deployment.secret("node_pass_migrator") == migrator
    assert deployment.secret("pooler-users") == poolers


def test_a_renamed_role_gets_a_password_once_its_secret_is_empty(deployment: Deployment) -> None:
    deployment.apply()
    create_buyers(deployment)
    before = deployment.secret("node_pass_app")
    renamed = edited(deployment.manifest, "node_pass_app", name="node_pass_web")
    with pytest.raises(OperationError, match=r"names node_pass_app_1.*renamed, write \{\} for"):
        deployment.apply(renamed)
    deployment.server.endpoint.connect(before["username"], before["password"]).close()
    secret_store.write(deployment.secrets, "pgkeep/node_pass_app", {})

    assert "retire role node_pass_app_1 (no login)" in deployment.apply(renamed).changes

    assert deployment.secret("node_pass_app")["username"] == "node_pass_web_1"
    with deployment.connect("node_pass_app") as web:
        assert web.execute("SELECT count(*) FROM buyers").fetchall() == [(0,)]
    assert "node_pass_web_1" in deployment.secret("pooler-users")["users"]
    assert deployment.apply(renamed).changes == []


@pytest.mark.parametrize(
    "answer",
    ["FATAL:  sorry, too many clients already", "FATAL:  the database system is starting up"],
)
def test_a_password_that_nobody_looked_at_is_not_taken_for_set(
    deployment: Deployment, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a rotation broke off, and the server is full while the roles function runs."""
    deployment.apply()
    staged = {**deployment.secret("node_pass_app"), "password": "y" * 43}
    secret_store.write(deployment.secrets, "pgkeep/node_pass_app", staged, "AWSPENDING")
    connect = Endpoint.connect

    def full(endpoint: Endpoint, user: str, *given: Any, **more: Any) -> Any:
        if user == staged["username"]:
            raise psycopg.OperationalError(f'connection to server at "x" failed: {answer}')
        return connect(endpoint, user, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Endpoint, "connect", full)
        deployment.apply()
    assert deployment.secret("node_pass_app") == staged
    deployment.connect("node_pass_app").close()


def test_a_role_without_a_free_connection_keeps_its_password(deployment: Deployment) -> None:
    deployment.apply(edited(deployment.manifest, "node_pass_app", connection_limit=1))
    limited = edited(deployment.manifest, "node_pass_app", connection_limit=1)
    with deployment.connect("node_pass_app"):
        assert deployment.apply(limited).changes == []


def test_a_schema_may_be_named_like_a_key_word(deployment: Deployment) -> None:
    document = json.loads(deployment.manifest.to_json().replace('"node_pass"', '"order"'))
    document |= {"workload": "node_pass", "database": "node_pass"}
    manifest = RoleManifest.model_validate(document)
    deployment.apply(manifest)
    assert deployment.apply(manifest).changes == []


def test_powers_that_the_master_cannot_take_away_are_named(deployment: Deployment) -> None:
    deployment.apply()
    with deployment.server.superuser() as superuser:
        superuser.execute("ALTER ROLE node_pass_app_1 BYPASSRLS")
    with pytest.raises(OperationError, match="node_pass_app_1 has SUPERUSER, REPLICATION or BYP"):
        deployment.apply()


def test_object_of_another_owner_is_named(deployment: Deployment) -> None:
    deployment.apply()
    with deployment.server.superuser("node_pass") as superuser:
        superuser.execute("CREATE TABLE node_pass.strange ()")
    with pytest.raises(OperationError, match=r"ALTER TABLE node_pass\.strange OWNER TO node_pass"):
        deployment.apply()


@pytest.mark.parametrize("crash", ["before the database", "after the database", "before promote"])
def test_crash_between_secret_and_database_is_repaired(
    deployment: Deployment, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {
        "before the database": "operations.roles.identities.reconcile",
        "after the database": "operations.roles.credentials.publish",
        "before promote": "operations.secret_store.promote",
    }
    with monkeypatch.context() as patch:
        patch.setattr(points[crash], _crash)
        with pytest.raises(KeyboardInterrupt):
            deployment.apply()

    deployment.apply()

    for role in deployment.contract.login_roles:
        deployment.connect(role.name).close()
        stages = deployment.secrets.describe_secret(SecretId=f"pgkeep/{role.name}")
        assert not any("AWSPENDING" in one for one in stages["VersionIdsToStages"].values())
    assert deployment.apply().changes == []


def _crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_a_killed_restore_let_the_master_inherit_is_taken_back(
    deployment: Deployment,
) -> None:
    """But for a restore that is at work: pg_restore gives objects to their owners by it."""
    deployment.apply()
    endpoint, password = deployment.server.endpoint, MASTER_PASSWORD
    with endpoint.connect(MASTER, password, application_name="pgkeep restore") as restore:
        for role in ("node_pass_owner", "node_pass_backup"):
            restore.execute(f"GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE".encode())
        restore.commit()
        assert deployment.apply().changes == []
    wait_until_gone(deployment, "pgkeep restore")
    assert deployment.apply().changes == [
        "let the master user inherit nothing from node_pass_backup",
        "let the master user inherit nothing from node_pass_owner",
    ]
    assert deployment.apply().changes == []
    with endpoint.connect(MASTER, password) as master:
        master.execute("SET ROLE node_pass_owner")


def wait_until_gone(deployment: Deployment, application_name: str) -> None:
    with deployment.server.superuser() as superuser:
        query = "SELECT FROM pg_stat_activity WHERE application_name = %s"
        while superuser.execute(query, (application_name,)).fetchone():
            pass


def test_role_that_left_the_manifest_cannot_log_in_any_more(deployment: Deployment) -> None:
    deployment.apply()
    create_buyers(deployment)
    secret = deployment.secret("node_pass_readonly")
    roles = [role for role in deployment.manifest.roles if role.kind != "readonly"]
    smaller = deployment.manifest.model_copy(update={"roles": tuple(roles)})

    with deployment.server.superuser() as superuser:
        superuser.execute("GRANT pg_monitor TO node_pass_readonly_2 GRANTED BY rds_superuser")

    changes = deployment.apply(smaller).changes
    assert "retire role node_pass_readonly_1 (no login)" in changes
    assert "revoke membership of node_pass_readonly_2 in pg_monitor" in changes
    users = deployment.secret("pooler-users")["users"]
    assert sorted(users) == ["node_pass_app_1", "node_pass_health_1"]
    with pytest.raises(psycopg.OperationalError):
        deployment.server.endpoint.connect(secret["username"], secret["password"])
    assert deployment.apply(smaller).changes == []
    assert "retire" not in str(deployment.apply().changes)
    deployment.connect("node_pass_readonly").close()


def test_failed_run_leaves_the_database_as_it_was(deployment: Deployment) -> None:
    with deployment.server.superuser() as superuser:
        superuser.execute("CREATE ROLE node_pass_readonly_2")  # not the master's: no ADMIN on it
    with pytest.raises(OperationError, match=r"cannot .* node_pass_readonly_2"):
        deployment.apply()
    with deployment.server.superuser() as superuser:
        rows = superuser.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^node_'")
        assert rows.fetchall() == [("node_pass_readonly_2",)]


def test_handler_answers_with_status_and_changes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.set_environment(
        monkeypatch,
        MASTER_SECRET_ARN="pgkeep/master",
        POOLER_USERS_SECRET_ARN="pgkeep/pooler-users",
    )
    event = {"manifest": deployment.manifest.model_dump(mode="json", by_alias=True)}

    assert roles_function.handler(event, None)["status"] == "changed"
    assert roles_function.handler(event, None) == {
        "status": "unchanged",
        "changes": [],
        "missing": ["table node_pass.buyers"],
    }
    assert deployment.secret("node_pass_app")["password"] not in capsys.readouterr().out

    with pytest.raises(OperationError, match=r"manifest\.roles: "):
        roles_function.handler({"manifest": {**event["manifest"], "roles": []}}, None)


def test_unsafe_manifest_never_reaches_the_database(deployment: Deployment) -> None:
    grant = {
        "object_type": "table",
        "schema": "node_pass",
        "objects": ["buyers"],
        "privileges": ["DELETE"],
    }
    with pytest.raises(OperationError, match="must not get DELETE"):
        deployment.apply(edited(deployment.manifest, "node_pass_app", grants=[grant]))
    with deployment.server.superuser() as superuser:
        assert not superuser.execute("SELECT FROM pg_roles WHERE rolname ~ '^node_'").fetchall()


def test_master_stays_without_the_privileges_of_the_owner(deployment: Deployment) -> None:
    deployment.apply()
    create_buyers(deployment)
    with deployment.server.superuser("node_pass") as superuser:
        row = superuser.execute(
            "SELECT has_table_privilege(%s, 'node_pass.buyers', 'INSERT')", (MASTER,)
        ).fetchall()
    assert row == [(False,)]
