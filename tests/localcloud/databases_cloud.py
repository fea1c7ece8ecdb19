"""A small cloud for the database tests: moto's server, the real fabric, one VPC."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from localcloud import databases
from localcloud.authorities import open_authorities
from localcloud.cloud import Cloud
from localcloud.databases.backend import LocalRDSBackend
from localcloud.databases.node import Node
from localcloud.databases.plane import Plane
from localcloud.fabric import Fabric, run_in_namespace
from localcloud.home import REGION, Home
from localcloud.image.builder import base_image
from tests.localcloud.planes import free_port

PASSWORD = "first-Passw0rd"


class DatabasesCloud:
    """Home, fabric and API of one test session."""

    def __init__(self, path: Path, image: Path) -> None:
        # Exports write to the bucket through the API.
        self.home = Home(path, free_port())
        self.home.create()
        rds, services = open_authorities(self.home)
        self.fabric = Fabric(self.home, services, REGION)
        self.fabric.start()
        self.cloud = Cloud(self.home, self.fabric, rds, services, image)
        databases.install(self.cloud)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.home.port, verbose=False)
        self.server.start()
        _, port = self.server.get_host_and_port()
        self.arguments: dict[str, Any] = {
            "endpoint_url": f"http://127.0.0.1:{port}",
            "region_name": REGION,
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "config": Config(retries={"max_attempts": 1}),
        }
        self.rds: Any = boto3.client("rds", **self.arguments)
        self.ec2: Any = boto3.client("ec2", **self.arguments)
        self._network()

    def client_of(self, service: str, region: str = REGION) -> Any:
        """A client of another service or region."""
        factory: Any = boto3.client
        return factory(service, **{**self.arguments, "region_name": region})

    def _network(self) -> None:
        ec2 = self.ec2
        self.vpc_id = ec2.create_vpc(CidrBlock="10.91.0.0/16")["Vpc"]["VpcId"]
        self.subnet_ids = [
            ec2.create_subnet(
                VpcId=self.vpc_id, CidrBlock=f"10.91.{n}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        self.client_group, self.database_group = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)[
                "GroupId"
            ]
            for name in ("clients", "databases")
        )
        ec2.authorize_security_group_ingress(
            GroupId=self.database_group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5432,
                    "ToPort": 5433,
                    "UserIdGroupPairs": [{"GroupId": self.client_group}],
                }
            ],
        )
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="private",
            DBSubnetGroupDescription="private subnets",
            SubnetIds=self.subnet_ids,
        )
        self.client = self.fabric.attach(
            name="client", subnet_id=self.subnet_ids[0], security_group_ids=[self.client_group]
        )

    def close(self) -> None:
        databases.shutdown(self.cloud)
        self.server.stop()
        self.fabric.stop()

    def create_instance(self, identifier: str, **inputs: Any) -> dict[str, Any]:
        defaults = {
            "Engine": "postgres",
            "EngineVersion": "17",
            "DBInstanceClass": "db.t4g.small",
            "AllocatedStorage": 20,
            "StorageType": "gp3",
            "MasterUsername": "master",
            "MasterUserPassword": PASSWORD,
            "DBName": "shop",
            "DBSubnetGroupName": "private",
            "VpcSecurityGroupIds": [self.database_group],
            "BackupRetentionPeriod": 7,
        }
        merged = {name: v for name, v in {**defaults, **inputs}.items() if v is not None}
        created = self.rds.create_db_instance(DBInstanceIdentifier=identifier, **merged)
        return created["DBInstance"]

    def create_parameter_group(
        self, name: str, parameters: dict[str, str], family: str = "postgres17"
    ) -> None:
        self.rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily=family, Description=name
        )
        self.set_parameters(name, parameters, "pending-reboot")

    def set_parameters(self, name: str, parameters: dict[str, str], method: str) -> None:
        self.rds.modify_db_parameter_group(
            DBParameterGroupName=name,
            Parameters=[
                {"ParameterName": parameter, "ParameterValue": value, "ApplyMethod": method}
                for parameter, value in parameters.items()
            ],
        )

    def setting(self, identifier: str, name: str) -> str:
        """What a new session of the master user sees."""
        with self.connect(identifier) as connection:
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row is not None
        return str(row[0])

    def describe(self, identifier: str) -> dict[str, Any]:
        return self.rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]

    def wait(
        self, identifier: str, status: str = "available", seconds: float = 60
    ) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            found = self.describe(identifier)
            if found["DBInstanceStatus"] == status:
                return found
            broken = {"failed", "incompatible-parameters"} - {status}
            if found["DBInstanceStatus"] in broken or time.monotonic() > deadline:
                log = self.home.databases / identifier / "log" / "error"
                text = "\n".join(f.read_text()[-2000:] for f in log.glob("*"))
                raise AssertionError(f"{identifier} is {found['DBInstanceStatus']}:\n{text}")
            time.sleep(0.02)

    def gone(self, identifier: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.describe(identifier)
            except self.rds.exceptions.DBInstanceNotFoundFault:
                return
            time.sleep(0.02)
        raise AssertionError(f"{identifier} is still there")

    def gone_like(self, beginning: str, seconds: float = 60) -> None:
        """Wait until no instance's name begins so."""
        self.eventually(
            lambda: (
                not any(
                    found["DBInstanceIdentifier"].startswith(beginning)
                    for found in self.rds.describe_db_instances()["DBInstances"]
                )
            ),
            seconds,
        )

    def eventually(self, check: Callable[[], Any], seconds: float = 20) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := check()):
            if time.monotonic() > deadline:
                raise AssertionError("it never came true")
            time.sleep(0.05)
        return value

    @contextmanager
    def connect(self, identifier: str, **options: Any) -> Generator[psycopg.Connection]:
        """Connect from the client's namespace, verifying the server in full."""
        endpoint = self.describe(identifier)["Endpoint"]
        defaults = {
            "host": endpoint["Address"],
            "hostaddr": self.address(endpoint["Address"]),
            "port": endpoint["Port"],
            "dbname": "shop",
            "user": "master",
            "password": PASSWORD,
            "sslmode": "verify-full",
            "sslrootcert": str(self.home.rds_ca_bundle),
            "autocommit": True,
            "connect_timeout": 5,
        }
        arguments = {**defaults, **options}
        connection = run_in_namespace(
            self.client.namespace_path, lambda: psycopg.connect(**arguments)
        )
        with connection:
            yield connection

    @property
    def plane(self) -> Plane:
        """The data plane under test."""
        return LocalRDSBackend.plane

    def node(self, identifier: str) -> Node:
        """What stands behind an instance."""
        return LocalRDSBackend.plane.node(identifier)

    def address(self, name: str) -> str:
        """What the VPC's resolver would answer."""
        found = self.fabric.records.find(name)
        assert found, f"{name} is not registered"
        return found[0]


@contextmanager
def refused(code: str, match: str | None = None) -> Generator[None]:
    """Expect that AWS refuses with this error code."""
    with pytest.raises(ClientError, match=match) as found:
        yield
    assert found.value.response.get("Error", {}).get("Code") == code


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[DatabasesCloud]:
    """One cloud a test module, gone with it."""
    found = DatabasesCloud(tmp_path_factory.mktemp("cloud"), base_image(print))
    try:
        yield found
    finally:
        found.close()
