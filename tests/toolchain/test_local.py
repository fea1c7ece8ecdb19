"""Where the local cloud cannot run, `make up` says so before anything is made."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import moto
import pytest

from toolchain import local
from toolchain.steps import RefusedError


@pytest.mark.parametrize("target", [local.up, local.down])
@pytest.mark.parametrize(
    ("system", "user", "said"),
    [("Darwin", 0, "needs Linux .this is Darwin."), ("Linux", 1000, "needs root")],
)
def test_not_here(
    target: object,
    system: str,
    user: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_HOME", str(tmp_path / "home"))
    with pytest.raises(RefusedError, match=said):
        target()
    assert not (tmp_path / "home").exists()


def test_down_deletes_restored_instances_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"AWS_ENDPOINT_URL": None, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    monkeypatch.setattr(local, "local_client_environment", lambda _region: own)
    with moto.mock_aws():
        rds = boto3.client("rds", region_name="eu-west-1")
        for name, tags in (("primary", []), ("proof", [{"Key": "pgkeep:scratch", "Value": "x"}])):
            rds.create_db_instance(
                DBInstanceIdentifier=name,
                DBInstanceClass="db.m7i.large",
                Engine="postgres",
                Tags=tags,
            )
        local.delete_restored_instances()
        left = rds.describe_db_instances()["DBInstances"]
    assert [one["DBInstanceIdentifier"] for one in left] == ["primary"]


def test_an_interrupted_engine_is_waited_for(tmp_path: Path) -> None:
    """Ctrl-C goes to the whole process group; only the engine may decide when it is done."""
    saved = tmp_path / "saved"
    engine = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        f"    time.sleep(0.5); open({str(saved)!r}, 'w').close(); sys.exit(3)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('begun', flush=True)\n"
        "time.sleep(30)\n"
    )
    program = (
        # A shell that starts CI in the background passes on that SIGINT is ignored.
        "import pathlib, signal, sys; from toolchain.steps import run_engine; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.exit(run_engine([sys.executable, '-c', {engine!r}], pathlib.Path('/'), {{}}))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout and running.stdout.readline() == "begun\n"
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 3
    assert saved.exists()
    assert "waiting for Pulumi to save its state" in said
    assert "Traceback" not in said


def test_the_printed_environment_is_the_local_clouds_administrator_for_any_aws_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_PORT", "4999")
    chosen = {"PATH": "/usr/bin", "PULUMI_HOME": "/a b", "HOME": "/root"}
    monkeypatch.setattr(local, "local_environment", lambda: chosen)
    stack = tmp_path / "Pulumi.local.yaml"
    stack.write_text("config:\n  aws:region: eu-central-1\n")
    monkeypatch.setenv("PGKEEP_STACK_CONFIG_FILE", str(stack))
    assert local.print_environment() == 0
    assert capsys.readouterr().out.splitlines() == [
        "export AWS_ACCESS_KEY_ID=local",
        "export AWS_DEFAULT_REGION=eu-central-1",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4999",
        "export AWS_REGION=eu-central-1",
        "export AWS_SECRET_ACCESS_KEY=local",
        "export PATH=/usr/bin",
        "export PULUMI_HOME='/a b'",
    ]
