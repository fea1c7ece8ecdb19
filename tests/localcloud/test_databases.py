"""CreateDBInstance to a query: a real PostgreSQL behind the RDS API, in a real network."""

import time

import psycopg
import pytest

from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud

cloud = databases_cloud.cloud
pytestmark = pytest.mark.root


def test_primary(cloud: DatabasesCloud) -> None:
    started = time.monotonic()
    created = cloud.create_instance("primary")
    assert created["DBInstanceStatus"] == "creating"
    described = cloud.wait("primary")
    print("available after", time.monotonic() - started)
    with cloud.connect("primary") as connection:
        print(connection.execute("select version()").fetchone())
        print(connection.execute("\\du" if False else "select rolname, rolsuper from pg_roles where rolname !~ '^pg_'").fetchall())
    print(described)
