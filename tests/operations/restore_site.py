"""A site with a database to restore, as fixtures that the modules of restores take over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from operations.backup import BackupTarget
from operations.restore import databases
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, RESTORED, SOURCE, USER, Site, unpack_client_layer

BUCKET = "pgkeep-backups-of-a-restore-test"

NASTY = Path(__file__).parent / "databases" / "nasty.sql"

NO_FOREIGN_KEYS = "foreign keys (1): they are not here, and neither are the rows of the tables that were not chosen"


@pytest.fixture(scope="module", autouse=True)
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The layer's programs, unpacked as Lambda does."""
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
        yield


@pytest.fixture
def site(server: PostgresServer, aws: None) -> Iterator[Site]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    yield Site(server, s3, BackupTarget(BUCKET, key, retention_days={}))
    with server.superuser() as connection:
        databases.drop(connection, RESTORED)


@pytest.fixture
def nasty(site: Site) -> Site:
    """The source holds the nasty database."""
    with site.server.superuser(SOURCE) as connection:
        connection.execute(NASTY.read_bytes())
    return site


@pytest.fixture
def plain(site: Site) -> Site:
    """Two tables that belong together."""
    with site.server.superuser(SOURCE) as connection:
        connection.execute(
            b"CREATE TABLE buyers (id serial PRIMARY KEY, wallet text NOT NULL);"
            b"CREATE TABLE orders (id int PRIMARY KEY, buyer int NOT NULL REFERENCES buyers);"
            b"INSERT INTO buyers (wallet) SELECT md5(i::text) FROM generate_series(1, 2000) i;"
            b"INSERT INTO orders SELECT i, i FROM generate_series(1, 2000) i"
        )
    return site
