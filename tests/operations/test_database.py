"""Connecting with a secret's user: refusals, rotations on their way, and what is said at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from operations import database
from operations.backup.children import Login
from operations.database import Endpoint, connect_with_secret
from operations.errors import OperationError
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD, PostgresServer


def put(secrets: Any, password: str) -> None:
    document = json.dumps({"username": MASTER, "password": password})
    try:
        secrets.create_secret(Name="master", SecretString=document)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId="master", SecretString=document)


def connect(secrets: Any, endpoint: Endpoint, wait_seconds: float = 5) -> psycopg.Connection[Any]:
    return connect_with_secret(
        endpoint, secrets, "master", application_name="a test", wait_seconds=wait_seconds
    )


@pytest.mark.root
def test_a_password_that_was_rotated_meanwhile_is_read_again(
    server: PostgresServer, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(secrets, "the old password")
    monkeypatch.setattr(database.time, "sleep", lambda _: put(secrets, MASTER_PASSWORD))
    with connect(secrets, server.endpoint) as connection:
        assert connection.execute("SELECT current_user").fetchall() == [(MASTER,)]


@pytest.mark.root
def test_a_wrong_password_ends_with_the_servers_reason(
    server: PostgresServer, secrets: Any
) -> None:
    put(secrets, "wrong")
    with pytest.raises(OperationError, match=r"as pgkeep_master within 0 s: .*authentication fail"):
        connect(secrets, server.endpoint, wait_seconds=0)


@pytest.mark.root
def test_a_server_of_another_authority_is_refused(
    server: PostgresServer, secrets: Any, tmp_path: Any
) -> None:
    put(secrets, MASTER_PASSWORD)
    other = tmp_path / "other.pem"
    other.write_text((server.endpoint.ca_bundle.parent / "server.crt").read_text())
    endpoint = Endpoint("localhost", server.endpoint.port, "node_pass", other)
    with pytest.raises(OperationError, match="certificate verify failed"):
        connect(secrets, endpoint, wait_seconds=0)


def test_a_secret_that_is_not_filled_yet_says_so(secrets: Any, tmp_path: Any) -> None:
    secrets.create_secret(Name="master", SecretString='{"status": "waiting"}')
    with pytest.raises(OperationError, match="master has no username and password yet; the funct"):
        connect(secrets, Endpoint("localhost", 1, "node_pass", tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DB_HOST", "", "DB_HOST is not set"),
        ("DB_PORT", "five", "DB_PORT is 'five'; it must be a whole number"),
        (
            "RDS_CA_BUNDLE",
            "/nowhere",
            "RDS_CA_BUNDLE is /nowhere, which is no file; attach the lay",
        ),
    ],
)
def test_wrong_environment_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    for variable, good in {
        "DB_HOST": "db.example",
        "DB_PORT": "5432",
        "DB_NAME": "node_pass",
        "RDS_CA_BUNDLE": str(bundle),
        name: value,
    }.items():
        monkeypatch.setenv(variable, good)
    with pytest.raises(OperationError, match=message):
        Endpoint.from_environment()


def test_a_server_that_is_gone_without_a_word_is_noticed(server: PostgresServer) -> None:
    """Sessions and programs alike, also in a database of an odd name."""
    wanted = {
        "keepalives_idle": "60",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "120000",
    }
    with server.endpoint.connect(MASTER, MASTER_PASSWORD) as connection:
        assert connection.info.get_parameters().items() >= wanted.items()
    odd = replace(server.endpoint, database="odd 'name\\' é")
    words = Login(odd, MASTER, MASTER_PASSWORD).option.removeprefix("--dbname=")
    assert conninfo_to_dict(words) == {"dbname": "odd 'name\\' é", **wanted}
