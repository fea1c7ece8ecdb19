"""What holds for all types: unknowns, secrets, drift, failures, waiting, offline previews."""

import base64
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from moto.awslambda.models import LambdaFunction
from moto.server import ThreadedMotoServer
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.aws import Aws
from localcloud.provider.functions import OFFLINE_AMI
from localcloud.provider.resources.archives import zip_bytes
from localcloud.provider.wire import SECRET, SIGNATURE, UNKNOWN, Archive, Asset, decode, encode
from tests.localcloud.provider_engine import CheckFailed, Engine, client, provider
from tests.localcloud.provider_samples import TAGS, TRUST, code

VPC = "aws:ec2/vpc:Vpc"
INSTANCE = "aws:rds/instance:Instance"
FUNCTION = "aws:lambda/function:Function"
INVOCATION = "aws:lambda/invocation:Invocation"
GROUP = "aws:autoscaling/group:Group"
DATABASE: dict[str, Any] = {
    "identifier": "orders",
    "engine": "postgres",
    "engineVersion": "17",
    "instanceClass": "db.t4g.micro",
    "allocatedStorage": 20,
    "username": "pgadmin",
    "passwordWo": "throwaway-password",
    "passwordWoVersion": 1,
    "skipFinalSnapshot": True,
}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", f"http://{host}:{port}")
    monkeypatch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
    yield f"http://{host}:{port}"
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    server.stop()


@pytest.fixture
def engine(endpoint: str) -> Iterator[Engine]:
    with provider() as found:
        yield found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_ENDPOINT", raising=False)
    monkeypatch.setenv("PGKEEP_OFFLINE_PREVIEW", "1")
    with provider() as found:
        yield found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    real = Aws.call

    def record(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        seen.append((operation, dict(parameters)))
        return real(self, service, operation, parameters, **more)

    monkeypatch.setattr(Aws, "call", record)
    return seen


def details(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    return str(error.value.details())  # pyright: ignore


# --- unknowns -------------------------------------------------------------------------------------


def test_a_preview_knows_the_inputs_and_nothing_that_aws_computes(offline: Engine):
    made = offline.create(VPC, "main", True, cidrBlock="10.77.0.0/16", tags=TAGS)
    assert made.id == ""
    assert made["cidrBlock"] == "10.77.0.0/16"
    assert made["enableDnsSupport"] is True
    assert made["tagsAll"] == TAGS
    assert made["region"] == "eu-west-1"
    assert made["arn"] is UNKNOWN
    assert made["mainRouteTableId"] is UNKNOWN


def test_unknown_inputs_stay_unknown_and_count_as_changes(engine: Engine):
    made = engine.create("aws:ec2/securityGroup:SecurityGroup", "a", description="one")
    diff = engine.diff(made, description=UNKNOWN)
    assert diff.replaces == ["description"]
    diff = engine.diff(made, description="one", tags={"Name": UNKNOWN})
    assert diff.diffs == ["tags"]
    assert diff.replaces == []


def test_an_update_that_makes_another_version_is_announced(engine: Engine):
    template = engine.create(
        "aws:ec2/launchTemplate:LaunchTemplate", "t", name="t", instanceType="t4g.small"
    )
    preview = engine.update(template, True, name="t", instanceType="t4g.medium")
    assert preview["latestVersion"] is UNKNOWN
    engine.update(template, name="t", instanceType="t4g.medium")
    assert template["latestVersion"] == 2


# --- secrets and write-only values ----------------------------------------------------------------


def test_a_secret_input_is_a_secret_output(engine: Engine):
    urn = Engine.urn("aws:ssm/parameter:Parameter", "p")
    news = encode({"name": "/p", "type": "SecureString", "value": "hush"}, {"value"})
    checked = engine.stub.Check(provider_pb2.CheckRequest(urn=urn, news=news)).inputs
    assert checked.fields["value"].struct_value.fields[SIGNATURE].string_value == SECRET
    made = engine.stub.Create(provider_pb2.CreateRequest(urn=urn, properties=checked)).properties
    assert made.fields["value"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert decode(made).secret_keys == {"value"}
    assert made.fields["name"].string_value == "/p"
    read = engine.stub.Read(
        provider_pb2.ReadRequest(id="/p", urn=urn, properties=made, inputs=checked)
    )
    assert decode(read.properties).secret_keys == {"value"}


def test_a_secret_deep_inside_makes_its_property_secret():
    inner = encode({"value": "hush"}, {"value"}).fields["value"]
    struct = encode({"environment": {"variables": {}}})
    variables = struct.fields["environment"].struct_value.fields["variables"]
    variables.struct_value.fields["PASSWORD"].CopyFrom(inner)
    found = decode(struct)
    assert found.secret_keys == {"environment"}
    assert found.values == {"environment": {"variables": {"PASSWORD": "hush"}}}


def test_a_write_only_password_is_sent_and_never_kept(
    engine: Engine, calls: list[tuple[str, dict[str, Any]]]
):
    made = engine.create(INSTANCE, "main", **DATABASE)
    sent = dict(calls)["CreateDBInstance"]
    assert sent["MasterUserPassword"] == "throwaway-password"
    assert "throwaway" not in json.dumps(made.outputs)
    # Another password alone changes nothing; its version does.
    other = {**DATABASE, "passwordWo": "another-password"}
    assert engine.diff(made, **other).changed is False
    other["passwordWoVersion"] = 2
    assert engine.diff(made, **other).diffs == ["passwordWoVersion"]
    engine.update(made, **other)
    assert dict(calls)["ModifyDBInstance"]["MasterUserPassword"] == "another-password"
    assert "another-password" not in json.dumps(made.outputs)


# --- exact parameters -----------------------------------------------------------------------------


def test_database_parameters(engine: Engine, calls: list[tuple[str, dict[str, Any]]]):
    made = engine.create(
        INSTANCE,
        "main",
        **DATABASE,
        multiAz=False,
        backupRetentionPeriod=7,
        backupWindow="01:00-02:00",
        enabledCloudwatchLogsExports=["postgresql"],
        iamDatabaseAuthenticationEnabled=True,
        performanceInsightsEnabled=True,
        tags=TAGS,
    )
    assert dict(calls)["CreateDBInstance"] == {
        "DBInstanceIdentifier": "orders",
        "Engine": "postgres",
        "EngineVersion": "17",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "MasterUsername": "pgadmin",
        "MasterUserPassword": "throwaway-password",
        "MultiAZ": False,
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "01:00-02:00",
        "EnableCloudwatchLogsExports": ["postgresql"],
        "EnableIAMDatabaseAuthentication": True,
        "EnablePerformanceInsights": True,
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": False,
        "DedicatedLogVolume": False,
        "MonitoringInterval": 0,
        "PubliclyAccessible": False,
        "Tags": [
            {"Key": "Name", "Value": "pgkeep"},
            {"Key": "environment", "Value": "test"},
        ],
    }
    assert made.id == made["resourceId"]
    assert made["endpoint"] == f"{made['address']}:{made['port']}"
    assert made["arn"] == "arn:aws:rds:eu-west-1:123456789012:db:orders"


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": "other"},
        {"dbName": "other"},
        {"engine": "aurora-postgresql"},
        {"storageEncrypted": True},
        {"kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/x"},
        {"username": "other"},
        {"availabilityZone": "eu-west-1c"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_replaces_a_database(engine: Engine, change: dict[str, Any]):
    made = engine.create(INSTANCE, "main", **DATABASE)
    diff = engine.diff(made, **{**DATABASE, **change})
    assert diff.replaces == list(change)
    # A second instance cannot have the name that the program keeps.
    assert diff.delete_before_replace is ("identifier" not in change)


def test_parameter_group_differences(engine: Engine, calls: list[tuple[str, dict[str, Any]]]):
    kind = "aws:rds/parameterGroup:ParameterGroup"
    many = [{"name": f"parameter_{i:02}", "value": str(i)} for i in range(25)]
    made = engine.create(kind, "p", name="p", family="postgres17", parameters=many)
    sizes = [len(p["Parameters"]) for name, p in calls if name == "ModifyDBParameterGroup"]
    assert sizes == [20, 5]
    calls.clear()
    fewer = [*many[:23], {"name": "parameter_23", "value": "other"}]
    diff = engine.diff(made, name="p", family="postgres17", parameters=fewer)
    assert diff.diffs == ["parameters"]
    assert engine.diff(made, name="p", family="postgres17", parameters=many[::-1]).changed is False
    with pytest.raises(grpc.RpcError) as error:  # moto has no ResetDBParameterGroup
        engine.update(made, name="p", family="postgres17", parameters=fewer)
    assert "ResetDBParameterGroup of ParameterGroup p" in details(error)
    assert dict(calls)["ModifyDBParameterGroup"]["Parameters"] == [
        {"ParameterName": "parameter_23", "ParameterValue": "other", "ApplyMethod": "immediate"}
    ]
    assert dict(calls)["ResetDBParameterGroup"]["Parameters"] == [
        {"ParameterName": "parameter_24", "ApplyMethod": "immediate"}
    ]


def test_user_data_reaches_the_template_byte_for_byte(engine: Engine, endpoint: str):
    text = "#cloud-config\nwrite_files: [{path: /etc/x, content: 'é'}]\n".encode()
    engine.create(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "t",
        name="pooler",
        userData=base64.b64encode(text).decode(),
    )
    found = client("ec2", endpoint).describe_launch_template_versions(LaunchTemplateName="pooler")
    data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert base64.b64decode(data["UserData"]) == text


def test_a_security_group_starts_without_any_rule(engine: Engine, endpoint: str):
    made = engine.create("aws:ec2/securityGroup:SecurityGroup", "g")
    group = client("ec2", endpoint).describe_security_groups(GroupIds=[made.id])
    assert group["SecurityGroups"][0]["IpPermissionsEgress"] == []
    assert made["description"] == "Managed by Pulumi"


# --- archives -------------------------------------------------------------------------------------


def test_archives_of_all_kinds_become_the_same_zip_each_time(tmp_path: Path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("x = 1\n")
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    archive = Archive(
        members={
            "index.py": Asset(text="y = 2\n"),
            "bin/tool": Asset(path=str(program)),
            "vendored": Archive(path=str(tmp_path / "package")),
            "nested": Archive(members={"z.txt": Asset(text="z")}),
        }
    )
    data = zip_bytes(archive, "Function f")
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.namelist() == ["bin/tool", "index.py", "nested/z.txt", "vendored/module.py"]
        assert found.read("vendored/module.py") == b"x = 1\n"
        assert found.getinfo("bin/tool").external_attr >> 16 & 0o111
    (tmp_path / "package" / "module.py").touch()
    assert zip_bytes(archive, "Function f") == data
    zipped = tmp_path / "code.zip"
    zipped.write_bytes(data)
    assert zip_bytes(Archive(path=str(zipped)), "Function f") == data


def test_a_missing_archive_is_one_line(tmp_path: Path):
    with pytest.raises(Exception, match=r"code of Function f cannot be read: .*missing"):
        zip_bytes(Archive(path=str(tmp_path / "missing.zip")), "Function f")


def test_the_code_decides_by_its_content(engine: Engine):
    role = engine.create("aws:iam/role:Role", "r", assumeRolePolicy=TRUST)
    inputs = {"role": role["arn"], "runtime": "python3.13", "handler": "index.handler"}
    made = engine.create(FUNCTION, "f", **inputs, code=code("one"))
    moved = Archive(path="/elsewhere/same.zip", hash=code("one").hash)
    assert engine.diff(made, **inputs, code=moved).changed is False
    assert engine.diff(made, **inputs, code=code("two")).diffs == ["code"]


# --- invocations ----------------------------------------------------------------------------------


@pytest.fixture
def function(engine: Engine) -> str:
    role = engine.create("aws:iam/role:Role", "r", assumeRolePolicy=TRUST)
    made = engine.create(
        FUNCTION,
        "roles",
        name="roles",
        role=role["arn"],
        runtime="python3.13",
        handler="index.handler",
        code=code("x"),
    )
    return made["name"]


def test_an_invocation_runs_once_and_again_as_a_replacement(
    engine: Engine, function: str, monkeypatch: pytest.MonkeyPatch
):
    bodies: list[Any] = []

    def run(self: Any, event: Any) -> tuple[str, bool, str]:
        bodies.append(event)
        return json.dumps({"status": "applied"}), False, "log"

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", run)
    preview = engine.create(INVOCATION, "apply", True, functionName=function, input='{"a": 1}')
    assert preview["result"] is UNKNOWN
    assert bodies == []
    made = engine.create(INVOCATION, "apply", functionName=function, input='{"a": 1}')
    assert json.loads(made["result"]) == {"status": "applied"}
    assert bodies == [{"a": 1}]
    assert engine.diff(made, functionName=function, input='{ "a" : 1 }').changed is False
    assert engine.diff(made, functionName=function, input='{"a": 2}').replaces == ["input"]
    triggered = engine.diff(made, functionName=function, input='{"a": 1}', triggers={"v": "2"})
    assert triggered.replaces == ["triggers"]
    engine.delete(made)
    assert len(bodies) == 1


def test_an_invocation_with_scope_crud_is_told_of_update_and_delete(
    engine: Engine, function: str, monkeypatch: pytest.MonkeyPatch
):
    bodies: list[Any] = []
    monkeypatch.setattr(
        LambdaFunction,
        "_invoke_lambda",
        lambda self, event: (bodies.append(event), ("{}", False, ""))[1],
    )
    inputs = {"functionName": function, "lifecycleScope": "CRUD"}
    made = engine.create(INVOCATION, "apply", **inputs, input='{"a": 1}')
    assert engine.diff(made, **inputs, input='{"a": 2}').replaces == []
    engine.update(made, **inputs, input='{"a": 2}')
    engine.delete(made)
    assert [body["tf"]["action"] for body in bodies] == ["create", "update", "delete"]
    assert bodies[1]["tf"]["prev_input"] == {"a": 1}


def test_a_failed_invocation_says_why(
    engine: Engine, function: str, monkeypatch: pytest.MonkeyPatch
):
    answer = json.dumps({"errorType": "InvalidManifest", "errorMessage": "role x has no grants"})
    monkeypatch.setattr(
        LambdaFunction, "_invoke_lambda", lambda self, event: (answer, True, "line 1\nline 2")
    )
    with pytest.raises(grpc.RpcError) as error:
        engine.create(INVOCATION, "apply", functionName=function, input="{}")
    text = details(error)
    assert "Invoke refused Invocation apply: function roles failed" in text
    assert "InvalidManifest: role x has no grants" in text
    assert "  line 2" in text


# --- drift, import, failures ----------------------------------------------------------------------


def test_a_refresh_sees_what_someone_changed(engine: Engine, endpoint: str):
    made = engine.create(VPC, "main", cidrBlock="10.77.0.0/16", enableDnsHostnames=True)
    client("ec2", endpoint).modify_vpc_attribute(VpcId=made.id, EnableDnsHostnames={"Value": False})
    found = engine.read(made)
    assert found is not None
    assert found.inputs["enableDnsHostnames"] is False
    assert found["enableDnsHostnames"] is False
    inputs = {"cidrBlock": "10.77.0.0/16", "enableDnsHostnames": True}
    assert engine.diff(found, **inputs).diffs == ["enableDnsHostnames"]
    engine.update(found, **inputs)
    assert engine.read(found).inputs["enableDnsHostnames"] is True  # pyright: ignore


def test_a_refresh_sees_that_it_is_gone(engine: Engine, endpoint: str):
    made = engine.create("aws:sqs/queue:Queue", "q")
    client("sqs", endpoint).delete_queue(QueueUrl=made.id)
    assert engine.read(made) is None


def test_an_existing_resource_can_be_imported_by_its_id(engine: Engine, endpoint: str):
    vpc = client("ec2", endpoint).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    response = engine.stub.Read(provider_pb2.ReadRequest(id=vpc, urn=Engine.urn(VPC, "imported")))
    assert response.id == vpc
    assert decode(response.inputs).values["cidrBlock"] == "10.9.0.0/16"


def test_aws_refusals_name_operation_resource_and_reason(engine: Engine):
    with pytest.raises(grpc.RpcError) as error:
        engine.create(VPC, "main", cidrBlock="10.0.0.0/8")
    assert details(error).startswith("CreateVpc refused Vpc main: ")
    assert "InvalidVpc.Range" in details(error)
    assert "\n" not in details(error)


def test_a_resource_that_fails_after_creation_is_kept(engine: Engine):
    """A group of a launch template that the API refuses after the log group exists."""
    kind = "aws:cloudwatch/logGroup:LogGroup"
    real = Aws.call

    def refuse(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        if operation == "PutRetentionPolicy":
            from localcloud.provider.errors import RefusedError

            raise RefusedError(operation, more["subject"], "Throttling", "later")
        return real(self, service, operation, parameters, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "call", refuse)
        with pytest.raises(grpc.RpcError) as error:
            engine.create(kind, "g", name="g", retentionInDays=7)
    packed = dict(error.value.trailing_metadata())["grpc-status-details-bin"]  # pyright: ignore
    status = status_pb2.Status.FromString(packed)
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "g"
    assert detail.reasons == ["PutRetentionPolicy refused LogGroup g: later (Throttling)"]
    assert decode(detail.inputs).values["retentionInDays"] == 7


# --- waiting --------------------------------------------------------------------------------------


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


# --- offline, functions, the process --------------------------------------------------------------


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
    with pytest.raises(grpc.RpcError) as error:
        offline.invoke("aws:ec2/getVpc:getVpc", id="vpc-1")
    assert "getVpc needs an account" in details(error)


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
