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
    aws, *words = shlex.split(backups.aws_s3())
    assert words == ["s3"]
    assert subprocess.check_output([aws, "--version"], text=True).startswith("aws-cli/")
