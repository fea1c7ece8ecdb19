"""What holds for all types: archives, invocations, drift, imports, failures."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from moto.awslambda.models import LambdaFunction
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.aws import Aws
from localcloud.provider.resources.archives import zip_bytes
from localcloud.provider.wire import UNKNOWN, Archive, Asset, decode
from tests.localcloud import provider_moto
from tests.localcloud.provider_engine import Engine, client
from tests.localcloud.provider_moto import FUNCTION, INVOCATION, VPC, details
from tests.localcloud.provider_sample import TRUST, code

endpoint = provider_moto.endpoint
engine = provider_moto.engine


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
