"""Network Load Balancers: connections, health as it is, and registrations that come and go."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.fabric import NetworkInterface
from tests.localcloud.fabric_cloud import FabricCloud, close, proxies, residue, until

pytestmark = pytest.mark.root

PORT = 6543
# The shortest interval AWS allows ("Health checks for Network Load Balancer target groups").
INTERVAL_SECONDS = 5


class Pool:
    """A load balancer with one TCP listener, two hosts behind it and a client in front."""

    def __init__(self, cloud: FabricCloud) -> None:
        self.cloud = cloud
        cloud.allow("balancer", PORT, "application")
        cloud.allow("host", PORT, "balancer")
        self.balancer = self._create()
        self.arn = self.balancer["LoadBalancerArn"]
        self.group_arn = cloud.elbv2.create_target_group(
            Name="pool",
            Protocol="TCP",
            Port=PORT,
            VpcId=cloud.vpc_id,
            TargetType="ip",
            HealthCheckIntervalSeconds=INTERVAL_SECONDS,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.configure(**{"deregistration_delay.timeout_seconds": "2"})
        self.hosts = [cloud.attach(f"host{n}", "host", subnet=n) for n in (0, 1)]
        self.client = cloud.attach("client", "application")

    def _create(self) -> dict[str, Any]:
        return self.cloud.elbv2.create_load_balancer(
            Name="pool",
            Type="network",
            Scheme="internal",
            Subnets=self.cloud.subnet_ids,
            SecurityGroups=[self.cloud.group("balancer")],
        )["LoadBalancers"][0]

    def configure(self, **attributes: str) -> None:
        self.cloud.elbv2.modify_target_group_attributes(
            TargetGroupArn=self.group_arn,
            Attributes=[{"Key": key, "Value": value} for key, value in attributes.items()],
        )

    def listen(self, port: int = PORT) -> str:
        return self.cloud.elbv2.create_listener(
            LoadBalancerArn=self.arn,
            Protocol="TCP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group_arn}],
        )["Listeners"][0]["ListenerArn"]

    def register(self, *hosts: NetworkInterface) -> None:
        self.cloud.elbv2.register_targets(
            TargetGroupArn=self.group_arn, Targets=[{"Id": host.address} for host in hosts]
        )

    def deregister(self, *hosts: NetworkInterface) -> None:
        self.cloud.elbv2.deregister_targets(
            TargetGroupArn=self.group_arn, Targets=[{"Id": host.address} for host in hosts]
        )

    def health(self) -> dict[str, tuple[str, str | None]]:
        answer = self.cloud.elbv2.describe_target_health(TargetGroupArn=self.group_arn)
        return {
            each["Target"]["Id"]: (
                each["TargetHealth"]["State"],
                each["TargetHealth"].get("Reason"),
            )
            for each in answer["TargetHealthDescriptions"]
        }

    def state(self, host: NetworkInterface) -> str:
        return self.health().get(host.address, ("absent", None))[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        found = self.cloud.fabric.network(self.cloud.vpc_id).resolver.find(self.balancer["DNSName"])
        return found or ()

    def connect(self, port: int = PORT) -> socket.socket:
        return self.cloud.connect(self.client, self.addresses[0], port)

    def one_to_each(self) -> dict[bytes, socket.socket]:
        """A connection to each host, by the host's name."""
        found: dict[bytes, socket.socket] = {}
        deadline = time.monotonic() + 10
        while len(found) < len(self.hosts):
            assert time.monotonic() < deadline, f"connections reach only {set(found)}"
            connection = self.connect()
            name = connection.recv(100)
            if name in found:
                connection.close()
            else:
                found[name] = connection
        return found

    def answers(self, count: int = 6) -> set[str]:
        """Which hosts new connections reach."""
        names: set[str] = set()
        for _ in range(count):
            with self.connect() as connection:
                names.add(connection.recv(100).decode())
        return names


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with FabricCloud(tmp_path / "home").running() as cloud:
        yield Pool(cloud)
    assert residue(cloud.home.prefix) == []
    assert proxies(cloud.home) == []


def both_healthy(pool: Pool) -> list[socket.socket]:
    """Both targets serve; what the API says comes a moment before what connections find."""
    listeners = [pool.cloud.serve(host, PORT) for host in pool.hosts]
    pool.listen()
    pool.register(*pool.hosts)
    until(lambda: set(pool.health().values()) == {("healthy", None)}, 3)
    return listeners


def test_connections_spread_over_healthy_targets_from_every_address(pool: Pool) -> None:
    assert pool.balancer["DNSName"].startswith("pool-")
    assert pool.balancer["DNSName"].endswith(".elb.eu-west-1.amazonaws.com")
    assert pool.health() == {}
    pool.register(*pool.hosts)
    assert set(pool.health().values()) == {("unused", "Target.NotInUse")}
    both_healthy(pool)
    assert [address.rsplit(".", 1)[0] for address in pool.addresses] == ["10.77.1", "10.77.2"]
    assert pool.answers() == {"host0", "host1"}
    assert pool.cloud.reaches(pool.client, pool.addresses[1], PORT)


def test_security_groups_hold_before_and_behind_the_balancer(pool: Pool) -> None:
    both_healthy(pool)
    stranger = pool.cloud.attach("stranger", "stranger")
    assert not pool.cloud.reaches(stranger, pool.addresses[0], PORT)
    # The application reaches no host but through the balancer.
    assert not pool.cloud.reaches(pool.client, pool.hosts[0].address, PORT)
    assert not pool.cloud.reaches(pool.client, pool.addresses[0], 22)


def test_a_target_that_never_answers_is_unhealthy_and_gets_nothing(pool: Pool) -> None:
    pool.cloud.serve(pool.hosts[0], PORT)
    pool.listen()
    pool.register(*pool.hosts)
    assert set(pool.health().values()) <= {
        ("initial", "Elb.RegistrationInProgress"),
        ("initial", "Elb.InitialHealthChecking"),
        ("healthy", None),
    }
    until(lambda: pool.state(pool.hosts[0]) == "healthy", 3)
    assert pool.health()[pool.hosts[1].address] == ("initial", "Elb.InitialHealthChecking")
    until(lambda: pool.answers() == {"host0"}, 3)
    until(lambda: pool.state(pool.hosts[1]) == "unhealthy", 2 * INTERVAL_SECONDS + 2)
    assert pool.answers() == {"host0"}


def test_health_follows_interval_and_thresholds(pool: Pool) -> None:
    listeners = both_healthy(pool)
    connections = pool.one_to_each()
    close(listeners[1])
    # Two failures in a row, so at least one interval and at most two, and a little.
    took = until(lambda: pool.state(pool.hosts[1]) == "unhealthy", 2 * INTERVAL_SECONDS + 2)
    assert took > INTERVAL_SECONDS - 1
    assert pool.health()[pool.hosts[1].address] == ("unhealthy", "Target.FailedHealthChecks")
    until(lambda: pool.answers() == {"host0"}, 3)
    # Connections of an unhealthy target are closed, others are not.
    assert connections[b"host1"].recv(100) == b""
    connections[b"host0"].sendall(b"still here")
    assert connections[b"host0"].recv(100) == b"still here"
    for each in connections.values():
        each.close()
    pool.cloud.serve(pool.hosts[1], PORT)
    took = until(lambda: pool.state(pool.hosts[1]) == "healthy", 2 * INTERVAL_SECONDS + 2)
    assert took > INTERVAL_SECONDS - 1
    until(lambda: pool.answers() == {"host0", "host1"}, 3)


def test_a_deregistered_target_keeps_its_connections_for_the_delay(pool: Pool) -> None:
    both_healthy(pool)
    pool.configure(**{"deregistration_delay.connection_termination.enabled": "true"})
    connections = pool.one_to_each()
    started = time.monotonic()
    pool.deregister(pool.hosts[0])
    assert pool.health()[pool.hosts[0].address] == (
        "draining",
        "Target.DeregistrationInProgress",
    )
    assert pool.answers() == {"host1"}
    connections[b"host0"].sendall(b"drains")
    assert connections[b"host0"].recv(100) == b"drains"
    assert connections[b"host0"].recv(100) == b""
    assert 1.5 < time.monotonic() - started < 4
    assert pool.state(pool.hosts[0]) == "absent"
    connections[b"host1"].sendall(b"stays")
    assert connections[b"host1"].recv(100) == b"stays"
    # And it may come back.
    pool.register(pool.hosts[0])
    until(lambda: pool.state(pool.hosts[0]) == "healthy", 3)
    until(lambda: pool.answers() == {"host0", "host1"}, 3)
    for each in connections.values():
        each.close()


def test_without_termination_old_connections_outlive_the_delay(pool: Pool) -> None:
    both_healthy(pool)
    connections = pool.one_to_each()
    pool.deregister(pool.hosts[0])
    until(lambda: pool.state(pool.hosts[0]) == "absent", 5)
    connections[b"host0"].sendall(b"lives on")
    assert connections[b"host0"].recv(100) == b"lives on"
    for each in connections.values():
        each.close()


def test_a_changed_listener_takes_new_connections_and_keeps_old_ones(pool: Pool) -> None:
    # What is tested is the listener: a health check that a loaded machine answers late ends nothing.
    pool.configure(**{"target_health_state.unhealthy.connection_termination.enabled": "false"})
    both_healthy(pool)
    (listener,) = pool.cloud.elbv2.describe_listeners(LoadBalancerArn=pool.arn)["Listeners"]
    pool.cloud.allow("balancer", 6544, "application")
    with pool.connect() as old:
        name = old.recv(100)
        pool.cloud.elbv2.modify_listener(
            ListenerArn=listener["ListenerArn"],
            Port=6544,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": pool.group_arn}],
        )
        with pool.connect(6544) as new:
            assert new.recv(100) in (b"host0", b"host1")
        with pytest.raises(ConnectionRefusedError):
            pool.connect()
        old.sendall(b"as before")
        assert old.recv(100) == b"as before", name
    pool.cloud.elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    with pytest.raises(ConnectionRefusedError):
        pool.connect(6544)
    assert set(pool.health().values()) == {("unused", "Target.NotInUse")}


def test_http_health_checks_ask_for_the_path(pool: Pool) -> None:
    pool.cloud.allow("host", 8080, "balancer")
    http = b"HTTP/1.0 503 Starting\r\nContent-Length: 0\r\n\r\n"
    pool.cloud.serve(pool.hosts[0], PORT)
    unready = pool.cloud.serve(pool.hosts[0], 8080, http)
    pool.cloud.elbv2.modify_target_group(
        TargetGroupArn=pool.group_arn,
        HealthCheckProtocol="HTTP",
        HealthCheckPort="8080",
        HealthCheckPath="/ready",
    )
    pool.listen()
    pool.register(pool.hosts[0])
    mismatch = ("unhealthy", "Target.ResponseCodeMismatch")
    until(lambda: pool.health()[pool.hosts[0].address] == mismatch, 2 * INTERVAL_SECONDS + 2)
    close(unready)
    pool.cloud.serve(pool.hosts[0], 8080, http.replace(b"503 Starting", b"200 OK"))
    until(lambda: pool.state(pool.hosts[0]) == "healthy", 3 * INTERVAL_SECONDS)


def test_the_balancer_outlives_its_haproxy(pool: Pool) -> None:
    import os
    import signal

    both_healthy(pool)
    (process,) = proxies(pool.cloud.home)
    os.kill(process, signal.SIGKILL)

    def serves_again() -> bool:
        try:
            return bool(pool.answers(1))
        except OSError:
            return False

    until(serves_again, 5)
    assert proxies(pool.cloud.home) != [process]


def test_instances_are_targets_by_id(pool: Pool) -> None:
    cloud = pool.cloud
    instance_id, address = cloud.instance()
    host = cloud.fabric.attach(
        name="instance",
        subnet_id=cloud.subnet_ids[0],
        security_group_ids=[cloud.group("host")],
        address=address,
    )
    cloud.serve(host, PORT)
    pool.group_arn = cloud.elbv2.create_target_group(
        Name="instances",
        Protocol="TCP",
        Port=PORT,
        VpcId=cloud.vpc_id,
        TargetType="instance",
        HealthCheckIntervalSeconds=INTERVAL_SECONDS,
        HealthCheckTimeoutSeconds=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    pool.listen()
    target = {"Id": instance_id}
    cloud.elbv2.register_targets(TargetGroupArn=pool.group_arn, Targets=[target])
    until(lambda: pool.health() == {instance_id: ("healthy", None)}, 3)
    assert pool.answers(2) == {"instance"}
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    assert pool.health()[instance_id][0] == "draining"


def test_what_it_cannot_do_is_refused_and_leaves_nothing(pool: Pool) -> None:
    elbv2 = pool.cloud.elbv2
    subnets = pool.cloud.subnet_ids
    with pytest.raises(ClientError, match="Load balancer type 'application' refused"):
        elbv2.create_load_balancer(Name="web", Type="application", Subnets=subnets)
    with pytest.raises(ClientError, match="Listener protocol UDP on port 53 refused"):
        elbv2.create_listener(
            LoadBalancerArn=pool.arn,
            Protocol="UDP",
            Port=53,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": pool.group_arn}],
        )
    with pytest.raises(ClientError, match="Security group sg-none refused"):
        elbv2.create_load_balancer(
            Name="other", Type="network", Subnets=subnets, SecurityGroups=["sg-none"]
        )
    assert [lb["LoadBalancerName"] for lb in elbv2.describe_load_balancers()["LoadBalancers"]] == [
        "pool"
    ]
    assert elbv2.describe_listeners(LoadBalancerArn=pool.arn)["Listeners"] == []


def test_a_protected_balancer_stays_and_a_deleted_one_is_gone(pool: Pool) -> None:
    both_healthy(pool)

    def protect(value: str) -> None:
        pool.cloud.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=pool.arn,
            Attributes=[{"Key": "deletion_protection.enabled", "Value": value}],
        )

    protect("true")
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        pool.cloud.elbv2.delete_load_balancer(LoadBalancerArn=pool.arn)
    assert pool.answers()
    protect("false")
    pool.cloud.elbv2.delete_load_balancer(LoadBalancerArn=pool.arn)
    assert pool.addresses == ()
    assert proxies(pool.cloud.home) == []
