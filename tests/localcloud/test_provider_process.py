"""The provider's process ends when the engine says so, which waits 5 seconds for it at most."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud.provider"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PGKEEP_OFFLINE_PREVIEW": "1"},
        # As the engine starts it: in a process group of its own, which no Ctrl-C reaches.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        sent = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - sent < 4
    finally:
        process.kill()
        process.wait()
