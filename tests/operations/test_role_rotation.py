"""Rotation of login roles on a real PostgreSQL 17, with every step repeated and interrupted."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import boto3
import psycopg
import pytest
from moto.secretsmanager.models import secretsmanager_backends

from operations import scram, secret_store
from operations.errors import OperationError
from operations.functions import role_rotation
from operations.roles import rotation, rotation_age
from operations.roles.rotation import Rotation
from tests.operations.conftest import REGION, Deployment

pytestmark = pytest.mark.root

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
APP = "node_pass_app"


def begin(secret: str) -> str:
    """As RotateSecret does: a version AWSPENDING without a value."""
    token = str(uuid.uuid4())
    found: Any = secretsmanager_backends["123456789012"][REGION].secrets[secret]
    found.remove_version_stages_from_old_versions(["AWSPENDING"])
    found.versions[token] = {
        "createdate": int(time.time()),
        "version_id": token,
        "version_stages": ["AWSPENDING"],
    }
    return token


def rotation_of(deployment: Deployment, role: str = APP, **more: Any) -> Rotation:
    """A rotation that has begun."""
    token = more.pop("token", None) or begin(f"pgkeep/{role}")
    return Rotation(
        client=deployment.secrets,
        endpoint=deployment.server.endpoint,
        role=next(one for one in deployment.contract.roles if one.name == role),
        secret=f"pgkeep/{role}",
        token=token,
        master_secret="pgkeep/master",
        pooler_users_secret="pgkeep/pooler-users",
        poolers_settle_seconds=more.pop("settle_seconds", 0.0),
    )


def rotate(deployment: Deployment, role: str = APP) -> None:
    one = rotation_of(deployment, role)
    for step in STEPS:
        rotation.run(step, one)


def logs_in(deployment: Deployment, document: dict[str, Any]) -> bool:
    try:
        deployment.server.endpoint.connect(document["username"], document["password"]).close()
    except psycopg.OperationalError as error:
        assert "password authentication failed" in str(error)
        return False
    return True


@pytest.fixture
def rotated(deployment: Deployment) -> Deployment:
    deployment.apply()
    return deployment


def test_users_alternate_and_the_old_password_lives_until_the_next_rotation(
    rotated: Deployment,
) -> None:
    first = rotated.secret(APP)
    rotate(rotated)
    second = rotated.secret(APP)
    assert (first["username"], second["username"]) == (f"{APP}_1", f"{APP}_2")
    assert {k: v for k, v in second.items() if k not in ("username", "password")} == {
        k: v for k, v in first.items() if k not in ("username", "password")
    }
    assert logs_in(rotated, first)
    assert logs_in(rotated, second)
    rotate(rotated)
    third = rotated.secret(APP)
    assert third["username"] == first["username"]
    assert third["password"] not in (first["password"], second["password"])
    assert not logs_in(rotated, first)
    assert logs_in(rotated, second)
    assert logs_in(rotated, third)
    stages = secret_store.stages(rotated.secrets, f"pgkeep/{APP}").values()
    assert sorted(stage for each in stages for stage in each) == ["AWSCURRENT", "AWSPREVIOUS"]


def test_the_poolers_know_both_users_and_no_other_role_loses_its_entry(
    rotated: Deployment,
) -> None:
    before = rotated.secret("pooler-users")["users"]
    first = rotated.secret(APP)
    rotate(rotated)
    second = rotated.secret(APP)
    assert rotated.secret("pooler-users")["users"] == {
        **before,
        f"{APP}_2": scram.verifier(f"{APP}_2", second["password"]),
    }
    assert before[f"{APP}_1"] == scram.verifier(f"{APP}_1", first["password"])
    rotate(rotated, "node_pass_migrator")
    assert not any("migrator" in user for user in rotated.secret("pooler-users")["users"])


def test_the_roles_function_changes_nothing_after_a_rotation(rotated: Deployment) -> None:
    rotate(rotated)
    second = rotated.secret(APP)
    assert rotated.apply().changes == []
    assert rotated.secret(APP) == second


@pytest.mark.parametrize("broken_after", range(5))
def test_a_rotation_that_broke_off_anywhere_is_finished_by_the_next(
    rotated: Deployment, broken_after: int
) -> None:
    """Applications keep what they have until the end; each step may have run before."""
    first = rotated.secret(APP)
    one = rotation_of(rotated)
    for step in STEPS[:broken_after]:
        rotation.run(step, one)
    assert logs_in(rotated, rotated.secret(APP))
    if broken_after < 4:
        assert rotated.secret(APP) == first
    for step in STEPS:
        rotation.run(step, one)
    second = rotated.secret(APP)
    assert second["username"] == f"{APP}_2"
    assert logs_in(rotated, first)
    assert logs_in(rotated, second)


@pytest.mark.parametrize("broken_after", range(1, 4))
def test_another_rotation_may_take_over_what_broke_off(
    rotated: Deployment, broken_after: int
) -> None:
    first = rotated.secret(APP)
    old = rotation_of(rotated)
    for step in STEPS[:broken_after]:
        rotation.run(step, old)
    rotate(rotated)
    for step in STEPS:
        with pytest.raises(OperationError, match="is not being rotated"):
            rotation.run(step, old)
    assert rotated.secret(APP)["username"] == f"{APP}_2"
    assert logs_in(rotated, first)
    assert logs_in(rotated, rotated.secret(APP))


def test_a_death_between_database_and_poolers_is_repaired_by_the_retry(
    rotated: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotation_of(rotated)
    rotation.run("createSecret", one)
    with monkeypatch.context() as patch:

        def dies(*_: Any, **__: Any) -> list[str]:
            raise ConnectionError("Secrets Manager went away")

        patch.setattr(rotation.role_credentials, "tell_poolers", dies)
        with pytest.raises(ConnectionError):
            rotation.run("setSecret", one)
    with pytest.raises(OperationError, match="the pooler hosts' list has another verifier"):
        rotation.run("testSecret", one)
    assert rotation.run("setSecret", one) == "write secret of pooler users"
    assert rotation.run("setSecret", one) == "is set already"
    rotation.run("testSecret", one)


def test_the_roles_function_finishes_a_rotation_in_its_midst(rotated: Deployment) -> None:
    first = rotated.secret(APP)
    one = rotation_of(rotated)
    rotation.run("createSecret", one)
    changes = rotated.apply().changes
    assert f"set password of role {APP}_2" in changes
    assert rotated.secret(APP)["username"] == f"{APP}_2"
    assert [rotation.run(step, one) for step in STEPS] == ["is current already"] * 4
    assert logs_in(rotated, first)
    assert logs_in(rotated, rotated.secret(APP))


def test_rotations_at_once_lose_none_of_their_entries_for_the_poolers(
    rotated: Deployment,
) -> None:
    roles = (APP, "node_pass_readonly", "node_pass_health", "node_pass_migrator")
    begun = [rotation_of(rotated, role) for role in roles for _ in range(2)]
    # Two runs of the same rotation, of each role.
    for first, second in zip(begun[::2], begun[1::2], strict=True):
        object.__setattr__(first, "token", second.token)
        rotation.run("createSecret", first)
    for step in STEPS[1:3]:
        with ThreadPoolExecutor(len(begun)) as pool:
            assert all(pool.map(rotation.run, [step] * len(begun), begun))
    for one in begun:
        rotation.run("finishSecret", one)
    users = rotated.secret("pooler-users")["users"]
    for role in roles:
        document = rotated.secret(role)
        assert document["username"] == f"{role}_2"
        assert logs_in(rotated, document)
        if "migrator" not in role:
            verifier = scram.verifier(document["username"], document["password"])
            assert users[document["username"]] == verifier


def test_applications_are_told_only_when_every_host_had_the_time(
    rotated: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(rotation.time, "sleep", slept.append)
    one = rotation_of(rotated, settle_seconds=60.0)
    for step in STEPS[:3]:
        rotation.run(step, one)
    assert 40.0 < slept[-1] <= 61.0
    later = rotation_of(rotated, token=one.token, settle_seconds=0.0)
    rotation.run("testSecret", later)
    assert slept[-1] == 0.0
    direct = rotation_of(rotated, "node_pass_migrator", settle_seconds=60.0)
    slept.clear()
    for step in STEPS:
        rotation.run(step, direct)
    assert slept == []


def test_a_configuration_is_tested_without_a_change(rotated: Deployment) -> None:
    """RotateImmediately false: only testSecret, on a pending copy or on a version without value."""
    before = rotated.secret(APP)
    empty = rotation_of(rotated)
    assert rotation.run("testSecret", empty) == f"{APP}_1 logs in"
    secret_store.fill_pending(rotated.secrets, empty.secret, before, empty.token)
    assert rotation.run("testSecret", empty) == f"{APP}_1 logs in"
    with pytest.raises(OperationError, match="whom applications use now"):
        rotation.run("setSecret", empty)
    assert rotated.secret(APP) == before
    assert logs_in(rotated, before)


def test_a_secret_that_names_another_user_changes_nobodys_password(rotated: Deployment) -> None:
    one = rotation_of(rotated)
    migrator = rotated.secret("node_pass_migrator")
    forged = {**rotated.secret(APP), "username": migrator["username"], "password": "x" * 43}
    secret_store.fill_pending(rotated.secrets, one.secret, forged, one.token)
    for step in STEPS[1:]:
        with pytest.raises(OperationError, match="names node_pass_migrator_1, who is neither"):
            rotation.run(step, one)
    assert logs_in(rotated, migrator)


def test_steps_out_of_order_and_unknown_ones_are_refused(rotated: Deployment) -> None:
    one = rotation_of(rotated)
    for step in ("setSecret", "finishSecret"):
        with pytest.raises(OperationError, match=f"createSecret comes before {step}"):
            rotation.run(step, one)
    with pytest.raises(OperationError, match="Step is 'dropSecret'; it must be one of"):
        rotation.run("dropSecret", one)
    rotation.run("createSecret", one)
    with pytest.raises(OperationError, match=rf"{APP}_2 cannot log in: .*authentication failed"):
        rotation.run("testSecret", one)


def test_without_the_roles_function_there_is_nothing_to_rotate(deployment: Deployment) -> None:
    deployment.secrets.put_secret_value(SecretId=f"pgkeep/{APP}", SecretString='{"note": "empty"}')
    with pytest.raises(OperationError, match="has no username and password yet"):
        rotation.run("createSecret", rotation_of(deployment))
    user = {"username": f"{APP}_1", "password": "x"}
    deployment.secrets.put_secret_value(SecretId=f"pgkeep/{APP}", SecretString=json.dumps(user))
    one = rotation_of(deployment)
    rotation.run("createSecret", one)
    with pytest.raises(OperationError, match=f"user {APP}_2 does not exist; `pgkeep roles apply`"):
        rotation.run("setSecret", one)


@pytest.fixture
def function(rotated: Deployment, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """ARN of each role's secret, with the function's environment set."""
    arns = {
        role.name: rotated.secrets.describe_secret(SecretId=f"pgkeep/{role.name}")["ARN"]
        for role in rotated.contract.login_roles
    }
    rotated.set_environment(
        monkeypatch,
        MASTER_SECRET_ARN="pgkeep/master",
        POOLER_USERS_SECRET_ARN="pgkeep/pooler-users",
        POOLERS_SETTLE_SECONDS="0",
        ROTATED_ROLES=json.dumps(arns),
        WORKLOAD="node_pass",
    )
    return arns


def test_the_function_rotates_and_logs_no_password(
    rotated: Deployment, function: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first = rotated.secret(APP)
    token = begin(f"pgkeep/{APP}")
    for step in STEPS:
        event = {"Step": step, "SecretId": function[APP], "ClientRequestToken": token}
        answer = role_rotation.handler(event, None)
        assert (answer["role"], answer["step"]) == (APP, step)
    second = rotated.secret(APP)
    assert logs_in(rotated, second)
    printed = capsys.readouterr()
    assert printed.out.count('"event": "role_rotation"') == 4
    for password in (first["password"], second["password"]):
        assert password not in printed.out + printed.err
    assert "SCRAM-SHA-256" not in printed.out + printed.err


def test_the_function_rotates_no_secret_but_the_roles(function: dict[str, str]) -> None:
    arn = boto3.client("secretsmanager").describe_secret(SecretId="pgkeep/master")["ARN"]
    event = {"Step": "createSecret", "SecretId": arn, "ClientRequestToken": "x" * 32}
    with pytest.raises(OperationError, match="this function rotates the secrets of node_pass_mig"):
        role_rotation.handler(event, None)


@pytest.fixture
def days_later(function: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says how far each password is past its schedule, so many days from now."""
    variables = {"ROTATION_DAYS": "30", "MASTER_ROTATION_DAYS": "93"}
    for name, value in {**variables, "AWS_LAMBDA_FUNCTION_NAME": "pgkeep-role-rotation"}.items():
        monkeypatch.setenv(name, value)

    def tell(days: float) -> dict[str, float]:
        class Later(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.now(tz) + timedelta(days=days)

        monkeypatch.setattr(rotation_age, "datetime", Later)
        return role_rotation.handler({"action": "age"}, None)["overdue_days"]

    return tell


def test_a_rotation_that_never_began_is_seen_by_the_age_of_the_password(
    rotated: Deployment,
    function: dict[str, str],
    days_later: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = days_later(0)
    assert new == {**dict.fromkeys(function, -30.0), "master": -93.0}
    assert days_later(33) == {**dict.fromkeys(function, 3.0), "master": -60.0}
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["RotationOverdueDays"] == 3.0
    assert line["FunctionName"] == "pgkeep-role-rotation"
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["FunctionName"]]
    # A rotation is what ends it; the others stay behind.
    secrets = secretsmanager_backends["123456789012"][REGION].secrets
    one: Any = secrets[f"pgkeep/{APP}"]
    one.rotation_requested, one.last_rotation_date = True, int(time.time()) + 33 * 86_400
    assert days_later(33)[APP] == -30.0
    # The master's own is 93 days; a rotation of 94 days ago is late.
    assert days_later(94)["master"] == 1.0


def test_what_is_new_for_another_reason_is_no_rotation(
    rotated: Deployment, days_later: Any
) -> None:
    found: Any = secretsmanager_backends["123456789012"][REGION].secrets[f"pgkeep/{APP}"]
    found.rotation_requested, found.last_rotation_date = True, int(time.time()) - 40 * 86_400
    secret_store.write(rotated.secrets, f"pgkeep/{APP}", rotated.secret(APP))
    assert days_later(0)[APP] == 10.0


def test_a_stack_that_is_being_made_has_time(rotated: Deployment, days_later: Any) -> None:
    found: Any = secretsmanager_backends["123456789012"][REGION].secrets[f"pgkeep/{APP}"]
    found.versions.clear()
    assert days_later(1)[APP] == -29.0
