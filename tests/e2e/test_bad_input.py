"""What a user gets wrong costs one clear line and an exit code, never a traceback or half a stack."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.local_stack import REPOSITORY, LocalStack


@pytest.fixture
def local() -> Iterator[LocalStack]:
    local = LocalStack(octet=76)
    yield local
    assert "Traceback" not in local.said
    assert local.leftovers() in ([], [f"folder {local.home}"])
    local.remove()


def refused(local: LocalStack, *arguments: str) -> str:
    """Runs a target that must fail; returns what it said."""
    result = local.toolchain(*arguments)
    local.said = result.stdout + result.stderr
    assert result.returncode != 0, local.said
    return local.said


def test_an_unknown_stack(local: LocalStack) -> None:
    said = refused(local, "preview", "production")
    assert "there is no stack 'production'" in said
    assert "dev, local, prod, staging" in said


def test_broken_yaml(local: LocalStack) -> None:
    local.config_file.write_text("config:\n  - [broken\n")
    said = refused(local, "up")
    assert "is not valid YAML" in said
    assert str(local.config_file) in said


def test_a_wrong_setting_names_field_value_and_limit(local: LocalStack) -> None:
    local.write_config({"database": {"pitr_retention_days": 36}})
    said = refused(local, "preview", "local")
    assert "database.pitr_retention_days" in said
    assert "36" in said
    assert "35" in said


@pytest.mark.root
def test_a_port_in_use(local: LocalStack) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", local.port))
        listener.listen()
        said = refused(local, "up")
    assert f"Port {local.port}" in said
    assert "PGKEEP_LOCALCLOUD_PORT" in said


@pytest.mark.root
def test_no_disk_space(local: LocalStack) -> None:
    local.home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(local.home)], check=True)
    try:
        said = refused(local, "up")
    finally:
        subprocess.run(["umount", str(local.home)], check=True)
    assert "disk" in said
    assert "GiB" in said


@pytest.mark.root
def test_an_unreachable_local_cloud(local: LocalStack) -> None:
    local.pulumi("stack", "init", "local")
    result = local.preview()
    local.said = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"127.0.0.1:{local.port}" in local.said
    assert "make up" in local.said


@pytest.mark.root
def test_no_root(local: LocalStack) -> None:
    # In a user namespace of its own the process is nobody, yet can read root's Python.
    result = subprocess.run(
        ["unshare", "--user", sys.executable, "-m", "toolchain", "up"],
        cwd=REPOSITORY,
        env=local.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    local.said = result.stdout + result.stderr
    assert result.returncode == 1
    assert "needs root" in local.said
