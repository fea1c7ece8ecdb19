"""Starts and stops the daemon of a home from the outside."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from localcloud import cleanup, requirements
from localcloud.control.api import listen
from localcloud.control.socket import call
from localcloud.errors import LocalCloudError
from localcloud.home import Home
from localcloud.image import base_image

Report = Callable[[str], None]

START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 45.0

_REPOSITORY = Path(__file__).resolve().parent.parent


def running_pid(home: Home) -> int | None:
    """Process id of the home's daemon, or None: a daemon holds a lock on its pid file."""
    try:
        with home.pid_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except FileNotFoundError:
        return None
    return None


def prepare(home: Home, report: Report) -> None:
    """Make sure that the machine has what every local cloud needs; quick when it has.

    Raises LocalCloudError where no local cloud can run.
    """
    requirements.require_linux_root()
    requirements.require_disk(home.path)
    requirements.require_programs(report)
    base_image(report)


def start(home: Home, report: Report) -> None:
    """Start the daemon and return when it answers; one that runs already is left alone.

    Raises LocalCloudError, after taking away what was half made.
    """
    requirements.require_linux_root()
    if (pid := running_pid(home)) is not None:
        with call(home, {"do": "status"}) as status:
            report(f"The local cloud already runs at {status['endpoint']} (process {pid}).")
        return
    prepare(home, report)
    if home.pid_file.exists() or cleanup.leftovers(home):
        raise LocalCloudError(
            f"The local cloud in {home.path} ended without cleaning up, and what its AWS API knew "
            "is lost with it; run `make down`, then `make up`."
        )
    listen(home.port).close()
    started = time.monotonic()
    report("Local cloud: starting ...")
    home.create()
    process = _spawn(home)
    try:
        _wait_until_ready(home, process)
    except BaseException:
        process.kill()
        process.wait()
        cleanup.clean(home)
        raise
    report(f"Local cloud: ready in {time.monotonic() - started:.1f} s at {home.endpoint_url}")


def stop(home: Home, report: Report) -> None:
    """Stop the daemon in order, then make sure that nothing of it remains, also after a crash."""
    if sys.platform != "linux":
        requirements.require_linux_root()
    pid = running_pid(home)
    if pid is None and not home.pid_file.exists() and not cleanup.leftovers(home):
        report(f"No local cloud runs in {home.path}.")
    else:
        requirements.require_linux_root()
    started = time.monotonic()
    if pid is not None:
        _terminate(home, pid)
    cleanup.clean(home)
    if pid is not None:
        report(f"Local cloud: stopped in {time.monotonic() - started:.1f} s")


def _spawn(home: Home) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "PGKEEP_LOCALCLOUD_HOME": str(home.path),
        "PGKEEP_LOCALCLOUD_PORT": str(home.port),
        "PYTHONPATH": str(_REPOSITORY),
        "PYTHONUNBUFFERED": "1",
    }
    with home.log_file.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "localcloud.daemon"],
            cwd=home.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at `make up` is not the daemon's
        )


def _wait_until_ready(home: Home, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while process.poll() is None:
        try:
            with call(home, {"do": "status"}):
                return
        except LocalCloudError:
            pass
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"The local cloud did not answer within {START_TIMEOUT_SECONDS:.0f} s; "
                f"its log is {home.log_file}."
            )
        time.sleep(0.05)
    raise LocalCloudError(_last_error(home))


def _last_error(home: Home) -> str:
    lines = home.log_file.read_text(errors="replace").splitlines()
    refusals = [line.partition("refused: ")[2] for line in lines if "refused: " in line]
    if refusals:
        return refusals[-1]
    last = lines[-1] if lines else "it wrote nothing"
    return f"The local cloud ended while it started: {last} (log: {home.log_file})."


def _terminate(home: Home, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while running_pid(home) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    # What is still there now is ended by `clean`.
