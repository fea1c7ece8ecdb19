"""Secrets Manager's rotation on the local cloud: four steps of a function that really runs."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.secretsmanager.models import secretsmanager_backends

from localcloud.defects import rotation
from localcloud.provider.aws import ACCOUNT_ID
from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root

# Answers each step as AWS's templates do, and writes down in the secret's description what came.
HANDLER = """
import boto3, json

secrets = boto3.client("secretsmanager")

def handler(event, context):
    step, secret, token = event["Step"], event["SecretId"], event["ClientRequestToken"]
    found = secrets.describe_secret(SecretId=secret)
    assert "AWSPENDING" in found["VersionIdsToStages"][token]
    seen = found.get("Description", "") + " " + step
    value = json.dumps({"rotated": token})
    if step == "createSecret":
        secrets.put_secret_value(
            SecretId=secret, SecretString=value, ClientRequestToken=token,
            VersionStages=["AWSPENDING"],
        )
    pending = secrets.get_secret_value(SecretId=secret, VersionId=token)["SecretString"]
    if step == "setSecret" and "broken" in seen:
        secrets.update_secret(SecretId=secret, Description="failed")
        raise ValueError("the database is away")
    if step == "finishSecret":
        current = next(v for v, s in found["VersionIdsToStages"].items() if "AWSCURRENT" in s)
        secrets.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token,
            RemoveFromVersionId=current,
        )
        secrets.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=token
        )
    secrets.update_secret(SecretId=secret, Description=f"{seen}={pending}")
"""


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "functions", "defects") as started:
        started.role("rotator", "lambda.amazonaws.com", ["logs:*", "secretsmanager:*"])
        started.function("rotator", HANDLER, role="rotator", Timeout=30)
        yield started


@pytest.fixture(scope="module")
def arn(planes: Planes) -> str:
    client = planes.client("lambda")
    function = client.get_function(FunctionName="rotator")["Configuration"]["FunctionArn"]
    secrets = planes.client("secretsmanager")
    secrets.create_secret(Name="refused", SecretString="{}")
    with pytest.raises(ClientError, match="cannot invoke the specified Lambda function"):
        secrets.rotate_secret(SecretId="refused", RotationLambdaARN=function)
    client.add_permission(
        FunctionName="rotator",
        StatementId="secrets",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount="123456789012",
    )
    return function


def until(planes: Planes, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        found = planes.client("secretsmanager").describe_secret(SecretId=name)
        if holds(found):
            return found
        assert time.monotonic() < deadline, f"{found}\n{planes.log()}"
        time.sleep(0.2)


def stages(found: dict[str, Any]) -> list[str]:
    return sorted(stage for each in found["VersionIdsToStages"].values() for stage in each)


def test_four_steps_change_what_is_current_and_the_request_does_not_wait(planes, arn):
    secrets = planes.client("secretsmanager")
    secrets.create_secret(Name="whole", SecretString='{"first": 1}')
    begun = time.monotonic()
    secrets.rotate_secret(
        SecretId="whole", RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 30}
    )
    assert time.monotonic() - begun < 2
    found = until(planes, "whole", lambda it: "finishSecret" in it.get("Description", ""))
    steps = [word.partition("=")[0] for word in found["Description"].split() if "Secret" in word]
    assert steps == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert stages(found) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert "rotated" in secrets.get_secret_value(SecretId="whole")["SecretString"]
    assert found["RotationEnabled"]
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 30}
    days = (found["NextRotationDate"].timestamp() - time.time()) / 86_400
    assert 29.9 < days < 30.1
    secrets.cancel_rotate_secret(SecretId="whole")
    assert not secrets.describe_secret(SecretId="whole")["RotationEnabled"]


def test_a_failed_step_leaves_what_is_current_and_the_next_request_takes_it_up(planes, arn):
    secrets = planes.client("secretsmanager")
    secrets.create_secret(Name="fails", SecretString='{"first": 1}', Description="broken")
    secrets.rotate_secret(SecretId="fails", RotationLambdaARN=arn)
    found = until(planes, "fails", lambda it: it.get("Description") == "failed")
    assert stages(found) == ["AWSCURRENT", "AWSPENDING"]
    assert secrets.get_secret_value(SecretId="fails")["SecretString"] == '{"first": 1}'
    token = next(v for v, s in found["VersionIdsToStages"].items() if "AWSPENDING" in s)
    with pytest.raises(ClientError, match="That rotation will be reattempted"):
        secrets.rotate_secret(SecretId="fails")
    until(planes, "fails", lambda it: "finishSecret" in it.get("Description", ""))
    current = json.loads(secrets.get_secret_value(SecretId="fails")["SecretString"])
    assert current == {"rotated": token}


def test_without_an_immediate_rotation_only_a_copy_is_tested(planes, arn):
    secrets = planes.client("secretsmanager")
    secrets.create_secret(Name="tested", SecretString='{"first":1}')
    secrets.rotate_secret(
        SecretId="tested",
        RotationLambdaARN=arn,
        RotationRules={"AutomaticallyAfterDays": 30},
        RotateImmediately=False,
    )
    found = until(
        planes,
        "tested",
        lambda it: it.get("Description") and stages(it) == ["AWSCURRENT"],
    )
    assert found["Description"] == ' testSecret={"first":1}'


def test_the_clock_rotates_what_is_due_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        client = boto3.client("secretsmanager", region_name=REGION)
        for name in ("due", "later", "never"):
            client.create_secret(Name=name, SecretString="{}")
        backend: Any = secretsmanager_backends[ACCOUNT_ID][REGION]
        for name, days in (("due", 30), ("later", 60)):
            backend.secrets[name].rotation_enabled = True
            backend.secrets[name].auto_rotate_after_days = days
            backend.secrets[name].next_rotation_date = days * 86_400
        rotated: list[str] = []
        monkeypatch.setattr(
            type(backend), "rotate_secret", lambda _, arn: rotated.append(arn), raising=False
        )
        clock = rotation.RotationClock(ACCOUNT_ID, REGION)
        for day in (29, 30, 31):
            clock.tick(day * 86_400)
        assert rotated == [backend.secrets["due"].arn]
        clock.tick(60 * 86_400)
        assert [arn.split(":")[-1][:4] for arn in rotated] == ["due-", "due-", "late"]
