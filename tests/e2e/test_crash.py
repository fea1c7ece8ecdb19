"""kill -9 of the local cloud's daemon in the middle of an `up`: `make down` leaves nothing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.local_stack import REPOSITORY, LocalStack, last_lines, last_words

pytestmark = pytest.mark.root


def test_down_after_a_crash_in_the_middle_of_up_leaves_nothing() -> None:
    local = LocalStack(octet=79)
    said = local.folder / "up.log"  # Not a pipe: nobody reads it while the test waits.
    with said.open("w") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "toolchain", "up"],
            cwd=REPOSITORY,
            env=local.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        # A database that accepts connections: from here on processes, mounts and namespaces exist.
        deadline = time.monotonic() + 600
        while not list(local.home.glob("databases/*/**/postmaster.pid")):
            assert time.monotonic() < deadline and up.poll() is None, last_lines(said.read_text())
            time.sleep(0.2)
        os.kill(int((local.home / "daemon.pid").read_text()), signal.SIGKILL)
        assert up.wait(timeout=300) != 0
        assert local.leftovers()
        again = local.toolchain("up")
        assert again.returncode != 0
        assert "make down" in again.stdout + again.stderr
        down = local.toolchain("down")
        assert down.returncode == 0, last_words(down)
        assert local.leftovers() == []
    finally:
        up.kill()
        local.toolchain("down")
        local.remove()
