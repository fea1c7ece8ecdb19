"""The master password around the RDS API (moto), with breaks at each step."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from operations import secret_store
from operations.credentials import master
from operations.errors import OperationError
from operations.functions import master_credentials as function

IDENTIFIER = "pgkeep-test"


@pytest.fixture
def rds(secrets: Any) -> Any:
    secrets.create_secret(Name="master")
    client = boto3.client("rds")
    client.create_db_instance(
        DBInstanceIdentifier=IDENTIFIER,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        MasterUsername="pgkeep_master",
        MasterUserPassword="throwaway-password",
        AllocatedStorage=20,
    )
    return client


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DB_INSTANCE_IDENTIFIER": IDENTIFIER,
        "MASTER_SECRET_ARN": "master",
        "DB_HOST": "db.example",
        "DB_PORT": "5432",
        "DB_NAME": "node_pass",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch, rds: Any) -> list[str]:
    """The passwords that RDS was given, in order."""
    given: list[str] = []
    real = rds.modify_db_instance

    def modify(**inputs: Any) -> Any:
        given.append(inputs["MasterUserPassword"])
        assert inputs["ApplyImmediately"] is True
        return real(**inputs)

    rds.modify_db_instance = modify
    real_client = boto3.client
    monkeypatch.setattr(
        function.boto3, "client", lambda name: rds if name == "rds" else real_client(name)
    )
    return given


def current(secrets: Any) -> dict[str, Any]:
    return secret_store.read(secrets, "master") or {}


def test_initialize_sets_a_new_password_once(secrets: Any, rds: Any, passwords: list[str]) -> None:
    assert function.handler({"action": "initialize"}, None) == {
        "status": "initialized",
        "username": "pgkeep_master",
    }
    assert current(secrets) == {
        "username": "pgkeep_master",
        "password": passwords[0],
        "host": "db.example",
        "port": 5432,
        "dbname": "node_pass",
        "engine": "postgres",
        "dbi_resource_id": rds.describe_db_instances()["DBInstances"][0]["DbiResourceId"],
    }
    assert function.handler({"action": "initialize"}, None)["status"] == "unchanged"
    assert len(passwords) == 1


@pytest.mark.parametrize("lost", ["username", "password"])
def test_a_secret_that_lost_a_part_gets_a_new_password(
    secrets: Any, rds: Any, passwords: list[str], lost: str
) -> None:
    function.handler({"action": "initialize"}, None)
    whole = current(secrets)
    damaged = {name: value for name, value in whole.items() if name != lost}
    secret_store.write(secrets, "master", damaged, "AWSPENDING")
    secret_store.promote(secrets, "master")
    assert function.handler({"action": "initialize"}, None)["status"] == "initialized"
    assert current(secrets) == {**whole, "password": passwords[-1]}
    assert len(passwords) == 2


def test_an_instance_that_took_the_place_of_another_gets_a_password(
    secrets: Any, rds: Any, passwords: list[str]
) -> None:
    function.handler({"action": "initialize"}, None)
    first, real = current(secrets), rds.describe_db_instances

    def another(**inputs: Any) -> Any:
        answer = real(**inputs)
        answer["DBInstances"][0]["DbiResourceId"] = "db-ANOTHER"
        return answer

    rds.describe_db_instances = another
    assert function.handler({"action": "initialize"}, None)["status"] == "initialized"
    assert len(set(passwords)) == 2
    second = {**first, "password": passwords[1], "dbi_resource_id": "db-ANOTHER"}
    assert current(secrets) == second
    assert function.handler({"action": "initialize"}, None)["status"] == "unchanged"


def test_rotate_sets_another_and_keeps_the_previous(secrets: Any, passwords: list[str]) -> None:
    function.handler({"action": "rotate"}, None)
    assert function.handler({"action": "rotate"}, None)["status"] == "rotated"
    assert len(set(passwords)) == 2
    assert current(secrets)["password"] == passwords[1]


@pytest.mark.parametrize("action", ["initialize", "rotate"])
@pytest.mark.parametrize("point", ["before RDS", "after RDS"])
def test_a_run_that_broke_off_is_finished_with_the_staged_password(
    secrets: Any,
    passwords: list[str],
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    point: str,
) -> None:
    if action == "rotate":
        function.handler({"action": "initialize"}, None)
        passwords.clear()
    names = {"before RDS": "_wait_until_settled", "after RDS": "secret_store.promote"}

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"operations.credentials.master.{names[point]}", crash)
        with pytest.raises(KeyboardInterrupt):
            function.handler({"action": action}, None)
    staged = secret_store.read(secrets, "master", "AWSPENDING") or {}
    assert staged["password"] != current(secrets).get("password")

    function.handler({"action": action}, None)

    assert current(secrets)["password"] == staged["password"] == passwords[-1]
    assert set(passwords) == {staged["password"]}


def test_it_waits_while_rds_resets_the_password(rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["resetting-master-credentials", "modifying", "available"])
    available = rds.describe_db_instances()["DBInstances"][0]
    waited: list[float] = []
    monkeypatch.setattr(master.time, "sleep", waited.append)
    pending = {**available, "PendingModifiedValues": {"MasterUserPassword": "****"}}

    class Resetting:
        def describe_db_instances(self, **_: str) -> Any:
            return {"DBInstances": [{**available, "DBInstanceStatus": next(states)}]}

    master._wait_until_settled(Resetting(), IDENTIFIER, pending)
    assert waited == [0.5, 1.0, 2.0]


def test_two_runs_at_once_leave_the_instance_with_the_secrets_password(
    secrets: Any, rds: Any, passwords: list[str]
) -> None:
    """The second run stages its own password while the first waits for RDS."""
    function.handler({"action": "initialize"}, None)
    first_modify = rds.modify_db_instance
    document = current(secrets)

    def modify(**inputs: Any) -> Any:
        answer = first_modify(**inputs)
        if len(passwords) == 2:
            other = {**document, "password": "of-the-other-run"}
            secret_store.write(secrets, "master", other, "AWSPENDING")
            secret_store.promote(secrets, "master")
        return answer

    rds.modify_db_instance = modify
    function.handler({"action": "rotate"}, None)
    assert passwords[-1] == current(secrets)["password"] == "of-the-other-run"


def test_wrong_input_is_one_line(rds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match="action is 'reset'; it must be one of initialize, r"):
        function.handler({"action": "reset"}, None)
    monkeypatch.setenv("DB_INSTANCE_IDENTIFIER", "another")
    with pytest.raises(OperationError, match="database instance another does not exist"):
        function.handler({"action": "initialize"}, None)
    monkeypatch.delenv("DB_HOST")
    with pytest.raises(OperationError, match="environment variable DB_HOST is not set"):
        function.handler({"action": "initialize"}, None)
