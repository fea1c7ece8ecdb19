"""A function in a VPC, in a whole local cloud: endpoints, security groups, policies, schedule."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localcloud.image import base_image
from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root

CODE = """
import boto3, json, socket, urllib.request
def handler(event, context):
    if event["do"] == "secret":
        return boto3.client("secretsmanager").get_secret_value(SecretId="in-vpc")["SecretString"]
    if event["do"] == "put":
        boto3.client("s3").put_object(Bucket="in-vpc", Key=event["key"], Body=b"from the VPC")
        return "put"
    if event["do"] == "connect":
        socket.create_connection((event["host"], event["port"]), timeout=3).close()
        return "connected"
    if event["do"] == "interfaces":
        return sorted(name for _, name in socket.if_nameindex())
"""


class WholeCloud(Planes):
    """The real daemon with all its planes."""

    def __enter__(self) -> "WholeCloud":
        self._environment = {
            **os.environ,
            "PGKEEP_LOCALCLOUD_HOME": str(self.home.path),
            "PGKEEP_LOCALCLOUD_PORT": str(self.home.port),
        }
        self._command("start")
        return self

    def __exit__(self, *_) -> None:
        self._command("stop")

    def _command(self, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "localcloud", name],
            env=self._environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory):
    base_image(print)
    home = tmp_path_factory.mktemp("pk")
    with WholeCloud(home) as started:
        yield started
    assert started.processes_below_home() == [] and started.mounts_below_home() == []
    assert started.namespaces() == [] and started.cgroups() == []


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def function(cloud: WholeCloud) -> str:
    ec2, s3 = cloud.client("ec2"), cloud.client("s3")
    vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.78.1.0/24", AvailabilityZone=f"{REGION}a")[
        "Subnet"
    ]["SubnetId"]
    groups = {
        name: ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        for name in ("functions", "endpoints")
    }
    for group in groups.values():
        default = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=default)

    def https(peer: dict) -> list[dict]:
        return [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **peer}]

    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    gateway = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table["RouteTables"][0]["RouteTableId"]],
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.secretsmanager",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=[groups["endpoints"]],
        PrivateDnsEnabled=True,
    )
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    s3_list = next(p["PrefixListId"] for p in lists if p["PrefixListName"].endswith(".s3"))
    for target in (
        {"UserIdGroupPairs": [{"GroupId": groups["endpoints"]}]},
        {"PrefixListIds": [{"PrefixListId": s3_list}]},
    ):
        ec2.authorize_security_group_egress(
            GroupId=groups["functions"], IpPermissions=https(target)
        )
    peer = {"UserIdGroupPairs": [{"GroupId": groups["functions"]}]}
    ec2.authorize_security_group_ingress(GroupId=groups["endpoints"], IpPermissions=https(peer))
    cloud.client("secretsmanager").create_secret(Name="in-vpc", SecretString="hidden")
    s3.create_bucket(Bucket="in-vpc", CreateBucketConfiguration={"LocationConstraint": REGION})
    everything = ["arn:aws:s3:::in-vpc", "arn:aws:s3:::in-vpc/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything}
    s3.put_bucket_policy(
        Bucket="in-vpc",
        Policy=policy(deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
    )
    cloud.role("in-vpc", "lambda.amazonaws.com", ["ec2:*NetworkInterface*", "logs:*"])
    cloud.allow("in-vpc", ["secretsmanager:GetSecretValue"])
    cloud.allow(
        "in-vpc",
        ["s3:PutObject"],
        "arn:aws:s3:::in-vpc/*",
        Condition={"StringEquals": {"aws:SourceVpce": gateway}},
    )
    network = {"SubnetIds": [subnet], "SecurityGroupIds": [groups["functions"]]}
    cloud.function("in-vpc", CODE, role="in-vpc", VpcConfig=network, Timeout=20, MemorySize=256)
    return "in-vpc"


def call(cloud: WholeCloud, **event) -> str:
    answer = cloud.client("lambda").invoke(FunctionName="in-vpc", Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    return payload["errorMessage"] if "FunctionError" in answer else payload


def test_it_reaches_the_interface_endpoint_over_tls(cloud, function):
    assert call(cloud, do="secret") == "hidden"


def test_it_writes_through_the_gateway_endpoint_to_a_tls_only_bucket(cloud, function):
    assert call(cloud, do="put", key="k") == "put"
    stored = cloud.client("s3").get_object(Bucket="in-vpc", Key="k")
    assert stored["Body"].read() == b"from the VPC"


def test_it_reaches_nothing_that_its_security_group_does_not_name(cloud, function):
    assert "timed out" in call(cloud, do="connect", host="10.78.0.1", port=80)
    assert "refused" in call(cloud, do="connect", host="127.0.0.1", port=cloud.home.port)
    assert "timed out" in call(cloud, do="connect", host="198.18.0.1", port=80)
    assert len(call(cloud, do="interfaces")) == 2


def test_its_schedule_writes_a_backup(cloud, function):
    cloud.role("nightly", "scheduler.amazonaws.com", ["lambda:InvokeFunction"])
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:in-vpc"
    cloud.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": arn,
            "RoleArn": "arn:aws:iam::123456789012:role/nightly",
            "Input": json.dumps({"do": "put", "key": "scheduled"}),
        },
    )
    deadline = time.monotonic() + 20
    while True:
        listed = cloud.client("s3").list_objects_v2(Bucket="in-vpc", Prefix="scheduled")
        if listed["KeyCount"]:
            return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_killed_daemon_leaves_nothing_after_stop(tmp_path):
    with WholeCloud(tmp_path / "crash") as crashed:
        crashed.role("worker", "lambda.amazonaws.com", ["logs:*"])
        code = "import time\ndef handler(event, context): time.sleep(event)"
        crashed.function("sleeper", code, role="worker", Timeout=120)
        client = crashed.client("lambda")
        client.invoke(FunctionName="sleeper", Payload=b"0")
        client.invoke(FunctionName="sleeper", InvocationType="Event", Payload=b"100")
        time.sleep(1)
        assert crashed.processes_below_home() and crashed.mounts_below_home()
        os.kill(int(crashed.home.pid_file.read_text()), signal.SIGKILL)
    assert crashed.processes_below_home() == [] and crashed.mounts_below_home() == []
    assert crashed.namespaces() == [] and crashed.cgroups() == []
