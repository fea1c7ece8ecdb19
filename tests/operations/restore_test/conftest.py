"""The restore test's function on a real PostgreSQL 17, with RDS as a double that keeps state.

The double "restores" by pointing at the same server and taking away what came after the moment,
which is what a restore does; tests/e2e/test_restores.py has a real one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from operations import postgresql_client_layer
from operations.backup import BackupTarget, run
from operations.backup.store import Store
from operations.errors import OperationError
from operations.restore import report, restore_test
from operations.restore.objectives import Objectives
from operations.restore.restore_test import LAST_TEST_KEY, Site
from tests.operations.postgres_server import PostgresServer

BUCKET = "pgkeep-backups-of-a-scheduled-test"
USER, PASSWORD = "stranger_tester", "password-of-a-test"
SCRATCH = "pgkeep-test-restore-test"
ARN = f"arn:aws:rds:eu-west-1:123456789012:db:{SCRATCH}"


@pytest.fixture(scope="session", autouse=True)
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("opt")
    with zipfile.ZipFile(postgresql_client_layer.build("x86_64")) as layer:
        for entry in layer.infolist():
            path = Path(layer.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder / "pg"))
        yield


@dataclass
class Rds:
    """What the function uses of RDS."""

    server: PostgresServer
    status: str = "creating"
    restored: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] | None = None
    deletions: list[dict[str, Any]] = field(default_factory=list)
    refuses_deletion: bool = False
    #: How the restore is off: seconds too late (rows after the moment stay).
    inexact: bool = False

    def describe_db_instances(self, DBInstanceIdentifier: str) -> dict[str, Any]:
        if DBInstanceIdentifier == SCRATCH:
            if self.instance is None:
                raise _error("DBInstanceNotFound")
            return {"DBInstances": [{**self.instance, "DBInstanceStatus": self.status}]}
        now = datetime.now(UTC)
        source = {
            "DBInstanceIdentifier": DBInstanceIdentifier,
            "DBInstanceStatus": "available",
            "DBInstanceClass": "db.t4g.medium",
            "DBSubnetGroup": {"DBSubnetGroupName": "pgkeep-test-database"},
            "DBParameterGroups": [{"DBParameterGroupName": "pgkeep-test-postgres17"}],
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-database"}],
            "LatestRestorableTime": now + timedelta(seconds=1),
            "InstanceCreateTime": now - timedelta(days=10),
            "IAMDatabaseAuthenticationEnabled": False,
            "CACertificateIdentifier": "rds-ca-rsa2048-g1",
            "TagList": [
                {"Key": "Name", "Value": "pgkeep-test"},
                {"Key": "pgkeep:owner", "Value": "platform"},
                {"Key": "aws:cloudformation:stack-name", "Value": "kept out"},
            ],
        }
        return {"DBInstances": [source]}

    def restore_db_instance_to_point_in_time(self, **inputs: Any) -> None:
        self.restored = inputs
        endpoint = self.server.endpoint
        self.instance = {
            "DBInstanceIdentifier": SCRATCH,
            "DBInstanceArn": ARN,
            "Endpoint": {"Address": endpoint.host, "Port": endpoint.port},
            "TagList": list(inputs["Tags"]),
        }
        if not self.inexact:
            with self.server.superuser() as connection:
                connection.execute(
                    "DELETE FROM pgkeep.restore_marker WHERE written_at > %s",
                    (inputs["RestoreTime"],),
                )

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        assert ResourceName == ARN
        assert self.instance is not None
        names = {tag["Key"] for tag in Tags}
        kept = [tag for tag in self.instance["TagList"] if tag["Key"] not in names]
        self.instance["TagList"] = [*kept, *Tags]

    def delete_db_instance(self, **inputs: Any) -> None:
        if self.refuses_deletion:
            raise _error("InvalidDBInstanceState")
        self.deletions.append(inputs)
        self.status = "deleting"

    def tag(self, name: str) -> str | None:
        assert self.instance is not None
        return {tag["Key"]: tag["Value"] for tag in self.instance["TagList"]}.get(name)


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "operation")


@dataclass
class World:
    """Production, its bucket with one backup, and the function's view of it."""

    server: PostgresServer
    rds: Rds
    s3: Any
    site: Site
    backup_id: str
    #: Seconds that a run has left, each time that it asks; the last one stays.
    remaining: list[float] = field(default_factory=lambda: [880.0])

    def start(self, remaining_seconds: float = 50.0) -> dict[str, Any]:
        """With no time left to look for the instance."""
        return restore_test.start(self.site, lambda: remaining_seconds)

    def go_on(self) -> dict[str, Any]:
        return restore_test.go_on(self.site, self._left)

    def _left(self) -> float:
        return self.remaining.pop(0) if len(self.remaining) > 1 else self.remaining[0]

    def reports(self) -> list[dict[str, Any]]:
        return report.stored(self.s3, BUCKET)


@pytest.fixture
def world(server: PostgresServer, aws: None) -> Iterator[World]:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute("DROP SCHEMA IF EXISTS pgkeep CASCADE")
    with server.superuser("node_pass") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers SELECT generate_series(1, 500)")
    made = run(
        "daily",
        server.endpoint,
        connect=lambda: server.endpoint.connect(USER, PASSWORD),
        target=BackupTarget(BUCKET, key, retention_days={"daily": 7}),
        s3=s3,
    )
    rds = Rds(server)
    site = Site(
        rds=rds,
        store=Store(s3, BUCKET),
        production=server.endpoint,
        source="pgkeep-test",
        scratch=SCRATCH,
        security_group_id="sg-scratch",
        kms_key=key,
        open=lambda endpoint, name: endpoint.connect(USER, PASSWORD, application_name=name),
        credentials=lambda: (USER, PASSWORD),
        objectives=Objectives(900, 600),
    )
    yield World(server, rds, s3, site, made.id)
    with server.superuser() as connection:
        connection.execute("DROP DATABASE IF EXISTS node_pass_restore_test WITH (FORCE)")


def metrics(output: str) -> dict[str, Any]:
    """The last value of every metric in the log."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        document = json.loads(line)
        for entry in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in entry["Metrics"]:
                found[metric["Name"]] = document[metric["Name"]]
    return found


def failed(world: World, capsys: pytest.CaptureFixture[str], match: str) -> None:
    """The next step fails like this, says so in a metric, and cleans up."""
    capsys.readouterr()
    with pytest.raises(OperationError, match=match):
        world.go_on()
    assert metrics(capsys.readouterr().out)["RestoreTestSuccess"] == 0
    assert len(world.rds.deletions) == 1
    assert "Contents" not in world.s3.list_objects_v2(Bucket=BUCKET, Prefix=LAST_TEST_KEY)


def begin(world: World, status: str = "available") -> None:
    world.start()
    world.rds.status = status
