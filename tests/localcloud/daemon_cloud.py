"""A local cloud of its own for tests: the command line a user types, a free port, a short path."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from localcloud import cleanup
from localcloud.home import REGION, Home

REPOSITORY = Path(__file__).parents[2]


class DaemonCloud:
    """One home, and the commands on it."""

    def __init__(self, path: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.home = Home(path, port)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PGKEEP_LOCALCLOUD_HOME": str(self.home.path),
            "PGKEEP_LOCALCLOUD_PORT": str(self.home.port),
        }

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "localcloud", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout_seconds: float = 120) -> "Outcome":
        process = self.popen(*arguments)
        out, error = process.communicate(timeout=timeout_seconds)
        return Outcome(process.returncode, out, error)

    def pid(self) -> int:
        return int(self.home.pid_file.read_text())

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.home.endpoint_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"max_attempts": 1}),
        )


class Outcome:
    """How a command ended."""

    def __init__(self, code: int, out: str, error: str) -> None:
        self.code, self.out, self.error = code, out, error

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.error}"


@contextmanager
def new_cloud(*, start: bool = True) -> Generator[DaemonCloud]:
    """A cloud in a folder of its own; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pgkeep-test-"))
    cloud = DaemonCloud(folder / "home")
    try:
        if start:
            outcome = cloud.run("start")
            assert outcome.code == 0, outcome
        yield cloud
    finally:
        cloud.run("stop")
        cleanup.clean(cloud.home)
        shutil.rmtree(folder)


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Return the condition's first true value; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return value
