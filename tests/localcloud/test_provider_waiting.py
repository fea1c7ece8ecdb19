"""What the provider waits for, and what it refuses to begin."""

import threading
import time
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.aws import Aws
from tests.localcloud import provider_moto
from tests.localcloud.provider_engine import Engine
from tests.localcloud.provider_moto import DATABASE, GROUP, INSTANCE, VPC, details

endpoint = provider_moto.endpoint
engine = provider_moto.engine


def _scaling_inputs(engine: Engine, **more: Any) -> dict[str, Any]:
    vpc = engine.create(VPC, "v", cidrBlock="10.77.0.0/16")
    subnet = engine.create("aws:ec2/subnet:Subnet", "s", vpcId=vpc.id, cidrBlock="10.77.0.0/24")
    template = engine.create(
        "aws:ec2/launchTemplate:LaunchTemplate", "t", name="t", imageId="ami-1", instanceType="m"
    )
    version = {"id": template.id, "version": "1"}
    return {
        "name": "g",
        "minSize": 1,
        "maxSize": 2,
        "vpcZoneIdentifiers": [subnet.id],
        "launchTemplate": version,
        **more,
    }


def test_a_group_waits_for_its_capacity(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    real, asked = Aws.call, []

    def slow(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        answer = real(self, service, operation, parameters, **more)
        if operation == "DescribeAutoScalingGroups":
            asked.append(operation)
            if len(asked) < 3:
                answer["AutoScalingGroups"][0]["Instances"] = []
        return answer

    monkeypatch.setattr(Aws, "call", slow)
    engine.create(GROUP, "g", **_scaling_inputs(engine))
    assert len(asked) >= 3


def test_a_group_that_never_gets_its_capacity_fails_in_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    real = Aws.call

    def empty(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        answer = real(self, service, operation, parameters, **more)
        if operation == "DescribeAutoScalingGroups":
            answer["AutoScalingGroups"][0]["Instances"] = []
        return answer

    monkeypatch.setattr(Aws, "call", empty)
    inputs = _scaling_inputs(engine, waitForCapacityTimeout="1s")
    with pytest.raises(grpc.RpcError) as error:
        engine.create(GROUP, "g", **inputs)
    assert "was not ready after 1 seconds: 0 of 1 instances in service" in details(error)


@pytest.mark.parametrize("outcome", ["Successful", "Failed"])
def test_another_template_version_refreshes_the_instances(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, outcome: str
):
    real = Aws.call
    started: list[dict[str, Any]] = []
    states = ["Pending", "InProgress", outcome]

    def refreshing(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        if operation == "StartInstanceRefresh":
            started.append(dict(parameters))
            return {"InstanceRefreshId": "refresh-1"}
        if operation == "DescribeInstanceRefreshes":
            found = {"Status": states.pop(0), "StatusReason": "unhealthy", "PercentageComplete": 50}
            return {"InstanceRefreshes": [found]}
        return real(self, service, operation, parameters, **more)

    monkeypatch.setattr(Aws, "call", refreshing)
    refresh = {"strategy": "Rolling", "preferences": {"minHealthyPercentage": 100}}
    inputs = _scaling_inputs(engine, instanceRefresh=refresh)
    made = engine.create(GROUP, "g", **inputs)
    template = inputs["launchTemplate"]["id"]
    engine.update(made, **{**inputs, "maxSize": 3})
    assert started == []
    changed = {**inputs, "launchTemplate": {"id": template, "version": "$Latest"}}
    if outcome == "Failed":
        with pytest.raises(grpc.RpcError) as error:
            engine.update(made, **changed)
        assert "instance refresh of Group g is Failed: unhealthy" in details(error)
    else:
        engine.update(made, **changed)
        assert states == []
    assert started == [
        {
            "AutoScalingGroupName": "g",
            "Strategy": "Rolling",
            "Preferences": {"MinHealthyPercentage": 100},
        }
    ]


def test_cancel_ends_a_wait(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    real = Aws.call

    def creating(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        answer = real(self, service, operation, parameters, **more)
        if operation == "DescribeDBInstances":
            answer["DBInstances"][0]["DBInstanceStatus"] = "creating"
        return answer

    monkeypatch.setattr(Aws, "call", creating)
    threading.Timer(0.5, lambda: engine.stub.Cancel(provider_pb2.GetSchemaRequest())).start()
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as error:
        engine.create(INSTANCE, "main", **DATABASE)
    assert "stopped while waiting for Instance main: it is creating" in details(error)
    assert time.monotonic() - started < 10


def test_a_change_that_nothing_carries_out_is_refused(engine: Engine):
    kind = "aws:secretsmanager/secret:Secret"
    made = engine.create(kind, "s", name="s")
    with pytest.raises(grpc.RpcError) as error:
        engine.update(made, True, name="s", forceOverwriteReplicaSecret=True)
    assert "property forceOverwriteReplicaSecret of aws:secretsmanager" in details(error)


def test_a_deletion_without_a_final_snapshot_says_what_to_set(engine: Engine):
    made = engine.create(INSTANCE, "main", **{**DATABASE, "skipFinalSnapshot": False})
    with pytest.raises(grpc.RpcError) as error:
        engine.delete(made)
    assert "finalSnapshotIdentifier is not set" in details(error)
