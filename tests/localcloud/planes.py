"""Starts `planes_server.py` and makes what the tests of the data planes need."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localcloud.home import Home
from localcloud.image import base_image

REGION = "eu-west-1"
REPOSITORY = Path(__file__).resolve().parents[2]


def archive(files: dict[str, str]) -> bytes:
    """A zip archive in memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return buffer.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Planes:
    """A running server with the given planes, and shortcuts to its API."""

    def __init__(self, path: Path, *planes: str) -> None:
        self.home = Home(path, free_port())
        self.prefix = self.home.prefix
        self._planes = planes

    def __enter__(self) -> "Planes":
        script = Path(__file__).with_name("planes_server.py")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "PGKEEP_LOCALCLOUD_RETRY_DELAYS_SECONDS": "0.2,0.2",
        }
        self.home.path.mkdir(parents=True, exist_ok=True)
        self._log = (self.home.path / "server.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(self.home.path), str(self.home.port)]
            + [str(base_image(print)), *self._planes],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n", self.log()
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        finally:
            self._process.kill()
            self._log.close()

    def log(self) -> str:
        return (self.home.path / "server.log").read_text()

    def client(self, service: str, **options: Any) -> Any:
        keys: dict[str, Any] = {
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "region_name": REGION,
        }
        keys |= options
        config = Config(retries={"max_attempts": 0}, read_timeout=120)
        return boto3.client(service, endpoint_url=self.home.endpoint_url, config=config, **keys)

    def role(self, name: str, service: str, actions: list[str], resource: Any = "*") -> str:
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
        iam = self.client("iam")
        arn = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )["Role"]["Arn"]
        if actions:
            self.allow(name, actions, resource)
        return arn

    def allow(self, role: str, actions: list[str], resource: Any = "*", **more: Any) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource, **more}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("iam").put_role_policy(
            RoleName=role, PolicyName=f"p{time.monotonic_ns()}", PolicyDocument=document
        )

    def function(self, name: str, code: str, *, role: str, **options: Any) -> dict[str, Any]:
        request = {
            "Runtime": "python3.13",
            "Handler": "main.handler",
            "Role": f"arn:aws:iam::123456789012:role/{role}",
            "Code": {"ZipFile": archive({"main.py": code})},
            **options,
        }
        client = self.client("lambda")
        created = client.create_function(FunctionName=name, **request)
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return created

    def network(self) -> tuple[str, str, str]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"]
        return vpc, subnet, group

    def receive(self, url: str, seconds: float = 15) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.client("sqs").receive_message(
                QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=1
            )
            for message in found.get("Messages", []):
                self.client("sqs").delete_message(
                    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )
                return message
        raise AssertionError(f"no message in {url} after {seconds} s\n{self.log()}")

    def metric_sum(self, namespace: str, name: str, **dimensions: str) -> float:
        now = datetime.now(UTC)
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    def _below_home(self, target: str) -> bool:
        return target == str(self.home.path) or target.startswith(f"{self.home.path}/")

    def processes_below_home(self) -> list[int]:
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._below_home(str((folder / "root").readlink())):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def command_lines(self) -> bytes:
        lines = b""
        for pid in self.processes_below_home():
            try:
                lines += Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
        return lines

    def mounts_below_home(self) -> list[str]:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return [mount for mount in mounts if self._below_home(mount)]

    def namespaces(self) -> list[str]:
        listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
        names = [line.split()[0] for line in listed.splitlines() if line]
        return [name for name in names if name.startswith(self.prefix)]

    def cgroups(self) -> list[str]:
        return [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{self.prefix}*")]
