"""VPC endpoints: who reaches the AWS API from inside a VPC, over which TLS, and who does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.fabric import NetworkInterface
from localcloud.fabric.networks import S3_ADDRESS
from tests.localcloud.fabric_cloud import FabricCloud, proxies, residue

pytestmark = pytest.mark.root

SECRETS = "com.amazonaws.eu-west-1.secretsmanager"
CLIENT = """
import boto3, json
from botocore.config import Config
options = dict(
    region_name="eu-west-1", aws_access_key_id="local", aws_secret_access_key="local",
    verify={bundle!r},
    config=Config(connect_timeout=1, retries={{"max_attempts": 0}}),
)
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[FabricCloud]:
    with FabricCloud(tmp_path / "home").running() as running:
        yield running
    assert residue(running.home.prefix) == []
    assert proxies(running.home) == []


def interface_endpoint(cloud: FabricCloud, **changed: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "VpcId": cloud.vpc_id,
        "ServiceName": SECRETS,
        "VpcEndpointType": "Interface",
        "SubnetIds": cloud.subnet_ids,
        "SecurityGroupIds": [cloud.group("endpoint")],
        "PrivateDnsEnabled": True,
    }
    return cloud.ec2.create_vpc_endpoint(**(wanted | changed))["VpcEndpoint"]


def run(cloud: FabricCloud, interface: NetworkInterface, program: str) -> Any:
    prologue = CLIENT.format(bundle=str(cloud.home.services_ca_bundle))
    return cloud.python(interface, prologue + program)


def test_a_function_reads_a_secret_over_verified_tls(cloud: FabricCloud) -> None:
    cloud.allow("endpoint", 443, "function")
    endpoint = interface_endpoint(cloud)
    function = cloud.attach("function", "function")
    cloud.client("secretsmanager").create_secret(Name="database", SecretString="secret")
    read = """
sm = boto3.client("secretsmanager", **options)
print(json.dumps(sm.get_secret_value(SecretId="database")["SecretString"]))
"""
    assert run(cloud, function, read) == "secret"
    # The addresses it really has are those that EC2 shows, one in each subnet.
    shown = cloud.ec2.describe_network_interfaces(
        NetworkInterfaceIds=endpoint["NetworkInterfaceIds"]
    )["NetworkInterfaces"]
    name = "secretsmanager.eu-west-1.amazonaws.com"
    addresses = cloud.fabric.network(cloud.vpc_id).resolver.find(name)
    assert [each["PrivateIpAddress"] for each in shown] == list(addresses or ())
    assert [address.rsplit(".", 1)[0] for address in addresses or ()] == ["10.77.1", "10.77.2"]
    assert {group["GroupId"] for each in shown for group in each["Groups"]} == {
        cloud.group("endpoint")
    }
    for address in addresses or ():
        assert cloud.reaches(function, address, 443)
        assert not cloud.reaches(function, address, 80)


def test_the_endpoints_security_group_decides(cloud: FabricCloud) -> None:
    interface_endpoint(cloud)
    function = cloud.attach("function", "function")
    addresses = cloud.fabric.network(cloud.vpc_id).resolver.find(
        "secretsmanager.eu-west-1.amazonaws.com"
    )
    assert addresses
    assert not cloud.reaches(function, addresses[0], 443)
    cloud.allow("endpoint", 443, "function")
    assert cloud.reaches(function, addresses[0], 443)


def test_a_changed_endpoint_follows_and_a_deleted_one_is_gone(cloud: FabricCloud) -> None:
    cloud.allow("other", 443, "function")
    endpoint = interface_endpoint(cloud, SubnetIds=cloud.subnet_ids[:1])
    function = cloud.attach("function", "function")
    resolver = cloud.fabric.network(cloud.vpc_id).resolver
    name = "secretsmanager.eu-west-1.amazonaws.com"
    (address,) = resolver.find(name) or ()
    assert not cloud.reaches(function, address, 443)
    change = {"VpcEndpointId": endpoint["VpcEndpointId"]}
    cloud.ec2.modify_vpc_endpoint(**change, AddSecurityGroupIds=[cloud.group("other")])
    assert cloud.reaches(function, address, 443)
    cloud.ec2.modify_vpc_endpoint(**change, AddSubnetIds=cloud.subnet_ids[1:])
    assert len(resolver.find(name) or ()) == 2
    cloud.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    assert resolver.find(name) is None
    assert proxies(cloud.home) == []
    assert not list(cloud.home.fabric.iterdir())


def test_without_private_dns_only_the_endpoints_own_name_leads_there(cloud: FabricCloud) -> None:
    endpoint = interface_endpoint(cloud, PrivateDnsEnabled=False)
    resolver = cloud.fabric.network(cloud.vpc_id).resolver
    assert resolver.find("secretsmanager.eu-west-1.amazonaws.com") is None
    own = endpoint["DnsEntries"][0]["DnsName"]
    assert own.endswith(".secretsmanager.eu-west-1.vpce.amazonaws.com")
    assert resolver.find(own)


def test_wrong_endpoints_are_refused_and_leave_nothing(cloud: FabricCloud) -> None:
    with pytest.raises(ClientError, match=r"com\.amazonaws\.us-east-1\.kms refused: only services"):
        interface_endpoint(cloud, ServiceName="com.amazonaws.us-east-1.kms")
    with pytest.raises(ClientError, match="refused: it has no subnet to be in"):
        interface_endpoint(cloud, SubnetIds=[])
    assert cloud.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


@pytest.fixture
def route_table_id(cloud: FabricCloud) -> str:
    """A route table of the first subnet only."""
    table = cloud.ec2.create_route_table(VpcId=cloud.vpc_id)["RouteTable"]["RouteTableId"]
    cloud.ec2.associate_route_table(RouteTableId=table, SubnetId=cloud.subnet_ids[0])
    return table


def gateway(cloud: FabricCloud, route_table_id: str) -> str:
    return cloud.ec2.create_vpc_endpoint(
        VpcId=cloud.vpc_id,
        ServiceName="com.amazonaws.eu-west-1.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[route_table_id],
    )["VpcEndpoint"]["VpcEndpointId"]


def s3_only(cloud: FabricCloud, group: str) -> str:
    """Let a group out to S3's prefix list and nowhere else; return the list's id."""
    lists = cloud.ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": ["com.amazonaws.eu-west-1.s3"]}]
    )["PrefixLists"]
    identifier = lists[0]["PrefixListId"]
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cloud.ec2.revoke_security_group_egress(GroupId=cloud.group(group), IpPermissions=[everything])
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    cloud.ec2.authorize_security_group_egress(
        GroupId=cloud.group(group),
        IpPermissions=[{**https, "PrefixListIds": [{"PrefixListId": identifier}]}],
    )
    return identifier


def test_objects_go_through_the_gateway_with_the_prefix_list_alone(
    cloud: FabricCloud, route_table_id: str
) -> None:
    s3_only(cloud, "function")
    gateway(cloud, route_table_id)
    function = cloud.attach("function", "function")
    write = """
s3 = boto3.client("s3", **options)
s3.create_bucket(
    Bucket="backups", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
)
body = bytes(range(256)) * 40_000
s3.put_object(Bucket="backups", Key="a/b c", Body=body)
same = s3.get_object(Bucket="backups", Key="a/b c")["Body"].read() == body
print(json.dumps([same, s3.meta.endpoint_url]))
"""
    assert run(cloud, function, write) == [True, "https://s3.eu-west-1.amazonaws.com"]
    stored = cloud.client("s3").list_objects_v2(Bucket="backups")["Contents"]
    assert [(each["Key"], each["Size"]) for each in stored] == [("a/b c", 256 * 40_000)]


def test_only_subnets_with_the_route_reach_s3(cloud: FabricCloud, route_table_id: str) -> None:
    endpoint_id = gateway(cloud, route_table_id)
    near, far = cloud.attach("near", "host"), cloud.attach("far", "host", subnet=1)
    assert cloud.reaches(near, S3_ADDRESS, 443)
    assert not cloud.reaches(far, S3_ADDRESS, 443)
    cloud.ec2.associate_route_table(RouteTableId=route_table_id, SubnetId=cloud.subnet_ids[1])
    assert cloud.reaches(far, S3_ADDRESS, 443)
    cloud.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    assert not cloud.reaches(near, S3_ADDRESS, 443)
    resolver = cloud.fabric.network(cloud.vpc_id).resolver
    assert resolver.find("backups.s3.eu-west-1.amazonaws.com") is None


def routed_to(cloud: FabricCloud, endpoint_id: str) -> set[str]:
    """Ids of the route tables with a route to the endpoint."""
    return {
        table["RouteTableId"]
        for table in cloud.ec2.describe_route_tables()["RouteTables"]
        for route in table["Routes"]
        if route.get("GatewayId") == endpoint_id and route["DestinationPrefixListId"]
    }


def test_a_gateway_follows_its_route_tables(cloud: FabricCloud, route_table_id: str) -> None:
    endpoint_id = gateway(cloud, route_table_id)
    second = cloud.ec2.create_route_table(VpcId=cloud.vpc_id)["RouteTable"]["RouteTableId"]
    cloud.ec2.associate_route_table(RouteTableId=second, SubnetId=cloud.subnet_ids[1])
    near, far = cloud.attach("near", "host"), cloud.attach("far", "host", subnet=1)
    change = {"VpcEndpointId": endpoint_id}
    cloud.ec2.modify_vpc_endpoint(**change, AddRouteTableIds=[second])
    assert routed_to(cloud, endpoint_id) == {route_table_id, second}
    assert cloud.reaches(far, S3_ADDRESS, 443)
    cloud.ec2.modify_vpc_endpoint(**change, RemoveRouteTableIds=[route_table_id])
    assert routed_to(cloud, endpoint_id) == {second}
    assert not cloud.reaches(near, S3_ADDRESS, 443)
    with pytest.raises(ClientError, match="rtb-00000000"):
        cloud.ec2.modify_vpc_endpoint(**change, AddRouteTableIds=["rtb-00000000"])
    cloud.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    assert routed_to(cloud, endpoint_id) == set()
    assert not cloud.reaches(far, S3_ADDRESS, 443)


def test_the_api_is_told_of_tls_and_where_a_request_came_from(
    cloud: FabricCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.secretsmanager.responses import SecretsManagerResponse

    seen: list[dict[str, str]] = []
    original = SecretsManagerResponse.list_secrets

    def list_secrets(self: Any) -> Any:
        seen.append({key.lower(): value for key, value in self.headers.items()})
        return original(self)

    monkeypatch.setattr(SecretsManagerResponse, "list_secrets", list_secrets)
    cloud.allow("endpoint", 443, "function")
    endpoint = interface_endpoint(cloud)
    function = cloud.attach("function", "function")
    program = """
boto3.client("secretsmanager", **options).list_secrets()
print("null")
"""
    run(cloud, function, program)
    (headers,) = seen
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] == function.address
    assert headers["x-localcloud-vpce"] == endpoint["VpcEndpointId"]
    assert headers["x-localcloud-vpc"] == cloud.vpc_id
    assert headers["host"] == "secretsmanager.eu-west-1.amazonaws.com"
