"""The plugins by which the engine finds this repository on PATH."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain import environment

HOST = "pulumi-language-python"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "build" / "bin"
    monkeypatch.setattr(environment, "PLUGINS", folder)
    return folder


def test_plugins_that_are_right_stay_untouched(plugins: Path, tmp_path: Path) -> None:
    # An engine that runs beside this process would find no language host in between.
    environment.write_plugins(tmp_path / "pulumi")
    before = {file.name: file.stat().st_ino for file in plugins.iterdir()}
    watched = plugins.stat().st_mtime_ns
    environment.write_plugins(tmp_path / "pulumi")
    assert set(before) == {HOST, "pulumi-resource-aws"}
    assert {file.name: file.stat().st_ino for file in plugins.iterdir()} == before
    assert plugins.stat().st_mtime_ns == watched  # Nothing was removed and put back either.


def test_a_plugin_of_another_checkout_is_replaced(plugins: Path, tmp_path: Path) -> None:
    plugins.mkdir(parents=True)
    (plugins / HOST).write_text("#!/bin/sh\nexit 9\n")
    environment.write_plugins(tmp_path / "pulumi")
    assert "toolchain.language_host" in (plugins / HOST).read_text()
    shown = subprocess.run(["sh", "-n", plugins / HOST], check=False)
    assert shown.returncode == 0
    assert (plugins / HOST).stat().st_mode & 0o777 == 0o755


def test_the_official_cli_keeps_its_own_language_host(plugins: Path, tmp_path: Path) -> None:
    environment.write_plugins(tmp_path / "pulumi")
    (tmp_path / HOST).touch()
    environment.write_plugins(tmp_path / "pulumi")
    assert not (plugins / HOST).exists()
    assert (plugins / "pulumi-resource-aws").exists()


def test_deploying_to_aws_takes_the_language_host_and_no_other_plugin(
    plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "ensure_pulumi", lambda: tmp_path / "cli" / "pulumi")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    path = environment.user_environment()["PATH"].split(":")
    assert path == [str(plugins.parent / "language-host"), str(tmp_path / "cli"), *path[2:]]
    assert [file.name for file in (plugins.parent / "language-host").iterdir()] == [HOST]
    assert not plugins.exists()


def test_the_engine_keeps_no_log_of_values(
    plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "ensure_pulumi", lambda: tmp_path / "cli" / "pulumi")
    assert not plugins.exists()
    home = Path(environment.engine_environment(tmp_path / "new")["PULUMI_HOME"])
    assert (home / "logs").read_bytes() == b""
    # A log that an older version has kept stays.
    (tmp_path / "old" / "home" / "logs").mkdir(parents=True)
    home = Path(environment.engine_environment(tmp_path / "old")["PULUMI_HOME"])
    assert (home / "logs").is_dir()
