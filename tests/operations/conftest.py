"""AWS by moto in the test's process, and a real PostgreSQL 17 for the whole run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws

from localcloud.image import base_image
from operations.roles import apply
from operations.roles.apply import Result
from tests.operations import postgres_server
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD, PostgresServer
from tests.operations.stored_backups import BUCKET
from workloads import RoleManifest, load

REGION = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


@pytest.fixture
def s3(aws: None) -> Any:
    """S3 with an empty bucket, `BUCKET`."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@pytest.fixture
def secrets(aws: None) -> Any:
    return boto3.client("secretsmanager")


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = postgres_server.start(base_image(print), tmp_path_factory.mktemp("postgresql"))
    yield server
    server.stop()


@pytest.fixture
def server(_server: PostgresServer) -> PostgresServer:
    """A server with an empty database `node_pass`, owned by the master."""
    _server.reset()
    return _server


class Deployment:
    """The node_pass workload on a server, with its secrets, as after `up`."""

    def __init__(self, server: PostgresServer, secrets: Any) -> None:
        self.server = server
        self.secrets = secrets
        self.contract = load("node_pass")
        names = {role.name: f"pgkeep/{role.name}" for role in self.contract.login_roles}
        self.manifest = self.contract.role_manifest(names)
        for name in [*names.values(), "pgkeep/pooler-users"]:
            secrets.create_secret(Name=name)
        master = {"username": MASTER, "password": MASTER_PASSWORD}
        secrets.create_secret(Name="pgkeep/master", SecretString=json.dumps(master))

    def apply(self, manifest: RoleManifest | None = None) -> Result:
        return apply(
            manifest or self.manifest,
            self.server.endpoint,
            self.secrets,
            master_secret="pgkeep/master",
            pooler_users_secret="pgkeep/pooler-users",
        )

    def secret(self, name: str) -> dict[str, Any]:
        # moto alone answers a read without a stage with another version than the current one.
        answer = self.secrets.get_secret_value(SecretId=f"pgkeep/{name}", VersionStage="AWSCURRENT")
        return json.loads(answer["SecretString"])

    def versions(self, name: str) -> list[str]:
        return sorted(self.secrets.describe_secret(SecretId=f"pgkeep/{name}")["VersionIdsToStages"])

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """As an application does: with the role's secret."""
        secret = self.secret(role)
        return self.server.endpoint.connect(secret["username"], secret["password"])

    def set_environment(self, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
        """What every function in the VPC gets, and `variables`."""
        endpoint = self.server.endpoint
        monkeypatch.setenv("DB_HOST", endpoint.host)
        monkeypatch.setenv("DB_PORT", str(endpoint.port))
        monkeypatch.setenv("DB_NAME", endpoint.database)
        monkeypatch.setenv("RDS_CA_BUNDLE", str(endpoint.ca_bundle))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def deployment(server: PostgresServer, secrets: Any) -> Deployment:
    return Deployment(server, secrets)
