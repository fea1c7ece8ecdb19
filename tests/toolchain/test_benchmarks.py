"""What `make bench` needs of the machine."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from benchmarks import backups


def test_the_aws_command_line_needs_no_uv_on_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    uv, *words = shlex.split(backups._AWS)
    assert words == ["tool", "run", "--quiet", "--from", "awscli", "aws", "s3"]
    assert subprocess.check_output([uv, "--version"], text=True).startswith("uv ")
