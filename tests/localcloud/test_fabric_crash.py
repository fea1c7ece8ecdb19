"""After kill -9 of the process that ran a fabric, cleanup finds all of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import cleanup
from localcloud.home import Home
from tests.localcloud.fabric_cloud import proxies

pytestmark = pytest.mark.root

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
from tests.localcloud.fabric_cloud import FabricCloud

with FabricCloud(Path(sys.argv[1])).running() as cloud:
    cloud.allow("balancer", 6543, "application")
    cloud.attach("client", "application")
    balancer = cloud.elbv2.create_load_balancer(
        Name="pool", Type="network", Subnets=cloud.subnet_ids,
        SecurityGroups=[cloud.group("balancer")],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    group = cloud.elbv2.create_target_group(
        Name="pool", Protocol="TCP", Port=6543, VpcId=cloud.vpc_id, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    cloud.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="TCP", Port=6543,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    cloud.ec2.create_vpc_endpoint(
        VpcId=cloud.vpc_id, ServiceName="com.amazonaws.eu-west-1.kms",
        VpcEndpointType="Interface", SubnetIds=cloud.subnet_ids,
        SecurityGroupIds=[cloud.group("balancer")], PrivateDnsEnabled=True,
    )
    print("ready", flush=True)
    time.sleep(600)
"""


def test_nothing_outlives_a_crash(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home.path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    finally:
        process.kill()
        process.wait()
    assert len(proxies(home)) == 2
    assert len(cleanup.namespaces(home)) == 4
    cleanup.clean(home)
    assert cleanup.leftovers(home) == []
    assert proxies(home) == []
