"""Ctrl-C before a command has begun: exit code 130, and what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ["backup", "list"],
        ["backup", "run", "--here"],
        ["restore", "--from", "latest", "--to", "probe"],
        ["roles", "apply"],
    ],
)
def test_while_the_stack_is_read_nothing_was_changed(tmp_path: Path, words: list[str]) -> None:
    reads, pulumi = tmp_path / "reads", tmp_path / "bin" / "pulumi"
    os.mkfifo(reads)
    pulumi.parent.mkdir()
    pulumi.write_text(f"#!/bin/sh\necho reading > {reads}\nexec sleep 60\n")
    pulumi.chmod(0o755)
    running = subprocess.Popen(
        [sys.executable, "-c", _MAIN, *words, "--stack", "prod"],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": f"{pulumi.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert reads.read_text() == "reading\n"
        # As a terminal does: to the command and to pulumi.
        os.killpg(running.pid, signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (running.returncode, output) == (130, "")
    assert errors == "pgkeep: interrupted; nothing was changed\n"


def test_where_no_command_says_what_it_leaves_the_interruption_is_told(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    os.mkfifo(ends)
    running = subprocess.Popen(
        [sys.executable, "-c", _MAIN, "check", "--state", str(ends)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # Opened once the command reads it, which then waits.
        with ends.open("w"):
            running.send_signal(signal.SIGINT)
            output, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert (running.returncode, output) == (130, "")
    assert errors == "pgkeep: interrupted\n"


# A shell that starts CI in the background passes on that SIGINT is ignored.
_MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from pgkeep.__main__ import main; main()"
)
