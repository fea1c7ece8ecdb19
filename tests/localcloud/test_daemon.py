"""Start, stop and crash of the daemon, by the command line."""

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from localcloud import cleanup, launch, requirements
from localcloud.errors import LocalCloudError
from localcloud.home import Home
from tests.localcloud.daemon_cloud import DaemonCloud, new_cloud, wait_until


@pytest.fixture(scope="module")
def cloud() -> Generator[DaemonCloud]:
    with new_cloud() as cloud:
        yield cloud


@pytest.fixture
def idle() -> Generator[DaemonCloud]:
    """A cloud that is not started."""
    with new_cloud(start=False) as cloud:
        yield cloud


@pytest.mark.root
def test_api_answers_for_the_account(cloud: DaemonCloud) -> None:
    assert cloud.client("sts").get_caller_identity()["Account"] == "123456789012"
    status = cloud.run("status")
    assert status.code == 0
    assert cloud.home.endpoint_url in status.out


@pytest.mark.root
def test_second_start_changes_nothing(cloud: DaemonCloud) -> None:
    pid = cloud.pid()
    again = cloud.run("start")
    assert (again.code, cloud.pid()) == (0, pid)
    assert "already runs" in again.out


@pytest.mark.root
def test_api_listens_on_loopback_only(cloud: DaemonCloud) -> None:
    listeners = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f":{cloud.home.port:04X}"
    addresses = [line.split()[1] for line in listeners if line.split()[1].endswith(port)]
    assert "0100007F" + port in addresses
    assert "00000000" + port not in addresses


@pytest.mark.root
def test_client_runs_inside_the_vpc(cloud: DaemonCloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.93.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.93.1.0/24")
    group = ec2.create_security_group(GroupName="c", Description="c", VpcId=vpc)["GroupId"]
    before = Path("/etc/resolv.conf").read_bytes()
    script = "ip -br -4 address show eth0; cat /etc/resolv.conf; exit 7"
    outcome = cloud.run("run", "--security-group", group, "--", "sh", "-c", script)
    assert outcome.code == 7, outcome
    assert "10.93.1." in outcome.out
    assert "nameserver 10.93.0.2" in outcome.out
    assert Path("/etc/resolv.conf").read_bytes() == before
    assert not [n for n in cleanup.namespaces(cloud.home) if "-client-" in n.name]

    # A killed client leaves no interface behind.
    client = cloud.popen("run", "--security-group", group, "--", "sleep", "300")
    wait_until(
        lambda: [n for n in cleanup.namespaces(cloud.home) if "-client-" in n.name], "a client"
    )
    os.killpg(client.pid, signal.SIGKILL)
    client.communicate()
    wait_until(
        lambda: not [n for n in cleanup.namespaces(cloud.home) if "-client-" in n.name], "its end"
    )


@pytest.mark.root
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "--security-group", "sg-none", "--", "true"],
            "sg-none refused: it does not exist",
        ),
        (["ssh", "i-0123456789abcdef0"], "i-0123456789abcdef0 refused"),
        (["logs", "i-0123456789abcdef0"], "There is no log"),
    ],
)
def test_unknown_things_are_refused_in_one_line(
    cloud: DaemonCloud, arguments: list[str], message: str
) -> None:
    outcome = cloud.run(*arguments)
    assert outcome.code == 1
    assert message in outcome.error
    assert len(outcome.error.splitlines()) == 1


@pytest.mark.root
def test_stop_leaves_nothing_and_start_works_again(idle: DaemonCloud) -> None:
    assert idle.run("start").code == 0
    ec2 = idle.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.93.0.0/16")["Vpc"]["VpcId"]
    pid = idle.pid()
    assert idle.run("stop").code == 0
    assert cleanup.leftovers(idle.home) == []
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "init has reaped the daemon", 10)
    assert idle.run("status").code == 3
    outcome = idle.run("stop")
    assert (outcome.code, "No local cloud runs" in outcome.out) == (0, True)
    assert idle.run("start").code == 0
    found = [each["VpcId"] for each in idle.client("ec2").describe_vpcs()["Vpcs"]]
    assert vpc not in found, "the control plane starts empty"


@pytest.mark.root
def test_after_a_crash_start_is_refused_until_stop(idle: DaemonCloud) -> None:
    assert idle.run("start").code == 0
    os.kill(idle.pid(), signal.SIGKILL)
    time.sleep(0.3)
    refused = idle.run("start")
    assert refused.code == 1
    assert "run `make down`, then `make up`" in refused.error
    assert len(refused.error.splitlines()) == 1
    assert idle.run("stop").code == 0
    assert cleanup.leftovers(idle.home) == []
    assert idle.run("start").code == 0


@pytest.mark.root
def test_port_in_use_is_refused_and_nothing_is_made(idle: DaemonCloud) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", idle.home.port))
        other.listen()
        outcome = idle.run("start")
    assert outcome.code == 1
    assert f"Port {idle.home.port}" in outcome.error
    assert "PGKEEP_LOCALCLOUD_PORT" in outcome.error
    assert len(outcome.error.splitlines()) == 1
    assert not idle.home.path.exists()


@pytest.mark.root
def test_daemon_that_fails_to_start_says_why_and_leaves_nothing(
    idle: DaemonCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle.home.create()
    (idle.home.certificates / "rds-ca.pem").write_text("broken")
    outcome = idle.run("start")
    assert outcome.code == 1
    assert len(outcome.error.splitlines()) == 1
    assert "ended while it started" in outcome.error
    assert cleanup.leftovers(idle.home) == []
    assert not idle.home.pid_file.exists()
    assert not idle.home.databases.exists()


@pytest.mark.root
def test_bad_port_is_one_line(monkeypatch: pytest.MonkeyPatch, idle: DaemonCloud) -> None:
    monkeypatch.setattr(DaemonCloud, "environment", os.environ | {"PGKEEP_LOCALCLOUD_PORT": "x"})
    outcome = idle.run("start")
    assert (outcome.code, len(outcome.error.splitlines())) == (1, 1)


def test_no_root_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalCloudError, match=r"needs root \(this is user id 1000\)"):
        launch.start(Home(tmp_path / "home"), print)
    assert not (tmp_path / "home").exists()


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for action in (launch.start, launch.stop):
        with pytest.raises(LocalCloudError, match=r"needs Linux \(this is darwin\)"):
            action(Home(tmp_path / "home"), print)


def test_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2 * 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(LocalCloudError, match=r"has 2\.0 GiB free, 3 GiB are needed"):
        requirements.require_disk(tmp_path / "not" / "yet")


def test_missing_programs_without_apt_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalCloudError, match=r"mmdebstrap.*systemd-container.*no apt-get"):
        requirements.require_programs(print)


def test_missing_programs_are_installed_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    present = set(requirements.PROGRAMS) - {"nft"}
    for name in present:
        (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / "apt-get").write_text(
        f'#!/bin/sh\n[ "$1" = update ] || {{ : > {tmp_path}/nft; /bin/chmod +x {tmp_path}/nft; }}\n'
    )
    for file in tmp_path.iterdir():
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lines: list[str] = []
    requirements.require_programs(lines.append)
    assert lines == [
        "Installing what is missing: apt-get install --yes --no-install-recommends nftables"
    ]
    (tmp_path / "nft").unlink()
    (tmp_path / "apt-get").write_text("#!/bin/sh\necho 'E: no mirror' >&2\nexit 100\n")
    with pytest.raises(LocalCloudError, match=r"could not be installed \(E: no mirror\); run `apt"):
        requirements.require_programs(lines.append)
