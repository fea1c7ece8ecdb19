"""Offline previews, functions of the provider, and a cloud that is not there."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.aws import Settings
from localcloud.provider.functions import OFFLINE_AMI, invoke
from tests.localcloud import provider_moto
from tests.localcloud.provider_engine import CheckFailed, Engine, provider
from tests.localcloud.provider_moto import VPC, details

endpoint = provider_moto.endpoint
engine = provider_moto.engine
offline = provider_moto.offline


def test_offline_nothing_is_made(offline: Engine):
    with pytest.raises(grpc.RpcError) as error:
        offline.create(VPC, "main", cidrBlock="10.77.0.0/16")
    assert details(error).startswith("CreateVpc refused Vpc main: this is an offline preview")


def test_offline_answers(offline: Engine):
    caller = offline.invoke("aws:index/getCallerIdentity:getCallerIdentity")
    assert caller["accountId"] == "123456789012"
    zones = offline.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")
    assert zones["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    filters = [{"name": "architecture", "values": ["arm64"]}]
    ami = offline.invoke("aws:ec2/getAmi:getAmi", owners=["136693071363"], filters=filters)
    assert ami["id"] == OFFLINE_AMI
    assert ami["architecture"] == "arm64"
    service = offline.invoke("aws:ec2/getVpcEndpointService:getVpcEndpointService", service="logs")
    assert service["serviceName"] == "com.amazonaws.eu-west-1.logs"
    name = "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert offline.invoke(name, region="us-west-1")["names"] == ["us-west-1a", "us-west-1c"]
    with pytest.raises(grpc.RpcError) as error:
        offline.invoke("aws:ec2/getVpc:getVpc", id="vpc-1")
    assert "getVpc needs an account" in details(error)


def test_an_offline_preview_is_of_its_region_s_partition() -> None:
    china: Any = SimpleNamespace(settings=Settings("", offline=True, region="cn-north-1"))
    found, wrong = invoke(china, "aws:index/getPartition:getPartition", {})
    assert not wrong
    assert (found["partition"], found["dnsSuffix"]) == ("aws-cn", "amazonaws.com.cn")
    assert found["reverseDnsPrefix"] == "cn.com.amazonaws"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subnetId": "subnet-1"}, "exactly one of vpcId, subnetId, eniId is needed, but 2"),
        ({"trafficType": None}, "trafficType: is required"),
        ({"logDestination": None}, "logDestination: is required"),
        ({"iamRoleArn": None}, "iamRoleArn: is required"),
    ],
)
def test_flow_logs_that_ec2_would_refuse(offline: Engine, wrong: dict[str, Any], message: str):
    inputs = {
        "vpcId": "vpc-1",
        "trafficType": "ALL",
        "logDestination": "arn:aws:logs:eu-west-1:123456789012:log-group:flows",
        "iamRoleArn": "arn:aws:iam::123456789012:role/flows",
    }
    inputs = {key: value for key, value in (inputs | wrong).items() if value is not None}
    with pytest.raises(CheckFailed) as caught:
        offline.check("aws:ec2/flowLog:FlowLog", "flows", inputs)
    assert message in str(caught.value)


def test_functions_ask_the_local_cloud(engine: Engine):
    vpc = engine.create(VPC, "v", cidrBlock="10.77.0.0/16", tags={"Name": "shared"})
    found = engine.invoke("aws:ec2/getVpc:getVpc", tags={"Name": "shared"})
    assert found["id"] == vpc.id
    assert found["cidrBlock"] == "10.77.0.0/16"
    assert engine.invoke("aws:index/getRegion:getRegion")["name"] == "eu-west-1"
    assert engine.invoke("aws:index/getPartition:getPartition")["partition"] == "aws"
    with pytest.raises(grpc.RpcError) as error:
        engine.invoke("aws:ec2/getVpc:getVpc", id="vpc-00000000")
    assert "vpc-00000000" in details(error)


def test_without_an_address_there_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_ENDPOINT", raising=False)
    monkeypatch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
    with pytest.raises(grpc.RpcError) as error, provider():
        pass
    assert details(error).startswith("the local cloud's address is not set: run `make up`")


def test_an_address_beyond_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", "https://rds.eu-west-1.amazonaws.com")
    with pytest.raises(grpc.RpcError) as error, provider():
        pass
    assert "only ever at a loopback address" in details(error)


def test_a_cloud_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", "http://127.0.0.1:9")
    with provider() as engine, pytest.raises(grpc.RpcError) as error:
        engine.create(VPC, "main", cidrBlock="10.77.0.0/16")
    assert details(error).startswith("the local cloud does not answer at http://127.0.0.1:9")


def test_the_process_prints_its_port_and_ends_when_asked():
    environment = {**os.environ, "PGKEEP_OFFLINE_PREVIEW": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud.provider", "127.0.0.1:1"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        from pulumi.runtime.proto import provider_pb2_grpc

        engine = Engine(provider_pb2_grpc.ResourceProviderStub(channel))
        assert engine.configure().acceptSecrets
        info = engine.stub.GetPluginInfo(provider_pb2.GetSchemaRequest())
        assert info.version
        channel.close()
    finally:
        process.terminate()
        process.wait(timeout=10)
