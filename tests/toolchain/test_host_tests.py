"""Host tests of a deployed stack wait for the right hosts and reach them without a standing key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolchain import host_connection, host_tests
from toolchain.deploy import deploy
from toolchain.steps import RefusedError


class AutoScaling:
    """Answers with one state after the other, and stays at the last."""

    def __init__(self, *states: tuple[str | None, list[str]], desired: int = 2) -> None:
        self.states = list(states)
        self.desired = desired

    def describe_auto_scaling_groups(self, **_: Any) -> dict[str, Any]:
        _, lives = self.states[0]
        instances = [
            {"InstanceId": f"i-{n}", "LifecycleState": life, "HealthStatus": "Healthy"}
            for n, life in enumerate(lives)
        ]
        return {"AutoScalingGroups": [{"DesiredCapacity": self.desired, "Instances": instances}]}

    def describe_instance_refreshes(self, **_: Any) -> dict[str, Any]:
        status, _ = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"InstanceRefreshes": [] if status is None else [{"Status": status}]}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_tests, "POLL_SECONDS", 0)


def test_it_waits_until_the_refresh_is_over() -> None:
    group = AutoScaling(
        ("InProgress", ["InService", "InService"]),
        ("Successful", ["InService", "InService", "Terminating"]),
        ("Successful", ["InService", "InService"]),
    )
    assert host_tests.wait_for_hosts(group, "g") == ["i-0", "i-1"]
    assert len(group.states) == 1


def test_a_group_that_never_had_a_refresh_is_ready() -> None:
    assert host_tests.wait_for_hosts(AutoScaling((None, ["InService"]), desired=1), "g") == ["i-0"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (("Failed", ["InService"]), "the last instance refresh of g ended as Failed"),
        (("InProgress", ["InService"]), r"g has 1 of 2 hosts in service after 0 s \(refresh: InPr"),
    ],
)
def test_it_says_why_there_is_nothing_to_test(state: tuple[str, list[str]], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        host_tests.wait_for_hosts(AutoScaling(state), "g", timeout_seconds=0)


def test_ssh_goes_through_the_endpoint_with_a_key_of_this_run(tmp_path: Path) -> None:
    config = host_tests.write_ssh_config(tmp_path, "eu-west-1")
    shown = subprocess.run(
        ["ssh", "-F", str(config), "-G", "i-0abc"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for line in (
        "user admin",
        f"proxycommand {tmp_path}/proxy %h",
        "identitiesonly yes",
        f"identityfile {tmp_path}/key",
        f"userknownhostsfile {tmp_path}/known_hosts",
    ):
        assert line in shown
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    proxy = (tmp_path / "proxy").read_text()
    assert f"-m toolchain.host_connection eu-west-1 '{tmp_path}/key.pub' \"$1\"" in proxy


def test_a_connection_pushes_the_key_and_becomes_the_tunnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA\n")
    pushed: list[dict[str, str]] = []
    became: list[list[str]] = []

    class Client:
        def send_ssh_public_key(self, **given: str) -> None:
            pushed.append(given)

    monkeypatch.setattr(host_connection.boto3, "client", lambda *_, **__: Client())
    monkeypatch.setattr(host_connection.os, "execvp", lambda _, command: became.append(command))
    monkeypatch.setattr(sys, "argv", ["-", "eu-west-1", f"{tmp_path}/key.pub", "i-0abc"])
    host_connection.main()
    assert pushed == [
        {
            "InstanceId": "i-0abc",
            "InstanceOSUser": "admin",
            "SSHPublicKey": "ssh-ed25519 AAAA\n",
        }
    ]
    tunnel = "aws ec2-instance-connect open-tunnel --region eu-west-1 --instance-id i-0abc"
    assert became == [tunnel.split()]


def test_the_local_stack_is_not_deployed_by_deploy() -> None:
    with pytest.raises(RefusedError, match="make up"):
        deploy("local")
