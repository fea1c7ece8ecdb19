"""VPC networks: interfaces, security groups and names, as packets and processes see them."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localcloud.errors import LocalCloudError
from localcloud.fabric import run_in_namespace
from tests.localcloud.fabric_cloud import FabricCloud, residue

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def module_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricCloud]:
    with FabricCloud(tmp_path_factory.mktemp("fabric")).running() as running:
        yield running


@pytest.fixture
def cloud(module_cloud: FabricCloud) -> Iterator[FabricCloud]:
    """One network for all tests, and no interface or group of an earlier one."""
    yield module_cloud
    for interface in list(module_cloud.fabric._interfaces.values()):
        module_cloud.fabric.detach(interface)
    module_cloud.groups.clear()


def inside(namespace_path: Path, *command: str) -> str:
    done = subprocess.run(
        ["nsenter", f"--net={namespace_path}", *command], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_an_interface_looks_as_hosts_expect_it(cloud: FabricCloud) -> None:
    interface = cloud.attach("host", "host")
    assert interface.namespace == f"{cloud.home.prefix}-host"
    assert interface.address.startswith("10.77.1.")
    assert interface.resolver == "10.77.0.2"
    links = inside(interface.namespace_path, "ip", "-brief", "address").splitlines()
    assert {line.split()[0].split("@")[0] for line in links} == {"lo", "eth0"}
    assert any(f"{interface.address}/16" in line and " UP " in line for line in links)
    assert "default via 10.77.0.1" in inside(interface.namespace_path, "ip", "route")


def test_nothing_is_made_in_the_machines_own_namespace(cloud: FabricCloud) -> None:
    before = {path.name for path in Path("/sys/class/net").iterdir()}
    cloud.attach("host", "host")
    assert {path.name for path in Path("/sys/class/net").iterdir()} == before


def test_the_routers_mac_stays_while_interfaces_come_and_go(cloud: FabricCloud) -> None:
    """A bridge takes its lowest port's MAC unless it has one of its own; ARP caches would be wrong."""
    host = cloud.attach("host", "host")

    def router_mac() -> str:
        inside(host.namespace_path, "ip", "neigh", "flush", "all")
        probe = "import socket; socket.create_connection(('169.254.169.254', 80), 1)"
        subprocess.run(
            ["nsenter", f"--net={host.namespace_path}", "python3", "-c", probe],
            capture_output=True,
            check=False,
        )
        return inside(host.namespace_path, "ip", "neigh", "show", "10.77.0.1").split()[4]

    seen = {router_mac()}
    for number in range(8):  # each port has a random MAC: one would be lower than those before
        cloud.attach(f"h{number}", "host")
        seen.add(router_mac())
    assert seen == {"02:00:0a:4d:00:01"}


def test_an_interface_is_ready_within_150_ms(cloud: FabricCloud) -> None:
    cloud.attach("first", "host")  # brings the network up
    started = time.monotonic()
    for number in range(5):
        cloud.attach(f"host{number}", "host")
    assert (time.monotonic() - started) / 5 < 0.15


def test_security_groups_admit_only_the_group_they_name(cloud: FabricCloud) -> None:
    cloud.allow("database", 5432, "pooler")
    database = cloud.attach("database", "database")
    pooler, stranger = cloud.attach("pooler", "pooler"), cloud.attach("stranger", "application")
    cloud.serve(database, 5432)
    cloud.serve(database, 22)
    assert cloud.reaches(pooler, database.address, 5432)
    assert not cloud.reaches(pooler, database.address, 22)
    assert not cloud.reaches(stranger, database.address, 5432)
    # A member that comes later is admitted too, and one that leaves no longer.
    late = cloud.attach("late", "pooler", subnet=1)
    assert cloud.reaches(late, database.address, 5432)
    cloud.fabric.set_security_groups(late, [cloud.group("application")])
    assert not cloud.reaches(late, database.address, 5432)


def test_rules_hold_at_once_and_spare_standing_connections(cloud: FabricCloud) -> None:
    server, client = cloud.attach("server", "server"), cloud.attach("client", "client")
    cloud.serve(server, 5432)
    assert not cloud.reaches(client, server.address, 5432)
    cloud.allow("server", 5432, "client")
    with cloud.connect(client, server.address, 5432) as connection:
        assert connection.recv(100) == b"server"
        rule = cloud.ec2.describe_security_groups(GroupIds=[cloud.group("server")])
        permissions = rule["SecurityGroups"][0]["IpPermissions"]
        cloud.ec2.revoke_security_group_ingress(
            GroupId=cloud.group("server"), IpPermissions=permissions
        )
        assert not cloud.reaches(client, server.address, 5432)
        connection.sendall(b"still here")
        assert connection.recv(100) == b"still here"


def test_a_rule_can_be_changed_to_another_group(cloud: FabricCloud) -> None:
    server, client = cloud.attach("server", "server"), cloud.attach("client", "client")
    cloud.serve(server, 5432)
    cloud.allow("server", 5432, "nobody")
    rules = cloud.ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [cloud.group("server")]}]
    )["SecurityGroupRules"]
    (rule,) = (rule for rule in rules if not rule["IsEgress"])
    change = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    cloud.ec2.modify_security_group_rules(
        GroupId=cloud.group("server"),
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": rule["SecurityGroupRuleId"],
                "SecurityGroupRule": {**change, "ReferencedGroupId": cloud.group("client")},
            }
        ],
    )
    assert cloud.reaches(client, server.address, 5432)


def test_egress_is_filtered_too(cloud: FabricCloud) -> None:
    cloud.allow("server", 5432, "0.0.0.0/0")
    server, client = cloud.attach("server", "server"), cloud.attach("client", "client")
    cloud.serve(server, 5432)
    assert cloud.reaches(client, server.address, 5432)
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cloud.ec2.revoke_security_group_egress(
        GroupId=cloud.group("client"), IpPermissions=[everything]
    )
    assert not cloud.reaches(client, server.address, 5432)


def ping(cloud: FabricCloud, source: Path, address: str) -> bool:
    """One ICMP echo, for machines without `ping`."""
    request = b"\x08\x00\xf7\xff\x00\x00\x00\x00"

    def ask() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.settimeout(0.4)
            raw.sendto(request, (address, 0))
            try:
                return raw.recv(100)[20] == 0  # echo reply
            except TimeoutError:
                return False

    return run_in_namespace(source, ask)


def test_icmp_only_where_a_rule_allows_it(cloud: FabricCloud) -> None:
    cloud.allow("server", 5432, "client")
    server, client = cloud.attach("server", "server"), cloud.attach("client", "client")
    assert not ping(cloud, client.namespace_path, server.address)
    rule = {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}
    pair = {"UserIdGroupPairs": [{"GroupId": cloud.group("client")}]}
    cloud.ec2.authorize_security_group_ingress(
        GroupId=cloud.group("server"), IpPermissions=[{**rule, **pair}]
    )
    assert ping(cloud, client.namespace_path, server.address)
    assert not cloud.reaches(client, server.address, 5433)


def resolve(cloud: FabricCloud, namespace_path: Path, name: str, *, tcp: bool = False) -> list[str]:
    from dnslib import DNSRecord

    def ask() -> bytes:
        return bytes(DNSRecord.question(name).send("10.77.0.2", 53, tcp=tcp, timeout=2))

    return [str(rr.rdata) for rr in DNSRecord.parse(run_in_namespace(namespace_path, ask)).rr]


def test_names_follow_a_failover(cloud: FabricCloud) -> None:
    client = cloud.attach("client", "client")
    name = "main.cpkeeplocal.eu-west-1.rds.amazonaws.com"
    assert resolve(cloud, client.namespace_path, name) == []
    cloud.fabric.register_name(name, ["10.77.1.20"])
    assert resolve(cloud, client.namespace_path, name.upper()) == ["10.77.1.20"]
    cloud.fabric.register_name(name, ["10.77.2.20"])
    assert resolve(cloud, client.namespace_path, name, tcp=True) == ["10.77.2.20"]
    cloud.fabric.unregister_name(name)
    assert resolve(cloud, client.namespace_path, name) == []


def test_only_dns_is_open_at_the_resolver_and_nothing_at_the_router(cloud: FabricCloud) -> None:
    client = cloud.attach("client", "client")
    assert cloud.reaches(client, "10.77.0.2", 53)
    assert not cloud.reaches(client, "10.77.0.2", 22)
    assert not cloud.reaches(client, "10.77.0.1", 22)
    # Where instances' metadata is served; here nobody listens.
    assert cloud.reaches(client, "169.254.169.254", 80)


def test_a_namespace_does_not_reach_the_machine(cloud: FabricCloud) -> None:
    client = cloud.attach("client", "client")
    with pytest.raises(OSError, match="refused"):
        cloud.connect(client, "127.0.0.1", cloud.home.port)
    assert not cloud.reaches(client, "192.0.2.1", 80)


def test_addresses_are_given_once_and_come_back(cloud: FabricCloud) -> None:
    first, second = cloud.attach("first", "host"), cloud.attach("second", "host")
    assert first.address != second.address
    cloud.fabric.detach(first)
    cloud.fabric.detach(first)  # twice is no error
    again = cloud.attach("again", "host")
    assert again.address == first.address
    # The neighbour still has the old holder in its ARP table.
    cloud.allow("host", 5432, "0.0.0.0/0")
    cloud.serve(again, 5432)
    assert cloud.reaches(second, again.address, 5432)


def test_moto_and_the_fabric_share_one_list_of_addresses(cloud: FabricCloud) -> None:
    interface = cloud.attach("host", "host")
    instance_id, address = cloud.instance()
    assert address != interface.address
    host = cloud.fabric.attach(
        name="instance",
        subnet_id=cloud.subnet_ids[0],
        security_group_ids=[cloud.group("host")],
        address=address,
    )
    assert host.address == address
    assert cloud.attach("next", "host").address not in (interface.address, host.address)
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"address": "10.78.0.9"}, "Address 10.78.0.9 refused: it is outside 10.77.1.0/24"),
        ({"subnet_id": "subnet-none"}, "Subnet subnet-none refused: it does not exist"),
        ({"security_group_ids": ["sg-none"]}, "Security group sg-none refused in vpc-"),
        ({"name": "host"}, "Network interface 'host' refused: one of that name is attached"),
        ({"name": "a/b"}, "no slash"),
    ],
)
def test_wrong_attachments_are_refused(
    cloud: FabricCloud, changed: dict[str, object], complaint: str
) -> None:
    cloud.attach("host", "host")
    right: dict[str, object] = {
        "name": "other",
        "subnet_id": cloud.subnet_ids[0],
        "security_group_ids": [cloud.group("host")],
    }
    with pytest.raises(LocalCloudError, match=complaint) as refused:
        cloud.fabric.attach(**{**right, **changed})  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert [i.name for i in cloud.fabric._interfaces.values()] == ["host"]


def test_an_attachment_that_fails_half_way_leaves_nothing(
    cloud: FabricCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LocalCloudError("no rules today")

    cloud.fabric.detach(cloud.attach("host", "host"))
    before = residue(cloud.home.prefix)
    with monkeypatch.context() as patched:
        patched.setattr("localcloud.fabric.namespaces.load_rules", refuse)
        with pytest.raises(LocalCloudError, match="no rules today"):
            cloud.attach("host", "host")
    assert residue(cloud.home.prefix) == before
    assert cloud.attach("host", "host").address == "10.77.1.4"


def test_what_an_interface_uses_is_not_deleted(cloud: FabricCloud) -> None:
    interface = cloud.attach("host", "host")
    with pytest.raises(ClientError, match="DependencyViolation"):
        cloud.ec2.delete_security_group(GroupId=cloud.group("host"))
    with pytest.raises(ClientError, match="DependencyViolation"):
        cloud.ec2.delete_subnet(SubnetId=cloud.subnet_ids[0])
    cloud.fabric.detach(interface)
    cloud.ec2.delete_security_group(GroupId=cloud.groups.pop("host"))


def test_stop_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    with FabricCloud(tmp_path / "home").running() as cloud:
        interface = cloud.attach("host", "host")
        process = subprocess.Popen(["nsenter", f"--net={interface.namespace_path}", "sleep", "60"])
        try:
            cloud.fabric.stop()
            cloud.fabric.stop()
            assert residue(cloud.home.prefix) == []
        finally:
            process.kill()
            process.wait()
        # It can be used again afterwards.
        assert cloud.attach("host", "host").address
    assert residue(cloud.home.prefix) == []


def test_a_deleted_vpc_leaves_no_network(tmp_path: Path) -> None:
    with FabricCloud(tmp_path / "home").running() as cloud:
        cloud.fabric.detach(cloud.attach("host", "host"))
        assert residue(cloud.home.prefix) != []
        for subnet_id in cloud.subnet_ids:
            cloud.ec2.delete_subnet(SubnetId=subnet_id)
        cloud.ec2.delete_vpc(VpcId=cloud.vpc_id)
        assert residue(cloud.home.prefix) == []
