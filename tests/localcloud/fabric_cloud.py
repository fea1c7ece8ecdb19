"""A fabric with moto in this process, its API on a free port, for the tests of the fabric."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from moto.core.base_backend import BackendDict
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from localcloud import fabric as fabric_plane
from localcloud.authorities import open_authorities
from localcloud.cloud import Cloud
from localcloud.fabric import Fabric, NetworkInterface, run_in_namespace
from localcloud.home import REGION, Home
from localcloud.image import base_image
from tests.localcloud.planes import free_port

# A packet that a security group drops is not answered: so long is waited for an answer.
DROPPED_AFTER_SECONDS = 0.4


class FabricCloud:
    """A running fabric, clients of its API, and what the tests say about it in one word each."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path, free_port())
        self.home.create()
        rds, services = open_authorities(self.home)
        self.fabric = Fabric(self.home, services, REGION)
        self.cloud = Cloud(self.home, self.fabric, rds, services, base_image(print))
        self.groups: dict[str, str] = {}
        self._numbers = itertools.count()
        self._listeners: list[socket.socket] = []

    @contextmanager
    def running(self) -> Generator["FabricCloud"]:
        with patch.dict(os.environ, MOTO_EC2_LOAD_DEFAULT_AMIS="false"):
            yield from self._run()

    def _run(self) -> Generator["FabricCloud"]:
        self.fabric.start()
        fabric_plane.install(self.cloud)
        server = ThreadedMotoServer("127.0.0.1", self.home.port, verbose=False)
        server.start()
        try:
            self.ec2 = self.client("ec2")
            self.elbv2 = self.client("elbv2")
            self._make_vpc()
            yield self
        finally:
            for listener in self._listeners:
                close(listener)
            fabric_plane.shutdown(self.cloud)
            self.fabric.stop()
            server.stop()
            BackendDict.reset()

    def instance(self) -> tuple[str, str]:
        """Id and address of a new instance in the first subnet, without a host behind it."""
        instance = self.ec2.run_instances(
            ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=self.subnet_ids[0]
        )["Instances"][0]
        return instance["InstanceId"], instance["PrivateIpAddress"]

    def client(self, service: str) -> Any:
        factory: Any = boto3.client
        return factory(
            service,
            region_name=REGION,
            endpoint_url=self.home.endpoint_url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def _make_vpc(self) -> None:
        self.vpc_id = self.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        self.subnet_ids = [
            self.ec2.create_subnet(
                VpcId=self.vpc_id,
                CidrBlock=f"10.77.{number}.0/24",
                AvailabilityZone=f"{REGION}{zone}",
            )["Subnet"]["SubnetId"]
            for number, zone in ((1, "a"), (2, "b"))
        ]

    def group(self, name: str) -> str:
        """The security group of that name, made at first use; it allows all egress."""
        if name not in self.groups:
            self.groups[name] = self.ec2.create_security_group(
                GroupName=f"{name}-{next(self._numbers)}", Description=name, VpcId=self.vpc_id
            )["GroupId"]
        return self.groups[name]

    def allow(self, to: str, port: int, source: str) -> None:
        """Let the group `source`, or a CIDR, reach a TCP port of the group `to`."""
        who: dict[str, Any] = (
            {"IpRanges": [{"CidrIp": source}]}
            if "/" in source
            else {"UserIdGroupPairs": [{"GroupId": self.group(source)}]}
        )
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **who}
        self.ec2.authorize_security_group_ingress(GroupId=self.group(to), IpPermissions=[rule])

    def attach(self, name: str, *groups: str, subnet: int = 0) -> NetworkInterface:
        return self.fabric.attach(
            name=name,
            subnet_id=self.subnet_ids[subnet],
            security_group_ids=[self.group(each) for each in groups],
        )

    def serve(self, interface: NetworkInterface, port: int, greeting: bytes = b"") -> socket.socket:
        """Listen in the interface's namespace: greet, then echo."""
        address = (interface.address, port)
        listener = run_in_namespace(
            interface.namespace_path, lambda: socket.create_server(address, reuse_port=True)
        )
        self._listeners.append(listener)
        threading.Thread(
            target=_accept, args=(listener, greeting or interface.name.encode()), daemon=True
        ).start()
        return listener

    def connect(self, source: NetworkInterface, address: str, port: int) -> socket.socket:
        def connect() -> socket.socket:
            return socket.create_connection((address, port), timeout=DROPPED_AFTER_SECONDS)

        connection = run_in_namespace(source.namespace_path, connect)
        connection.settimeout(5)
        return connection

    def reaches(self, source: NetworkInterface, address: str, port: int) -> bool:
        """Whether a connection is answered; refused counts as answered, dropped does not."""
        try:
            self.connect(source, address, port).close()
        except TimeoutError:
            return False
        except ConnectionRefusedError:
            return True
        return True

    def python(self, interface: NetworkInterface, program: str) -> Any:
        """What a Python program prints as JSON that sees only the VPC: network and resolver."""
        resolver = self.home.clients / "resolv.conf"
        resolver.write_text(interface.resolv_conf)
        done = subprocess.run(
            [
                *("nsenter", f"--net={interface.namespace_path}"),
                *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
                'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"',
                *("sh", str(resolver), sys.executable, "-c", program),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def until(condition: Callable[[], bool], timeout_seconds: float) -> float:
    """Wait for a condition and return how long it took."""
    started = time.monotonic()
    while not condition():
        passed = time.monotonic() - started
        assert passed < timeout_seconds, f"not within {timeout_seconds} s"
        time.sleep(0.05)
    return time.monotonic() - started


def close(listener: socket.socket) -> None:
    """Close a listening socket, also for the thread that waits on it."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _accept(listener: socket.socket, greeting: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection, greeting), daemon=True).start()


def _echo(connection: socket.socket, greeting: bytes) -> None:
    with connection:
        try:
            connection.sendall(greeting)
            while data := connection.recv(1024):
                connection.sendall(data)
        except OSError:
            return


def residue(prefix: str) -> list[str]:
    """Namespaces, links and processes of a fabric that are still there."""
    found = [path.name for path in Path("/run/netns").glob(f"{prefix}-*")]
    found += [path.name for path in Path("/sys/class/net").glob(f"{prefix}*")]
    return found


def proxies(home: Home) -> list[int]:
    """Process ids of HAProxies whose folder is in this home."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(home.fabric):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
